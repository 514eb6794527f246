//! The leases that this process holds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::store::Key;

#[derive(Clone, Default)]
pub struct Held(Arc<Mutex<HashMap<Key, CancellationToken>>>);

impl Held {
    /// Holds the lease until the guard is dropped, even by a panic.
    pub fn insert(&self, key: Key, cancellation: CancellationToken) -> HeldGuard {
        self.lock().insert(key, cancellation);
        HeldGuard {
            held: self.clone(),
            key,
        }
    }

    pub fn keys(&self) -> Vec<Key> {
        self.lock().keys().copied().collect()
    }

    /// Tells the handlers of leases that `lost` picks to stop.
    pub fn cancel(&self, lost: impl Fn(&Key) -> bool) {
        for (key, cancellation) in self.lock().iter() {
            if lost(key) && !cancellation.is_cancelled() {
                tracing::warn!(task.id = %key.id, "a lease was lost");
                cancellation.cancel();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct HeldGuard {
    held: Held,
    key: Key,
}

impl Drop for HeldGuard {
    fn drop(&mut self) {
        self.held.lock().remove(&self.key);
    }
}
