//! Tasks by the clock, once among many processes.

use chrono::{Datelike as _, TimeZone as _, Utc};

use crate::{
    database::{TestDb, on_both_databases, until},
    effects::{Behaviour, Effect, Product, start},
};

fn effect() -> Effect {
    Effect {
        number: 1,
        behaviour: Behaviour::Write,
    }
}

async fn a_slot_fires_once_among_many_replicas(db: TestDb) {
    let product = Product::new(&db).await;
    let replicas = [1, 2, 3].map(|_| start(product.runner(1).cron("* * * * * *", &effect())));
    until(async || (db.integer("SELECT COUNT(*) FROM effects").await >= 3).then_some(())).await;
    for replica in replicas {
        replica.stop().await;
    }
    let mut slots = db.integers("SELECT run_at FROM tasks ORDER BY run_at").await;
    let fired = slots.len();
    slots.dedup();
    assert_eq!(slots.len(), fired, "no slot fired twice");
    assert!(slots.iter().all(|slot| slot % 1000 == 0));
}

async fn a_missed_slot_is_made_up_for_once(db: TestDb) {
    let product = Product::new(&db).await;
    let yearly = || start(product.runner(1).cron("0 0 1 1 *", &effect()));
    let noted = "SELECT COUNT(*) FROM task_schedules";
    let fresh = yearly();
    db.until_integer(noted, 1).await;
    fresh.stop().await;
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM tasks").await,
        0,
        "a new installation does not look back"
    );

    db.execute("UPDATE task_schedules SET slot = 1000").await;
    let late = [yearly(), yearly()];
    db.until_integer("SELECT COUNT(*) FROM effects", 1).await;
    for replica in late {
        replica.stop().await;
    }
    let new_year = Utc.with_ymd_and_hms(Utc::now().year(), 1, 1, 0, 0, 0).unwrap();
    assert_eq!(
        db.integers("SELECT run_at FROM tasks").await,
        [new_year.timestamp_millis()]
    );
}

on_both_databases!(a_slot_fires_once_among_many_replicas, a_missed_slot_is_made_up_for_once);
