//! Reading that ends early.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

/// A file that seems to end where it is told to stop.
pub struct Stoppable<'a> {
    pub file: BufReader<File>,
    pub stop: &'a Cell<bool>,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.get() {
            return Ok(0);
        }
        self.file.read(buffer)
    }
}

impl BufRead for Stoppable<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.stop.get() {
            return Ok(&[]);
        }
        self.file.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.file.consume(amount);
    }
}
