//! Reading that ends early.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read},
};

/// A file that seems to end where it is told to stop.
pub struct Stoppable<'a> {
    pub file: File,
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
