//! Who owns a task: lost owners, late owners, living owners.

use std::sync::atomic::Ordering;

use cerebros_queue::{QueueError, Status, void_leases};
use uuid::Uuid;

use crate::{
    database::{TestDb, begin, on_both_databases, until},
    effects::{Behaviour, Product, insert},
};

async fn a_dead_owner_is_replaced_and_its_late_writes_are_refused(db: TestDb) {
    let product = Product::new(&db).await;
    let first = product.start(1);
    let id = product.enqueue(1, Behaviour::WaitForStop).await;
    until(async || (product.starts() == 1).then_some(())).await;
    first.kill().await;

    let second = product.start(1);
    until(async || (product.starts() == 2).then_some(())).await;
    let (late, owner) = (product.lease(0), product.lease(1));
    assert_eq!((owner.task_id(), owner.attempt()), (id, 2));
    assert_ne!(owner.token(), late.token());

    let tx = begin(&db.conn).await;
    assert!(matches!(late.fence(&tx).await, Err(QueueError::LostLease)));
    assert!(matches!(late.complete(&tx).await, Err(QueueError::LostLease)));
    owner.fence(&tx).await.unwrap();
    insert(&tx, "effects", 1).await;
    owner.complete(&tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(
        matches!(owner.fence(&db.conn).await, Err(QueueError::LostLease)),
        "a done task takes no writes"
    );
    second.stop().await;
    assert_eq!(db.task(id).await.status, Status::Done);
    assert_eq!(db.task(id).await.attempts, 2);
}

async fn a_living_owner_keeps_its_task(db: TestDb) {
    let product = Product::new(&db).await;
    let owner = product.start(1);
    let id = product.enqueue(1, Behaviour::WaitForStop).await;
    until(async || (product.starts() == 1).then_some(())).await;
    let reaper = product.start(1);
    let lease_until = || db.integer("SELECT lease_until FROM tasks");
    // Three lease lengths by the database's clock.
    let end = lease_until().await + 3000;
    until(async || (lease_until().await > end).then_some(())).await;
    assert_eq!(product.starts(), 1);
    assert_eq!(product.context.stopped.load(Ordering::SeqCst), 0);
    assert_eq!(db.task(id).await.attempts, 1);
    owner.stop().await;
    reaper.stop().await;
}

async fn a_lost_lease_stops_the_handler(db: TestDb) {
    let product = Product::new(&db).await;
    let running = product.start(1);
    let id = product.enqueue(1, Behaviour::WaitForStop).await;
    until(async || (product.starts() == 1).then_some(())).await;
    let thief = Uuid::now_v7();
    let far = "lease_until = lease_until + 3600000";
    let bytes = match db.conn.get_database_backend() {
        sea_orm::DbBackend::Postgres => format!("'{thief}'"),
        _ => format!("x'{}'", thief.simple()),
    };
    db.execute(&format!("UPDATE tasks SET lease_token = {bytes}, {far}"))
        .await;
    until(async || (product.context.stopped.load(Ordering::SeqCst) == 1).then_some(())).await;
    running.stop().await;
    let task = db.task(id).await;
    assert_eq!(
        (task.status, task.attempts),
        (Status::Running, 1),
        "the thief's task is untouched"
    );
}

async fn voided_leases_run_again_at_once(db: TestDb) {
    let product = Product::new(&db).await;
    let first = product.start(2);
    let id = product.enqueue(1, Behaviour::WaitForStop).await;
    let exhausted = product.enqueue(2, Behaviour::WaitForStop).await;
    until(async || (product.starts() == 2).then_some(())).await;
    first.kill().await;
    db.execute("UPDATE tasks SET lease_until = lease_until + 3600000").await;
    db.execute("UPDATE tasks SET max_attempts = 1 WHERE payload LIKE '%\"number\":2%'")
        .await;

    assert_eq!(void_leases(&db.conn).await.unwrap(), 2);
    let task = db.task(id).await;
    assert_eq!((task.status, task.attempts), (Status::Queued, 1));
    let second = product.start(2);
    let task = db.until_status(id, Status::Running).await;
    assert_eq!(task.attempts, 2);
    let task = db.until_status(exhausted, Status::Dead).await;
    assert_eq!(task.attempts, 1, "a task without attempts left is buried, not run");
    second.stop().await;
}

on_both_databases!(
    a_dead_owner_is_replaced_and_its_late_writes_are_refused,
    a_living_owner_keeps_its_task,
    a_lost_lease_stops_the_handler,
    voided_leases_run_again_at_once,
);
