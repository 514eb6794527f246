//! Leaving: handlers are told, given time, and given back.

use std::sync::atomic::Ordering;

use cerebros_queue::Status;

use crate::{
    database::{TestDb, on_both_databases, until},
    effects::{Behaviour, Product},
};

async fn interrupted_tasks_are_given_back_uncounted(db: TestDb) {
    let product = Product::new(&db).await;
    let running = product.start(2);
    let polite = product.enqueue(1, Behaviour::WaitForStop).await;
    let stubborn = product.enqueue(2, Behaviour::Hang).await;
    until(async || (product.starts() == 2).then_some(())).await;
    running.stop().await;
    assert_eq!(product.context.stopped.load(Ordering::SeqCst), 1);
    for id in [polite, stubborn] {
        let task = db.task(id).await;
        assert_eq!((task.status, task.attempts), (Status::Queued, 0));
    }
    let waiting = product.enqueue(3, Behaviour::Write).await;
    assert_eq!(product.starts(), 2, "nothing is claimed after the shutdown");
    assert_eq!(db.task(waiting).await.status, Status::Queued);
}

on_both_databases!(interrupted_tasks_are_given_back_uncounted);
