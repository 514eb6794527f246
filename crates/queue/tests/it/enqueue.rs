//! Enqueuing: in the caller's transaction, once per key, for later.

use cerebros_queue::{Enqueue, Status, enqueue};
use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::{
    database::{TestDb, begin, on_both_databases},
    effects::{Behaviour, Effect, Product},
};

const ALL: &str = "SELECT COUNT(*) FROM tasks";

fn effect(number: i64) -> Effect {
    let behaviour = Behaviour::Write;
    Effect { number, behaviour }
}

fn keyed(key: &str) -> Enqueue {
    Enqueue {
        dedup_key: Some(key.to_owned()),
        ..Enqueue::default()
    }
}

async fn it_shares_the_fate_of_the_transaction(db: TestDb) {
    let tx = begin(&db.conn).await;
    enqueue(&tx, &effect(1), Enqueue::default()).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(db.integer(ALL).await, 0);

    let tx = begin(&db.conn).await;
    let id = enqueue(&tx, &effect(1), Enqueue::default()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.task(id).await.status, Status::Queued);
}

async fn one_live_task_has_a_key(db: TestDb) {
    let product = Product::new(&db).await;
    let conn = &product.context.conn;
    let ids = join_all((0..10).map(async |number| enqueue(conn, &effect(number), keyed("a")).await.unwrap())).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(db.integer(ALL).await, 1);
    let other = enqueue(conn, &effect(1), keyed("b")).await.unwrap();
    assert_ne!(other, ids[0]);

    let running = product.start(2);
    db.until_status(ids[0], Status::Done).await;
    db.until_status(other, Status::Done).await;
    let again = enqueue(conn, &effect(1), keyed("a")).await.unwrap();
    assert_ne!(again, ids[0], "an ended task frees its key");
    running.stop().await;
}

async fn a_running_task_keeps_its_key(db: TestDb) {
    let product = Product::new(&db).await;
    let conn = &product.context.conn;
    let task = Effect {
        number: 1,
        behaviour: Behaviour::WaitForStop,
    };
    let id = enqueue(conn, &task, keyed("a")).await.unwrap();
    let running = product.start(1);
    db.until_status(id, Status::Running).await;
    assert_eq!(enqueue(conn, &effect(2), keyed("a")).await.unwrap(), id);
    running.stop().await;
}

async fn it_starts_in_the_order_of_time_and_not_before(db: TestDb) {
    let product = Product::new(&db).await;
    let conn = &product.context.conn;
    let at = |seconds| Enqueue {
        run_at: Some(Utc::now() + TimeDelta::seconds(seconds)),
        ..Enqueue::default()
    };
    let later = enqueue(conn, &effect(9), at(3600)).await.unwrap();
    let mut last = Uuid::nil();
    for (number, seconds) in [(3, -10), (1, -30), (2, -20), (4, -5)] {
        last = enqueue(conn, &effect(number), at(seconds)).await.unwrap();
    }
    let running = product.start(1);
    db.until_status(last, Status::Done).await;
    running.stop().await;
    assert_eq!(*product.context.order.lock().unwrap(), [1, 2, 3, 4]);
    assert_eq!(db.task(later).await.status, Status::Queued);
}

on_both_databases!(
    it_shares_the_fate_of_the_transaction,
    one_live_task_has_a_key,
    a_running_task_keeps_its_key,
    it_starts_in_the_order_of_time_and_not_before,
);
