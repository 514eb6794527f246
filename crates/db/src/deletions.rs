//! Deletions: putting a subject out of reach at once, and removing what goes with it bit by bit.

mod extent;

use crate::{Actor, Db, DbError, Scope, Write, agents, audit, convert, documents, jobs, llm_calls, uploads};
use cerebros_common::{
    agents::TrainingState,
    audit::{Action, Noun},
    deletions::{
        Deletion, DeletionCounts, DeletionPreview, DeletionStatus, DeletionSubject, DeletionTarget, Receipt,
        ReceiptStatement,
    },
    events::EventKind,
    ids::{AgentId, DatasetId, DeletionId, DocumentId, JobId, ModelId, ReceiptId, UploadId, WorkspaceId},
};
use extent::extent;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait,
    IntoActiveModel, QueryFilter, QueryResult, QuerySelect, Statement, Value, sea_query::OnConflict,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where the parts of an upload are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DoomedParts {
    pub workspace_id: WorkspaceId,
    pub upload_id: UploadId,
    /// What the bucket calls it.
    pub multipart_id: String,
    /// Else a document's.
    pub dataset: bool,
}

/// What is left to do once the subject is out of reach. Holds no names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Work {
    /// Keys of files.
    pub blobs: Vec<String>,
    /// Uploads whose parts go.
    pub uploads: Vec<DoomedParts>,
    /// Jobs whose directories go.
    pub jobs: Vec<JobId>,
    pub workspaces: Vec<WorkspaceId>,
    /// Workspaces of others that an account was a member of.
    pub left: Vec<WorkspaceId>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Summary {
    counts: DeletionCounts,
    bytes: u64,
    flagged_models: Vec<Uuid>,
}

/// A deletion that is under way.
#[derive(Debug, Clone)]
pub struct Open {
    pub deletion: Deletion,
    pub work: Work,
    pub flagged_models: Vec<Uuid>,
}

const SHOWN: usize = 100;
const ROWS_AT_ONCE: i64 = 500;

/// Rows of a workspace, those first that refer to others. What is not named here goes with the workspace itself.
const ROWS: &[(&str, &str)] = &[
    (
        "chunks",
        "document_id in (select id from documents where workspace_id = $1)",
    ),
    (
        "document_texts",
        "document_id in (select id from documents where workspace_id = $1)",
    ),
    ("examples", "workspace_id = $1"),
    (
        "diagram_pictures",
        "diagram_id in (select id from diagrams where workspace_id = $1)",
    ),
    ("diagrams", "workspace_id = $1"),
    ("concepts", "workspace_id = $1"),
    ("studies", "workspace_id = $1"),
    ("batch_items", "workspace_id = $1"),
    ("batches", "workspace_id = $1"),
    ("documents", "workspace_id = $1"),
    ("uploads", "workspace_id = $1"),
    (
        "metric_points",
        "job_id in (select id from jobs where workspace_id = $1)",
    ),
    ("checkpoints", "job_id in (select id from jobs where workspace_id = $1)"),
    ("job_log", "job_id in (select id from jobs where workspace_id = $1)"),
    ("comparison_rounds", "workspace_id = $1"),
    ("comparisons", "workspace_id = $1"),
    ("model_exports", "workspace_id = $1"),
    (
        "training_stages",
        "training_id in (select id from trainings where workspace_id = $1)",
    ),
    ("trainings", "workspace_id = $1"),
    ("models", "workspace_id = $1"),
    ("jobs", "workspace_id = $1"),
    (
        "dataset_findings",
        "dataset_id in (select id from datasets where workspace_id = $1)",
    ),
    ("datasets", "workspace_id = $1"),
    ("bases", "workspace_id = $1"),
    ("agents", "workspace_id = $1"),
    ("calls", "workspace_id = $1"),
    (
        "llm_attempts",
        "call_id in (select id from llm_calls where workspace_id = $1)",
    ),
    ("llm_calls", "workspace_id = $1"),
    (
        "conversation_messages",
        "conversation_id in (select id from conversations where workspace_id = $1)",
    ),
    ("conversations", "workspace_id = $1"),
    ("events", "workspace_id = $1"),
    ("idempotency_keys", "workspace_id = $1"),
    ("notifications", "workspace_id = $1"),
    ("tasks", "workspace_id = $1"),
];

/// What would go, for whoever may delete it.
pub async fn preview(scope: &Scope, db: &Db, target: DeletionTarget) -> Result<DeletionPreview, DbError> {
    let mut extent = extent(scope, db.read(), target).await?;
    for list in [
        &mut extent.models,
        &mut extent.datasets,
        &mut extent.workspaces,
        &mut extent.blocking,
    ] {
        list.truncate(SHOWN);
    }
    Ok(extent)
}

/// The text to type before a subject is deleted.
pub async fn confirmation(write: &Write, target: DeletionTarget) -> Result<String, DbError> {
    let scope = write.scope()?;
    Ok(extent(&scope, write.connection(), target).await?.confirmation)
}

/// Puts the subject out of reach and notes what is left to do.
///
/// # Errors
/// `DbError::Conflict` for a personal workspace, and for an account that others depend on.
pub async fn begin(write: &mut Write, target: DeletionTarget, version: Option<i64>) -> Result<Deletion, DbError> {
    let scope = write.scope()?;
    // Nothing more is made of it while its extent is taken.
    match target.subject {
        DeletionSubject::Document => drop(documents::lock_all(write, &[DocumentId(target.id)]).await?),
        DeletionSubject::Agent => agents::require(write, AgentId(target.id)).await?,
        DeletionSubject::Workspace | DeletionSubject::Account => {}
    }
    let extent = extent(&scope, write.connection(), target).await?;
    let (id, mut work, mut flagged) = (target.id, Work::default(), Vec::new());
    match target.subject {
        DeletionSubject::Document => {
            flagged = erase_derived(write, &extent, &mut work).await?;
            forget(write, id).await?;
            work.blobs.push(documents::delete(write, DocumentId(id)).await?);
        }
        DeletionSubject::Agent => {
            flagged = erase_derived(write, &extent, &mut work).await?;
            work.blobs
                .extend(documents::blob_keys_of_agent(write, AgentId(id)).await?);
            note_parts(write, id, &mut work).await?;
            forget(write, id).await?;
            agents::delete(write, AgentId(id), version).await?;
        }
        DeletionSubject::Workspace => {
            if is_personal(write, id).await? {
                let message = "This is your personal workspace: it goes with your account.";
                return Err(DbError::Conflict(message.to_owned()));
            }
            close(write, WorkspaceId(id), &mut work).await?;
        }
        DeletionSubject::Account => {
            if !extent.blocking.is_empty() {
                let message = "You are the only owner of workspaces that have other members. Give them another owner, \
                               or delete them, first.";
                return Err(DbError::Conflict(message.to_owned()));
            }
            note_parts(write, id, &mut work).await?;
            close_account(write, id, &extent, &mut work).await?;
        }
    }
    let summary = Summary {
        counts: extent.counts,
        bytes: extent.bytes,
        flagged_models: flagged,
    };
    let requested_by = match scope.actor {
        Actor::User(user) | Actor::ApiKey(_, user) if target.subject != DeletionSubject::Account => Some(user.0),
        _ => None,
    };
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: scope.workspace_id.0,
        requested_by,
        subject: convert::name(&target.subject)?,
        subject_id: id,
        status: convert::name(&DeletionStatus::Running)?,
        work: convert::json("deletion", &work)?,
        summary: convert::json("deletion", &summary)?,
        // Not by time: who knows one must not guess the next.
        receipt_id: Uuid::new_v4(),
        created_at: convert::now(),
        finished_at: None,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::Started, Noun::Deletion, row.id, &["subject"]);
    Ok(wire(row)?.deletion)
}

/// One of the workspace's, or of the person's own.
pub async fn find(scope: &Scope, db: &Db, id: DeletionId) -> Result<Deletion, DbError> {
    let mut visible = Condition::any().add(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Actor::User(user) = scope.actor {
        visible = visible.add(row::Column::RequestedBy.eq(user.0));
    }
    let found = row::Entity::find_by_id(id.0).filter(visible).one(db.read()).await?;
    Ok(wire(found.ok_or(DbError::NotFound("deletion"))?)?.deletion)
}

/// For the task: `None` once it is done.
pub async fn find_open_unscoped(db: &Db, id: DeletionId) -> Result<Option<Open>, DbError> {
    let running = convert::name(&DeletionStatus::Running)?;
    let found = row::Entity::find_by_id(id.0).one(db.read()).await?;
    found.filter(|row| row.status == running).map(wire).transpose()
}

/// Deletions that are not done.
pub async fn list_open_unscoped(db: &Db) -> Result<Vec<DeletionId>, DbError> {
    let open: Vec<Uuid> = row::Entity::find()
        .filter(row::Column::Status.eq(convert::name(&DeletionStatus::Running)?))
        .select_only()
        .column(row::Column::Id)
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(open.into_iter().map(DeletionId).collect())
}

/// Whether a trainer still works on what goes.
pub async fn is_training_unscoped(db: &Db, work: &Work) -> Result<bool, DbError> {
    let one = |column: &str, id: Uuid| {
        let sql = format!("select 1 as one from jobs where {column} = $1 and status = 'running' limit 1");
        Statement::from_sql_and_values(db.read().get_database_backend(), sql, [id.into()])
    };
    let workspaces = work.workspaces.iter().map(|id| one("workspace_id", id.0));
    let jobs = work.jobs.iter().map(|id| one("id", id.0));
    for statement in workspaces.chain(jobs) {
        if db.read().query_one_raw(statement).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The jobs of a workspace that is being deleted.
pub async fn jobs_of_unscoped(db: &Db, workspace_id: WorkspaceId) -> Result<Vec<JobId>, DbError> {
    let ids = ids(db.read(), "select id from jobs where workspace_id = $1", workspace_id.0).await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// Removes some rows of a workspace that is being deleted; `false` when none is left.
pub async fn erase_some_unscoped(write: &Write, workspace_id: WorkspaceId) -> Result<bool, DbError> {
    let tx = write.connection();
    let row = match tx.get_database_backend() {
        DbBackend::Sqlite => "rowid",
        _ => "ctid",
    };
    for (table, condition) in ROWS {
        let sql = format!("delete from {table} where {row} in (select {row} from {table} where {condition} limit $2)");
        let values = [workspace_id.0.into(), ROWS_AT_ONCE.into()];
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
        if tx.execute_raw(statement).await?.rows_affected() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes a workspace without rows, with its audit log. That it is gone stays in the server's own log.
pub async fn erase_workspace_unscoped(write: &mut Write, workspace_id: WorkspaceId) -> Result<(), DbError> {
    audit::erase(write.connection(), workspace_id).await?;
    if execute(write, "delete from workspaces where id = $1", [workspace_id.0.into()]).await? > 0 {
        write.audit_server(Action::Deleted, Noun::Workspace, workspace_id);
    }
    Ok(())
}

/// Notes in a workspace of others that a member is gone.
pub fn note_left(write: &mut Write, user_id: Uuid) {
    write.event(EventKind::MembersChanged, user_id, None);
    write.audit(Action::Left, Noun::Member, user_id, &[]);
}

/// Ends a deletion with its receipt. One that is done stays as it is.
pub async fn finish_unscoped(
    write: &mut Write,
    open: &Open,
    sign: impl FnOnce(&ReceiptStatement) -> Receipt,
) -> Result<(), DbError> {
    let running = convert::name(&DeletionStatus::Running)?;
    let deletion = &open.deletion;
    let row = row::Entity::find_by_id(deletion.id.0)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let Some(row) = row.filter(|row| row.status == running) else {
        return Ok(());
    };
    let now = convert::now();
    let receipt = sign(&ReceiptStatement {
        version: 1,
        id: deletion.receipt_id,
        subject: deletion.subject,
        subject_id: deletion.subject_id,
        requested_at: deletion.created_at,
        finished_at: now,
        counts: deletion.counts,
        bytes: deletion.bytes,
        flagged_models: open.flagged_models.clone(),
    });
    let receipt = receipt::ActiveModel {
        id: Set(deletion.receipt_id.0),
        payload: Set(receipt.payload),
        public_key: Set(receipt.public_key),
        signature: Set(receipt.signature),
        created_at: Set(now),
    };
    let keep = OnConflict::column(receipt::Column::Id).do_nothing().to_owned();
    receipt::Entity::insert(receipt)
        .on_conflict(keep)
        .exec_without_returning(write.connection())
        .await?;
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DeletionStatus::Done)?);
    row.work = Set(convert::json("deletion", &Work::default())?);
    row.finished_at = Set(Some(now));
    row.update(write.connection()).await?;
    write.audit_server(Action::Finished, Noun::Deletion, deletion.id);
    Ok(())
}

pub async fn find_receipt_unscoped(db: &Db, id: ReceiptId) -> Result<Receipt, DbError> {
    let found = receipt::Entity::find_by_id(id.0).one(db.read()).await?;
    let found = found.ok_or(DbError::NotFound("receipt"))?;
    Ok(Receipt {
        payload: found.payload,
        algorithm: "ed25519".to_owned(),
        public_key: found.public_key,
        signature: found.signature,
    })
}

/// Takes the content of the datasets that hold a subject's text, stops what learns from them, and flags what has.
async fn erase_derived(write: &mut Write, extent: &DeletionPreview, work: &mut Work) -> Result<Vec<Uuid>, DbError> {
    let mut flagged = Vec::new();
    for dataset in &extent.datasets {
        // Locked before anything else is looked at: from here on no job starts on it and no model comes of it unflagged.
        let sql = "update datasets set status = 'erased', error = null, report = null, sha256 = null, size_bytes = 0, \
                   updated_at = $2 where id = $1";
        execute(write, sql, [dataset.id.into(), convert::now().into()]).await?;
        let key = "select blob_key from datasets where id = $1";
        if let Some(found) = one(write.connection(), key, [dataset.id.into()]).await? {
            work.blobs.push(found.try_get("", "blob_key")?);
        }
        for sql in [
            "delete from dataset_findings where dataset_id = $1",
            "delete from dataset_documents where dataset_id = $1",
        ] {
            execute(write, sql, [dataset.id.into()]).await?;
        }
        jobs::forget_samples(write, DatasetId(dataset.id)).await?;
        write.event(EventKind::DatasetChanged, dataset.id, None);
        write.audit(Action::Erased, Noun::Dataset, dataset.id, &[]);
        stop_jobs(write, dataset.id, work).await?;
        flagged.extend(flag_models(write, dataset.id).await?);
    }
    Ok(flagged)
}

/// Notes where the parts are that go with an agent or a person.
async fn note_parts(write: &Write, id: Uuid, work: &mut Work) -> Result<(), DbError> {
    let doomed = uploads::doomed(write.connection(), id).await?;
    work.uploads.extend(doomed.into_iter().map(|located| DoomedParts {
        workspace_id: located.workspace_id,
        upload_id: located.upload.id,
        dataset: located.is_dataset(),
        multipart_id: located.multipart_id,
    }));
    Ok(())
}

/// The jobs of some, and all that go on from their models.
pub(super) fn lines(which: &str) -> String {
    format!(
        "with recursive line (id) as (select id from jobs where {which} union \
         select j.id from jobs j join line on j.parent_id = line.id) select id from line"
    )
}

async fn stop_jobs(write: &mut Write, dataset_id: Uuid, work: &mut Work) -> Result<(), DbError> {
    let sql = lines("dataset_id = $1 or validation_dataset_id = $1");
    for id in ids(write.connection(), &sql, dataset_id).await? {
        work.jobs.push(JobId(id));
        work.blobs.extend(jobs::forget_adapters(write, id).await?);
        let job = match jobs::request_cancel(write, JobId(id)).await {
            // It is over already.
            Err(DbError::Conflict(_)) => continue,
            other => other?,
        };
        if job.status.is_over() {
            agents::set_training(write, &job, TrainingState::Idle, None).await?;
        }
    }
    Ok(())
}

async fn flag_models(write: &mut Write, dataset_id: Uuid) -> Result<Vec<Uuid>, DbError> {
    let sql = format!("select id from models where job_id in ({})", lines("dataset_id = $1"));
    let models = ids(write.connection(), &sql, dataset_id).await?;
    for id in &models {
        let sql = "update models set source_deleted_at = $2 where id = $1 and source_deleted_at is null";
        if execute(write, sql, [(*id).into(), convert::now().into()]).await? > 0 {
            write.event(EventKind::ModelChanged, *id, None);
            write.audit(Action::Updated, Noun::Model, *id, &["source_deleted_at"]);
        }
        // Its answers may say what it learned, and so may what was said of them.
        llm_calls::forget(write, *id).await?;
        execute(
            write,
            "delete from comparisons where model_id = $1 or against_id = $1",
            [(*id).into()],
        )
        .await?;
        agents::take_offline(write, ModelId(*id)).await?;
    }
    Ok(models)
}

/// Removes what was said about something elsewhere: notifications, and answers kept for repeated requests.
async fn forget(write: &Write, id: Uuid) -> Result<(), DbError> {
    let told = "delete from notifications where subject_id = $1 \
                or subject_id in (select id from documents where agent_id = $1) \
                or subject_id in (select id from batches where agent_id = $1)";
    execute(write, told, [id.into()]).await?;
    llm_calls::forget(write, id).await?;
    let sql = match write.connection().get_database_backend() {
        DbBackend::Sqlite => "delete from idempotency_keys where workspace_id = $1 and instr(body, $2) > 0",
        _ => "delete from idempotency_keys where workspace_id = $1 and position($2 in body) > 0",
    };
    let values = [write.workspace_id()?.0.into(), id.to_string().into_bytes().into()];
    execute(write, sql, values).await?;
    Ok(())
}

/// Puts a workspace out of everybody's reach and stops its work.
async fn close(write: &mut Write, id: WorkspaceId, work: &mut Work) -> Result<(), DbError> {
    let now = convert::now();
    for sql in [
        "update jobs set cancel_requested = true, finished_at = $2, status = 'cancelled' \
         where workspace_id = $1 and status in ('queued', 'paused')",
        "update jobs set cancel_requested = true, started_at = coalesce(started_at, $2) \
         where workspace_id = $1 and status = 'running'",
    ] {
        execute(write, sql, [id.0.into(), now.into()]).await?;
    }
    for sql in [
        "delete from api_keys where workspace_id = $1",
        "delete from webhooks where workspace_id = $1",
        "delete from invitations where workspace_id = $1",
        "delete from members where workspace_id = $1",
    ] {
        execute(write, sql, [id.0.into()]).await?;
    }
    // The last, as with all who change its rows: they count their events in it at the end.
    let sql = "update workspaces set deleting_at = $2 where id = $1";
    execute(write, sql, [id.0.into(), now.into()]).await?;
    work.workspaces.push(id);
    write.audit(Action::Deleted, Noun::Workspace, id, &[]);
    Ok(())
}

async fn close_account(write: &mut Write, id: Uuid, extent: &DeletionPreview, work: &mut Work) -> Result<(), DbError> {
    for workspace in &extent.workspaces {
        close(write, WorkspaceId(workspace.id), work).await?;
    }
    let left = ids(
        write.connection(),
        "select workspace_id as id from members where user_id = $1",
        id,
    );
    work.left = left.await?.into_iter().map(WorkspaceId).collect();
    let invited = "delete from invitations where email_key = (select email_key from users where id = $1)";
    execute(write, invited, [id.into()]).await?;
    execute(write, "delete from users where id = $1", [id.into()]).await?;
    write.audit(Action::Deleted, Noun::Account, id, &[]);
    write.audit_server(Action::Deleted, Noun::Account, id);
    Ok(())
}

async fn is_personal(write: &Write, id: Uuid) -> Result<bool, DbError> {
    let sql = "select personal from workspaces where id = $1";
    let found = one(write.connection(), sql, [id.into()]).await?;
    Ok(found.ok_or(DbError::NotFound("workspace"))?.try_get("", "personal")?)
}

async fn one<const N: usize>(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: [Value; N],
) -> Result<Option<QueryResult>, DbError> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    Ok(connection.query_one_raw(statement).await?)
}

async fn ids(connection: &impl ConnectionTrait, sql: &str, id: Uuid) -> Result<Vec<Uuid>, DbError> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [id.into()]);
    let rows = connection.query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}

async fn execute<const N: usize>(write: &Write, sql: &str, values: [Value; N]) -> Result<u64, DbError> {
    let tx = write.connection();
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

fn wire(row: row::Model) -> Result<Open, DbError> {
    let summary: Summary = convert::parse_json("deletion", &row.summary)?;
    Ok(Open {
        deletion: Deletion {
            id: DeletionId(row.id),
            subject: convert::parse_name("deletion", &row.subject)?,
            subject_id: row.subject_id,
            status: convert::parse_name("deletion", &row.status)?,
            counts: summary.counts,
            bytes: summary.bytes,
            receipt_id: ReceiptId(row.receipt_id),
            created_at: row.created_at,
            finished_at: row.finished_at,
        },
        work: convert::parse_json("deletion", &row.work)?,
        flagged_models: summary.flagged_models,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "deletions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub requested_by: Option<Uuid>,
        pub subject: String,
        pub subject_id: Uuid,
        pub status: String,
        pub work: String,
        pub summary: String,
        pub receipt_id: Uuid,
        pub created_at: DateTimeUtc,
        pub finished_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod receipt {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "receipts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub payload: String,
        pub public_key: String,
        pub signature: String,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
