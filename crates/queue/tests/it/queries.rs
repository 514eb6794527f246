//! What people and operators see, and the schema's way back.

use std::time::Duration;

use cerebros_migrations::{Migrate as _, Migrator};
use cerebros_queue::{Enqueue, QueueCount, Status, counts, enqueue, find, list, list_unscoped, prune_done};
use uuid::Uuid;

use crate::{
    database::{TestDb, on_both_databases},
    effects::{Behaviour, Effect, Product},
};

async fn enqueue_for(db: &TestDb, workspace_id: Uuid, behaviour: Behaviour) -> Uuid {
    let task = Effect { number: 1, behaviour };
    let options = Enqueue {
        workspace_id: Some(workspace_id),
        ..Enqueue::default()
    };
    enqueue(&db.conn, &task, options).await.unwrap()
}

async fn a_workspace_sees_its_own_tasks_page_by_page(db: TestDb) {
    let (mine, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(enqueue_for(&db, mine, Behaviour::Write).await);
    }
    let other = enqueue_for(&db, theirs, Behaviour::Write).await;
    ids.reverse();

    let first = list(&db.conn, mine, None, 3).await.unwrap();
    let rest = list(&db.conn, mine, Some(first[2].id), 3).await.unwrap();
    let seen: Vec<_> = first.iter().chain(&rest).map(|task| task.id).collect();
    assert_eq!(seen, ids);
    assert_eq!(first[0].workspace_id, Some(mine));
    assert!(find(&db.conn, mine, ids[0]).await.unwrap().is_some());
    assert!(find(&db.conn, mine, other).await.unwrap().is_none());
}

async fn operators_count_list_and_prune(db: TestDb) {
    let product = Product::new(&db).await;
    let workspace = Uuid::now_v7();
    let done = enqueue_for(&db, workspace, Behaviour::Write).await;
    let dead = enqueue_for(&db, workspace, Behaviour::FailForGood).await;
    let running = product.start(1);
    db.until_status(done, Status::Done).await;
    db.until_status(dead, Status::Dead).await;
    running.stop().await;
    enqueue_for(&db, workspace, Behaviour::Write).await;
    enqueue_for(&db, workspace, Behaviour::Write).await;

    let count = |status, count| QueueCount {
        queue: "effects".to_owned(),
        status,
        count,
    };
    let expected = [count(Status::Dead, 1), count(Status::Done, 1), count(Status::Queued, 2)];
    assert_eq!(counts(&db.conn).await.unwrap(), expected);
    let listed = list_unscoped(&db.conn, Status::Dead, None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|task| task.id).collect::<Vec<_>>(), [dead]);

    let day = Duration::from_hours(24);
    assert_eq!(prune_done(&db.conn, day).await.unwrap(), 0);
    db.execute("UPDATE tasks SET finished_at = finished_at - 2 * 86400000 WHERE finished_at IS NOT NULL")
        .await;
    assert_eq!(prune_done(&db.conn, day).await.unwrap(), 1);
    assert_eq!(db.task(dead).await.status, Status::Dead, "dead tasks are kept");
}

async fn the_migration_can_be_undone(db: TestDb) {
    enqueue_for(&db, Uuid::now_v7(), Behaviour::Write).await;
    Migrator::down(&db.conn, None).await.unwrap();
    Migrator::up(&db.conn, None).await.unwrap();
    assert_eq!(counts(&db.conn).await.unwrap(), []);
}

on_both_databases!(
    a_workspace_sees_its_own_tasks_page_by_page,
    operators_count_list_and_prune,
    the_migration_can_be_undone,
);
