//! The product of the tests: a task that writes one row, and a runner that its handler is told how to behave by.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use cerebros_queue::{Burial, Enqueue, HookError, Lease, QueueError, Runner, Task, TaskError, Waker, enqueue};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::database::{QUICK, TestDb, begin};

/// How the handler behaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Behaviour {
    /// Writes its row and its end in one transaction.
    Write,
    /// Writes its row, rolls back at the first attempt, commits at the second.
    RollBackOnce,
    /// Ends well without completing.
    Nothing,
    /// Fails for now, every time.
    Fail,
    /// Comes further at the first four attempts, fails for now, every time.
    ComeFurtherAndFail,
    /// Fails for good.
    FailForGood,
    Panic,
    /// Runs until it is told to stop, then reports an interruption.
    WaitForStop,
    /// Never ends.
    Hang,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Effect {
    pub number: i64,
    pub behaviour: Behaviour,
}

impl Task for Effect {
    const NAME: &'static str = "effect";
    const QUEUE: &'static str = "effects";
    const MAX_ATTEMPTS: u32 = 3;
}

pub struct Context {
    pub conn: DatabaseConnection,
    /// The leases of all attempts, in the order of their start.
    pub leases: Mutex<Vec<Lease>>,
    /// The numbers of the tasks, in the order of their start.
    pub order: Mutex<Vec<i64>>,
    /// Attempts that saw their cancellation.
    pub stopped: AtomicU32,
    /// How many calls of the burial hook fail.
    pub hook_failures: AtomicU32,
    pub hook_calls: AtomicU32,
}

pub struct Product {
    pub context: Arc<Context>,
    pub waker: Waker,
}

pub struct Running {
    pub shutdown: CancellationToken,
    pub ended: JoinHandle<Result<(), QueueError>>,
}

impl Product {
    pub async fn new(db: &TestDb) -> Self {
        db.execute("CREATE TABLE effects (number BIGINT NOT NULL)").await;
        db.execute("CREATE TABLE failures (number BIGINT NOT NULL)").await;
        let context = Context {
            conn: db.conn.clone(),
            leases: Mutex::default(),
            order: Mutex::default(),
            stopped: AtomicU32::new(0),
            hook_failures: AtomicU32::new(0),
            hook_calls: AtomicU32::new(0),
        };
        Self {
            context: Arc::new(context),
            waker: Waker::default(),
        }
    }

    pub fn runner(&self, concurrency: usize) -> Runner<Context> {
        Runner::new(self.context.conn.clone(), self.context.clone(), self.waker.clone())
            .timing(QUICK)
            .queue(Effect::QUEUE, concurrency)
            .register(handle)
            .on_dead(note_failure)
    }

    pub fn start(&self, concurrency: usize) -> Running {
        start(self.runner(concurrency))
    }

    pub async fn enqueue(&self, number: i64, behaviour: Behaviour) -> Uuid {
        let task = Effect { number, behaviour };
        let id = enqueue(&self.context.conn, &task, Enqueue::default()).await.unwrap();
        self.waker.wake();
        id
    }

    pub fn starts(&self) -> usize {
        self.context.leases.lock().unwrap().len()
    }

    pub fn lease(&self, start: usize) -> Lease {
        self.context.leases.lock().unwrap()[start].clone()
    }
}

pub fn start(runner: Runner<Context>) -> Running {
    let shutdown = CancellationToken::new();
    Running {
        shutdown: shutdown.clone(),
        ended: tokio::spawn(runner.run(shutdown)),
    }
}

impl Running {
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }

    /// As a kill does it: nothing is stored, nothing is given back.
    pub async fn kill(self) {
        self.ended.abort();
        assert!(self.ended.await.unwrap_err().is_cancelled());
    }
}

pub async fn insert(conn: &impl ConnectionTrait, table: &str, number: i64) {
    let text = format!("INSERT INTO {table} (number) VALUES ($1)");
    let statement = Statement::from_sql_and_values(conn.get_database_backend(), text, [number.into()]);
    conn.execute_raw(statement).await.unwrap();
}

async fn handle(context: Arc<Context>, task: Effect, lease: Lease) -> Result<(), TaskError> {
    context.leases.lock().unwrap().push(lease.clone());
    context.order.lock().unwrap().push(task.number);
    match task.behaviour {
        Behaviour::ComeFurtherAndFail => {
            if context.leases.lock().unwrap().len() <= 4 {
                let tx = begin(&context.conn).await;
                lease.progress(&tx).await?;
                tx.commit().await?;
            }
            Err(TaskError::retry("not there yet"))
        }
        Behaviour::Write => {
            let tx = begin(&context.conn).await;
            insert(&tx, "effects", task.number).await;
            lease.complete(&tx).await?;
            tx.commit().await?;
            Ok(())
        }
        Behaviour::RollBackOnce => {
            let tx = begin(&context.conn).await;
            lease.fence(&tx).await?;
            insert(&tx, "effects", task.number).await;
            lease.complete(&tx).await?;
            if lease.attempt() == 1 {
                tx.rollback().await?;
                return Err(soon("rolled back"));
            }
            tx.commit().await?;
            Ok(())
        }
        Behaviour::Nothing => Ok(()),
        Behaviour::Fail => Err(soon(&format!("attempt {} failed", lease.attempt()))),
        Behaviour::FailForGood => Err(TaskError::permanent("this file is broken")),
        Behaviour::Panic => panic!("a deliberate panic of a test"),
        Behaviour::WaitForStop => {
            lease.cancellation().cancelled().await;
            context.stopped.fetch_add(1, Ordering::SeqCst);
            Err(TaskError::Interrupted)
        }
        Behaviour::Hang => std::future::pending().await,
    }
}

fn soon(message: &str) -> TaskError {
    TaskError::Retry {
        message: message.to_owned(),
        after: Some(std::time::Duration::ZERO),
    }
}

async fn note_failure(context: Arc<Context>, task: Effect, burial: Burial) -> Result<(), HookError> {
    context.hook_calls.fetch_add(1, Ordering::SeqCst);
    let tx = begin(&context.conn).await;
    insert(&tx, "failures", task.number).await;
    burial.bury(&tx).await?;
    let failures = &context.hook_failures;
    let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if fails.is_ok() {
        tx.rollback().await?;
        return Err("a deliberate failure of a test".into());
    }
    tx.commit().await?;
    Ok(())
}
