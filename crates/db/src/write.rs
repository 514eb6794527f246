//! The one door for changes: a transaction that carries its scope and appends events and audit entries as its last
//! statements.

use crate::{Actor, AuditKeys, DbError, Scope, audit, events};
use cerebros_common::{
    audit::{Action, Noun},
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
    audit: Vec<audit::NewEntry>,
    server_audit: Vec<audit::NewEntry>,
    audit_keys: AuditKeys,
    changed: Arc<watch::Sender<u64>>,
}

impl Write {
    pub(crate) fn new(
        tx: DatabaseTransaction,
        scope: Option<Scope>,
        audit_keys: AuditKeys,
        changed: Arc<watch::Sender<u64>>,
    ) -> Self {
        Self {
            tx,
            scope,
            events: Vec::new(),
            audit: Vec::new(),
            server_audit: Vec::new(),
            audit_keys,
            changed,
        }
    }

    /// Gives a transaction that began without a workspace the one that it has just created.
    pub fn enter(&mut self, scope: Scope) {
        self.scope = Some(scope);
    }

    /// For `queue::enqueue` and leases, which join this transaction.
    pub fn connection(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// The workspace whose rows this transaction may change.
    ///
    /// # Errors
    /// `DbError::Fault` in a transaction without a scope.
    pub fn workspace_id(&self) -> Result<WorkspaceId, DbError> {
        Ok(self.scope()?.workspace_id)
    }

    pub(crate) fn scope(&self) -> Result<Scope, DbError> {
        self.scope.ok_or(DbError::Fault("this transaction has no workspace"))
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

    /// Notes for the audit log what was done to what; of values only the fields' names. Goes to the workspace's log, or
    /// the server's in a transaction without a workspace.
    pub fn audit(&mut self, action: Action, noun: Noun, id: impl Into<Uuid>, fields: &[&'static str]) {
        let entry = entry(action, noun, id.into(), fields);
        match self.scope {
            Some(_) => self.audit.push(entry),
            None => self.server_audit.push(entry),
        }
    }

    /// Notes something that outlives the workspace in the server's own log.
    pub fn audit_server(&mut self, action: Action, noun: Noun, id: impl Into<Uuid>) {
        self.server_audit.push(entry(action, noun, id.into(), &[]));
    }

    /// Stores the events and audit entries, commits, and wakes whoever waits for events or tasks.
    ///
    /// # Errors
    /// `DbError::Fault` for a change by a person that nobody noted for the audit log.
    pub async fn commit(mut self) -> Result<(), DbError> {
        let actor = self.scope.map_or(Actor::System, |scope| scope.actor);
        if actor != Actor::System && self.audit.is_empty() {
            return Err(DbError::Fault("a change is missing in the audit log"));
        }
        // Counter, log, server's log: whoever locks them does it in this order.
        if let Some(scope) = self.scope {
            let workspace_id = scope.workspace_id;
            events::append(&self.tx, workspace_id, &self.events).await?;
            if audit::append(&self.tx, &self.audit_keys, workspace_id, actor, &self.audit).await? {
                self.audit_server(Action::Created, Noun::Workspace, workspace_id);
            }
        }
        audit::append(&self.tx, &self.audit_keys, audit::SERVER, actor, &self.server_audit).await?;
        if self.tx.get_database_backend() == DbBackend::Postgres {
            // Other processes hear of it once the transaction commits.
            self.tx.execute_unprepared("notify cerebros").await?;
        }
        self.tx.commit().await?;
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }
}

fn entry(action: Action, noun: Noun, subject_id: Uuid, fields: &[&'static str]) -> audit::NewEntry {
    audit::NewEntry {
        action,
        noun,
        subject_id,
        fields: fields.to_vec(),
    }
}
