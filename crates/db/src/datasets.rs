//! Datasets and what their validation found.

mod deleted;
pub mod findings;
pub mod splits;
pub mod versions;

pub use deleted::{Discarded, delete, discard, expired_unscoped, purge, restore};

use crate::{
    Db, DbError, Scope, Way, Write, agents, convert, documents,
    notifications::{self, Audience},
    paging::page,
};
use cerebros_common::{
    audit::{Action, Noun},
    datasets::{
        DELETED_KEPT_DAYS, Dataset, DatasetFinding, DatasetFormat, DatasetLayout, DatasetQuery, DatasetReport,
        DatasetSource, DatasetStatus, RowFilters,
    },
    events::EventKind,
    ids::{AgentId, DatasetId, DocumentId},
    notifications::{NotificationKind, NotificationSubject},
    wire::{Page, Paging},
    workspaces::Role,
};
use chrono::Duration;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use versions::Place;

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
    /// What it is the next version of.
    pub version_of: Option<DatasetId>,
    /// Which of that one's rows it has.
    pub filters: Option<RowFilters>,
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

const DELETED: &str = "This dataset is deleted. Restore it first.";

pub async fn list(scope: &Scope, db: &Db, query: &DatasetQuery) -> Result<Page<Dataset>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    if let Some(status) = query.status {
        found = found.filter(row::Column::Status.eq(convert::name(&status)?));
    }
    found = match query.deleted {
        // Of what has lost its content nothing can be restored.
        true => found
            .filter(row::Column::DeletedAt.is_not_null())
            .filter(row::Column::Status.ne(convert::name(&DatasetStatus::Erased)?)),
        false => found.filter(row::Column::DeletedAt.is_null()),
    };
    found = match &query.sha256 {
        Some(sha256) => found.filter(row::Column::Sha256.eq(sha256)),
        None if query.deleted => found,
        None => found.filter(versions::newest()),
    };
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
        .filter(row::Column::DeletedAt.is_null())
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
/// `DbError::Conflict` once it has lost its content, or was deleted.
pub async fn find_with_content(scope: &Scope, db: &Db, id: DatasetId) -> Result<LocatedDataset, DbError> {
    let located = find_located(scope, db, id).await?;
    match located.dataset.status {
        DatasetStatus::Erased => Err(DbError::Conflict(ERASED.to_owned())),
        _ if located.dataset.kept_until.is_some() => Err(DbError::Conflict(DELETED.to_owned())),
        _ => Ok(located),
    }
}

/// A dataset that training may read.
///
/// # Errors
/// `DbError::Conflict` unless it is ready.
pub async fn find_for_training(scope: &Scope, db: &Db, id: DatasetId) -> Result<LocatedDataset, DbError> {
    let located = find_with_content(scope, db, id).await?;
    let message = match located.dataset.status {
        DatasetStatus::Ready => return Ok(located),
        DatasetStatus::Uploading | DatasetStatus::Validating => "This dataset is still being validated.".to_owned(),
        DatasetStatus::Erased => ERASED.to_owned(),
        DatasetStatus::Error => {
            let reason = located.dataset.error.unwrap_or_default();
            format!("This dataset cannot be trained on. {reason}")
        }
    };
    Err(DbError::Conflict(message))
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
/// `DbError::NotFound` for another workspace's agent or dataset; `DbError::Conflict` when a document it was made of is gone
/// by now, and for a version that is there already.
pub async fn insert(write: &mut Write, new: StoredDataset) -> Result<Dataset, DbError> {
    if let Some(agent_id) = new.agent_id {
        agents::require(write, agent_id).await?;
    }
    let place = match new.version_of {
        Some(parent) => versions::next(write, parent, &new.sha256).await?,
        None => Place::first(new.id),
    };
    let now = convert::now();
    let row = row::Model {
        id: new.id.0,
        line_id: place.line_id,
        number: place.number,
        parent_id: new.version_of.map(|id| id.0),
        filters: new
            .filters
            .map(|filters| convert::json("row filters", &filters))
            .transpose()?,
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
        deleted_at: None,
        validation_fraction: None,
        split_seed: None,
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

/// Refuses what has lost its content or was deleted; it stays as it is until the transaction ends.
pub(crate) async fn require_content(write: &Write, id: DatasetId) -> Result<(), DbError> {
    let erased = convert::name(&DatasetStatus::Erased)?;
    match lock(write, id).await? {
        Some(row) if row.deleted_at.is_some() => Err(DbError::Conflict(DELETED.to_owned())),
        Some(row) if row.status != erased => Ok(()),
        _ => Err(DbError::Conflict(ERASED.to_owned())),
    }
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
    findings::insert(write, id, validation.findings).await?;
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

fn scoped(scope: &Scope, id: DatasetId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn wire(row: row::Model) -> Result<Dataset, DbError> {
    let chosen = splits::chosen(&row);
    let report = row.report.map(|text| convert::parse_json("dataset report", &text));
    let report: Option<DatasetReport> = report.transpose()?;
    let format = row
        .format
        .map(|name| convert::parse_name::<DatasetFormat>("dataset format", &name));
    let format = format.transpose()?;
    let filters = row.filters.map(|text| convert::parse_json("row filters", &text));
    let layout = row.layout.map(|name| convert::parse_name("dataset layout", &name));
    Ok(Dataset {
        id: DatasetId(row.id),
        name: row.name,
        line_id: DatasetId(row.line_id),
        version: u32::try_from(row.number).unwrap_or_default(),
        parent_id: row.parent_id.map(DatasetId),
        filters: filters.transpose()?,
        agent_id: row.agent_id.map(AgentId),
        source: convert::parse_name("dataset source", &row.source)?,
        status: convert::parse_name("dataset status", &row.status)?,
        error: row.error,
        size_bytes: convert::unsigned(row.size_bytes),
        sha256: row.sha256,
        format,
        layout: layout.transpose()?,
        rows_kind: format.map(DatasetFormat::kind),
        split: chosen.map(|split| splits::wire(split, report.as_ref())),
        report,
        kept_until: row.deleted_at.map(|at| at + Duration::days(DELETED_KEPT_DAYS)),
        created_at: row.created_at,
        updated_at: row.updated_at,
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
        pub line_id: Uuid,
        pub number: i32,
        pub parent_id: Option<Uuid>,
        pub filters: Option<String>,
        pub deleted_at: Option<DateTimeUtc>,
        pub validation_fraction: Option<f64>,
        pub split_seed: Option<i64>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
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
