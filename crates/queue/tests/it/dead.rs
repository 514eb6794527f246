//! Tasks that are given up, and the hook that the product learns it by.

use std::sync::atomic::Ordering;

use cerebros_queue::{Status, Task as _};

use crate::{
    database::{TestDb, on_both_databases, until},
    effects::{Behaviour, Effect, Product},
};

const FAILURES: &str = "SELECT number FROM failures";

async fn a_permanent_failure_is_buried_at_once(db: TestDb) {
    let product = Product::new(&db).await;
    let running = product.start(1);
    let id = product.enqueue(5, Behaviour::FailForGood).await;
    let task = db.until_status(id, Status::Dead).await;
    running.stop().await;
    assert_eq!(
        (task.attempts, task.last_error.as_deref()),
        (1, Some("this file is broken"))
    );
    assert!(task.finished_at.is_some());
    assert_eq!(db.integers(FAILURES).await, [5]);
    assert_eq!(product.context.hook_calls.load(Ordering::SeqCst), 1);
}

async fn used_up_attempts_are_buried(db: TestDb) {
    let product = Product::new(&db).await;
    let running = product.start(1);
    let id = product.enqueue(5, Behaviour::Fail).await;
    let task = db.until_status(id, Status::Dead).await;
    running.stop().await;
    assert_eq!(task.attempts, Effect::MAX_ATTEMPTS);
    assert_eq!(task.last_error.as_deref(), Some("attempt 3 failed"));
    assert_eq!(db.integers(FAILURES).await, [5]);
}

async fn attempts_that_come_further_are_not_counted(db: TestDb) {
    let product = Product::new(&db).await;
    let running = product.start(1);
    let id = product.enqueue(5, Behaviour::ComeFurtherAndFail).await;
    let task = db.until_status(id, Status::Dead).await;
    running.stop().await;
    // The fourth, the last that came further, counts as the first of three.
    assert_eq!(product.starts(), 6);
    assert_eq!(task.attempts, Effect::MAX_ATTEMPTS);
    assert_eq!(db.integers(FAILURES).await, [5]);
}

async fn a_task_that_kills_its_process_every_time_is_buried(db: TestDb) {
    let product = Product::new(&db).await;
    let id = product.enqueue(5, Behaviour::Hang).await;
    for starts in 1..=Effect::MAX_ATTEMPTS as usize {
        let running = product.start(1);
        until(async || (product.starts() == starts).then_some(())).await;
        running.kill().await;
    }
    let survivors = [product.start(1), product.start(1)];
    let task = db.until_status(id, Status::Dead).await;
    for survivor in survivors {
        survivor.stop().await;
    }
    assert_eq!(product.starts(), Effect::MAX_ATTEMPTS as usize);
    assert_eq!(task.attempts, Effect::MAX_ATTEMPTS);
    assert_eq!(
        task.last_error.as_deref(),
        Some("The worker stopped while it ran this task")
    );
    assert_eq!(db.integers(FAILURES).await, [5], "one of the reapers told the product");
}

async fn a_failing_hook_is_called_again(db: TestDb) {
    let product = Product::new(&db).await;
    product.context.hook_failures.store(2, Ordering::SeqCst);
    let running = product.start(1);
    let id = product.enqueue(5, Behaviour::FailForGood).await;
    let task = db.until_status(id, Status::Dead).await;
    running.stop().await;
    assert_eq!(product.starts(), 1, "a condemned task never runs again");
    assert_eq!(product.context.hook_calls.load(Ordering::SeqCst), 3);
    assert_eq!(task.last_error.as_deref(), Some("this file is broken"));
    assert_eq!(db.integers(FAILURES).await, [5]);
}

async fn an_unreadable_task_is_buried(db: TestDb) {
    let product = Product::new(&db).await;
    let id = product.enqueue(5, Behaviour::Write).await;
    db.execute("UPDATE tasks SET payload = '{\"number\":\"five\"}'").await;
    let running = product.start(1);
    let task = db.until_status(id, Status::Dead).await;
    running.stop().await;
    let reason = task.last_error.unwrap();
    assert!(reason.contains("could not be read"), "{reason}");
}

on_both_databases!(
    a_permanent_failure_is_buried_at_once,
    used_up_attempts_are_buried,
    attempts_that_come_further_are_not_counted,
    a_task_that_kills_its_process_every_time_is_buried,
    a_failing_hook_is_called_again,
    an_unreadable_task_is_buried,
);
