//! How many answers are computed at once; the others wait their turn.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::infer::server::Cancel;

pub struct Slots {
    free: Mutex<usize>,
    changed: Condvar,
}

/// A place among those that compute; given back on drop.
pub struct Slot<'a>(&'a Slots);

/// How soon a waiting request notices that its client has gone.
const PATIENCE: Duration = Duration::from_millis(100);

impl Slots {
    pub fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(count),
            changed: Condvar::new(),
        }
    }

    /// Waits for a place; `None` when the request was cancelled meanwhile.
    pub fn wait(&self, cancel: &Cancel) -> Option<Slot<'_>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if cancel.is_raised() {
                return None;
            }
            if *free > 0 {
                *free -= 1;
                return Some(Slot(self));
            }
            free = self
                .changed
                .wait_timeout(free, PATIENCE)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_one();
    }
}
