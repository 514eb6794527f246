//! Tasks that are enqueued by the clock.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use croner::Cron;
use sea_orm::{DatabaseConnection, DbErr};

use crate::{Enqueue, QueueError, enqueue::NewTask, sql, store};

pub struct Schedule {
    cron: Cron,
    task: NewTask,
}

impl Schedule {
    pub fn new(expression: &str, task: NewTask) -> Result<Self, QueueError> {
        let mistake = |error| {
            let name = task.name;
            QueueError::Configuration(format!("the schedule {expression:?} of {name}: {error}"))
        };
        let cron = Cron::from_str(expression).map_err(mistake)?;
        cron.find_next_occurrence(&Utc::now(), false).map_err(mistake)?;
        Ok(Self { cron, task })
    }

    pub fn name(&self) -> &'static str {
        self.task.name
    }

    /// The latest matching time that is not after `now`.
    pub fn latest_slot(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_previous_occurrence(&now, true).ok()
    }

    /// Enqueues the task for the slot unless some process did it, and tells whether this call did. The first slot ever seen
    /// is only noted: a new installation does not make up for the past.
    pub async fn fire(&self, db: &DatabaseConnection, slot: DateTime<Utc>) -> Result<bool, DbErr> {
        let tx = store::begin(db).await?;
        let values = || [self.name().into(), slot.timestamp_millis().into()];
        let insert = "INSERT INTO task_schedules (name, slot) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        let advance = "UPDATE task_schedules SET slot = $2 WHERE name = $1 AND slot < $2";
        let fires = sql::execute(&tx, insert, values()).await? == 0 && sql::execute(&tx, advance, values()).await? > 0;
        if fires {
            let options = Enqueue {
                run_at: Some(slot),
                ..Enqueue::default()
            };
            self.task.insert(&tx, &options).await?;
        }
        tx.commit().await?;
        Ok(fires)
    }
}
