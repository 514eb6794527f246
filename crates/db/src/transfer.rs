//! What leaves and enters as an archive: which columns of which tables, read at one moment and written as one.
//!
//! No column holds a hash of a secret, or anything encrypted.

mod tables;

pub use tables::{AROUND, CONTENT, PERSON, Table};

use crate::{Db, DbError, Scope, Write, convert, workspaces};
use cerebros_common::{
    audit::{Action, Noun},
    ids::{BaseId, UserId, WorkspaceId},
    workspaces::NewWorkspace,
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream::BoxStream};
use ring::digest;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Statement, StreamTrait, TryGetable, Value};
use serde_json::{Map, Value as Json};
use tables::{
    Column,
    Kind::{Bool, Id, Int, Real, Shape, Small, Text, Time, Word},
};
use uuid::Uuid;

/// Everything as it is at one moment.
pub struct Snapshot(DatabaseTransaction);

/// Opens a snapshot; it holds a connection for reading until it is dropped.
pub async fn snapshot_unscoped(db: &Db) -> Result<Snapshot, DbError> {
    Ok(Snapshot(db.snapshot().await?))
}

impl Snapshot {
    /// A workspace's name.
    pub async fn name_unscoped(&self, workspace_id: WorkspaceId) -> Result<String, DbError> {
        let sql = "select name from workspaces where id = $1";
        let found = self
            .0
            .query_one_raw(statement(&self.0, sql, vec![workspace_id.0.into()]));
        let found = found.await?.ok_or(DbError::NotFound("workspace"))?;
        Ok(found.try_get("", "name")?)
    }

    /// The workspaces that a person owns.
    pub async fn owned_unscoped(&self, user_id: UserId) -> Result<Vec<WorkspaceId>, DbError> {
        let sql = "select workspace_id from members where user_id = $1 and role = 'owner' order by workspace_id";
        let rows = self.0.query_all_raw(statement(&self.0, sql, vec![user_id.0.into()]));
        let ids = rows
            .await?
            .into_iter()
            .map(|row| row.try_get("", "workspace_id").map(WorkspaceId));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// The rows of a table that belong to an id, as they are read.
    pub async fn rows_unscoped<'a>(
        &'a self,
        table: &'static Table,
        id: Uuid,
    ) -> Result<BoxStream<'a, Result<Map<String, Json>, DbError>>, DbError> {
        let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let sql = format!(
            "select {} from {} where {} order by {}",
            names.join(", "),
            table.name,
            table.rows,
            table.order
        );
        let rows = self.0.stream_raw(statement(&self.0, &sql, vec![id.into()])).await?;
        let map = |row: Result<QueryResult, DbErr>| {
            let row = row?;
            let values = table
                .columns
                .iter()
                .map(|column| Ok((column.name.to_owned(), read(&row, column)?)));
            Ok(values.collect::<Result<_, DbErr>>()?)
        };
        Ok(rows.map(map).boxed())
    }
}

/// A workspace that is being put together from an archive, under new ids.
pub struct Import {
    seed: Uuid,
    old: Uuid,
    pub workspace_id: WorkspaceId,
}

impl Import {
    /// Begins a workspace of whom the transaction acts for.
    pub async fn begin(write: &mut Write, name: &str, old: Uuid) -> Result<Self, DbError> {
        let name = name.to_owned();
        let workspace_id = workspaces::insert(write, &NewWorkspace { name }).await?.id;
        write.enter(Scope::system(workspace_id));
        write.audit(Action::Imported, Noun::Workspace, workspace_id, &["name"]);
        Ok(Self {
            seed: Uuid::new_v4(),
            old,
            workspace_id,
        })
    }

    /// The id that stands here for one of the archive: as old, and told apart from all others by its hash.
    pub fn id(&self, old: Uuid) -> Uuid {
        if old == self.old {
            return self.workspace_id.0;
        }
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(self.seed.as_bytes());
        hash.update(old.as_bytes());
        let hash = hash.finish();
        let mut bytes = *old.as_bytes();
        bytes[6..].copy_from_slice(&hash.as_ref()[..10]);
        uuid::Builder::from_bytes(bytes)
            .with_version(uuid::Version::SortRand)
            .with_variant(uuid::Variant::RFC4122)
            .into_uuid()
    }

    /// Adds a row, after `change` has had a look at it. References lead to rows of the archive or nowhere.
    ///
    /// # Errors
    /// What is wrong with the row, in words.
    pub async fn insert(&self, write: &Write, table: &Table, row: &Map<String, Json>) -> Result<(), DbError> {
        if let Some(name) = row
            .keys()
            .find(|name| table.columns.iter().all(|column| column.name != *name))
        {
            return Err(DbError::Conflict(format!("`{name}` is not a column")));
        }
        let mut values = Vec::with_capacity(table.columns.len());
        for column in table.columns {
            let value = row.get(column.name).unwrap_or(&Json::Null);
            let checked = self.check(column, value);
            values.push(checked.ok_or_else(|| DbError::Conflict(format!("`{}` does not fit", column.name)))?);
        }
        if let Some(id) = row.get("workspace_id")
            && id.as_str().and_then(|id| id.parse().ok()) != Some(self.old)
        {
            return Err(DbError::Conflict("it belongs to another workspace".to_owned()));
        }
        let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let marks: Vec<String> = (1..=names.len()).map(|index| format!("${index}")).collect();
        let sql = format!(
            "insert into {} ({}) values ({})",
            table.name,
            names.join(", "),
            marks.join(", ")
        );
        let tx = write.connection();
        tx.execute_raw(statement(tx, &sql, values)).await.map_err(|error| {
            tracing::debug!(error = %error, "an imported row was refused");
            DbError::Conflict("it refers to something that is not in the archive, or is there twice".to_owned())
        })?;
        Ok(())
    }

    /// The database's value for one of the archive; `None` if it does not fit.
    fn check(&self, column: &Column, value: &Json) -> Option<Value> {
        if value.is_null() && !column.nullable {
            return None;
        }
        let text = || value.as_str().filter(|text| !text.contains('\0'));
        let int = || value.as_i64();
        Some(match column.kind {
            Id if value.is_null() => Value::Uuid(None),
            Id => self.id(text()?.parse().ok()?).into(),
            Int if value.is_null() => Value::BigInt(None),
            Int => int()?.into(),
            Small if value.is_null() => Value::Int(None),
            Small => i32::try_from(int()?).ok()?.into(),
            Real if value.is_null() => Value::Double(None),
            Real => value.as_f64()?.into(),
            Bool => value.as_bool()?.into(),
            Time if value.is_null() => Value::ChronoDateTimeUtc(None),
            Time => text()?.parse::<DateTime<Utc>>().ok()?.into(),
            _ if value.is_null() => Value::String(None),
            Text => text()?.into(),
            Word(fits) | Shape(fits) => text().filter(|text| fits(text))?.into(),
        })
    }

    /// Ends what was under way when the archive was made; gives the bases that are to be fetched again.
    pub async fn finish(&self, write: &Write) -> Result<Vec<BaseId>, DbError> {
        let tx = write.connection();
        for sql in [
            "update agents set training = 'idle' where workspace_id = $1 and training in ('queued', 'running')",
            "update jobs set status = 'cancelled', cancel_requested = true, finished_at = coalesce(finished_at, $2) \
             where workspace_id = $1 and status in ('queued', 'running', 'paused')",
            "update documents set status = 'error', error_code = 'interrupted', updated_at = $2, \
             error_message = 'It was exported before it was read. Try again.' \
             where workspace_id = $1 and status in ('uploaded', 'processing')",
            "update datasets set status = 'error', updated_at = $2, \
             error = 'It was exported before it was validated. Delete it and add it again.' \
             where workspace_id = $1 and status in ('uploading', 'validating')",
            "update batch_items set status = 'waiting' where workspace_id = $1 and status = 'running'",
            "update batches set status = 'paused', updated_at = $2, \
             pause = '{\"reason\":\"imported\",\"message\":\"It was under way when it was exported. Continue it here.\"}' \
             where workspace_id = $1 and status = 'running'",
            "update bases set status = 'error', location = 'not here: ' || location, \
             error = 'Its directory was on another server. Add the directory of this server as another base.' \
             where workspace_id = $1 and source = 'directory'",
            "update llm_calls set outcome = 'failed', maybe_paid_twice = true where workspace_id = $1 \
             and outcome = 'in_flight'",
            "update llm_attempts set outcome = 'failed' where outcome = 'in_flight' \
             and call_id in (select id from llm_calls where workspace_id = $1)",
            "update bases set status = 'downloading', error = null where workspace_id = $1 and source = 'hub'",
        ] {
            let values = vec![self.workspace_id.0.into(), convert::now().into()];
            let values = if sql.contains("$2") {
                values
            } else {
                values[..1].to_vec()
            };
            tx.execute_raw(statement(tx, sql, values)).await?;
        }
        let sql = "select id from bases where workspace_id = $1 and source = 'hub'";
        let rows = tx
            .query_all_raw(statement(tx, sql, vec![self.workspace_id.0.into()]))
            .await?;
        let ids = rows.iter().map(|row| row.try_get("", "id").map(BaseId));
        Ok(ids.collect::<Result<_, _>>()?)
    }
}

fn statement(tx: &DatabaseTransaction, sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(ConnectionTrait::get_database_backend(tx), sql, values)
}

fn read(row: &QueryResult, column: &Column) -> Result<Json, DbErr> {
    fn get<T: TryGetable + serde::Serialize>(row: &QueryResult, name: &str) -> Result<Json, DbErr> {
        let value: Option<T> = row.try_get("", name)?;
        serde_json::to_value(value).map_err(|error| DbErr::Type(error.to_string()))
    }
    match column.kind {
        Id => get::<Uuid>(row, column.name),
        Int => get::<i64>(row, column.name),
        Small => get::<i32>(row, column.name),
        Real => get::<f64>(row, column.name),
        Bool => get::<bool>(row, column.name),
        Time => get::<DateTime<Utc>>(row, column.name),
        Text | Word(_) | Shape(_) => get::<String>(row, column.name),
    }
}
