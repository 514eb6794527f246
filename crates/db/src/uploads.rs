//! Files that are being uploaded in parts. Where the parts are is the store's to know.

use crate::{Db, DbError, Scope, Write, agents, convert, datasets, documents, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    documents::{DocumentError, DocumentKind},
    ids::{AgentId, DatasetId, DocumentId, UploadId, UserId, WorkspaceId},
    uploads::{MAX_OPEN_UPLOADS, Upload, UploadQuery, UploadStatus},
    wire::{Page, Paging},
};
use chrono::Duration;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Statement,
};
use std::collections::HashSet;
use uuid::Uuid;

/// An upload as it is begun.
#[derive(Debug, Clone)]
pub struct BegunUpload {
    pub id: UploadId,
    /// Neither where it becomes a dataset.
    pub agent_id: Option<AgentId>,
    pub kind: Option<DocumentKind>,
    pub version_of: Option<DatasetId>,
    pub name: String,
    pub size_bytes: u64,
    pub sha256: Option<String>,
    pub part_bytes: u64,
    /// What the bucket calls it.
    pub multipart_id: String,
    pub kept_for: Duration,
}

/// An upload with what the store needs to find its parts.
#[derive(Debug, Clone)]
pub struct LocatedUpload {
    pub upload: Upload,
    pub workspace_id: WorkspaceId,
    /// Who began it.
    pub user_id: UserId,
    pub multipart_id: String,
}

impl LocatedUpload {
    pub fn is_dataset(&self) -> bool {
        self.upload.agent_id.is_none()
    }
}

/// Those of the person who asks that are not done, newest first.
pub async fn list(scope: &Scope, db: &Db, query: &UploadQuery) -> Result<Page<Upload>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let of_agent = match query.agent_id {
        Some(id) => {
            agents::find(scope, db, id).await?;
            row::Column::AgentId.eq(id.0)
        }
        None => row::Column::AgentId.is_null(),
    };
    let user = scope.actor.user_id().ok_or(DbError::Fault("a task lists uploads"))?;
    let found = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(of_agent)
        .filter(row::Column::UserId.eq(user.0))
        .filter(row::Column::Status.ne(convert::name(&UploadStatus::Done)?))
        .order_by_desc(row::Column::Id);
    let (rows, total) = page(db, found, paging).await?;
    let uploads = rows.into_iter().map(|row| Ok(located(row)?.upload));
    Ok(paging.of(uploads.collect::<Result<_, DbError>>()?, total))
}

pub async fn find(scope: &Scope, db: &Db, id: UploadId) -> Result<LocatedUpload, DbError> {
    let row = scoped(scope, id).one(db.read()).await?;
    located(row.ok_or(DbError::NotFound("upload"))?)
}

/// For a signed address.
pub async fn find_unscoped(db: &Db, id: UploadId) -> Result<LocatedUpload, DbError> {
    let row = row::Entity::find_by_id(id.0).one(db.read()).await?;
    located(row.ok_or(DbError::NotFound("upload"))?)
}

/// # Errors
/// `DbError::Conflict` when too many wait for parts.
pub async fn insert(write: &mut Write, new: BegunUpload) -> Result<Upload, DbError> {
    if let Some(agent_id) = new.agent_id {
        agents::require(write, agent_id).await?;
    }
    if let Some(id) = new.version_of {
        datasets::versions::require(write, id).await?;
    }
    let workspace_id = write.workspace_id()?;
    let open = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(workspace_id.0))
        .filter(row::Column::Status.eq(convert::name(&UploadStatus::Open)?))
        .count(write.connection())
        .await?;
    if open >= MAX_OPEN_UPLOADS {
        let message = format!("{open} uploads wait to be completed; no more are begun. Complete or cancel some first.");
        return Err(DbError::Conflict(message));
    }
    let user = write.scope()?.actor.user_id();
    let now = convert::now();
    let row = row::Model {
        id: new.id.0,
        workspace_id: workspace_id.0,
        agent_id: new.agent_id.map(|id| id.0),
        user_id: user.ok_or(DbError::Fault("a task begins an upload"))?.0,
        kind: new.kind.as_ref().map(convert::name).transpose()?,
        version_of: new.version_of.map(|id| id.0),
        name: new.name,
        size_bytes: convert::signed(new.size_bytes),
        sha256: new.sha256,
        part_bytes: convert::signed(new.part_bytes),
        multipart_id: new.multipart_id,
        status: convert::name(&UploadStatus::Open)?,
        error_code: None,
        error_message: None,
        created_at: now,
        expires_at: now + new.kept_for,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::Created, Noun::Upload, row.id, &["agent_id", "kind", "name"]);
    Ok(located(row)?.upload)
}

/// Takes no more parts.
///
/// # Errors
/// `DbError::Conflict` once it is over.
pub async fn complete(write: &mut Write, id: UploadId, sha256: Option<String>) -> Result<Upload, DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("upload"))?;
    require_open(&row)?;
    let sha256 = row.sha256.clone().or(sha256);
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&UploadStatus::Completing)?);
    row.sha256 = Set(sha256);
    let row = row.update(write.connection()).await?;
    write.audit(Action::Started, Noun::Upload, id, &["status"]);
    Ok(located(row)?.upload)
}

/// Ends an upload that is being completed with its document or dataset, which has the same id.
pub async fn finish(write: &mut Write, id: UploadId) -> Result<(), DbError> {
    settle(write, id, UploadStatus::Done, None).await?;
    write.audit(Action::Finished, Noun::Upload, id, &[]);
    Ok(())
}

/// Notes why nothing came of an upload. One that is gone or over stays as it is.
pub async fn fail(write: &mut Write, id: UploadId, error: &DocumentError) -> Result<(), DbError> {
    settle(write, id, UploadStatus::Failed, Some(error)).await?;
    write.audit(Action::Failed, Noun::Upload, id, &[]);
    Ok(())
}

async fn settle(
    write: &Write,
    id: UploadId,
    status: UploadStatus,
    error: Option<&DocumentError>,
) -> Result<(), DbError> {
    let completing = convert::name(&UploadStatus::Completing)?;
    let Some(row) = lock(write, id).await?.filter(|row| row.status == completing) else {
        return Ok(());
    };
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&status)?);
    row.error_code = Set(error.map(|error| error.code.clone()));
    row.error_message = Set(error.map(|error| error.message.clone()));
    row.update(write.connection()).await?;
    Ok(())
}

/// Forgets an upload; the caller removes its parts.
///
/// # Errors
/// `DbError::Conflict` while it is being completed.
pub async fn delete(write: &mut Write, id: UploadId) -> Result<LocatedUpload, DbError> {
    let row = lock(write, id).await?.ok_or(DbError::NotFound("upload"))?;
    if row.status == convert::name(&UploadStatus::Completing)? {
        let message =
            "All parts arrived and the file is being checked. Wait for its end, then delete what became of it.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    write.audit(Action::Deleted, Noun::Upload, id, &[]);
    located(row)
}

/// Removes the row of an upload whose document or dataset goes.
pub(crate) async fn forget(write: &Write, id: UploadId) -> Result<(), DbError> {
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    Ok(())
}

/// Some that were not completed in time, or are over for as long.
pub async fn expired_unscoped(db: &Db, limit: u64) -> Result<Vec<LocatedUpload>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::ExpiresAt.lt(convert::now()))
        .filter(row::Column::Status.ne(convert::name(&UploadStatus::Completing)?))
        .order_by_asc(row::Column::Id)
        .limit(limit)
        .all(db.read())
        .await?;
    rows.into_iter().map(located).collect()
}

/// Which of these have a row: as an upload in parts, or as something of the kind `documents`, `datasets` or `models`.
pub async fn named_unscoped(db: &Db, kind: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>, DbError> {
    let tables = match kind {
        "documents" | "datasets" => vec![kind, "uploads"],
        "models" => vec!["models", "model_exports"],
        "checkpoints" | "uploads" => vec![kind],
        _ => return Err(DbError::Fault("files of this kind have no rows")),
    };
    let mut found = HashSet::new();
    for some in ids.chunks(500) {
        let marks: Vec<String> = (1..=some.len()).map(|index| format!("${index}")).collect();
        for table in &tables {
            let sql = format!("select id from {table} where id in ({})", marks.join(", "));
            let values = some.iter().map(|id| (*id).into());
            let statement = Statement::from_sql_and_values(db.read().get_database_backend(), sql, values);
            for row in db.read().query_all_raw(statement).await? {
                found.insert(row.try_get("", "id")?);
            }
        }
    }
    Ok(found)
}

/// Those not over whose parts go with an agent, a person or a workspace.
pub(crate) async fn doomed(connection: &impl ConnectionTrait, id: Uuid) -> Result<Vec<LocatedUpload>, DbError> {
    let of = Condition::any()
        .add(row::Column::AgentId.eq(id))
        .add(row::Column::UserId.eq(id))
        .add(row::Column::WorkspaceId.eq(id));
    let under_way = [
        convert::name(&UploadStatus::Open)?,
        convert::name(&UploadStatus::Completing)?,
    ];
    let rows = row::Entity::find()
        .filter(of)
        .filter(row::Column::Status.is_in(under_way))
        .all(connection)
        .await?;
    rows.into_iter().map(located).collect()
}

/// [`doomed`] of a workspace.
pub async fn of_workspace_unscoped(db: &Db, id: WorkspaceId) -> Result<Vec<LocatedUpload>, DbError> {
    doomed(db.read(), id.0).await
}

/// Refuses what [`insert`] and [`finish`] would refuse before anything is uploaded.
pub async fn check(
    scope: &Scope,
    db: &Db,
    agent_id: AgentId,
    kind: DocumentKind,
    sha256: Option<&str>,
) -> Result<(), DbError> {
    documents::check_room(scope, db, agent_id, kind).await?;
    match sha256 {
        Some(sha256) => documents::require_new(db.read(), agent_id, sha256).await,
        None => Ok(()),
    }
}

fn require_open(row: &row::Model) -> Result<(), DbError> {
    if row.status == convert::name(&UploadStatus::Open)? {
        return Ok(());
    }
    let message = format!("This upload takes nothing more: it is `{}`.", row.status);
    Err(DbError::Conflict(message))
}

async fn lock(write: &Write, id: UploadId) -> Result<Option<row::Model>, DbError> {
    Ok(scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?)
}

fn scoped(scope: &Scope, id: UploadId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn located(row: row::Model) -> Result<LocatedUpload, DbError> {
    let status = convert::parse_name("upload status", &row.status)?;
    let size_bytes = convert::unsigned(row.size_bytes);
    let part_bytes = convert::unsigned(row.part_bytes).max(1);
    let parts = u32::try_from(size_bytes.div_ceil(part_bytes));
    let kind = row
        .kind
        .as_deref()
        .map(|kind| convert::parse_name("document kind", kind));
    let done = status == UploadStatus::Done;
    let upload = Upload {
        id: UploadId(row.id),
        agent_id: row.agent_id.map(AgentId),
        kind: kind.transpose()?,
        version_of: row.version_of.map(DatasetId),
        name: row.name,
        size_bytes,
        sha256: row.sha256,
        status,
        part_bytes,
        parts: parts.map_err(|error| DbError::Corrupt("upload", error.to_string()))?,
        received: None,
        document_id: (done && row.agent_id.is_some()).then_some(DocumentId(row.id)),
        dataset_id: (done && row.agent_id.is_none()).then_some(DatasetId(row.id)),
        error: row
            .error_code
            .zip(row.error_message)
            .map(|(code, message)| DocumentError { code, message }),
        created_at: row.created_at,
        expires_at: row.expires_at,
    };
    Ok(LocatedUpload {
        upload,
        workspace_id: WorkspaceId(row.workspace_id),
        user_id: UserId(row.user_id),
        multipart_id: row.multipart_id,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "uploads")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub agent_id: Option<Uuid>,
        pub user_id: Uuid,
        pub kind: Option<String>,
        pub version_of: Option<Uuid>,
        pub name: String,
        pub size_bytes: i64,
        pub sha256: Option<String>,
        pub part_bytes: i64,
        pub multipart_id: String,
        pub status: String,
        pub error_code: Option<String>,
        pub error_message: Option<String>,
        pub created_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
