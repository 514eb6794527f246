//! Accounts. They stand above workspaces, so these functions are unscoped by nature.

use crate::{Db, DbError, Write, convert, workspaces};
use cerebros_common::{
    accounts::User,
    ids::{UserId, WorkspaceId},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement,
    sea_query::{Expr, LockType},
};
use uuid::Uuid;

/// An account with its password hash, for sign-in.
#[derive(Clone)]
pub struct Credentials {
    pub user: User,
    /// A PHC string.
    pub password_hash: String,
}

/// Creates an account with its personal workspace, or gives `None` if the address is taken. Addresses are compared in
/// lower case.
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

/// Makes changes that count what an account has wait for each other.
pub(crate) async fn lock(write: &Write, id: UserId) -> Result<row::Model, DbError> {
    row::Entity::find_by_id(id.0)
        // Rows that refer to the account may be added meanwhile.
        .lock(LockType::NoKeyUpdate)
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("account"))
}

/// Notes that a link sent to the person's address has been followed.
pub(crate) async fn verify_email(write: &Write, id: UserId) -> Result<(), DbError> {
    row::Entity::update_many()
        .col_expr(row::Column::EmailVerifiedAt, Expr::value(convert::now()))
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::EmailVerifiedAt.is_null())
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Where a picture is shown; the address changes with it.
pub(crate) fn avatar_url(id: UserId, updated_at: DateTime<Utc>) -> String {
    format!("/api/v1/users/{id}/avatar?v={}", updated_at.timestamp_millis())
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
