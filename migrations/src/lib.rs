//! The database schema, one file per migration, each in a transaction on SQLite and PostgreSQL.
//!
//! A migration that was released is never edited: a change is a new migration.

use sea_orm_migration::MigrationTrait;
pub use sea_orm_migration::MigratorTrait;

mod m20261120_000001_queue;

/// Applies the migrations in the order of the list.
#[derive(Debug)]
pub struct Migrator;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_queue::Migration)]
    }
}
