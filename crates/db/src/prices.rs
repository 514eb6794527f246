//! What a workspace says that models cost.

use crate::{Db, DbError, Scope, Write, convert};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    llm_settings::LlmProvider,
    prices::{NewPrice, Price},
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, sea_query::OnConflict};

/// How many prices a workspace may set.
const MAX_PRICES: u64 = 500;

pub async fn list(scope: &Scope, db: &Db) -> Result<Vec<Price>, DbError> {
    let rows = of(scope)
        .order_by_asc(row::Column::Provider)
        .order_by_asc(row::Column::Model)
        .all(db.read())
        .await?;
    rows.into_iter().map(wire).collect()
}

/// Sets a price in place of an older one.
pub async fn put(write: &mut Write, provider: LlmProvider, model: &str, new: &NewPrice) -> Result<Price, DbError> {
    let workspace_id = write.workspace_id()?;
    if of(&write.scope()?).count(write.connection()).await? >= MAX_PRICES {
        return Err(DbError::Conflict(format!(
            "A workspace sets at most {MAX_PRICES} prices."
        )));
    }
    let row = row::Model {
        workspace_id: workspace_id.0,
        provider: convert::name(&provider)?,
        model: model.to_owned(),
        prompt_micros: new.prompt_micros,
        completion_micros: new.completion_micros,
    };
    let replace = OnConflict::columns([row::Column::WorkspaceId, row::Column::Provider, row::Column::Model])
        .update_columns([row::Column::PromptMicros, row::Column::CompletionMicros])
        .to_owned();
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .on_conflict(replace)
        .exec_without_returning(write.connection())
        .await?;
    write.event(EventKind::LlmSettingsChanged, workspace_id, None);
    let fields = ["provider", "model", "prompt_micros", "completion_micros"];
    write.audit(Action::Updated, Noun::Price, workspace_id, &fields);
    wire(row)
}

pub async fn delete(write: &mut Write, provider: LlmProvider, model: &str) -> Result<(), DbError> {
    let workspace_id = write.workspace_id()?;
    let id = (workspace_id.0, convert::name(&provider)?, model.to_owned());
    let deleted = row::Entity::delete_by_id(id).exec(write.connection()).await?;
    if deleted.rows_affected == 0 {
        return Err(DbError::NotFound("price of this workspace"));
    }
    write.event(EventKind::LlmSettingsChanged, workspace_id, None);
    write.audit(Action::Deleted, Noun::Price, workspace_id, &["provider", "model"]);
    Ok(())
}

fn of(scope: &Scope) -> sea_orm::Select<row::Entity> {
    row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn wire(row: row::Model) -> Result<Price, DbError> {
    Ok(Price {
        provider: convert::parse_name("provider", &row.provider)?,
        model: row.model,
        prompt_micros: row.prompt_micros,
        completion_micros: row.completion_micros,
        own: true,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "prices")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub provider: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub model: String,
        pub prompt_micros: i64,
        pub completion_micros: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
