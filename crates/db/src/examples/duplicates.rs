//! Groups of examples that say nearly the same. A group is known by its oldest example.

use super::{change::set_findings, row};
use crate::{Db, DbError, Scope, Write, agents, convert};
use cerebros_common::{
    events::EventKind,
    examples::{ExampleFinding, FindingKind},
    ids::{AgentId, BatchId, ExampleId},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use std::collections::HashMap;
use uuid::Uuid;

/// Of an agent's examples the newest so many are compared.
const COMPARED: u64 = 100_000;
/// What a further copy loses.
const POINTS: u8 = 20;

/// An example whose signature is not known yet.
#[derive(Debug, Clone)]
pub struct Unsigned {
    pub id: ExampleId,
    pub version: i64,
    pub prompt: String,
    pub response: String,
}

/// An example with its signature, and the first of its group.
#[derive(Debug, Clone)]
pub struct Signed {
    pub id: ExampleId,
    pub duplicate_of: Option<ExampleId>,
    pub signature: Vec<u8>,
}

/// Up to `limit` examples of an agent that have no signature.
pub async fn unsigned(scope: &Scope, db: &Db, agent_id: AgentId, limit: u64) -> Result<Vec<Unsigned>, DbError> {
    let rows = without_signature(scope, agent_id).limit(limit).all(db.read()).await?;
    let unsigned = rows.into_iter().map(|row| Unsigned {
        id: ExampleId(row.id),
        version: row.version,
        prompt: row.prompt,
        response: row.response,
    });
    Ok(unsigned.collect())
}

/// Keeps signatures of examples that are still as they were.
pub async fn sign(write: &Write, signatures: Vec<(ExampleId, i64, Vec<u8>)>) -> Result<(), DbError> {
    let ids = signatures.iter().map(|(id, ..)| id.0);
    let versions: HashMap<Uuid, i64> = row::Entity::find()
        .filter(row::Column::Id.is_in(ids))
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .order_by_asc(row::Column::Id)
        .lock_exclusive()
        .all(write.connection())
        .await?
        .into_iter()
        .map(|row| (row.id, row.version))
        .collect();
    let current = signatures
        .into_iter()
        .filter(|(id, version, _)| versions.get(&id.0) == Some(version));
    let rows: Vec<signature::ActiveModel> = current
        .map(|(id, _, signature)| signature::ActiveModel {
            example_id: Set(id.0),
            signature: Set(signature),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let over = OnConflict::column(signature::Column::ExampleId)
        .update_column(signature::Column::Signature)
        .to_owned();
    signature::Entity::insert_many(rows)
        .on_conflict(over)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

/// The signed examples of an agent, oldest first.
pub async fn signed(scope: &Scope, db: &Db, agent_id: AgentId) -> Result<Vec<Signed>, DbError> {
    let rows: Vec<(Uuid, Option<Uuid>)> = of_agent(scope, agent_id)
        .select_only()
        .columns([row::Column::Id, row::Column::DuplicateOf])
        .order_by_desc(row::Column::Id)
        .limit(COMPARED)
        .into_tuple()
        .all(db.read())
        .await?;
    let ids = of_agent(scope, agent_id).select_only().column(row::Column::Id);
    let signatures: Vec<(Uuid, Vec<u8>)> = signature::Entity::find()
        .select_only()
        .columns([signature::Column::ExampleId, signature::Column::Signature])
        .filter(signature::Column::ExampleId.in_subquery(ids.into_query()))
        .into_tuple()
        .all(db.read())
        .await?;
    let mut signatures: HashMap<Uuid, Vec<u8>> = signatures.into_iter().collect();
    let signed = rows.into_iter().rev().filter_map(|(id, duplicate_of)| {
        Some(Signed {
            id: ExampleId(id),
            duplicate_of: duplicate_of.map(ExampleId),
            signature: signatures.remove(&id)?,
        })
    });
    Ok(signed.collect())
}

/// Puts examples into groups, or out of them. Their versions stay: nobody changed their words.
pub async fn regroup(
    write: &mut Write,
    agent_id: AgentId,
    groups: &[(ExampleId, Option<ExampleId>)],
) -> Result<(), DbError> {
    if groups.is_empty() {
        return Ok(());
    }
    let firsts: HashMap<Uuid, Option<ExampleId>> = groups.iter().map(|(id, first)| (id.0, *first)).collect();
    let rows = of_agent(&write.scope()?, agent_id)
        .filter(row::Column::Id.is_in(firsts.keys().copied()))
        .order_by_asc(row::Column::Id)
        .lock_exclusive()
        .all(write.connection())
        .await?;
    for mut row in rows {
        let first = firsts.get(&row.id).copied().flatten();
        let mut findings: Vec<ExampleFinding> = convert::parse_json("example findings", &row.findings)?;
        findings.retain(|finding| finding.kind != FindingKind::Duplication);
        if first.is_some_and(|first| first.0 != row.id) {
            findings.push(ExampleFinding {
                kind: FindingKind::Duplication,
                points: POINTS,
                message: "An older example says nearly the same.".to_owned(),
            });
        }
        set_findings(&mut row, findings)?;
        let (score, findings) = (row.score, row.findings.clone());
        let mut row = row.into_active_model();
        row.duplicate_of = Set(first.map(Uuid::from));
        row.score = Set(score);
        row.findings = Set(findings);
        row.update(write.connection()).await?;
    }
    write.event(EventKind::ExamplesChanged, agent_id.0, Some(agent_id));
    Ok(())
}

/// Whose examples a batch makes, once it has made some.
pub async fn agent_of_batch(write: &Write, batch_id: BatchId) -> Result<Option<AgentId>, DbError> {
    let found = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(row::Column::BatchId.eq(batch_id.0))
        .one(write.connection())
        .await?;
    Ok(found.map(|row| AgentId(row.agent_id)))
}

/// Whether every example of an agent is signed, which stays so until the end of the transaction.
pub async fn all_signed(write: &Write, agent_id: AgentId) -> Result<bool, DbError> {
    match agents::require(write, agent_id).await {
        Err(DbError::NotFound(_)) => return Ok(true),
        other => other?,
    }
    let left = without_signature(&write.scope()?, agent_id)
        .one(write.connection())
        .await?;
    Ok(left.is_none())
}

pub(super) async fn forget(write: &Write, id: Uuid) -> Result<(), DbError> {
    signature::Entity::delete_by_id(id).exec(write.connection()).await?;
    Ok(())
}

fn of_agent(scope: &Scope, agent_id: AgentId) -> Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::AgentId.eq(agent_id.0))
}

fn without_signature(scope: &Scope, agent_id: AgentId) -> Select<row::Entity> {
    // Not `not in`: PostgreSQL plans that badly once the table is large.
    let signature = signature::Entity::find()
        .select_only()
        .column(signature::Column::ExampleId)
        .filter(Expr::col((signature::Entity, signature::Column::ExampleId)).equals((row::Entity, row::Column::Id)));
    of_agent(scope, agent_id)
        .filter(Expr::exists(signature.into_query()).not())
        .order_by_desc(row::Column::Id)
}

mod signature {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "example_signatures")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub example_id: Uuid,
        pub signature: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
