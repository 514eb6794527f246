//! The in-process signal that there is something to claim.

use tokio::sync::watch;

/// Wakes the runners of this process. It carries no data: whoever wakes reads the database. Call [`Waker::wake`] after the
/// commit of the transaction that enqueued; other processes find the task by their poll.
#[derive(Clone, Debug)]
pub struct Waker(watch::Sender<()>);

impl Waker {
    /// Wakes every queue of every runner made with this waker. Never lost: who is busy looks again afterwards.
    pub fn wake(&self) {
        self.0.send_replace(());
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

impl Default for Waker {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}
