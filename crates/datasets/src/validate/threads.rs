//! Who looks at the blocks of a file: one thread, or several while one reads and tells. What is told is the same.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, mpsc};
use std::thread;

use super::examine::{Examiner, Part};
use crate::rows::{Block, Blocks};

/// Blocks that each thread may have before it.
const AHEAD: usize = 2;

pub(super) fn alone<R: Read>(
    blocks: &mut Blocks<R>,
    examiner: &Examiner<'_>,
    mut each: impl FnMut(&Block, Part),
) -> io::Result<()> {
    let mut memory = Vec::new();
    while let Some(block) = blocks.next(memory)? {
        examiner.examine(&block, |part| each(&block, part));
        memory = block.into_bytes();
    }
    Ok(())
}

struct Worker {
    blocks: mpsc::Sender<Arc<Block>>,
    parts: mpsc::Receiver<Part>,
}

impl Worker {
    fn start<'scope>(scope: &'scope thread::Scope<'scope, '_>, examiner: &'scope Examiner<'_>) -> Self {
        let (send_block, blocks) = mpsc::channel::<Arc<Block>>();
        // It waits to be heard, so that what it found cannot pile up.
        let (send_part, parts) = mpsc::sync_channel(AHEAD);
        scope.spawn(move || {
            for block in blocks {
                let mut end = None;
                examiner.examine(&block, |part| match part {
                    Part::Rows(_) => drop(send_part.send(part)),
                    Part::End { .. } => end = Some(part),
                });
                drop(block);
                if let Some(end) = end
                    && send_part.send(end).is_err()
                {
                    return;
                }
            }
        });
        Self {
            blocks: send_block,
            parts,
        }
    }
}

/// Blocks go to the threads in turn, and are told of in turn.
pub(super) fn several<R: Read>(
    blocks: &mut Blocks<R>,
    examiner: &Examiner<'_>,
    threads: usize,
    mut each: impl FnMut(&Block, Part),
) -> io::Result<()> {
    let died = || io::Error::other("a thread that looks at rows died");
    thread::scope(|scope| {
        let workers: Vec<Worker> = (0..threads).map(|_| Worker::start(scope, examiner)).collect();
        let mut waiting = VecDeque::new();
        let mut memory = Vec::new();
        let (mut given, mut over) = (0, false);
        loop {
            while !over && waiting.len() < threads * AHEAD {
                let Some(block) = blocks.next(memory.pop().unwrap_or_default())? else {
                    over = true;
                    break;
                };
                let (block, worker) = (Arc::new(block), &workers[given % threads]);
                given += 1;
                worker.blocks.send(block.clone()).map_err(|_| died())?;
                waiting.push_back((worker, block));
            }
            let Some((worker, block)) = waiting.pop_front() else {
                return Ok(());
            };
            loop {
                let part = worker.parts.recv().map_err(|_| died())?;
                let last = matches!(part, Part::End { .. });
                each(&block, part);
                if last {
                    break;
                }
            }
            memory.extend(Arc::into_inner(block).map(Block::into_bytes));
        }
    })
}
