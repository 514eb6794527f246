//! What leaves and enters as an archive: which columns of which tables, read at one moment and written as one.
//!
//! No column holds a hash of a secret, or anything encrypted.

use crate::{Db, DbError, Scope, Write, convert, workspaces};
use cerebros_common::{
    agents::TrainingState,
    audit::{Action, Noun},
    bases::{BaseSource, BaseStatus},
    datasets::{DatasetReport, DatasetSource, DatasetStatus, FindingSeverity},
    documents::{DocumentFormat, DocumentKind, DocumentPage, DocumentStatus},
    examples::{ExampleOrigin, ExampleStatus},
    ids::{BaseId, UserId, WorkspaceId},
    jobs::{JobFailure, JobParameters, JobPlan, JobStatus},
    workspaces::{NewWorkspace, Role},
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream::BoxStream};
use ring::digest;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Statement, StreamTrait, TryGetable, Value};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// How a value is read, written and checked.
#[derive(Clone, Copy)]
enum Kind {
    Id,
    Int,
    /// 32 bits.
    Small,
    Real,
    Bool,
    Text,
    Time,
    /// One of a closed set of words.
    Word(fn(&str) -> bool),
    /// JSON of a known shape.
    Shape(fn(&str) -> bool),
}

struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
}

const fn is(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        nullable: false,
    }
}

const fn may(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        nullable: true,
    }
}

/// A table in an archive.
pub struct Table {
    pub name: &'static str,
    /// Which rows, as a condition on `$1`.
    rows: &'static str,
    order: &'static str,
    columns: &'static [Column],
}

fn word<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_value::<T>(Json::String(text.to_owned())).is_ok()
}

fn shape<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_str::<T>(text).is_ok()
}

use Kind::{Bool, Id, Int, Real, Shape, Small, Text, Time, Word};

const OF_WORKSPACE: &str = "workspace_id = $1";
const OF_USER: &str = "user_id = $1";
const OF_DOCUMENTS: &str = "document_id in (select id from documents where workspace_id = $1)";
const OF_DATASETS: &str = "dataset_id in (select id from datasets where workspace_id = $1)";
const OF_JOBS: &str = "job_id in (select id from jobs where workspace_id = $1)";

/// What a workspace is made of, in the order in which it can be put together again.
pub const CONTENT: &[Table] = &[
    Table {
        name: "agents",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("name", Text),
            is("description", Text),
            is("wizard_step", Small),
            is("training", Word(word::<TrainingState>)),
            may("model_id", Id),
            may("job_id", Id),
            is("created_at", Time),
            is("updated_at", Time),
            is("version", Int),
        ],
    },
    Table {
        name: "documents",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("agent_id", Id),
            is("kind", Word(word::<DocumentKind>)),
            is("name", Text),
            is("format", Word(word::<DocumentFormat>)),
            is("blob_key", Text),
            is("size_bytes", Int),
            is("sha256", Text),
            is("status", Word(word::<DocumentStatus>)),
            may("error_code", Text),
            may("error_message", Text),
            may("characters", Int),
            may("pages", Small),
            is("created_at", Time),
            is("updated_at", Time),
        ],
    },
    Table {
        name: "document_texts",
        rows: OF_DOCUMENTS,
        order: "document_id",
        columns: &[
            is("document_id", Id),
            is("body", Text),
            is("pages", Shape(shape::<Vec<DocumentPage>>)),
        ],
    },
    Table {
        name: "chunks",
        rows: OF_DOCUMENTS,
        order: "document_id, idx",
        columns: &[
            is("id", Id),
            is("document_id", Id),
            is("idx", Small),
            is("start_at", Int),
            is("end_at", Int),
            may("page", Small),
            may("heading", Text),
            is("body", Text),
        ],
    },
    Table {
        name: "examples",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("agent_id", Id),
            may("document_id", Id),
            may("chunk_id", Id),
            is("prompt", Text),
            is("reasoning", Text),
            is("response", Text),
            is("status", Word(word::<ExampleStatus>)),
            is("origin", Word(word::<ExampleOrigin>)),
            may("start_at", Int),
            may("end_at", Int),
            may("page", Small),
            may("heading", Text),
            may("quote", Text),
            is("edited", Bool),
            is("created_at", Time),
            is("updated_at", Time),
            is("version", Int),
        ],
    },
    Table {
        name: "datasets",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("agent_id", Id),
            is("name", Text),
            is("source", Word(word::<DatasetSource>)),
            is("blob_key", Text),
            is("status", Word(word::<DatasetStatus>)),
            may("error", Text),
            is("size_bytes", Int),
            may("sha256", Text),
            may("report", Shape(shape::<DatasetReport>)),
            is("created_at", Time),
            is("updated_at", Time),
        ],
    },
    Table {
        name: "dataset_findings",
        rows: OF_DATASETS,
        order: "seq",
        columns: &[
            is("dataset_id", Id),
            is("line", Int),
            is("field", Text),
            is("code", Text),
            is("severity", Word(word::<FindingSeverity>)),
            is("message", Text),
            is("fix", Text),
        ],
    },
    Table {
        name: "dataset_documents",
        rows: OF_DATASETS,
        order: "dataset_id, document_id",
        columns: &[is("dataset_id", Id), is("document_id", Id)],
    },
    Table {
        name: "bases",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("name", Text),
            is("source", Word(word::<BaseSource>)),
            is("location", Text),
            is("status", Word(word::<BaseStatus>)),
            may("error", Text),
            may("architecture", Text),
            may("parameters", Int),
            may("size_bytes", Int),
            may("license", Text),
            may("context_length", Int),
            is("created_at", Time),
        ],
    },
    Table {
        name: "jobs",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("agent_id", Id),
            is("dataset_id", Id),
            is("base_id", Id),
            is("parameters", Shape(shape::<JobParameters>)),
            is("status", Word(word::<JobStatus>)),
            is("cancel_requested", Bool),
            may("plan", Shape(shape::<JobPlan>)),
            is("step", Int),
            may("train_loss", Real),
            may("validation_loss", Real),
            may("failure", Shape(shape::<JobFailure>)),
            is("created_at", Time),
            may("started_at", Time),
            may("finished_at", Time),
        ],
    },
    Table {
        name: "metric_points",
        rows: OF_JOBS,
        order: "job_id, step",
        columns: &[
            is("job_id", Id),
            is("step", Int),
            is("epoch", Real),
            may("loss", Real),
            may("learning_rate", Real),
            may("grad_norm", Real),
            may("tokens_per_second", Real),
            may("memory_bytes", Int),
            may("validation_loss", Real),
            may("validation_token_accuracy", Real),
        ],
    },
    Table {
        name: "job_log",
        rows: OF_JOBS,
        order: "seq",
        columns: &[is("job_id", Id), is("at", Time), is("level", Text), is("message", Text)],
    },
    Table {
        name: "models",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("agent_id", Id),
            is("job_id", Id),
            is("dataset_id", Id),
            is("base_id", Id),
            is("name", Text),
            is("blob_key", Text),
            is("seed", Int),
            is("steps", Int),
            is("train_loss", Real),
            may("initial_validation_loss", Real),
            may("validation_loss", Real),
            is("size_bytes", Int),
            is("sha256", Text),
            is("created_at", Time),
            may("source_deleted_at", Time),
        ],
    },
    Table {
        name: "calls",
        rows: OF_WORKSPACE,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            may("agent_id", Id),
            may("model_id", Id),
            is("outcome", Text),
            is("prompt_tokens", Int),
            is("completion_tokens", Int),
            is("duration_ms", Int),
            is("at", Time),
        ],
    },
];

/// What is told of a workspace besides, for people to read.
pub const AROUND: &[Table] = &[
    Table {
        name: "members",
        rows: OF_WORKSPACE,
        order: "user_id",
        columns: &[is("user_id", Id), is("role", Word(word::<Role>))],
    },
    Table {
        name: "api_keys",
        rows: OF_WORKSPACE,
        order: "id",
        columns: API_KEY,
    },
    Table {
        name: "provider_keys",
        rows: OF_WORKSPACE,
        order: "provider",
        columns: &[is("provider", Text), is("hint", Text), is("created_at", Time)],
    },
    Table {
        name: "audit",
        rows: OF_WORKSPACE,
        order: "seq",
        columns: &[
            is("seq", Int),
            is("at", Int),
            is("actor_kind", Text),
            may("actor_id", Id),
            is("action", Text),
            is("noun", Text),
            is("subject_id", Id),
            is("fields", Text),
        ],
    },
];

const API_KEY: &[Column] = &[
    is("id", Id),
    is("workspace_id", Id),
    is("user_id", Id),
    is("name", Text),
    is("prefix", Text),
    is("scopes", Text),
    is("created_at", Time),
    may("last_used_at", Time),
    may("expires_at", Time),
];

/// What belongs to a person rather than a workspace.
pub const PERSON: &[Table] = &[
    Table {
        name: "users",
        rows: "id = $1",
        order: "id",
        columns: &[
            is("id", Id),
            is("email", Text),
            is("name", Text),
            may("email_verified_at", Time),
            is("created_at", Time),
        ],
    },
    Table {
        name: "members",
        rows: OF_USER,
        order: "workspace_id",
        columns: &[is("workspace_id", Id), is("role", Word(word::<Role>))],
    },
    Table {
        name: "sessions",
        rows: OF_USER,
        order: "id",
        columns: &[
            is("id", Id),
            is("user_agent", Text),
            is("address", Text),
            is("created_at", Time),
            is("last_used_at", Time),
            is("expires_at", Time),
        ],
    },
    Table {
        name: "api_keys",
        rows: OF_USER,
        order: "id",
        columns: API_KEY,
    },
    Table {
        name: "notifications",
        rows: OF_USER,
        order: "id",
        columns: &[
            is("id", Id),
            is("workspace_id", Id),
            is("kind", Text),
            is("title", Text),
            is("subject", Text),
            is("subject_id", Id),
            is("created_at", Time),
            may("read_at", Time),
        ],
    },
    Table {
        name: "notification_preferences",
        rows: OF_USER,
        order: "kind",
        columns: &[is("kind", Text), is("enabled", Bool)],
    },
];

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
             where workspace_id = $1 and status in ('queued', 'running')",
            "update documents set status = 'error', error_code = 'interrupted', updated_at = $2, \
             error_message = 'It was exported before it was read. Try again.' \
             where workspace_id = $1 and status in ('uploaded', 'processing')",
            "update datasets set status = 'error', updated_at = $2, \
             error = 'It was exported before it was validated. Delete it and add it again.' \
             where workspace_id = $1 and status in ('uploading', 'validating')",
            "update bases set status = 'error', location = 'not here: ' || location, \
             error = 'Its directory was on another server. Add the directory of this server as another base.' \
             where workspace_id = $1 and source = 'directory'",
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
