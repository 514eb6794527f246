//! API keys. Only a hash of the secret is stored.

use crate::{Actor, Db, DbError, Scope, Write, convert, paging::page, workspaces};
use cerebros_common::{
    api_keys::{ApiKey, KeyScope},
    audit::{Action, Noun},
    events::EventKind,
    ids::{ApiKeyId, UserId, WorkspaceId},
    wire::{Page, Paging},
    workspaces::Role,
};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use uuid::Uuid;

/// How exactly the last use is known: spares most requests a write.
const NOTED_EVERY: Duration = Duration::minutes(1);

pub async fn list(scope: &Scope, db: &Db, paging: Paging) -> Result<Page<ApiKey>, DbError> {
    let all = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    let (rows, total) = page(db, all.order_by_desc(row::Column::Id), paging).await?;
    Ok(paging.of(rows.into_iter().map(wire).collect::<Result<_, _>>()?, total))
}

pub async fn insert(
    write: &mut Write,
    created_by: UserId,
    name: &str,
    scopes: &[KeyScope],
    expires_at: Option<DateTime<Utc>>,
    prefix: &str,
    secret_hash: &str,
) -> Result<ApiKey, DbError> {
    let key = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        user_id: created_by.0,
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        secret_hash: secret_hash.to_owned(),
        created_at: convert::now(),
        last_used_at: None,
        scopes: convert::json("scopes", &scopes)?,
        expires_at,
    };
    row::Entity::insert(row::ActiveModel::from(key.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::Created, Noun::ApiKey, key.id, &["name", "scopes", "expires_at"]);
    wire(key)
}

/// Gives a key another secret; the one before is refused from the commit on. The key acts for whoever holds the new one.
pub async fn rotate(
    write: &mut Write,
    user_id: UserId,
    id: ApiKeyId,
    prefix: &str,
    secret_hash: &str,
) -> Result<ApiKey, DbError> {
    let found = row::Entity::find_by_id(id.0)
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .one(write.connection())
        .await?;
    let mut key = found.ok_or(DbError::NotFound("API key"))?;
    prefix.clone_into(&mut key.prefix);
    secret_hash.clone_into(&mut key.secret_hash);
    key.user_id = user_id.0;
    row::Entity::update_many()
        .col_expr(row::Column::Prefix, Expr::value(prefix))
        .col_expr(row::Column::SecretHash, Expr::value(secret_hash))
        .col_expr(row::Column::UserId, Expr::value(user_id.0))
        .filter(row::Column::Id.eq(id.0))
        .exec(write.connection())
        .await?;
    write.audit(Action::Rotated, Noun::ApiKey, id, &[]);
    wire(key)
}

pub async fn delete(write: &mut Write, id: ApiKeyId) -> Result<(), DbError> {
    let result = row::Entity::delete_many()
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .exec(write.connection())
        .await?;
    if result.rows_affected == 0 {
        return Err(DbError::NotFound("API key"));
    }
    write.audit(Action::Revoked, Noun::ApiKey, id, &[]);
    Ok(())
}

/// Revokes the keys that a person made in the workspace.
pub(crate) async fn delete_of_maker(write: &mut Write, user_id: UserId) -> Result<(), DbError> {
    let deleted = row::Entity::delete_many()
        .filter(row::Column::UserId.eq(user_id.0))
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .exec_with_returning(write.connection())
        .await?;
    for key in deleted {
        write.audit(Action::Revoked, Noun::ApiKey, key.id, &[]);
        write.event(EventKind::ApiKeysChanged, key.id, None);
    }
    Ok(())
}

/// A key that was presented.
#[derive(Debug, Clone)]
pub struct Presented {
    pub id: ApiKeyId,
    pub scope: Scope,
    /// The role that its maker has in the workspace now.
    pub role: Role,
    pub scopes: Vec<KeyScope>,
    pub ends_at: Option<DateTime<Utc>>,
    /// Whether [`note_use_unscoped`] has something to write.
    pub note_use: bool,
}

/// Whose unexpired key has this secret hash.
pub async fn authenticate_unscoped(db: &Db, secret_hash: &str) -> Result<Option<Presented>, DbError> {
    let Some(key) = row::Entity::find()
        .filter(row::Column::SecretHash.eq(secret_hash))
        .one(db.read())
        .await?
    else {
        return Ok(None);
    };
    if key.expires_at.is_some_and(|at| at <= convert::now()) {
        return Ok(None);
    }
    let (user_id, workspace_id) = (UserId(key.user_id), WorkspaceId(key.workspace_id));
    let Some(role) = workspaces::find_role_unscoped(db, user_id, workspace_id).await? else {
        return Ok(None);
    };
    Ok(Some(Presented {
        id: ApiKeyId(key.id),
        scope: Scope {
            workspace_id,
            actor: Actor::ApiKey(ApiKeyId(key.id), user_id),
        },
        role,
        scopes: convert::parse_json("scopes", &key.scopes)?,
        ends_at: key.expires_at,
        note_use: key.last_used_at.is_none_or(|at| convert::now() - at > NOTED_EVERY),
    }))
}

/// Notes that a key is used.
pub async fn note_use_unscoped(db: &Db, id: ApiKeyId) -> Result<(), DbError> {
    row::Entity::update_many()
        .col_expr(row::Column::LastUsedAt, Expr::value(convert::now()))
        .filter(row::Column::Id.eq(id.0))
        .exec(db.write_connection())
        .await?;
    Ok(())
}

fn wire(row: row::Model) -> Result<ApiKey, DbError> {
    Ok(ApiKey {
        id: ApiKeyId(row.id),
        name: row.name,
        scopes: convert::parse_json("scopes", &row.scopes)?,
        prefix: row.prefix,
        created_by: UserId(row.user_id),
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub user_id: Uuid,
        pub name: String,
        pub prefix: String,
        pub secret_hash: String,
        pub created_at: DateTimeUtc,
        pub last_used_at: Option<DateTimeUtc>,
        pub scopes: String,
        pub expires_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
