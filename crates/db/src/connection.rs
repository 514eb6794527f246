//! Connections: on SQLite one for writes and a pool for reads, on PostgreSQL one pool for both.

use crate::{AuditKeys, DbError, Scope, Write};
use cerebros_common::ids::WorkspaceId;
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    IsolationLevel, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub struct DbOptions {
    /// `sqlite:///absolute/path` or `postgres://...`
    pub url: String,
    /// Connections in the pool.
    pub max_connections: u32,
    pub audit_keys: AuditKeys,
}

/// Handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    audit_keys: AuditKeys,
    changed: Arc<watch::Sender<u64>>,
}

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

impl Db {
    /// Connects; does not migrate.
    pub async fn connect(options: &DbOptions) -> Result<Self, DbError> {
        let (read, write) = if options.url.starts_with("sqlite:") {
            // The write connection comes first: it creates the file and switches it to WAL.
            let write = Database::connect(sqlite_options(&options.url, 1)).await?;
            let read = Database::connect(sqlite_options(&options.url, options.max_connections)).await?;
            (read, write)
        } else {
            let mut pool = ConnectOptions::new(&options.url);
            pool.max_connections(options.max_connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .sqlx_logging(false);
            let pool = Database::connect(pool).await?;
            (pool.clone(), pool)
        };
        Ok(Self {
            read,
            write,
            audit_keys: options.audit_keys.clone(),
            changed: Arc::new(watch::Sender::new(0)),
        })
    }

    pub fn is_sqlite(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Sqlite
    }

    /// For the queue and the migrator, which bring their own SQL.
    pub fn write_connection(&self) -> &DatabaseConnection {
        &self.write
    }

    pub(crate) fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Begins the one kind of transaction that changes a workspace's rows. On SQLite it holds the only write
    /// connection until it is committed or dropped: await nothing but the database in between.
    pub async fn write(&self, scope: &Scope) -> Result<Write, DbError> {
        self.open(Some(*scope)).await
    }

    /// A transaction that belongs to no workspace, or none yet: sign-up, operators, the server itself. Its audit entries
    /// go to the server's own log.
    pub async fn write_unscoped(&self) -> Result<Write, DbError> {
        self.open(None).await
    }

    /// Changes its value whenever a transaction of this process committed events or tasks, or [`Db::wake`] was called.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Passes on a wake-up that came from another process.
    pub fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Makes sure that nothing that was deleted rests in the database's files. PostgreSQL sees to that by itself, when it
    /// vacuums. `false`: somebody still reads what was; try again.
    pub async fn scrub_unscoped(&self) -> Result<bool, DbError> {
        if !self.is_sqlite() {
            return Ok(true);
        }
        // Words stay in the index of the search index until it is written anew, which takes two parts to merge.
        let tx = self.begin().await?;
        for sql in [
            "insert into chunks_search (rowid, body) values (-1, 'a')",
            "insert into chunks_search (chunks_search) values ('optimize')",
            "insert into chunks_search (chunks_search, rowid, body) values ('delete', -1, 'a')",
        ] {
            tx.execute_unprepared(sql).await?;
        }
        tx.commit().await?;
        let statement = Statement::from_string(DbBackend::Sqlite, "pragma wal_checkpoint(truncate)");
        let found = self.write.query_one_raw(statement).await?;
        let busy: i64 = found.ok_or(DbError::NotFound("answer"))?.try_get("", "busy")?;
        Ok(busy == 0)
    }

    /// Answers if the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        Ok(self.read.ping().await?)
    }

    /// The newest event number of a workspace.
    pub async fn event_seq(&self, workspace_id: WorkspaceId) -> Result<i64, DbError> {
        crate::events::newest_seq(&self.read, workspace_id).await
    }

    /// A transaction that reads everything as it is at one moment.
    pub(crate) async fn snapshot(&self) -> Result<DatabaseTransaction, DbError> {
        let options = TransactionOptions {
            isolation_level: (!self.is_sqlite()).then_some(IsolationLevel::RepeatableRead),
            access_mode: (!self.is_sqlite()).then_some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        };
        Ok(self.read.begin_with_options(options).await?)
    }

    pub(crate) fn audit_keys(&self) -> &AuditKeys {
        &self.audit_keys
    }

    async fn open(&self, scope: Option<Scope>) -> Result<Write, DbError> {
        let tx = self.begin().await?;
        Ok(Write::new(tx, scope, self.audit_keys.clone(), self.changed.clone()))
    }

    async fn begin(&self) -> Result<DatabaseTransaction, DbError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: self.is_sqlite().then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.write.begin_with_options(options).await?)
    }
}

fn sqlite_options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            // `synchronous = FULL`: an answered request survives a power cut, not only a crash.
            sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(10))
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                .pragma("secure_delete", "ON")
        });
    options
}
