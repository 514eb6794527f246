//! The one door for changes: a transaction that carries its scope and appends events as its last statements.

use crate::{DbError, Scope, events};
use cerebros_common::{
    events::EventKind,
    ids::{AgentId, WorkspaceId},
    jobs::MetricPoint,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use std::sync::Arc;
use tokio::sync::watch;
use uuid::Uuid;

/// An open transaction. Dropped without [`Write::commit`] it rolls back.
pub struct Write {
    tx: DatabaseTransaction,
    scope: Option<Scope>,
    events: Vec<events::NewEvent>,
    changed: Arc<watch::Sender<u64>>,
}

impl Write {
    pub(crate) fn new(tx: DatabaseTransaction, scope: Option<Scope>, changed: Arc<watch::Sender<u64>>) -> Self {
        Self {
            tx,
            scope,
            events: Vec::new(),
            changed,
        }
    }

    /// For `queue::enqueue` and leases, which join this transaction.
    pub fn connection(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// The workspace whose rows this transaction may change.
    ///
    /// # Errors
    /// `DbError::Conflict` in a transaction without a scope: a fault of the program.
    pub fn workspace_id(&self) -> Result<WorkspaceId, DbError> {
        Ok(self.scope()?.workspace_id)
    }

    pub(crate) fn scope(&self) -> Result<Scope, DbError> {
        self.scope
            .ok_or_else(|| DbError::Conflict("this transaction has no workspace".to_owned()))
    }

    /// Notes an event; it is numbered and stored on commit.
    pub fn event(&mut self, kind: EventKind, id: impl Into<Uuid>, agent_id: Option<AgentId>) {
        self.events.push(events::NewEvent {
            kind,
            id: id.into(),
            agent_id,
            metric: None,
        });
    }

    pub fn metric_event(&mut self, job: impl Into<Uuid>, agent_id: Option<AgentId>, metric: MetricPoint) {
        self.events.push(events::NewEvent {
            kind: EventKind::JobMetric,
            id: job.into(),
            agent_id,
            metric: Some(metric),
        });
    }

    /// Stores the events, commits, and wakes whoever waits for events or tasks.
    pub async fn commit(self) -> Result<(), DbError> {
        if let Some(scope) = self.scope {
            events::append(&self.tx, scope.workspace_id, &self.events).await?;
        }
        if self.tx.get_database_backend() == DbBackend::Postgres {
            // Other processes hear of it once the transaction commits.
            self.tx.execute_unprepared("notify cerebros").await?;
        }
        self.tx.commit().await?;
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }
}
