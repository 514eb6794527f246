//! The tables of the `queue` crate. Times are milliseconds since the Unix epoch by the database's own clock.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Tasks {
    Table,
    Id,
    Queue,
    Name,
    Payload,
    WorkspaceId,
    DedupKey,
    Status,
    RunAt,
    Attempts,
    MaxAttempts,
    LeaseToken,
    LeaseUntil,
    LastError,
    CreatedAt,
    FinishedAt,
}

#[derive(DeriveIden)]
enum TaskSchedules {
    Table,
    Name,
    Slot,
}

const INDEXES: [&str; 5] = [
    "CREATE INDEX tasks_claim ON tasks (queue, run_at, id) WHERE status = 'queued'",
    "CREATE INDEX tasks_lease ON tasks (lease_until) WHERE status = 'running'",
    "CREATE UNIQUE INDEX tasks_dedup ON tasks (name, dedup_key) \
     WHERE dedup_key IS NOT NULL AND status IN ('queued', 'running')",
    "CREATE INDEX tasks_workspace ON tasks (workspace_id, id)",
    "CREATE INDEX tasks_finished ON tasks (finished_at) WHERE status = 'done'",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tasks = Table::create()
            .table(Tasks::Table)
            .col(ColumnDef::new(Tasks::Id).uuid().not_null().primary_key())
            .col(ColumnDef::new(Tasks::Queue).text().not_null())
            .col(ColumnDef::new(Tasks::Name).text().not_null())
            .col(ColumnDef::new(Tasks::Payload).text().not_null())
            .col(ColumnDef::new(Tasks::WorkspaceId).uuid())
            .col(ColumnDef::new(Tasks::DedupKey).text())
            .col(ColumnDef::new(Tasks::Status).text().not_null())
            .col(ColumnDef::new(Tasks::RunAt).big_integer().not_null())
            .col(ColumnDef::new(Tasks::Attempts).big_integer().not_null())
            .col(ColumnDef::new(Tasks::MaxAttempts).big_integer().not_null())
            .col(ColumnDef::new(Tasks::LeaseToken).uuid())
            .col(ColumnDef::new(Tasks::LeaseUntil).big_integer())
            .col(ColumnDef::new(Tasks::LastError).text())
            .col(ColumnDef::new(Tasks::CreatedAt).big_integer().not_null())
            .col(ColumnDef::new(Tasks::FinishedAt).big_integer())
            .check(Expr::cust("status IN ('queued', 'running', 'done', 'dead')"))
            .to_owned();
        manager.create_table(tasks).await?;
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        let schedules = Table::create()
            .table(TaskSchedules::Table)
            .col(ColumnDef::new(TaskSchedules::Name).text().not_null().primary_key())
            .col(ColumnDef::new(TaskSchedules::Slot).big_integer().not_null())
            .to_owned();
        manager.create_table(schedules).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [TaskSchedules::Table.into_iden(), Tasks::Table.into_iden()] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
