//! Answers to requests that carried an `Idempotency-Key`, kept so that a repeated request gets them again. A key belongs
//! to an account, so these functions are unscoped by nature.

use crate::{Db, DbError, Write, convert};
use cerebros_common::ids::{UserId, WorkspaceId};
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement};

/// An answer, and of which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    pub workspace_id: WorkspaceId,
    /// Tells the request from others.
    pub fingerprint: String,
    pub status: u16,
    pub location: Option<String>,
    pub etag: Option<String>,
    pub body: Vec<u8>,
}

/// What stands in the way of working on a request.
#[derive(Debug)]
pub enum Claim {
    Free,
    /// Another process works on it.
    Busy,
    Answered(StoredAnswer),
}

pub async fn find_unscoped(db: &Db, user_id: UserId, key: &str) -> Result<Option<StoredAnswer>, DbError> {
    find(db.read(), user_id, key).await
}

/// Takes the key until the transaction ends.
pub async fn claim_unscoped(write: &mut Write, user_id: UserId, key: &str) -> Result<Claim, DbError> {
    let tx = write.connection();
    if tx.get_database_backend() == DbBackend::Postgres {
        // Two keys with one hash merely wait for each other.
        let sql = "select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as free";
        let name = format!("idempotency {} {key}", user_id.0);
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [name.into()]);
        let row = tx.query_one_raw(statement).await?;
        if !row.ok_or(DbError::NotFound("lock"))?.try_get::<bool>("", "free")? {
            return Ok(Claim::Busy);
        }
    }
    Ok(find(tx, user_id, key).await?.map_or(Claim::Free, Claim::Answered))
}

/// Keeps an answer in the transaction that did what it tells of.
pub async fn insert_unscoped(
    write: &mut Write,
    user_id: UserId,
    key: &str,
    answer: StoredAnswer,
) -> Result<(), DbError> {
    let new = row::ActiveModel {
        user_id: Set(user_id.0),
        key: Set(key.to_owned()),
        workspace_id: Set(answer.workspace_id.0),
        fingerprint: Set(answer.fingerprint),
        status: Set(answer.status.into()),
        location: Set(answer.location),
        etag: Set(answer.etag),
        body: Set(answer.body),
        created_at: Set(convert::now()),
    };
    row::Entity::insert(new)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

/// Deletes answers older than `before`.
pub async fn expire_unscoped(db: &Db, before: DateTime<Utc>) -> Result<u64, DbError> {
    let result = row::Entity::delete_many()
        .filter(row::Column::CreatedAt.lt(before))
        .exec(db.write_connection())
        .await?;
    Ok(result.rows_affected)
}

async fn find(conn: &impl ConnectionTrait, user_id: UserId, key: &str) -> Result<Option<StoredAnswer>, DbError> {
    let found = row::Entity::find_by_id((user_id.0, key.to_owned())).one(conn).await?;
    Ok(found.map(|row| StoredAnswer {
        workspace_id: WorkspaceId(row.workspace_id),
        fingerprint: row.fingerprint,
        status: u16::try_from(row.status).unwrap_or_default(),
        location: row.location,
        etag: row.etag,
        body: row.body,
    }))
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub workspace_id: Uuid,
        pub fingerprint: String,
        pub status: i32,
        pub location: Option<String>,
        pub etag: Option<String>,
        pub body: Vec<u8>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
