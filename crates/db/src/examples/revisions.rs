//! What examples were before their last changes.

use super::row;
use crate::{DbError, Write};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement,
    sea_query::ExprTrait,
};
use uuid::Uuid;

/// Changes of an example that can be undone.
pub const KEPT: i64 = 20;

pub(super) use revision::Model as Revision;

impl Revision {
    pub(super) fn changes_words(&self) -> bool {
        self.prompt.is_some() || self.reasoning.is_some() || self.response.is_some()
    }
}

/// Keeps what an example is before it gets the given words and status. Words that stay are not kept twice.
pub(super) async fn note(
    write: &Write,
    current: &row::Model,
    prompt: &str,
    reasoning: &str,
    response: &str,
    status: &str,
) -> Result<(), DbError> {
    let before = |old: &str, new: &str| (old != new).then(|| old.to_owned());
    let revision = Revision {
        example_id: current.id,
        version: current.version,
        workspace_id: current.workspace_id,
        status: current.status.clone(),
        edited: current.edited,
        prompt: before(&current.prompt, prompt),
        reasoning: before(&current.reasoning, reasoning),
        response: before(&current.response, response),
    };
    if !revision.changes_words() && current.status == status {
        return Ok(());
    }
    revision::ActiveModel::from(revision).insert(write.connection()).await?;
    revision::Entity::delete_many()
        .filter(revision::Column::ExampleId.eq(current.id))
        .filter(revision::Column::Version.lte(current.version - KEPT))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Keeps the status of many examples.
pub(super) async fn note_status(write: &Write, ids: &[Uuid]) -> Result<(), DbError> {
    let these = super::marks(1, ids.len());
    run(
        write,
        format!(
            "insert into example_revisions (example_id, version, workspace_id, status, edited) \
             select id, version, workspace_id, status, edited from examples where id in ({these})"
        ),
        ids,
    )
    .await?;
    let trimmed = format!(
        "delete from example_revisions where example_id in ({these}) and version <= \
         (select e.version from examples e where e.id = example_revisions.example_id) - {KEPT}"
    );
    run(write, trimmed, ids).await
}

async fn run(write: &Write, sql: String, ids: &[Uuid]) -> Result<(), DbError> {
    let values = ids.iter().map(|id| (*id).into());
    let tx = write.connection();
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Notes that an example came of dividing another at its present version.
pub(super) async fn note_part(write: &Write, whole: &row::Model, id: Uuid) -> Result<(), DbError> {
    let part = part::ActiveModel {
        example_id: Set(id),
        whole_id: Set(whole.id),
        version: Set(whole.version),
    };
    part::Entity::insert(part)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

pub(super) async fn last(write: &Write, id: Uuid) -> Result<Option<Revision>, DbError> {
    Ok(revision::Entity::find()
        .filter(revision::Column::ExampleId.eq(id))
        .order_by_desc(revision::Column::Version)
        .one(write.connection())
        .await?)
}

/// Removes a revision that was brought back, and the untouched parts that its change made.
pub(super) async fn forget(write: &Write, revision: &Revision) -> Result<(), DbError> {
    let parts: Vec<Uuid> = part::Entity::find()
        .filter(part::Column::WholeId.eq(revision.example_id))
        .filter(part::Column::Version.eq(revision.version))
        .all(write.connection())
        .await?
        .into_iter()
        .map(|part| part.example_id)
        .collect();
    row::Entity::delete_many()
        .filter(row::Column::Id.is_in(parts).and(row::Column::Version.eq(1)))
        .exec(write.connection())
        .await?;
    revision::Entity::delete_by_id((revision.example_id, revision.version))
        .exec(write.connection())
        .await?;
    Ok(())
}

mod revision {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "example_revisions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub example_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i64,
        pub workspace_id: Uuid,
        pub status: String,
        pub edited: bool,
        pub prompt: Option<String>,
        pub reasoning: Option<String>,
        pub response: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod part {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "example_parts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub example_id: Uuid,
        pub whole_id: Uuid,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
