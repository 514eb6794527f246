//! Blocks of whole lines, blank ones included, as they lie in the file.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

use super::{BLOCK_BYTES, Block, Cuts};

pub(crate) struct Lines<R> {
    reader: R,
    max_bytes: usize,
    /// What was read after the last newline of the block before.
    begun: Vec<u8>,
    bytes: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R, max_bytes: usize) -> Self {
        Self {
            reader,
            max_bytes,
            begun: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn block(&mut self, mut bytes: Vec<u8>) -> io::Result<Option<Block>> {
        let mut filled = self.begun.len();
        bytes.resize(bytes.len().max(BLOCK_BYTES).max(filled + 1), 0);
        bytes[..filled].copy_from_slice(&self.begun);
        self.begun.clear();
        loop {
            if filled == bytes.len() {
                if filled > self.max_bytes + 1 {
                    return self.skip(bytes, filled).map(Some);
                }
                bytes.resize(filled * 2, 0);
            }
            let read = read(&mut self.reader, &mut bytes[filled..])?;
            if read == 0 {
                return Ok((filled > 0).then(|| self.cut(bytes, filled)));
            }
            let last = memrchr(b'\n', &bytes[filled..filled + read]);
            let end = filled + read;
            if let Some(last) = last {
                let length = filled + last + 1;
                self.begun.extend_from_slice(&bytes[length..end]);
                return Ok(Some(self.cut(bytes, length)));
            }
            filled = end;
        }
    }

    fn cut(&mut self, bytes: Vec<u8>, length: usize) -> Block {
        let offset = self.bytes;
        self.bytes += length as u64;
        Block {
            offset,
            bytes,
            length,
            cuts: Cuts::Lines {
                max_bytes: self.max_bytes,
            },
        }
    }

    /// Reads on to the end of a line that is not kept.
    fn skip(&mut self, mut bytes: Vec<u8>, read_before: usize) -> io::Result<Block> {
        let offset = self.bytes;
        self.bytes += read_before as u64;
        // Not all of it is memory to keep.
        bytes.truncate(BLOCK_BYTES);
        bytes.shrink_to_fit();
        loop {
            let read = read(&mut self.reader, &mut bytes)?;
            let end = memchr(b'\n', &bytes[..read]);
            self.bytes += end.map_or(read, |end| end + 1) as u64;
            if let Some(end) = end {
                self.begun.extend_from_slice(&bytes[end + 1..read]);
            }
            if end.is_some() || read == 0 {
                return Ok(Block {
                    offset,
                    bytes,
                    length: 0,
                    cuts: Cuts::TooLong,
                });
            }
        }
    }
}

fn read(reader: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
