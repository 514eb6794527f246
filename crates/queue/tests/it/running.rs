//! Running tasks: each effect once, retries, panics, wake-ups, and a runner that was put together wrongly.

use std::time::Duration;

use cerebros_queue::{Status, Timing};
use tokio_util::sync::CancellationToken;

use crate::{
    database::{QUICK, TestDb, on_both_databases, until},
    effects::{Behaviour, Effect, Product, start},
};

async fn every_effect_happens_once_under_many_workers(db: TestDb) {
    const TASKS: i64 = 200;
    let product = Product::new(&db).await;
    let runners = [product.start(8), product.start(8), product.start(8)];
    for number in 0..TASKS {
        product.enqueue(number, Behaviour::Write).await;
    }
    db.until_integer("SELECT COUNT(*) FROM tasks WHERE status = 'done'", TASKS)
        .await;
    for runner in runners {
        runner.stop().await;
    }
    let numbers = db.integers("SELECT number FROM effects ORDER BY number").await;
    assert_eq!(numbers, (0..TASKS).collect::<Vec<_>>());
    let attempts = db.integer("SELECT CAST(SUM(attempts) AS BIGINT) FROM tasks").await;
    assert_eq!(attempts, TASKS, "no task started twice");
}

async fn a_rolled_back_end_is_no_end(db: TestDb) {
    let product = Product::new(&db).await;
    let running = product.start(1);
    let id = product.enqueue(7, Behaviour::RollBackOnce).await;
    let task = db.until_status(id, Status::Done).await;
    running.stop().await;
    assert_eq!((task.attempts, task.last_error), (2, None));
    assert!(task.finished_at.is_some());
    assert_eq!(db.integers("SELECT number FROM effects").await, [7]);
}

async fn a_handler_that_ends_well_is_done(db: TestDb) {
    let product = Product::new(&db).await;
    let running = product.start(1);
    let id = product.enqueue(1, Behaviour::Nothing).await;
    let task = db.until_status(id, Status::Done).await;
    assert_eq!(task.attempts, 1);
    running.stop().await;
}

async fn a_panic_is_a_failed_attempt(db: TestDb) {
    let product = Product::new(&db).await;
    let running = product.start(1);
    let id = product.enqueue(1, Behaviour::Panic).await;
    let task = until(async || {
        let task = db.task(id).await;
        (task.status == Status::Queued && task.attempts > 0).then_some(task)
    })
    .await;
    assert_eq!(task.last_error.as_deref(), Some("The task stopped unexpectedly"));
    let wait = task.run_at - task.created_at;
    assert!(wait.num_milliseconds() >= 400, "it backs off, not {wait}");
    let other = product.enqueue(2, Behaviour::Write).await;
    db.until_status(other, Status::Done).await;
    running.stop().await;
}

async fn a_wake_up_needs_no_poll(db: TestDb) {
    let product = Product::new(&db).await;
    let timing = Timing {
        tick: Duration::from_secs(3600),
        ..QUICK
    };
    let running = start(product.runner(1).timing(timing));
    for number in 0..3 {
        let id = product.enqueue(number, Behaviour::Write).await;
        db.until_status(id, Status::Done).await;
    }
    running.stop().await;
}

async fn mistakes_are_named_at_the_start(db: TestDb) {
    let product = Product::new(&db).await;
    let task = || Effect {
        number: 1,
        behaviour: Behaviour::Nothing,
    };
    let cases = [
        (product.runner(0), "no concurrency"),
        (product.runner(1).queue("effects", 2), "served twice"),
        (product.runner(1).cron("every day", &task()), "every day"),
        (
            product.runner(1).cron("@daily", &task()).cron("@hourly", &task()),
            "scheduled twice",
        ),
    ];
    for (runner, expected) in cases {
        let error = runner.run(CancellationToken::new()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    }
}

on_both_databases!(
    every_effect_happens_once_under_many_workers,
    a_rolled_back_end_is_no_end,
    a_handler_that_ends_well_is_done,
    a_panic_is_a_failed_attempt,
    a_wake_up_needs_no_poll,
    mistakes_are_named_at_the_start,
);
