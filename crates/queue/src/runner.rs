//! Claims tasks and runs them until it is told to stop.

mod execute;
mod held;
mod tend;
mod work;

use std::{sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    Burial, HookError, Lease, QueueError, Task, TaskError, Waker,
    enqueue::NewTask,
    registry::{self, Kind, Kinds},
    schedule::Schedule,
};
use held::Held;

/// How fast things happen. The defaults suit the product; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long an owner that went silent keeps its task.
    pub lease: Duration,
    /// How often leases are extended, expired ones reaped, and the table polled. Well below `lease`.
    pub tick: Duration,
    /// How long running handlers may take to leave at a shutdown.
    pub grace: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(8),
            tick: Duration::from_secs(1),
            grace: Duration::from_secs(10),
        }
    }
}

/// Runs tasks with handlers that share the context `C`.
pub struct Runner<C> {
    db: DatabaseConnection,
    context: Arc<C>,
    waker: Waker,
    timing: Timing,
    kinds: Kinds<C>,
    queues: Vec<(&'static str, usize)>,
    schedules: Vec<Schedule>,
    mistakes: Vec<String>,
}

impl<C> std::fmt::Debug for Runner<C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Runner")
            .field("tasks", &self.kinds.keys().collect::<Vec<_>>())
            .field("queues", &self.queues)
            .finish_non_exhaustive()
    }
}

impl<C: Send + Sync + 'static> Runner<C> {
    /// A runner on the connection for writes. On SQLite that may be a pool of one: it is never held while a handler runs.
    pub fn new(db: DatabaseConnection, context: Arc<C>, waker: Waker) -> Self {
        Self {
            db,
            context,
            waker,
            timing: Timing::default(),
            kinds: Kinds::new(),
            queues: Vec::new(),
            schedules: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    /// Replaces the default timing.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Runs the tasks of a queue, at most `concurrency` at a time.
    #[must_use]
    pub fn queue(mut self, name: &'static str, concurrency: usize) -> Self {
        self.queues.push((name, concurrency));
        self
    }

    /// Runs tasks of type `T` by an async function of the context, the task and its lease.
    #[must_use]
    pub fn register<T, H, F>(mut self, handler: H) -> Self
    where
        T: Task,
        H: Fn(Arc<C>, T, Lease) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        let kind = Kind {
            queue: T::QUEUE,
            handler: registry::handler(handler),
            on_dead: None,
        };
        if self.kinds.insert(T::NAME, kind).is_some() {
            self.mistakes.push(format!("two task types are named {}", T::NAME));
        }
        self
    }

    /// Calls `hook` before a task of type `T` is buried, by its own worker or by the reaper. The hook may be called again
    /// when it fails or its process dies.
    #[must_use]
    pub fn on_dead<T, H, F>(mut self, hook: H) -> Self
    where
        T: Task,
        H: Fn(Arc<C>, T, Burial) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        match self.kinds.get_mut(T::NAME) {
            Some(kind) => kind.on_dead = Some(registry::hook(hook)),
            None => self
                .mistakes
                .push(format!("on_dead of {} comes before its register", T::NAME)),
        }
        self
    }

    /// Enqueues a copy of `task` at every time that matches the cron expression (UTC; five fields, or six with seconds),
    /// once among all processes. A time that passed while no process ran is made up for once.
    #[must_use]
    pub fn cron<T: Task>(mut self, expression: &str, task: &T) -> Self {
        let schedule = NewTask::new(task).and_then(|task| Schedule::new(expression, task));
        match schedule {
            Ok(schedule) => self.schedules.push(schedule),
            Err(error) => self.mistakes.push(error.to_string()),
        }
        self
    }

    /// Runs until `shutdown` fires; then claims nothing more, cancels the leases, waits for the handlers as long as
    /// [`Timing::grace`] allows, and gives back what is left.
    ///
    /// # Errors
    /// [`QueueError::Configuration`] when the runner was put together wrongly. A failing database is no error: it is logged
    /// and tried again.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), QueueError> {
        self.check()?;
        let queues = self.queues.clone();
        let runner = Arc::new(self);
        let held = Held::default();
        let mut workers = JoinSet::new();
        for (queue, concurrency) in queues {
            let worker = work::Worker::new(runner.clone(), held.clone(), queue, concurrency);
            workers.spawn(worker.run(shutdown.clone()));
        }
        workers.spawn(tend::schedules(runner.clone(), shutdown.clone()));
        // Leases are extended until the last handler has left.
        let drained = CancellationToken::new();
        let mut keeper = JoinSet::new();
        keeper.spawn(tend::leases(runner, held, drained.clone()));
        while workers.join_next().await.is_some() {}
        drained.cancel();
        while keeper.join_next().await.is_some() {}
        Ok(())
    }

    fn check(&self) -> Result<(), QueueError> {
        let mut mistakes = self.mistakes.clone();
        for (name, kind) in &self.kinds {
            let served = self.queues.iter().filter(|(queue, _)| *queue == kind.queue);
            match served.count() {
                0 => mistakes.push(format!("no worker serves the queue {} of {name}", kind.queue)),
                1 => {}
                _ => mistakes.push(format!("the queue {} is served twice", kind.queue)),
            }
        }
        for (queue, concurrency) in &self.queues {
            if *concurrency == 0 {
                mistakes.push(format!("the queue {queue} has no concurrency"));
            }
        }
        for schedule in &self.schedules {
            if !self.kinds.contains_key(schedule.name()) {
                mistakes.push(format!("the scheduled task {} is not registered", schedule.name()));
            }
            let same = |other: &&Schedule| other.name() == schedule.name();
            if self.schedules.iter().filter(same).count() > 1 {
                mistakes.push(format!("the task {} is scheduled twice", schedule.name()));
            }
        }
        mistakes.dedup();
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(QueueError::Configuration(mistakes.join("; ")))
        }
    }

    fn names(&self) -> Vec<&'static str> {
        self.kinds.keys().copied().collect()
    }
}
