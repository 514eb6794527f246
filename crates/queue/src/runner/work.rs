//! The loop of one queue.

use std::sync::Arc;

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Runner, execute, held::Held};
use crate::store;

pub struct Worker<C> {
    runner: Arc<Runner<C>>,
    held: Held,
    queue: &'static str,
    concurrency: usize,
    names: Vec<&'static str>,
    running: JoinSet<()>,
    /// Fires when the grace of a shutdown is over.
    give_up: CancellationToken,
}

impl<C: Send + Sync + 'static> Worker<C> {
    pub fn new(runner: Arc<Runner<C>>, held: Held, queue: &'static str, concurrency: usize) -> Self {
        let kinds = runner.kinds.iter();
        let names = kinds.filter(|(_, kind)| kind.queue == queue);
        Self {
            names: names.map(|(name, _)| *name).collect(),
            runner,
            held,
            queue,
            concurrency,
            running: JoinSet::new(),
            give_up: CancellationToken::new(),
        }
    }

    pub async fn run(mut self, shutdown: CancellationToken) {
        if self.names.is_empty() {
            return;
        }
        let mut wake = self.runner.waker.subscribe();
        while !shutdown.is_cancelled() {
            while self.running.try_join_next().is_some() {}
            wake.mark_unchanged();
            self.claim(&shutdown).await;
            let full = self.running.len() >= self.concurrency;
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(_) = self.running.join_next() => {}
                // The runner owns a waker, so the channel never closes.
                _ = wake.changed(), if !full => {}
                () = sleep(self.runner.timing.tick), if !full => {}
            }
        }
        self.drain().await;
    }

    async fn claim(&mut self, shutdown: &CancellationToken) {
        let free = self.concurrency.saturating_sub(self.running.len());
        if free == 0 {
            return;
        }
        let runner = &self.runner;
        let lease = runner.timing.lease;
        match store::claim(&runner.db, self.queue, &self.names, free, lease).await {
            Ok(tasks) => {
                for task in tasks {
                    let cancellation = shutdown.child_token();
                    let guard = self.held.insert(task.key, cancellation.clone());
                    let (runner, give_up) = (runner.clone(), self.give_up.clone());
                    self.running.spawn(async move {
                        execute::run(&runner, task, cancellation, give_up).await;
                        drop(guard);
                    });
                }
            }
            Err(error) => {
                tracing::warn!(queue = self.queue, %error, "tasks could not be claimed");
            }
        }
    }

    /// Waits for the handlers, drops those that do not leave in time, and gives their tasks back. A handler that blocks its
    /// thread cannot be dropped: its lease runs out.
    async fn drain(mut self) {
        let timing = self.runner.timing;
        for patience in [timing.grace, timing.tick] {
            let left = async { while self.running.join_next().await.is_some() {} };
            if timeout(patience, left).await.is_ok() {
                return;
            }
            self.give_up.cancel();
        }
        tracing::error!(queue = self.queue, "a task blocks the shutdown and is abandoned");
    }
}
