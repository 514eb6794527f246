//! Comparisons of two models.

pub mod judgements;
pub mod rounds;

use crate::{Db, DbError, Scope, Write, convert, llm_calls, models, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    comparisons::{Comparison, ComparisonQuery, ComparisonStatus, Vote, Votes},
    events::EventKind,
    ids::{ComparisonId, ModelId},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select, Statement, Value,
};
use uuid::Uuid;

pub async fn list(scope: &Scope, db: &Db, query: &ComparisonQuery) -> Result<Page<Comparison>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(id) = query.model_id {
        let either = Condition::any()
            .add(row::Column::ModelId.eq(id.0))
            .add(row::Column::AgainstId.eq(id.0));
        found = found.filter(either);
    }
    let (rows, total) = page(db, found.order_by_desc(row::Column::Id), paging).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(wire(db.read(), row).await?);
    }
    Ok(paging.of(items, total))
}

pub async fn find(scope: &Scope, db: &Db, id: ComparisonId) -> Result<Comparison, DbError> {
    let found = scoped(scope, id).one(db.read()).await?;
    wire(db.read(), found.ok_or(DbError::NotFound("comparison"))?).await
}

/// Adds a comparison; for each prompt it is drawn who answers on the left.
///
/// # Errors
/// `DbError::Conflict` for a model and itself, `DbError::SourceDeleted` for a model that may not answer.
pub async fn insert(
    write: &mut Write,
    model_id: ModelId,
    against_id: Option<ModelId>,
    prompts: &[String],
) -> Result<Comparison, DbError> {
    if against_id == Some(model_id) {
        return Err(DbError::Conflict(
            "These are one model. Choose another one, or the base.".to_owned(),
        ));
    }
    // In one order, so that two requests do not wait for each other.
    let mut both: Vec<ModelId> = [Some(model_id), against_id].into_iter().flatten().collect();
    both.sort();
    for id in both {
        models::require_servable(write, id).await?;
    }
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        model_id: model_id.0,
        against_id: against_id.map(|id| id.0),
        status: convert::name(&ComparisonStatus::Running)?,
        error: None,
        created_at: convert::now(),
        finished_at: None,
        judging: false,
        judge_error: None,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    rounds::insert(write, row.id, prompts).await?;
    write.event(EventKind::ComparisonChanged, row.id, None);
    write.audit(
        Action::Created,
        Noun::Comparison,
        row.id,
        &["model_id", "against_id", "prompts"],
    );
    wire(write.connection(), row).await
}

/// Notes that all answers came, or why not. One that is gone or over stays so.
pub async fn finish(write: &mut Write, id: ComparisonId, error: Option<&str>) -> Result<(), DbError> {
    let found = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let Some(row) = found else { return Ok(()) };
    if row.finished_at.is_some() {
        return Ok(());
    }
    let mut row = row.into_active_model();
    let status = match error {
        Some(_) => ComparisonStatus::Failed,
        None => ComparisonStatus::Ready,
    };
    row.status = Set(convert::name(&status)?);
    row.error = Set(error.map(str::to_owned));
    row.finished_at = Set(Some(convert::now()));
    row.update(write.connection()).await?;
    write.event(EventKind::ComparisonChanged, id.0, None);
    write.audit(
        error.map_or(Action::Finished, |_| Action::Failed),
        Noun::Comparison,
        id,
        &[],
    );
    Ok(())
}

pub async fn delete(write: &mut Write, id: ComparisonId) -> Result<(), DbError> {
    let found = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    found.ok_or(DbError::NotFound("comparison"))?;
    llm_calls::forget(write, id.0).await?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    write.event(EventKind::ComparisonChanged, id.0, None);
    write.audit(Action::Deleted, Noun::Comparison, id, &[]);
    Ok(())
}

fn scoped(scope: &Scope, id: ComparisonId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

/// What stands in other tables.
#[derive(FromQueryResult)]
struct Around {
    model_name: String,
    against_name: Option<String>,
    base_name: String,
    rounds: i64,
}

async fn wire(connection: &impl ConnectionTrait, row: row::Model) -> Result<Comparison, DbError> {
    let statement = Statement::from_sql_and_values(
        connection.get_database_backend(),
        "select m.name as model_name, a.name as against_name, b.name as base_name, \
         (select count(*) from comparison_rounds r where r.comparison_id = c.id) as rounds \
         from comparisons c join models m on m.id = c.model_id join bases b on b.id = m.base_id \
         left join models a on a.id = c.against_id where c.id = $1",
        [row.id.into()],
    );
    let around = Around::find_by_statement(statement).one(connection).await?;
    let around = around.ok_or_else(|| DbError::Corrupt("comparison", row.id.to_string()))?;
    let own = votes(connection, &row, "c.id = $1", vec![row.id.into()]).await?;
    let pair = match row.against_id {
        None => {
            let condition = "c.model_id = $1 and c.against_id is null";
            votes(connection, &row, condition, vec![row.model_id.into()]).await?
        }
        Some(against) => {
            let condition = "(c.model_id = $1 and c.against_id = $2 or c.model_id = $2 and c.against_id = $1)";
            votes(connection, &row, condition, vec![row.model_id.into(), against.into()]).await?
        }
    };
    let judgement = judgements::of(connection, &row).await?;
    Ok(Comparison {
        id: ComparisonId(row.id),
        model_id: ModelId(row.model_id),
        model_name: around.model_name,
        against_id: row.against_id.map(ModelId),
        against_name: around.against_name.unwrap_or(around.base_name),
        status: convert::parse_name("comparison", &row.status)?,
        error: row.error,
        rounds: u32::try_from(around.rounds).unwrap_or(u32::MAX),
        votes: own,
        votes_of_pair: pair,
        judgement,
        created_at: row.created_at,
        finished_at: row.finished_at,
    })
}

#[derive(FromQueryResult)]
struct Counted {
    model_id: Uuid,
    model_left: bool,
    vote: String,
    total: i64,
}

/// Votes of the comparisons that a condition names, as this one sees its two sides.
async fn votes(
    connection: &impl ConnectionTrait,
    row: &row::Model,
    condition: &str,
    values: Vec<Value>,
) -> Result<Votes, DbError> {
    let sql = format!(
        "select c.model_id, r.model_left, r.vote, count(*) as total from comparison_rounds r \
         join comparisons c on c.id = r.comparison_id where r.vote is not null and {condition} \
         group by c.model_id, r.model_left, r.vote"
    );
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let mut votes = Votes::default();
    for counted in Counted::find_by_statement(statement).all(connection).await? {
        let of_model = |left: bool| left == counted.model_left;
        let same = counted.model_id == row.model_id;
        let count = match convert::parse_name("vote", &counted.vote)? {
            Vote::Tie => &mut votes.tie,
            Vote::BothBad => &mut votes.both_bad,
            side @ (Vote::Left | Vote::Right) if of_model(side == Vote::Left) == same => &mut votes.model,
            Vote::Left | Vote::Right => &mut votes.against,
        };
        *count += u32::try_from(counted.total).unwrap_or(u32::MAX);
    }
    Ok(votes)
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "comparisons")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub model_id: Uuid,
        pub against_id: Option<Uuid>,
        pub status: String,
        pub error: Option<String>,
        pub created_at: DateTimeUtc,
        pub finished_at: Option<DateTimeUtc>,
        pub judging: bool,
        pub judge_error: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
