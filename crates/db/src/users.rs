//! Accounts. They stand above workspaces, so these functions are unscoped by nature.

use crate::{Actor, Db, DbError, Scope, Write, convert, workspaces};
use cerebros_common::{
    accounts::User,
    audit::{Action, Noun},
    ids::{UserId, WorkspaceId},
    workspaces::Role,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};
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
    let workspace_id = workspaces::insert(write, name, true).await?;
    workspaces::insert_member(write, workspace_id, user.id, Role::Owner).await?;
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

pub async fn find_password_hash_unscoped(db: &Db, id: UserId) -> Result<Option<String>, DbError> {
    let found = row::Entity::find_by_id(id.0).one(db.read()).await?;
    Ok(found.map(|row| row.password_hash))
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
