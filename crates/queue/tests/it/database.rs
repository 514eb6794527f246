//! A database per test, and the conditions to wait for.

use std::time::Duration;

use cerebros_migrations::{Migrate as _, Migrator};
use cerebros_queue::{Status, TaskRow, Timing, find_unscoped};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};
use tempfile::TempDir;
use uuid::Uuid;

/// Defines each test twice.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::database::TestDb::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::database::TestDb::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both_databases;

/// Short enough for tests, long enough for a busy machine.
pub const QUICK: Timing = Timing {
    lease: Duration::from_millis(1500),
    tick: Duration::from_millis(50),
    grace: Duration::from_millis(500),
};

const DEADLINE: Duration = Duration::from_secs(30);

pub struct TestDb {
    /// On SQLite a pool of one, as in the product.
    pub conn: DatabaseConnection,
    _directory: Option<TempDir>,
}

impl TestDb {
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
        let conn = connect(url, 1).await;
        conn.execute_unprepared("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000")
            .await
            .unwrap();
        Self::migrated(conn, Some(directory)).await
    }

    pub async fn postgres() -> Self {
        let server = std::env::var("TEST_POSTGRES_URL")
            .expect("TEST_POSTGRES_URL is not set: run the tests by `cargo run -p xtask -- with-postgres cargo test`");
        let admin = connect(server.clone(), 1).await;
        let name = format!("queue_{}", Uuid::now_v7().simple());
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Self::migrated(connect(format!("{base}/{name}"), 8).await, None).await
    }

    async fn migrated(conn: DatabaseConnection, directory: Option<TempDir>) -> Self {
        Migrator::up(&conn, None).await.unwrap();
        Self {
            conn,
            _directory: directory,
        }
    }

    pub async fn execute(&self, sql: &str) -> u64 {
        self.conn.execute_unprepared(sql).await.unwrap().rows_affected()
    }

    /// The first column, an integer, of every row.
    pub async fn integers(&self, sql: &str) -> Vec<i64> {
        let statement = Statement::from_string(self.conn.get_database_backend(), sql);
        let rows = self.conn.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    pub async fn integer(&self, sql: &str) -> i64 {
        self.integers(sql).await[0]
    }

    pub async fn task(&self, id: Uuid) -> TaskRow {
        find_unscoped(&self.conn, id).await.unwrap().unwrap()
    }

    pub async fn until_status(&self, id: Uuid, status: Status) -> TaskRow {
        until(async || Some(self.task(id).await).filter(|task| task.status == status)).await
    }

    pub async fn until_integer(&self, sql: &str, expected: i64) {
        until(async || (self.integer(sql).await == expected).then_some(())).await;
    }
}

/// A write transaction as the product opens it.
pub async fn begin(conn: &DatabaseConnection) -> DatabaseTransaction {
    let options = TransactionOptions {
        sqlite_transaction_mode: (conn.get_database_backend() == DbBackend::Sqlite)
            .then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    conn.begin_with_options(options).await.unwrap()
}

/// Waits until the condition yields something.
pub async fn until<T>(condition: impl AsyncFn() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        loop {
            looks.tick().await;
            if let Some(found) = condition().await {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait)
        .await
        .expect("the condition did not come true in time")
}

async fn connect(url: String, connections: u32) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}
