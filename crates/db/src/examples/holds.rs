//! Who reviews which examples just now, so that no two people review the same ones.

use super::{condition, ordered, row, wire_all};
use crate::{Db, DbError, Scope, Write, agents, convert, users};
use cerebros_common::{
    examples::{ClaimedExamples, ExampleClaim, ExampleFilter, ExampleHold, ExampleSort, ExampleStatus},
    ids::{AgentId, UserId},
};
use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{OnConflict, SelectStatement},
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How long examples stay reserved for whoever does nothing.
const HELD_FOR: TimeDelta = TimeDelta::minutes(5);

/// Reserves pending examples for a person, and lets go of that person's others of the agent unless single ones are asked
/// for.
pub async fn claim(write: &mut Write, user_id: UserId, claim: &ExampleClaim) -> Result<ClaimedExamples, DbError> {
    // Of two who ask at once, the second sees what the first got.
    agents::require(write, claim.agent_id).await?;
    let filter = ExampleFilter {
        status: Some(ExampleStatus::Pending),
        ..claim.filter.clone().unwrap_or_default()
    };
    let mut found = row::Entity::find()
        .filter(condition(&write.scope()?, Some(claim.agent_id), &filter)?)
        .filter(row::Column::Id.not_in_subquery(of_others(user_id).into_query()));
    if let Some(ids) = &claim.ids {
        found = found.filter(row::Column::Id.is_in(ids.iter().map(|id| id.0)));
    }
    let rows = ordered(found, claim.sort.unwrap_or(ExampleSort::Newest), None)
        .limit(u64::from(claim.count))
        .all(write.connection())
        .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    if claim.ids.is_none() {
        let mut others = hold::Entity::delete_many()
            .filter(hold::Column::UserId.eq(user_id.0))
            .filter(hold::Column::ExampleId.in_subquery(ids_of_agent(write, claim.agent_id)?));
        if !ids.is_empty() {
            others = others.filter(hold::Column::ExampleId.is_not_in(ids.iter().copied()));
        }
        others.exec(write.connection()).await?;
    }
    let until = convert::now() + HELD_FOR;
    let held = ids.iter().map(|id| hold::ActiveModel {
        example_id: Set(*id),
        user_id: Set(user_id.0),
        until: Set(until),
    });
    if !ids.is_empty() {
        let over = OnConflict::column(hold::Column::ExampleId)
            .update_columns([hold::Column::UserId, hold::Column::Until])
            .to_owned();
        hold::Entity::insert_many(held)
            .on_conflict(over)
            .exec_without_returning(write.connection())
            .await?;
    }
    let items = wire_all(write.connection(), rows).await?;
    Ok(ClaimedExamples { items, until })
}

/// Lets go of all that a person holds of an agent.
pub async fn release(write: &mut Write, user_id: UserId, agent_id: AgentId) -> Result<(), DbError> {
    agents::require(write, agent_id).await?;
    hold::Entity::delete_many()
        .filter(hold::Column::UserId.eq(user_id.0))
        .filter(hold::Column::ExampleId.in_subquery(ids_of_agent(write, agent_id)?))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Those of an agent that somebody else than who acts holds.
pub(super) async fn held_by_others(
    connection: &impl ConnectionTrait,
    scope: &Scope,
    agent_id: AgentId,
) -> Result<HashSet<Uuid>, DbError> {
    let me = scope.actor.user_id().map_or(UserId(Uuid::nil()), |id| id);
    let held = of_others(me).filter(hold::Column::ExampleId.in_subquery(ids_in(scope, agent_id)));
    let ids: Vec<Uuid> = held.into_tuple().all(connection).await?;
    Ok(ids.into_iter().collect())
}

/// Refuses what somebody else holds.
pub(super) async fn refuse_held(write: &Write, id: Uuid) -> Result<(), DbError> {
    let holds = holds(write.connection(), &[id]).await?;
    let me = write.scope()?.actor.user_id();
    match holds.get(&id) {
        Some(hold) if Some(hold.user_id) != me => Err(DbError::Conflict(format!(
            "{} reviews this example until {} UTC. Take another one, or come back then.",
            hold.name,
            hold.until.format("%H:%M")
        ))),
        _ => Ok(()),
    }
}

/// Lets go of examples that were judged.
pub(super) async fn let_go(write: &Write, ids: &[Uuid]) -> Result<(), DbError> {
    hold::Entity::delete_many()
        .filter(hold::Column::ExampleId.is_in(ids.iter().copied()))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Who holds which of the examples.
pub(super) async fn holds(
    connection: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, ExampleHold>, DbError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = hold::Entity::find()
        .filter(hold::Column::ExampleId.is_in(ids.iter().copied()))
        .filter(hold::Column::Until.gt(convert::now()))
        .all(connection)
        .await?;
    let people: Vec<Uuid> = rows.iter().map(|row| row.user_id).collect();
    let names = users::names(connection, &people).await?;
    let wire = |row: hold::Model| ExampleHold {
        user_id: UserId(row.user_id),
        name: names.get(&row.user_id).cloned().unwrap_or_default(),
        until: row.until,
    };
    Ok(rows.into_iter().map(|row| (row.example_id, wire(row))).collect())
}

/// How many examples of an agent each person holds.
pub(super) async fn held_counts(db: &Db, scope: &Scope, agent_id: AgentId) -> Result<HashMap<Uuid, u64>, DbError> {
    let holders: Vec<Uuid> = hold::Entity::find()
        .select_only()
        .column(hold::Column::UserId)
        .filter(hold::Column::Until.gt(convert::now()))
        .filter(hold::Column::ExampleId.in_subquery(ids_in(scope, agent_id)))
        .into_tuple()
        .all(db.read())
        .await?;
    let mut counts = HashMap::new();
    for holder in holders {
        *counts.entry(holder).or_default() += 1;
    }
    Ok(counts)
}

/// Ids of examples that are reserved for others.
fn of_others(user_id: UserId) -> Select<hold::Entity> {
    hold::Entity::find()
        .select_only()
        .column(hold::Column::ExampleId)
        .filter(hold::Column::UserId.ne(user_id.0))
        .filter(hold::Column::Until.gt(convert::now()))
}

fn ids_of_agent(write: &Write, agent_id: AgentId) -> Result<SelectStatement, DbError> {
    Ok(ids_in(&write.scope()?, agent_id))
}

fn ids_in(scope: &Scope, agent_id: AgentId) -> SelectStatement {
    row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::AgentId.eq(agent_id.0))
        .into_query()
}

mod hold {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "example_holds")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub example_id: Uuid,
        pub user_id: Uuid,
        pub until: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
