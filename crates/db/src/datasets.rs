//! Datasets and what their validation found.

use crate::{
    Db, DbError, Scope, Way, Write, agents, convert, documents,
    notifications::{self, Audience},
    paging::page,
    uploads,
};
use cerebros_common::{
    audit::{Action, Noun},
    datasets::{
        Dataset, DatasetFinding, DatasetFormat, DatasetLayout, DatasetQuery, DatasetReport, DatasetSource,
        DatasetStatus, FindingRepair, FindingSeverity, RowsKind,
    },
    events::EventKind,
    ids::{AgentId, DatasetId, DocumentId, JobId, UploadId},
    jobs::JobStatus,
    notifications::{NotificationKind, NotificationSubject},
    wire::{CursorPage, Page, Paging},
    workspaces::Role,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
    Statement,
};

/// A dataset with the key of its file.
#[derive(Debug, Clone)]
pub struct LocatedDataset {
    pub dataset: Dataset,
    pub blob_key: String,
}

/// A file that lies in the store already.
#[derive(Debug, Clone)]
pub struct StoredDataset {
    pub id: DatasetId,
    /// Whose examples it was built from.
    pub agent_id: Option<AgentId>,
    /// Whose text its rows hold.
    pub documents: Vec<DocumentId>,
    pub name: String,
    pub source: DatasetSource,
    pub blob_key: String,
    pub size_bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// What validation found.
#[derive(Debug, Clone)]
pub struct Validation {
    pub format: DatasetFormat,
    pub layout: DatasetLayout,
    pub report: DatasetReport,
    pub findings: Vec<DatasetFinding>,
    /// Why no row can be used, and what to do.
    pub error: Option<String>,
}

/// What is said of a dataset that lost its content.
pub const ERASED: &str =
    "This dataset held text of something that was deleted, so its content is gone. Build another one.";

const TEXTS: &str = "This dataset holds plain texts. Jobs train on conversations or on pairs of answers: choose another \
                     dataset.";

/// Findings per insert: 8 values each stay well below the databases' limits on parameters.
const FINDINGS_AT_ONCE: usize = 200;

pub async fn list(scope: &Scope, db: &Db, query: &DatasetQuery) -> Result<Page<Dataset>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    if let Some(status) = query.status {
        found = found.filter(row::Column::Status.eq(convert::name(&status)?));
    }
    let (rows, total) = page(db, found.order_by_desc(row::Column::Id), paging).await?;
    Ok(paging.of(rows.into_iter().map(wire).collect::<Result<_, _>>()?, total))
}

/// Datasets beyond the id `after`, by id, without those that lost their content.
pub async fn list_beyond(
    scope: &Scope,
    db: &Db,
    way: Way,
    after: Option<DatasetId>,
    limit: u32,
) -> Result<Vec<Dataset>, DbError> {
    let mut found = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::Status.ne(convert::name(&DatasetStatus::Erased)?));
    if let Some(after) = after {
        found = found.filter(way.beyond(row::Column::Id, after.0));
    }
    let rows = found
        .order_by(row::Column::Id, way.order())
        .limit(u64::from(limit))
        .all(db.read())
        .await?;
    rows.into_iter().map(wire).collect()
}

pub async fn find(scope: &Scope, db: &Db, id: DatasetId) -> Result<Dataset, DbError> {
    Ok(find_located(scope, db, id).await?.dataset)
}

pub async fn find_located(scope: &Scope, db: &Db, id: DatasetId) -> Result<LocatedDataset, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("dataset"))?;
    Ok(LocatedDataset {
        blob_key: row.blob_key.clone(),
        dataset: wire(row)?,
    })
}

/// A dataset whose file is there.
///
/// # Errors
/// `DbError::Conflict` once it has lost its content.
pub async fn find_with_content(scope: &Scope, db: &Db, id: DatasetId) -> Result<LocatedDataset, DbError> {
    let located = find_located(scope, db, id).await?;
    match located.dataset.status {
        DatasetStatus::Erased => Err(DbError::Conflict(ERASED.to_owned())),
        _ => Ok(located),
    }
}

/// A dataset that training may read.
///
/// # Errors
/// `DbError::Conflict` unless it is ready and holds conversations or pairs of answers.
pub async fn find_for_training(scope: &Scope, db: &Db, id: DatasetId) -> Result<LocatedDataset, DbError> {
    let located = find_located(scope, db, id).await?;
    let message = match located.dataset.status {
        DatasetStatus::Ready => match located.dataset.rows_kind {
            Some(RowsKind::Texts) => TEXTS.to_owned(),
            Some(RowsKind::Conversations | RowsKind::Preferences) | None => return Ok(located),
        },
        DatasetStatus::Uploading | DatasetStatus::Validating => "This dataset is still being validated.".to_owned(),
        DatasetStatus::Erased => ERASED.to_owned(),
        DatasetStatus::Error => {
            let reason = located.dataset.error.unwrap_or_default();
            format!("This dataset cannot be trained on. {reason}")
        }
    };
    Err(DbError::Conflict(message))
}

/// Findings after the number `after`, in the order of the file, with the next cursor.
pub async fn findings(
    scope: &Scope,
    db: &Db,
    id: DatasetId,
    after: Option<i64>,
    limit: u32,
) -> Result<CursorPage<DatasetFinding>, DbError> {
    find(scope, db, id).await?;
    let mut rows = finding::Entity::find()
        .filter(finding::Column::DatasetId.eq(id.0))
        .filter(finding::Column::Seq.gt(after.unwrap_or(0)))
        .order_by_asc(finding::Column::Seq)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.seq.to_string());
    let items = rows.into_iter().map(wire_finding).collect::<Result<_, _>>()?;
    Ok(CursorPage { items, next_cursor })
}

/// Whose text a dataset's rows hold.
pub async fn documents_of(scope: &Scope, db: &Db, id: DatasetId) -> Result<Vec<DocumentId>, DbError> {
    find(scope, db, id).await?;
    let rows = source::Entity::find()
        .filter(source::Column::DatasetId.eq(id.0))
        .all(db.read())
        .await?;
    Ok(rows.into_iter().map(|row| DocumentId(row.document_id)).collect())
}

/// Adds a dataset that waits to be validated.
///
/// # Errors
/// `DbError::NotFound` for another workspace's agent; `DbError::Conflict` when a document it was made of is gone by now.
pub async fn insert(write: &mut Write, new: StoredDataset) -> Result<Dataset, DbError> {
    if let Some(agent_id) = new.agent_id {
        agents::require(write, agent_id).await?;
    }
    let now = convert::now();
    let row = row::Model {
        id: new.id.0,
        workspace_id: write.workspace_id()?.0,
        agent_id: new.agent_id.map(|id| id.0),
        name: new.name,
        source: convert::name(&new.source)?,
        blob_key: new.blob_key,
        status: convert::name(&DatasetStatus::Validating)?,
        error: None,
        size_bytes: convert::signed(new.size_bytes),
        sha256: Some(new.sha256),
        format: None,
        layout: None,
        report: None,
        created_at: now,
        updated_at: now,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    if !documents::lock_all(write, &new.documents).await? {
        let message = "A document was deleted while the dataset was being built from it. Build it again.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    let of = |id: &DocumentId| source::ActiveModel {
        dataset_id: Set(row.id),
        document_id: Set(id.0),
    };
    let sources: Vec<source::ActiveModel> = new.documents.iter().map(of).collect();
    if !sources.is_empty() {
        source::Entity::insert_many(sources)
            .exec_without_returning(write.connection())
            .await?;
    }
    changed(write, &row);
    write.audit(Action::Created, Noun::Dataset, row.id, &["agent_id", "name"]);
    wire(row)
}

/// Whether it has lost its content; it stays so, or not, until the transaction ends.
pub async fn is_erased(write: &Write, id: DatasetId) -> Result<bool, DbError> {
    let erased = convert::name(&DatasetStatus::Erased)?;
    Ok(lock(write, id).await?.is_none_or(|row| row.status == erased))
}

/// The key of a dataset's file while nothing is known about it. `None`: it is gone, or validated already.
pub async fn find_unvalidated(scope: &Scope, db: &Db, id: DatasetId) -> Result<Option<String>, DbError> {
    let validating = convert::name(&DatasetStatus::Validating)?;
    let row = scoped(scope, id).one(db.read()).await?;
    Ok(row.filter(|row| row.status == validating).map(|row| row.blob_key))
}

/// Stores what validation found. A dataset that is gone, or validated already, stays as it is.
pub async fn finish(write: &mut Write, id: DatasetId, validation: Validation) -> Result<(), DbError> {
    let Some(row) = lock_unvalidated(write, id).await? else {
        return Ok(());
    };
    let findings: Vec<finding::ActiveModel> = validation
        .findings
        .into_iter()
        .map(|found| {
            Ok(finding::ActiveModel {
                seq: NotSet,
                dataset_id: Set(id.0),
                line: Set(convert::signed(found.line)),
                field: Set(storable(&found.field)),
                code: Set(found.code),
                severity: Set(convert::name(&found.severity)?),
                message: Set(storable(&found.message)),
                fix: Set(storable(&found.fix)),
                repair: Set(Some(convert::name(&found.repair)?)),
            })
        })
        .collect::<Result<_, DbError>>()?;
    for some in findings.chunks(FINDINGS_AT_ONCE) {
        finding::Entity::insert_many(some.to_vec())
            .exec_without_returning(write.connection())
            .await?;
    }
    let status = match validation.error {
        Some(_) => DatasetStatus::Error,
        None => DatasetStatus::Ready,
    };
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&status)?);
    row.error = Set(validation.error);
    row.format = Set(Some(convert::name(&validation.format)?));
    row.layout = Set(Some(convert::name(&validation.layout)?));
    row.report = Set(Some(convert::json("dataset report", &validation.report)?));
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Finished, Noun::Dataset, id, &[]);
    if status == DatasetStatus::Error {
        notify_failed(write, &row).await?;
    }
    Ok(())
}

async fn notify_failed(write: &Write, dataset: &row::Model) -> Result<(), DbError> {
    let title = format!("The dataset “{}” cannot be used.", dataset.name);
    let (kind, subject) = (NotificationKind::DatasetFailed, NotificationSubject::Dataset);
    notifications::notify(
        write,
        kind,
        Audience::AtLeast(Role::Editor),
        &title,
        subject,
        dataset.id,
    )
    .await
}

/// Notes why a dataset could not be validated. One that is gone, or validated already, stays as it is.
pub async fn fail(write: &mut Write, id: DatasetId, message: &str) -> Result<(), DbError> {
    let Some(row) = lock_unvalidated(write, id).await? else {
        return Ok(());
    };
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DatasetStatus::Error)?);
    row.error = Set(Some(message.to_owned()));
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Failed, Noun::Dataset, id, &[]);
    notify_failed(write, &row).await?;
    Ok(())
}

/// Deletes a dataset that nothing was trained on. The caller removes the file of the returned key.
pub async fn delete(write: &mut Write, id: DatasetId) -> Result<String, DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("dataset"))?;
    let statement = Statement::from_sql_and_values(
        write.connection().get_database_backend(),
        "select 1 as used from jobs where dataset_id = $1 or validation_dataset_id = $1 limit 1",
        [id.0.into()],
    );
    if write.connection().query_one_raw(statement).await?.is_some() {
        let message = "Jobs were run on this dataset, so it stays as part of their lineage.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    uploads::forget(write, UploadId(id.0)).await?;
    notifications::forget(write, [row.id]).await?;
    write.event(EventKind::DatasetDeleted, row.id, row.agent_id.map(AgentId));
    write.audit(Action::Deleted, Noun::Dataset, id, &[]);
    Ok(row.blob_key)
}

/// What became of a dataset that was to go.
#[derive(Debug)]
pub struct Discarded {
    pub blob_key: String,
    /// Jobs that were run on it, which may hold copies of its rows.
    pub jobs: Vec<JobId>,
}

/// Deletes a dataset, or its content alone where jobs were run on it: the row stays as part of their lineage, and their
/// models answer on.
///
/// # Errors
/// `DbError::Conflict` while a job works with it or waits to.
pub async fn discard(write: &mut Write, id: DatasetId) -> Result<Discarded, DbError> {
    let erased = convert::name(&DatasetStatus::Erased)?;
    let row = lock(write, id).await?.filter(|row| row.status != erased);
    let row = row.ok_or(DbError::NotFound("file"))?;
    let sql = "select id, status from jobs where dataset_id = $1 or validation_dataset_id = $1";
    let statement = Statement::from_sql_and_values(write.connection().get_database_backend(), sql, [id.0.into()]);
    let mut jobs = Vec::new();
    for found in write.connection().query_all_raw(statement).await? {
        let status: JobStatus = convert::parse_name("job status", &found.try_get::<String>("", "status")?)?;
        if !status.is_over() {
            let message = "A job works with this file, or waits to. Cancel the job first.";
            return Err(DbError::Conflict(message.to_owned()));
        }
        jobs.push(JobId(found.try_get("", "id")?));
    }
    if jobs.is_empty() {
        let blob_key = delete(write, id).await?;
        return Ok(Discarded { blob_key, jobs });
    }
    finding::Entity::delete_many()
        .filter(finding::Column::DatasetId.eq(id.0))
        .exec(write.connection())
        .await?;
    let sql = "update jobs set samples = null where dataset_id = $1 or validation_dataset_id = $1";
    let backend = write.connection().get_database_backend();
    let forget = Statement::from_sql_and_values(backend, sql, [id.0.into()]);
    write.connection().execute_raw(forget).await?;
    let blob_key = row.blob_key.clone();
    let mut row = row.into_active_model();
    row.status = Set(erased);
    row.error = Set(None);
    row.report = Set(None);
    row.sha256 = Set(None);
    row.size_bytes = Set(0);
    row.updated_at = Set(convert::now());
    let row = row.update(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Erased, Noun::Dataset, id, &[]);
    Ok(Discarded { blob_key, jobs })
}

async fn lock(write: &Write, id: DatasetId) -> Result<Option<row::Model>, DbError> {
    Ok(scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?)
}

async fn lock_unvalidated(write: &Write, id: DatasetId) -> Result<Option<row::Model>, DbError> {
    let validating = convert::name(&DatasetStatus::Validating)?;
    Ok(lock(write, id).await?.filter(|row| row.status == validating))
}

fn changed(write: &mut Write, row: &row::Model) {
    write.event(EventKind::DatasetChanged, row.id, row.agent_id.map(AgentId));
}

/// Findings quote the file, which may hold what PostgreSQL's text cannot.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn scoped(scope: &Scope, id: DatasetId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn wire(row: row::Model) -> Result<Dataset, DbError> {
    let report = row.report.map(|text| convert::parse_json("dataset report", &text));
    let format = row
        .format
        .map(|name| convert::parse_name::<DatasetFormat>("dataset format", &name));
    let format = format.transpose()?;
    let layout = row.layout.map(|name| convert::parse_name("dataset layout", &name));
    Ok(Dataset {
        id: DatasetId(row.id),
        name: row.name,
        agent_id: row.agent_id.map(AgentId),
        source: convert::parse_name("dataset source", &row.source)?,
        status: convert::parse_name("dataset status", &row.status)?,
        error: row.error,
        size_bytes: convert::unsigned(row.size_bytes),
        sha256: row.sha256,
        format,
        layout: layout.transpose()?,
        rows_kind: format.map(DatasetFormat::kind),
        report: report.transpose()?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn wire_finding(row: finding::Model) -> Result<DatasetFinding, DbError> {
    let severity = convert::parse_name("finding severity", &row.severity)?;
    let repair = match (row.repair, severity) {
        (Some(name), _) => convert::parse_name("finding repair", &name)?,
        // Found before rows were mended.
        (None, FindingSeverity::Rejected) => FindingRepair::LeftOut,
        (None, FindingSeverity::Warning) => FindingRepair::Kept,
    };
    Ok(DatasetFinding {
        line: convert::unsigned(row.line),
        field: row.field,
        code: row.code,
        severity,
        message: row.message,
        fix: row.fix,
        repair,
    })
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "datasets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Option<Uuid>,
        pub name: String,
        pub source: String,
        pub blob_key: String,
        pub status: String,
        pub error: Option<String>,
        pub size_bytes: i64,
        pub sha256: Option<String>,
        pub format: Option<String>,
        pub layout: Option<String>,
        pub report: Option<String>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod finding {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "dataset_findings")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub seq: i64,
        pub dataset_id: Uuid,
        pub line: i64,
        pub field: String,
        pub code: String,
        pub severity: String,
        pub message: String,
        pub fix: String,
        pub repair: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which documents' text a dataset holds.
mod source {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "dataset_documents")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub dataset_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub document_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
