//! Bases. Each workspace has its own row of the built-in one.

use crate::{Db, DbError, Scope, Write, convert, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    bases::{Base, BaseSource, BaseStatus},
    events::EventKind,
    ids::{BaseId, WorkspaceId},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, Select, Statement,
};
use uuid::Uuid;

/// A base with where its files are: a directory, or a hub id for one that is fetched.
#[derive(Debug, Clone)]
pub struct LocatedBase {
    pub base: Base,
    pub location: String,
}

/// What a look into the files found.
#[derive(Debug, Clone)]
pub struct BaseFacts {
    pub architecture: String,
    pub parameters: u64,
    pub size_bytes: u64,
    pub license: Option<String>,
    pub context_length: u64,
}

pub async fn list(scope: &Scope, db: &Db, paging: Paging) -> Result<Page<Base>, DbError> {
    let all = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    let (rows, total) = page(db, all.order_by_asc(row::Column::Id), paging).await?;
    Ok(paging.of(rows.into_iter().map(wire).collect::<Result<_, _>>()?, total))
}

pub async fn find(scope: &Scope, db: &Db, id: BaseId) -> Result<Base, DbError> {
    Ok(find_located(scope, db, id).await?.base)
}

pub async fn find_located(scope: &Scope, db: &Db, id: BaseId) -> Result<LocatedBase, DbError> {
    let row = scoped(scope, id)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("base"))?;
    Ok(LocatedBase {
        location: row.location.clone(),
        base: wire(row)?,
    })
}

/// Adds a base, `Ready` with facts or `Downloading` without; refuses one that the workspace has already.
pub async fn insert(
    write: &mut Write,
    name: &str,
    source: BaseSource,
    location: &str,
    facts: Option<&BaseFacts>,
) -> Result<Base, DbError> {
    let workspace_id = write.workspace_id()?;
    let base = insert_into(write, workspace_id, name, source, location, facts)
        .await?
        .ok_or_else(|| DbError::Conflict("This workspace has that base already.".to_owned()))?;
    write.event(EventKind::BaseChanged, base.id.0, None);
    write.audit(Action::Created, Noun::Base, base.id, &["name", "location"]);
    Ok(base)
}

/// The built-in base of a workspace that is being created.
pub async fn insert_built_in_unscoped(
    write: &mut Write,
    workspace_id: WorkspaceId,
    name: &str,
    facts: &BaseFacts,
) -> Result<(), DbError> {
    insert_into(write, workspace_id, name, BaseSource::BuiltIn, name, Some(facts)).await?;
    Ok(())
}

/// Notes how fetching a base ended. A base that was deleted meanwhile is no error.
pub async fn finish(write: &mut Write, id: BaseId, outcome: Result<(&str, &BaseFacts), &str>) -> Result<(), DbError> {
    let Some(row) = scoped(&write.scope()?, id).one(write.connection()).await? else {
        return Ok(());
    };
    let mut row = row.into_active_model();
    match outcome {
        Ok((location, facts)) => {
            row.status = Set(convert::name(&BaseStatus::Ready)?);
            row.location = Set(location.to_owned());
            row.error = Set(None);
            row.architecture = Set(Some(facts.architecture.clone()));
            row.parameters = Set(Some(convert::signed(facts.parameters)));
            row.size_bytes = Set(Some(convert::signed(facts.size_bytes)));
            row.license = Set(facts.license.clone());
            row.context_length = Set(Some(convert::signed(facts.context_length)));
        }
        Err(message) => {
            row.status = Set(convert::name(&BaseStatus::Error)?);
            row.error = Set(Some(message.to_owned()));
        }
    }
    row.update(write.connection()).await?;
    write.event(EventKind::BaseChanged, id.0, None);
    let action = outcome.map_or(Action::Failed, |_| Action::Finished);
    write.audit(action, Noun::Base, id, &[]);
    Ok(())
}

/// Removes a base that nothing was trained on. Its files stay where they are.
pub async fn delete(write: &mut Write, id: BaseId) -> Result<(), DbError> {
    let row = scoped(&write.scope()?, id)
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("base"))?;
    if wire(row)?.source == BaseSource::BuiltIn {
        return Err(DbError::Conflict("The built-in base stays.".to_owned()));
    }
    let statement = Statement::from_sql_and_values(
        write.connection().get_database_backend(),
        "select 1 as used from jobs where base_id = $1 limit 1",
        [id.0.into()],
    );
    if write.connection().query_one_raw(statement).await?.is_some() {
        return Err(DbError::Conflict(
            "Jobs were run on this base, so it stays as part of their lineage.".to_owned(),
        ));
    }
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    write.event(EventKind::BaseChanged, id.0, None);
    write.audit(Action::Deleted, Noun::Base, id, &[]);
    Ok(())
}

async fn insert_into(
    write: &mut Write,
    workspace_id: WorkspaceId,
    name: &str,
    source: BaseSource,
    location: &str,
    facts: Option<&BaseFacts>,
) -> Result<Option<Base>, DbError> {
    let taken = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(workspace_id.0))
        .filter(row::Column::Source.eq(convert::name(&source)?))
        .filter(row::Column::Location.eq(location))
        .one(write.connection())
        .await?;
    if taken.is_some() {
        return Ok(None);
    }
    let status = if facts.is_some() {
        BaseStatus::Ready
    } else {
        BaseStatus::Downloading
    };
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: workspace_id.0,
        name: name.to_owned(),
        source: convert::name(&source)?,
        location: location.to_owned(),
        status: convert::name(&status)?,
        error: None,
        architecture: facts.map(|facts| facts.architecture.clone()),
        parameters: facts.map(|facts| convert::signed(facts.parameters)),
        size_bytes: facts.map(|facts| convert::signed(facts.size_bytes)),
        license: facts.and_then(|facts| facts.license.clone()),
        context_length: facts.map(|facts| convert::signed(facts.context_length)),
        created_at: convert::now(),
    };
    let new = row::ActiveModel::from(row.clone());
    row::Entity::insert(new)
        .exec_without_returning(write.connection())
        .await?;
    wire(row).map(Some)
}

/// For whoever has found the base in its scope.
pub(crate) async fn name(connection: &impl ConnectionTrait, id: BaseId) -> Result<String, DbError> {
    let row = row::Entity::find_by_id(id.0).one(connection).await?;
    Ok(row.ok_or(DbError::NotFound("base"))?.name)
}

fn scoped(scope: &Scope, id: BaseId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn wire(row: row::Model) -> Result<Base, DbError> {
    Ok(Base {
        id: BaseId(row.id),
        name: row.name,
        source: convert::parse_name("base source", &row.source)?,
        status: convert::parse_name("base status", &row.status)?,
        error: row.error,
        architecture: row.architecture,
        parameters: row.parameters.map(convert::unsigned),
        size_bytes: row.size_bytes.map(convert::unsigned),
        license: row.license,
        context_length: row.context_length.map(convert::unsigned),
        created_at: row.created_at,
    })
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "bases")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub name: String,
        pub source: String,
        pub location: String,
        pub status: String,
        pub error: Option<String>,
        pub architecture: Option<String>,
        pub parameters: Option<i64>,
        pub size_bytes: Option<i64>,
        pub license: Option<String>,
        pub context_length: Option<i64>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
