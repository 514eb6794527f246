//! The audit log: one chain of keyed hashes per workspace, and one of the server under the nil id.
//!
//! Each entry's hash covers the one before it, so that nothing can be changed, added or taken out in between; the head of
//! a chain says where it ends, so that nothing can be cut off; the server's chain says which chains have begun, so that
//! none can vanish. All of it holds against whoever can write to the database but does not have the key.

use crate::{Actor, Db, DbError, Scope, convert};
use cerebros_common::{
    audit::{Action, ActorKind, AuditEntry, AuditQuery, Noun},
    ids::WorkspaceId,
    wire::CursorPage,
};
use chrono::{DateTime, Utc};
use ring::hmac;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect, Statement, sea_query::OnConflict,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;

/// The keys of the chains by their ids; the first makes new entries.
#[derive(Clone)]
pub struct AuditKeys(Arc<Vec<(String, hmac::Key)>>);

impl AuditKeys {
    pub fn new(keys: Vec<(String, [u8; 32])>) -> Self {
        let keys = keys
            .into_iter()
            .map(|(id, key)| (id, hmac::Key::new(hmac::HMAC_SHA256, &key)));
        Self(Arc::new(keys.collect()))
    }

    fn current(&self) -> Result<&(String, hmac::Key), DbError> {
        self.0
            .first()
            .ok_or(DbError::Fault("there is no key for the audit log"))
    }

    fn find(&self, id: &str) -> Option<&hmac::Key> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, key)| key)
    }
}

impl std::fmt::Debug for AuditKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

pub(crate) struct NewEntry {
    pub action: Action,
    pub noun: Noun,
    pub subject_id: Uuid,
    pub fields: Vec<&'static str>,
}

/// The chain of the server itself.
pub(crate) const SERVER: WorkspaceId = WorkspaceId(Uuid::nil());
/// Stands for the hash before an entry whose predecessor cannot be trusted: the entry never verifies.
const BROKEN: &str = "broken";
const ROWS_AT_ONCE: u64 = 500;

/// The entries of a workspace that fit, newest first, before the number `before`.
pub async fn list(
    scope: &Scope,
    db: &Db,
    query: &AuditQuery,
    before: Option<i64>,
    limit: u32,
) -> Result<CursorPage<AuditEntry>, DbError> {
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(actor) = query.actor {
        found = found.filter(row::Column::ActorId.eq(actor));
    }
    if let Some(action) = query.action {
        found = found.filter(row::Column::Action.eq(convert::name(&action)?));
    }
    if let Some(noun) = query.noun {
        found = found.filter(row::Column::Noun.eq(convert::name(&noun)?));
    }
    if let Some(subject_id) = query.subject_id {
        found = found.filter(row::Column::SubjectId.eq(subject_id));
    }
    if let Some(from) = query.from {
        found = found.filter(row::Column::At.gte(from.timestamp_micros()));
    }
    if let Some(to) = query.to {
        found = found.filter(row::Column::At.lt(to.timestamp_micros()));
    }
    if let Some(before) = before {
        found = found.filter(row::Column::Seq.lt(before));
    }
    let mut rows = found
        .order_by_desc(row::Column::Seq)
        .limit(u64::from(limit) + 1)
        .all(db.read())
        .await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.seq.to_string());
    let items = rows.into_iter().map(wire).collect::<Result<_, _>>()?;
    Ok(CursorPage { items, next_cursor })
}

/// Adds entries to a chain. Its head stays locked until the commit. Gives whether the chain began with them.
pub(crate) async fn append(
    tx: &DatabaseTransaction,
    keys: &AuditKeys,
    workspace_id: WorkspaceId,
    actor: Actor,
    entries: &[NewEntry],
) -> Result<bool, DbError> {
    if entries.is_empty() {
        return Ok(false);
    }
    let (key_id, key) = keys.current()?;
    let (mut head, begun) = lock_head(tx, keys, workspace_id).await?;
    let (actor_kind, actor_id) = match actor {
        Actor::User(id) => (ActorKind::User, Some(id.0)),
        Actor::ApiKey(id, _) => (ActorKind::ApiKey, Some(id.0)),
        Actor::System => (ActorKind::System, None),
    };
    let at = convert::now().timestamp_micros();
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut row = row::Model {
            workspace_id: workspace_id.0,
            seq: head.seq + 1,
            at,
            actor_kind: convert::name(&actor_kind)?,
            actor_id,
            action: convert::name(&entry.action)?,
            noun: convert::name(&entry.noun)?,
            subject_id: entry.subject_id,
            fields: convert::json("audit fields", &entry.fields)?,
            key_id: key_id.clone(),
            mac: String::new(),
        };
        row.mac = row_mac(key, &head.mac, &row);
        (head.seq, head.mac) = (row.seq, row.mac.clone());
        rows.push(row::ActiveModel::from(row));
    }
    row::Entity::insert_many(rows).exec_without_returning(tx).await?;
    head.key_id.clone_from(key_id);
    head.own_mac = head_mac(key, &head);
    head::Entity::insert(head::ActiveModel::from(head))
        .on_conflict(
            OnConflict::column(head::Column::WorkspaceId)
                .update_columns([
                    head::Column::Seq,
                    head::Column::Mac,
                    head::Column::KeyId,
                    head::Column::OwnMac,
                ])
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(begun)
}

/// Removes the chain of a workspace that is being deleted.
pub(crate) async fn erase(tx: &DatabaseTransaction, workspace_id: WorkspaceId) -> Result<(), DbError> {
    row::Entity::delete_many()
        .filter(row::Column::WorkspaceId.eq(workspace_id.0))
        .exec(tx)
        .await?;
    head::Entity::delete_by_id(workspace_id.0).exec(tx).await?;
    Ok(())
}

/// The end of a chain, and whether it is a new one. A head that somebody changed is not built upon: what comes next will
/// not verify, so that the change stays visible.
async fn lock_head(
    tx: &DatabaseTransaction,
    keys: &AuditKeys,
    workspace_id: WorkspaceId,
) -> Result<(head::Model, bool), DbError> {
    let first = head::ActiveModel::from(head::Model {
        workspace_id: workspace_id.0,
        seq: 0,
        mac: String::new(),
        key_id: String::new(),
        own_mac: String::new(),
    });
    let keep = OnConflict::column(head::Column::WorkspaceId).do_nothing().to_owned();
    let insert = head::Entity::insert(first).on_conflict(keep);
    let begun = insert.exec_without_returning(tx).await? > 0;
    let mut head = head::Entity::find_by_id(workspace_id.0)
        .lock_exclusive()
        .one(tx)
        .await?
        .ok_or(DbError::NotFound("end of the audit log"))?;
    let newest = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(workspace_id.0))
        .order_by_desc(row::Column::Seq)
        .one(tx)
        .await?
        .map_or(0, |row| row.seq);
    let sound = begun
        || keys
            .find(&head.key_id)
            .is_some_and(|key| head_mac(key, &head) == head.own_mac);
    if !sound || newest != head.seq {
        tracing::error!(workspace.id = %workspace_id, "the audit log was changed from outside; run `cerebros admin verify-audit`");
        head.seq = newest.max(head.seq).max(0);
        head.mac = BROKEN.to_owned();
    }
    Ok((head, begun))
}

/// What is wrong at a place of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The nil id: the server's own chain.
    pub workspace_id: Uuid,
    pub seq: Option<i64>,
    pub what: String,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    pub chains: u64,
    pub entries: u64,
}

/// Walks every chain as it is at one moment, and reports each fault.
pub async fn verify_unscoped(db: &Db, report: impl FnMut(Fault)) -> Result<Verified, DbError> {
    let tx = db.snapshot().await?;
    let mut verifier = Verifier {
        keys: db.audit_keys(),
        report,
        verified: Verified::default(),
        begun: BTreeMap::new(),
        deleted: BTreeSet::new(),
    };
    let mut chains = BTreeSet::new();
    let sql = "select workspace_id from audit_heads union select workspace_id from audit";
    for found in tx.query_all_raw(statement(&tx, sql, [])).await? {
        match found.try_get::<Uuid>("", "workspace_id") {
            Ok(id) => drop(chains.insert(id)),
            Err(_) => verifier.fault(Uuid::nil(), None, "An entry names no workspace."),
        }
    }
    chains.insert(SERVER.0);
    for id in &chains {
        verifier.chain(&tx, *id).await?;
    }
    verifier.compare(&chains);
    Ok(verifier.verified)
}

struct Verifier<'a, F> {
    keys: &'a AuditKeys,
    report: F,
    verified: Verified,
    /// What the server's chain says.
    begun: BTreeMap<Uuid, u32>,
    deleted: BTreeSet<Uuid>,
}

impl<F: FnMut(Fault)> Verifier<'_, F> {
    fn fault(&mut self, workspace_id: Uuid, seq: Option<i64>, what: impl Into<String>) {
        let what = what.into();
        (self.report)(Fault {
            workspace_id,
            seq,
            what,
        });
    }

    async fn chain(&mut self, tx: &DatabaseTransaction, id: Uuid) -> Result<(), DbError> {
        self.verified.chains += 1;
        let (mut last, mut mac, mut from) = (0, String::new(), i64::MIN);
        let sql = "select * from audit where workspace_id = $1 and seq >= $2 order by seq limit $3";
        'walk: loop {
            let values = [id.into(), from.into(), ROWS_AT_ONCE.cast_signed().into()];
            let rows = tx.query_all_raw(statement(tx, sql, values)).await?;
            for found in &rows {
                let Ok(seq) = found.try_get::<i64>("", "seq") else {
                    self.fault(id, None, "An entry has no number.");
                    break 'walk;
                };
                self.verified.entries += 1;
                if seq != last + 1 {
                    self.fault(
                        id,
                        Some(seq),
                        format!("It follows entry {last}: what was between is missing."),
                    );
                }
                match read(found) {
                    Ok(row) => self.entry(&mac, &row),
                    Err(_) => self.fault(id, Some(seq), "The entry cannot be read."),
                }
                last = seq;
                mac = found.try_get("", "mac").unwrap_or_default();
            }
            match last.checked_add(1) {
                Some(next) if rows.len() as u64 == ROWS_AT_ONCE => from = next,
                _ => break,
            }
        }
        let sql = "select * from audit_heads where workspace_id = $1";
        match tx
            .query_one_raw(statement(tx, sql, [id.into()]))
            .await?
            .map(|row| read_head(&row))
        {
            None => self.fault(id, None, "The end of the log is missing."),
            Some(Ok(head)) => {
                let key = self.keys.find(&head.key_id);
                if key.is_none_or(|key| head_mac(key, &head) != head.own_mac) {
                    self.fault(id, None, "The end of the log was changed.");
                }
                if (head.seq, &head.mac) != (last, &mac) {
                    let what = format!("The log ends at entry {last}, but was {} long.", head.seq);
                    self.fault(id, Some(last), what);
                }
            }
            Some(Err(_)) => self.fault(id, None, "The end of the log cannot be read."),
        }
        Ok(())
    }

    fn entry(&mut self, before: &str, row: &row::Model) {
        match self.keys.find(&row.key_id) {
            None => {
                let what = format!("It was made with the key {}, which is not here.", row.key_id);
                self.fault(row.workspace_id, Some(row.seq), what);
            }
            Some(key) if row_mac(key, before, row) != row.mac => {
                self.fault(
                    row.workspace_id,
                    Some(row.seq),
                    "The entry, or the one before it, was changed.",
                );
            }
            Some(_) => {}
        }
        if row.workspace_id == SERVER.0 && row.noun == "workspace" {
            match row.action.as_str() {
                "created" => *self.begun.entry(row.subject_id).or_default() += 1,
                "deleted" => drop(self.deleted.insert(row.subject_id)),
                _ => {}
            }
        }
    }

    fn compare(&mut self, chains: &BTreeSet<Uuid>) {
        for (id, times) in std::mem::take(&mut self.begun) {
            if times > 1 {
                self.fault(id, None, "The log was removed and begun again.");
            }
            if !chains.contains(&id) && !self.deleted.contains(&id) {
                self.fault(id, None, "The whole log is missing.");
            }
            self.deleted.insert(id);
        }
        for id in chains {
            if *id != SERVER.0 && !self.deleted.contains(id) {
                self.fault(*id, None, "The server never began this log.");
            }
        }
    }
}

fn statement<const N: usize>(tx: &DatabaseTransaction, sql: &str, values: [sea_orm::Value; N]) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

fn read(found: &QueryResult) -> Result<row::Model, DbErr> {
    Ok(row::Model {
        workspace_id: found.try_get("", "workspace_id")?,
        seq: found.try_get("", "seq")?,
        at: found.try_get("", "at")?,
        actor_kind: found.try_get("", "actor_kind")?,
        actor_id: found.try_get("", "actor_id")?,
        action: found.try_get("", "action")?,
        noun: found.try_get("", "noun")?,
        subject_id: found.try_get("", "subject_id")?,
        fields: found.try_get("", "fields")?,
        key_id: found.try_get("", "key_id")?,
        mac: found.try_get("", "mac")?,
    })
}

fn read_head(found: &QueryResult) -> Result<head::Model, DbErr> {
    Ok(head::Model {
        workspace_id: found.try_get("", "workspace_id")?,
        seq: found.try_get("", "seq")?,
        mac: found.try_get("", "mac")?,
        key_id: found.try_get("", "key_id")?,
        own_mac: found.try_get("", "own_mac")?,
    })
}

fn row_mac(key: &hmac::Key, before: &str, row: &row::Model) -> String {
    mac(
        key,
        &[
            Some(b"entry"),
            Some(before.as_bytes()),
            Some(row.workspace_id.as_bytes()),
            Some(&row.seq.to_be_bytes()),
            Some(&row.at.to_be_bytes()),
            Some(row.actor_kind.as_bytes()),
            row.actor_id.as_ref().map(|id| id.as_bytes().as_slice()),
            Some(row.action.as_bytes()),
            Some(row.noun.as_bytes()),
            Some(row.subject_id.as_bytes()),
            Some(row.fields.as_bytes()),
            Some(row.key_id.as_bytes()),
        ],
    )
}

fn head_mac(key: &hmac::Key, head: &head::Model) -> String {
    mac(
        key,
        &[
            Some(b"head"),
            Some(head.workspace_id.as_bytes()),
            Some(&head.seq.to_be_bytes()),
            Some(head.mac.as_bytes()),
            Some(head.key_id.as_bytes()),
        ],
    )
}

/// Each part with its length in front, so that no two lists of parts give the same bytes.
fn mac(key: &hmac::Key, parts: &[Option<&[u8]>]) -> String {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        context.update(&length.to_be_bytes());
        context.update(part.unwrap_or_default());
    }
    hex::encode(context.sign())
}

fn wire(row: row::Model) -> Result<AuditEntry, DbError> {
    let at = DateTime::<Utc>::from_timestamp_micros(row.at);
    Ok(AuditEntry {
        seq: row.seq,
        at: at.ok_or_else(|| DbError::Corrupt("time", row.at.to_string()))?,
        actor_kind: convert::parse_name("kind of actor", &row.actor_kind)?,
        actor_id: row.actor_id,
        action: convert::parse_name("action", &row.action)?,
        noun: convert::parse_name("noun", &row.noun)?,
        subject_id: row.subject_id,
        fields: convert::parse_json("audit fields", &row.fields)?,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub at: i64,
        pub actor_kind: String,
        pub actor_id: Option<Uuid>,
        pub action: String,
        pub noun: String,
        pub subject_id: Uuid,
        pub fields: String,
        pub key_id: String,
        pub mac: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod head {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_heads")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        pub seq: i64,
        pub mac: String,
        pub key_id: String,
        pub own_mac: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
