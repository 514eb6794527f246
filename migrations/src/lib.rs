//! The database schema, one file per migration, each in a transaction on SQLite and PostgreSQL.
//!
//! A migration that was released is never edited: a change is a new migration.

use sea_orm_migration::prelude::*;

mod ddl;
mod m20261120_000001_queue;
mod m20261120_000002_accounts;
mod m20261120_000003_knowledge;
mod m20261120_000004_training;
mod m20261121_000005_edge;
mod m20261121_000006_rights;
mod m20261121_000007_accounts;
mod m20261121_000008_uploads;
mod m20261121_000009_reading;
mod m20261121_000010_review;
mod m20261121_000011_models;
mod m20261121_000012_generation;
mod m20261121_000013_studio;
mod m20261121_000014_datasets;
mod m20261121_000015_jobs;
mod m20261121_000016_dataset_uploads;
mod m20261121_000017_models;
mod m20261121_000018_conversations;
mod m20261121_000019_webhooks;
mod m20261122_000020_rewards;
mod m20261122_000021_dataset_versions;
mod m20261122_000022_lineage;
mod m20261122_000023_samples;
mod m20261122_000024_trainings;
mod m20261122_000025_judge;
mod m20261122_000026_hosts;
mod m20261122_000027_checkpoints;

/// Applies the migrations in the order of the list.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_queue::Migration),
            Box::new(m20261120_000002_accounts::Migration),
            Box::new(m20261120_000003_knowledge::Migration),
            Box::new(m20261120_000004_training::Migration),
            Box::new(m20261121_000005_edge::Migration),
            Box::new(m20261121_000006_rights::Migration),
            Box::new(m20261121_000007_accounts::Migration),
            Box::new(m20261121_000008_uploads::Migration),
            Box::new(m20261121_000009_reading::Migration),
            Box::new(m20261121_000010_review::Migration),
            Box::new(m20261121_000011_models::Migration),
            Box::new(m20261121_000012_generation::Migration),
            Box::new(m20261121_000013_studio::Migration),
            Box::new(m20261121_000014_datasets::Migration),
            Box::new(m20261121_000015_jobs::Migration),
            Box::new(m20261121_000016_dataset_uploads::Migration),
            Box::new(m20261121_000017_models::Migration),
            Box::new(m20261121_000018_conversations::Migration),
            Box::new(m20261121_000019_webhooks::Migration),
            Box::new(m20261122_000020_rewards::Migration),
            Box::new(m20261122_000021_dataset_versions::Migration),
            Box::new(m20261122_000022_lineage::Migration),
            Box::new(m20261122_000023_samples::Migration),
            Box::new(m20261122_000024_trainings::Migration),
            Box::new(m20261122_000025_judge::Migration),
            Box::new(m20261122_000026_hosts::Migration),
            Box::new(m20261122_000027_checkpoints::Migration),
        ]
    }
}

/// What callers need to run the `Migrator`.
pub use sea_orm_migration::MigratorTrait as Migrate;
