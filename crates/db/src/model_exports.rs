//! Models written for other programs: at most one of each kind.

use crate::{Db, DbError, Scope, Write, convert, models, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{ModelExportId, ModelId},
    model_exports::{ModelExport, ModelExportKind, ModelExportStatus, ParityCertificate},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

/// An export with the key of its file, once there is one.
#[derive(Debug, Clone)]
pub struct StoredExport {
    pub export: ModelExport,
    pub blob_key: Option<String>,
}

/// How writing one ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    Ready {
        blob_key: String,
        size_bytes: u64,
        sha256: String,
        certificate: ParityCertificate,
    },
    Failed {
        error: String,
        certificate: Option<ParityCertificate>,
    },
}

pub async fn list(scope: &Scope, db: &Db, model_id: ModelId, paging: Paging) -> Result<Page<ModelExport>, DbError> {
    models::find(scope, db, model_id).await?;
    let all = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::ModelId.eq(model_id.0));
    let (rows, total) = page(db, all.order_by_asc(row::Column::Id), paging).await?;
    let items = rows.into_iter().map(|row| Ok(wire(row)?.export));
    Ok(paging.of(items.collect::<Result<_, DbError>>()?, total))
}

pub async fn find(scope: &Scope, db: &Db, id: ModelExportId) -> Result<StoredExport, DbError> {
    let found = scoped(scope, id).one(db.read()).await?;
    wire(found.ok_or(DbError::NotFound("export"))?)
}

/// Adds an export that waits to be written. One of the same kind that failed makes room.
///
/// # Errors
/// `DbError::Conflict` where there is one of this kind, `DbError::SourceDeleted` for a model that may not be used.
pub async fn insert(write: &mut Write, model_id: ModelId, kind: ModelExportKind) -> Result<ModelExport, DbError> {
    models::require_servable(write, model_id).await?;
    let kind = convert::name(&kind)?;
    let same = row::Entity::find()
        .filter(row::Column::ModelId.eq(model_id.0))
        .filter(row::Column::Kind.eq(&kind))
        .one(write.connection())
        .await?;
    if let Some(same) = same {
        if wire(same.clone())?.export.status != ModelExportStatus::Failed {
            return Err(DbError::Conflict(
                "This model has an export of this kind. Delete it to have it written again.".to_owned(),
            ));
        }
        row::Entity::delete_by_id(same.id).exec(write.connection()).await?;
        write.audit(Action::Deleted, Noun::ModelExport, same.id, &[]);
    }
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        model_id: model_id.0,
        kind,
        status: convert::name(&ModelExportStatus::Queued)?,
        blob_key: None,
        size_bytes: None,
        sha256: None,
        certificate: None,
        error: None,
        created_at: convert::now(),
        finished_at: None,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::ModelChanged, model_id.0, None);
    write.audit(Action::Created, Noun::ModelExport, row.id, &["model_id", "kind"]);
    Ok(wire(row)?.export)
}

/// Marks an export as being written. `None`: it is gone, or over.
pub async fn start(write: &mut Write, id: ModelExportId) -> Result<Option<ModelExport>, DbError> {
    let Some(row) = open(write, id).await? else {
        return Ok(None);
    };
    let model_id = row.model_id;
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&ModelExportStatus::Running)?);
    let row = row.update(write.connection()).await?;
    write.event(EventKind::ModelChanged, model_id, None);
    Ok(Some(wire(row)?.export))
}

/// Notes how writing an export ended. `false`: it is gone, or over, and its file belongs to nobody.
pub async fn finish(write: &mut Write, id: ModelExportId, outcome: &Outcome) -> Result<bool, DbError> {
    let Some(row) = open(write, id).await? else {
        return Ok(false);
    };
    let model_id = row.model_id;
    let mut row = row.into_active_model();
    let (status, action, certificate) = match outcome {
        Outcome::Ready {
            blob_key,
            size_bytes,
            sha256,
            certificate,
        } => {
            row.blob_key = Set(Some(blob_key.clone()));
            row.size_bytes = Set(Some(convert::signed(*size_bytes)));
            row.sha256 = Set(Some(sha256.clone()));
            (ModelExportStatus::Ready, Action::Finished, Some(certificate))
        }
        Outcome::Failed { error, certificate } => {
            row.error = Set(Some(error.clone()));
            (ModelExportStatus::Failed, Action::Failed, certificate.as_ref())
        }
    };
    row.status = Set(convert::name(&status)?);
    row.certificate = Set(certificate
        .map(|certificate| convert::json("certificate", certificate))
        .transpose()?);
    row.finished_at = Set(Some(convert::now()));
    row.update(write.connection()).await?;
    write.event(EventKind::ModelChanged, model_id, None);
    write.audit(action, Noun::ModelExport, id, &[]);
    Ok(true)
}

/// Removes an export, whatever its state; gives the key of its file.
pub async fn delete(write: &mut Write, id: ModelExportId) -> Result<Option<String>, DbError> {
    let found = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let row = found.ok_or(DbError::NotFound("export"))?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    write.event(EventKind::ModelChanged, row.model_id, None);
    write.audit(Action::Deleted, Noun::ModelExport, id, &[]);
    Ok(row.blob_key)
}

/// The keys of a model's files, which go with it.
pub(crate) async fn keys_of(connection: &impl ConnectionTrait, model_id: Uuid) -> Result<Vec<String>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::ModelId.eq(model_id))
        .all(connection)
        .await?;
    Ok(rows.into_iter().filter_map(|row| row.blob_key).collect())
}

async fn open(write: &Write, id: ModelExportId) -> Result<Option<row::Model>, DbError> {
    let found = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let Some(row) = found else { return Ok(None) };
    let status: ModelExportStatus = convert::parse_name("export", &row.status)?;
    Ok(Some(row).filter(|_| !status.is_over()))
}

fn scoped(scope: &Scope, id: ModelExportId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn wire(row: row::Model) -> Result<StoredExport, DbError> {
    let certificate = row.certificate.as_deref();
    let export = ModelExport {
        id: ModelExportId(row.id),
        model_id: ModelId(row.model_id),
        kind: convert::parse_name("export", &row.kind)?,
        status: convert::parse_name("export", &row.status)?,
        size_bytes: row.size_bytes.map(convert::unsigned),
        sha256: row.sha256,
        certificate: certificate
            .map(|text| convert::parse_json("certificate", text))
            .transpose()?,
        error: row.error,
        created_at: row.created_at,
        finished_at: row.finished_at,
    };
    Ok(StoredExport {
        export,
        blob_key: row.blob_key,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "model_exports")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub model_id: Uuid,
        pub kind: String,
        pub status: String,
        pub blob_key: Option<String>,
        pub size_bytes: Option<i64>,
        pub sha256: Option<String>,
        pub certificate: Option<String>,
        pub error: Option<String>,
        pub created_at: DateTimeUtc,
        pub finished_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
