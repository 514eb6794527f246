//! Prompt templates of a workspace. What nobody changed has no row: it is the built-in version 1.

use crate::{Db, DbError, Scope, Write, convert, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    templates::{FRAME, Template, TemplateKind, TemplateVersion},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Select, sea_query::OnConflict,
};

/// All of them, each as it is now.
pub async fn list(scope: &Scope, db: &Db) -> Result<Vec<Template>, DbError> {
    let mut templates = Vec::with_capacity(TemplateKind::ALL.len());
    for kind in TemplateKind::ALL {
        templates.push(find(scope, db, kind).await?);
    }
    Ok(templates)
}

pub async fn find(scope: &Scope, db: &Db, kind: TemplateKind) -> Result<Template, DbError> {
    latest(scope, db.read(), kind).await
}

/// All versions, newest first.
pub async fn versions(
    scope: &Scope,
    db: &Db,
    kind: TemplateKind,
    paging: Paging,
) -> Result<Page<TemplateVersion>, DbError> {
    let ordered = of(scope, kind)?.order_by_desc(row::Column::Version);
    let (rows, total) = page(db, ordered, paging).await?;
    if total == 0 {
        let first = TemplateVersion {
            version: 1,
            instructions: kind.built_in().to_owned(),
            created_at: None,
        };
        let items = if paging.page == 1 { vec![first] } else { Vec::new() };
        return Ok(paging.of(items, 1));
    }
    let version = |row: row::Model| TemplateVersion {
        created_at: (row.version > 1).then_some(row.created_at),
        version: row.version,
        instructions: row.instructions,
    };
    Ok(paging.of(rows.into_iter().map(version).collect(), total))
}

/// What one version says.
pub async fn instructions(scope: &Scope, db: &Db, kind: TemplateKind, version: i64) -> Result<String, DbError> {
    let row = of(scope, kind)?.filter(row::Column::Version.eq(version)).one(db.read());
    match row.await? {
        Some(row) => Ok(row.instructions),
        None if version == 1 => Ok(kind.built_in().to_owned()),
        None => Err(DbError::NotFound("version of the template")),
    }
}

/// Saves new instructions on top of `version`; `None` builds on whatever there is.
pub async fn update(
    write: &mut Write,
    kind: TemplateKind,
    version: Option<i64>,
    instructions: &str,
) -> Result<Template, DbError> {
    let scope = write.scope()?;
    let current = latest(&scope, write.connection(), kind).await?;
    let stale = |current: i64| DbError::Stale {
        noun: "template",
        current,
    };
    if version.is_some_and(|version| version != current.version) {
        return Err(stale(current.version));
    }
    if current.version == 1 {
        insert(write, kind, 1, &current.instructions).await?;
    }
    // Two who build on one version: the row of the first is in the way of the second.
    if insert(write, kind, current.version + 1, instructions).await? == 0 {
        return Err(stale(current.version + 1));
    }
    let workspace_id = write.workspace_id()?;
    write.audit(Action::Updated, Noun::Template, workspace_id, &["instructions"]);
    write.event(EventKind::TemplatesChanged, workspace_id, None);
    latest(&scope, write.connection(), kind).await
}

async fn insert(write: &Write, kind: TemplateKind, version: i64, instructions: &str) -> Result<u64, DbError> {
    let row = row::ActiveModel {
        workspace_id: Set(write.workspace_id()?.0),
        kind: Set(convert::name(&kind)?),
        version: Set(version),
        instructions: Set(instructions.to_owned()),
        created_at: Set(convert::now()),
    };
    let keep = OnConflict::columns([row::Column::WorkspaceId, row::Column::Kind, row::Column::Version])
        .do_nothing()
        .to_owned();
    let inserted = row::Entity::insert(row)
        .on_conflict(keep)
        .exec_without_returning(write.connection());
    Ok(inserted.await?)
}

async fn latest(scope: &Scope, connection: &impl ConnectionTrait, kind: TemplateKind) -> Result<Template, DbError> {
    let newest = of(scope, kind)?.order_by_desc(row::Column::Version);
    let row = newest.one(connection).await?;
    let updated_at = row.as_ref().filter(|row| row.version > 1).map(|row| row.created_at);
    Ok(Template {
        kind,
        version: row.as_ref().map_or(1, |row| row.version),
        instructions: row.map_or_else(|| kind.built_in().to_owned(), |row| row.instructions),
        frame: FRAME.to_owned(),
        updated_at,
    })
}

fn of(scope: &Scope, kind: TemplateKind) -> Result<Select<row::Entity>, DbError> {
    Ok(row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::Kind.eq(convert::name(&kind)?)))
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "template_versions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i64,
        pub instructions: String,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
