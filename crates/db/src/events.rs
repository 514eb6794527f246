//! The event log of a workspace: numbered without gaps, in commit order.

use crate::{Db, DbError, Scope, convert};
use cerebros_common::{
    events::{Event, EventKind},
    ids::{AgentId, WorkspaceId},
    jobs::MetricPoint,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};
use uuid::Uuid;

pub(crate) struct NewEvent {
    pub kind: EventKind,
    pub id: Uuid,
    pub agent_id: Option<AgentId>,
    pub metric: Option<MetricPoint>,
}

/// What a reader gets that has read up to some number.
#[derive(Debug)]
pub enum Replay {
    Events(Vec<Event>),
    /// Events after that number have expired; go on after `seq`.
    Gap {
        seq: i64,
    },
}

/// Up to `limit` events after `seq`, oldest first.
pub async fn read_after(scope: &Scope, db: &Db, seq: i64, limit: u64) -> Result<Replay, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::Seq.gt(seq))
        .order_by_asc(row::Column::Seq)
        .limit(limit)
        .all(db.read())
        .await?;
    let expected = seq.saturating_add(1);
    let first = rows.first().map(|row| row.seq);
    if first != Some(expected) {
        let newest = newest_seq(db.read(), scope.workspace_id).await?;
        // A number from the future comes from another database: start over as after a gap.
        if newest != seq && (first.is_some() || newest < seq) {
            return Ok(Replay::Gap { seq: newest });
        }
        if first.is_none() && newest > seq {
            // Either everything expired, or a commit fell between the two reads: look once more.
            let again = row::Entity::find()
                .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
                .filter(row::Column::Seq.eq(expected))
                .one(db.read())
                .await?;
            if again.is_none() {
                return Ok(Replay::Gap { seq: newest });
            }
        }
    }
    rows.into_iter().map(wire).collect::<Result<_, _>>().map(Replay::Events)
}

/// Deletes events older than `before`, of all workspaces.
pub async fn expire_unscoped(db: &Db, before: DateTime<Utc>) -> Result<u64, DbError> {
    let result = row::Entity::delete_many()
        .filter(row::Column::At.lt(before))
        .exec(db.write_connection())
        .await?;
    Ok(result.rows_affected)
}

pub(crate) async fn newest_seq(read: &DatabaseConnection, workspace_id: WorkspaceId) -> Result<i64, DbError> {
    let workspace = crate::workspaces::row::Entity::find_by_id(workspace_id.0)
        .one(read)
        .await?;
    workspace.map(|row| row.event_seq).ok_or(DbError::NotFound("workspace"))
}

/// Numbers and stores events. The counter row stays locked until the commit, so commit order is number order.
pub(crate) async fn append(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    events: &[NewEvent],
) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "update workspaces set event_seq = event_seq + $1 where id = $2 returning event_seq",
        [count.into(), workspace_id.0.into()],
    );
    let newest: i64 = tx
        .query_one_raw(statement)
        .await?
        .ok_or(DbError::NotFound("workspace"))?
        .try_get("", "event_seq")?;
    let now = convert::now();
    let mut rows = Vec::with_capacity(events.len());
    for (seq, event) in (newest - count + 1..).zip(events) {
        rows.push(row::ActiveModel {
            workspace_id: Set(workspace_id.0),
            seq: Set(seq),
            at: Set(now),
            kind: Set(convert::name(&event.kind)?),
            subject_id: Set(event.id),
            agent_id: Set(event.agent_id.map(|id| id.0)),
            data: Set(event
                .metric
                .as_ref()
                .map(|metric| convert::json("metric", metric))
                .transpose()?),
        });
    }
    row::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

fn wire(row: row::Model) -> Result<Event, DbError> {
    Ok(Event {
        seq: row.seq,
        at: row.at,
        kind: convert::parse_name("event kind", &row.kind)?,
        id: row.subject_id,
        agent_id: row.agent_id.map(AgentId),
        metric: row.data.map(|text| convert::parse_json("metric", &text)).transpose()?,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub at: DateTimeUtc,
        pub kind: String,
        pub subject_id: Uuid,
        pub agent_id: Option<Uuid>,
        pub data: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
