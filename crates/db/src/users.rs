//! Accounts. They stand above workspaces, so these functions are unscoped by nature.

use crate::{
    Actor, Db, DbError, Scope, Write, avatars, convert, email_changes, link_tokens,
    notifications::{self, Audience},
    workspaces,
};
use cerebros_common::{
    accounts::{Profile, ProfilePatch, User},
    audit::{Action, Noun},
    ids::{UserId, WorkspaceId},
    notifications::{NotificationKind, NotificationSubject},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect,
    SqlErr, Statement,
    sea_query::{Expr, LockType},
};
use std::collections::HashMap;
use uuid::Uuid;

/// An account with its password hash, for sign-in.
#[derive(Clone)]
pub struct Credentials {
    pub user: User,
    /// A PHC string.
    pub password_hash: String,
}

/// Creates an account with its personal workspace, or gives `None` if the address is taken. Addresses are compared in
/// lower case. The transaction goes on in the new workspace.
pub async fn insert_unscoped(
    write: &mut Write,
    email: &str,
    name: &str,
    password_hash: &str,
) -> Result<Option<(User, WorkspaceId)>, DbError> {
    let user = User {
        id: UserId(Uuid::now_v7()),
        email: email.to_owned(),
        name: name.to_owned(),
        email_verified: false,
        avatar_url: None,
        created_at: convert::now(),
    };
    let tx = write.connection();
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "insert into users (id, email, email_key, name, password_hash, created_at) values ($1, $2, $3, $4, $5, $6) \
         on conflict (email_key) do nothing",
        [
            user.id.0.into(),
            email.into(),
            email.to_lowercase().into(),
            name.into(),
            password_hash.into(),
            user.created_at.into(),
        ],
    );
    if tx.execute_raw(statement).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let workspace_id = workspaces::insert_personal(write, user.id, name).await?;
    let actor = Actor::User(user.id);
    write.enter(Scope { workspace_id, actor });
    write.audit(Action::Created, Noun::Account, user.id, &["email", "name", "password"]);
    write.audit(Action::Created, Noun::Workspace, workspace_id, &["name"]);
    Ok(Some((user, workspace_id)))
}

pub async fn find_credentials_unscoped(db: &Db, email: &str) -> Result<Option<Credentials>, DbError> {
    let found = row::Entity::find()
        .filter(row::Column::EmailKey.eq(email.to_lowercase()))
        .one(db.read())
        .await?;
    Ok(found.map(|row| Credentials {
        password_hash: row.password_hash.clone(),
        user: wire(row),
    }))
}

/// An account as its owner sees it.
pub async fn find_profile_unscoped(db: &Db, id: UserId) -> Result<Profile, DbError> {
    let row = row::Entity::find_by_id(id.0)
        .one(db.read())
        .await?
        .ok_or(DbError::NotFound("account"))?;
    profile(db.read(), row).await
}

/// Changes the account of who acts at `version`; `None` changes whatever version there is.
pub async fn update(write: &mut Write, version: Option<i64>, patch: &ProfilePatch) -> Result<Profile, DbError> {
    let current = lock(write, actor(write)?).await?;
    if version.is_some_and(|version| version != current.version) {
        return Err(DbError::Stale {
            noun: "account",
            current: current.version,
        });
    }
    let mut row = current.clone().into_active_model();
    if let Some(name) = &patch.name {
        row.name = Set(name.trim().to_owned());
    }
    row.version = Set(current.version + 1);
    let row = row.update(write.connection()).await?;
    let fields = [patch.name.as_ref().map(|_| "name")];
    write.audit(Action::Updated, Noun::Account, row.id, &convert::present(fields));
    profile(write.connection(), row).await
}

/// Gives the account of who acts another picture, or none.
pub async fn set_avatar(write: &mut Write, png: Option<&[u8]>) -> Result<Profile, DbError> {
    let current = lock(write, actor(write)?).await?;
    avatars::replace(write, UserId(current.id), png).await?;
    let action = if png.is_some() {
        Action::Updated
    } else {
        Action::Deleted
    };
    write.audit(action, Noun::Avatar, current.id, &[]);
    let mut row = current.clone().into_active_model();
    row.version = Set(current.version + 1);
    let row = row.update(write.connection()).await?;
    profile(write.connection(), row).await
}

/// The person with the address of their picture.
pub async fn with_avatar_unscoped(db: &Db, user: User) -> Result<User, DbError> {
    with_avatar(db.read(), user).await
}

async fn with_avatar(connection: &impl ConnectionTrait, user: User) -> Result<User, DbError> {
    let updated_at = avatars::updated_at(connection, user.id).await?;
    Ok(User {
        avatar_url: updated_at.map(|at| avatar_url(user.id, at)),
        ..user
    })
}

async fn profile(connection: &impl ConnectionTrait, row: row::Model) -> Result<Profile, DbError> {
    Ok(Profile {
        version: row.version,
        email_change: email_changes::find(connection, row.id).await?,
        user: with_avatar(connection, wire(row)).await?,
    })
}

fn actor(write: &Write) -> Result<UserId, DbError> {
    write.scope()?.actor.user_id().ok_or(DbError::NotFound("account"))
}

/// Makes changes that count what an account has wait for each other.
pub(crate) async fn lock(write: &Write, id: UserId) -> Result<row::Model, DbError> {
    row::Entity::find_by_id(id.0)
        // Rows that refer to the account may be added meanwhile.
        .lock(LockType::NoKeyUpdate)
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("account"))
}

/// Where a picture is shown; the address changes with it.
pub(crate) fn avatar_url(id: UserId, updated_at: DateTime<Utc>) -> String {
    format!("/api/v1/users/{id}/avatar?v={}", updated_at.timestamp_millis())
}

pub async fn find_credentials_of_unscoped(db: &Db, user_id: UserId) -> Result<Option<Credentials>, DbError> {
    let found = row::Entity::find_by_id(user_id.0).one(db.read()).await?;
    Ok(found.map(|row| Credentials {
        password_hash: row.password_hash.clone(),
        user: wire(row),
    }))
}

pub async fn find_unscoped(db: &Db, user_id: UserId) -> Result<Option<User>, DbError> {
    Ok(row::Entity::find_by_id(user_id.0).one(db.read()).await?.map(wire))
}

/// Sets a new password. Links and a change of the address that were asked for before end with the old one.
pub async fn set_password_unscoped(write: &mut Write, user_id: UserId, password_hash: &str) -> Result<(), DbError> {
    row::Entity::update_many()
        .col_expr(row::Column::PasswordHash, Expr::value(password_hash))
        .filter(row::Column::Id.eq(user_id.0))
        .exec(write.connection())
        .await?;
    write.audit(Action::Updated, Noun::Password, user_id, &["password"]);
    tell_of_change(write, user_id, "Your password was changed.").await?;
    link_tokens::delete_all_unscoped(write, user_id).await?;
    email_changes::delete_unscoped(write, user_id).await?;
    Ok(())
}

/// Notes that a link to the address was followed; false if one was before.
pub async fn verify_email_unscoped(write: &mut Write, user_id: UserId) -> Result<bool, DbError> {
    let result = row::Entity::update_many()
        .col_expr(row::Column::EmailVerifiedAt, Expr::value(convert::now()))
        .col_expr(row::Column::Version, Expr::col(row::Column::Version).add(1))
        .filter(row::Column::Id.eq(user_id.0))
        .filter(row::Column::EmailVerifiedAt.is_null())
        .exec(write.connection())
        .await?;
    let first = result.rows_affected > 0;
    if first {
        write.audit(Action::Confirmed, Noun::EmailAddress, user_id, &[]);
    }
    Ok(first)
}

/// Whether an account has the address.
pub async fn has_email_unscoped(db: &Db, email: &str) -> Result<bool, DbError> {
    let found = row::Entity::find().filter(row::Column::EmailKey.eq(email.to_lowercase()));
    Ok(found.count(db.read()).await? > 0)
}

/// Gives an account another, verified address.
///
/// # Errors
/// [`DbError::Conflict`] when another account has it.
pub(crate) async fn set_email_unscoped(write: &mut Write, user_id: UserId, email: &str) -> Result<(), DbError> {
    let key = email.to_lowercase();
    let tx = write.connection();
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "update users set email = $1, email_key = $2, email_verified_at = $3, version = version + 1 \
         where id = $4",
        [email.into(), key.into(), convert::now().into(), user_id.0.into()],
    );
    tx.execute_raw(statement).await.map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            DbError::Conflict("Another account has this address by now. Choose another one.".to_owned())
        }
        _ => error.into(),
    })?;
    write.audit(Action::Updated, Noun::EmailAddress, user_id, &["email"]);
    tell_of_change(write, user_id, "Your e-mail address was changed.").await
}

async fn tell_of_change(write: &Write, user_id: UserId, title: &str) -> Result<(), DbError> {
    let (kind, subject) = (NotificationKind::CredentialsChanged, NotificationSubject::Account);
    notifications::notify(write, kind, Audience::User(user_id), title, subject, user_id.0).await
}

pub(crate) async fn names(connection: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, DbError> {
    let found: Vec<(Uuid, String)> = row::Entity::find()
        .select_only()
        .columns([row::Column::Id, row::Column::Name])
        .filter(row::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(found.into_iter().collect())
}

pub(crate) fn wire(row: row::Model) -> User {
    User {
        id: UserId(row.id),
        email: row.email,
        name: row.name,
        email_verified: row.email_verified_at.is_some(),
        avatar_url: None,
        created_at: row.created_at,
    }
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub email: String,
        pub email_key: String,
        pub name: String,
        pub password_hash: String,
        pub created_at: DateTimeUtc,
        pub email_verified_at: Option<DateTimeUtc>,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
