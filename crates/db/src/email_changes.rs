//! Changes of an account's address that wait for the links to both addresses. Only hashes of the tokens are stored.

use crate::{Db, DbError, Write, convert, link_tokens, users};
use cerebros_common::{
    accounts::EmailChange,
    audit::{Action, Noun},
    ids::UserId,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which address a link went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Old,
    New,
}

impl Side {
    fn columns(self) -> (row::Column, row::Column) {
        match self {
            Self::Old => (row::Column::OldTokenHash, row::Column::OldConfirmedAt),
            Self::New => (row::Column::NewTokenHash, row::Column::NewConfirmedAt),
        }
    }
}

/// Begins a change in place of the one under way, if any.
pub async fn replace_unscoped(write: &mut Write, user_id: UserId, email: &str) -> Result<EmailChange, DbError> {
    row::Entity::delete_by_id(user_id.0).exec(write.connection()).await?;
    let now = convert::now();
    let change = row::Model {
        user_id: user_id.0,
        email: email.to_owned(),
        old_token_hash: None,
        new_token_hash: None,
        old_confirmed_at: None,
        new_confirmed_at: None,
        created_at: now,
        expires_at: now + link_tokens::LIFETIME,
    };
    row::Entity::insert(row::ActiveModel::from(change.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::Requested, Noun::EmailAddress, user_id, &["email"]);
    Ok(wire(change))
}

/// The change that is under way.
pub async fn find_unscoped(db: &Db, user_id: UserId) -> Result<Option<EmailChange>, DbError> {
    find(db.read(), user_id.0).await
}

pub(crate) async fn find(connection: &impl ConnectionTrait, user_id: Uuid) -> Result<Option<EmailChange>, DbError> {
    let found = row::Entity::find_by_id(user_id)
        .filter(row::Column::ExpiresAt.gt(convert::now()))
        .one(connection)
        .await?;
    Ok(found.map(wire))
}

/// Stores the token of one link; false if there is nothing to confirm any more.
pub async fn set_token_unscoped(
    write: &mut Write,
    user_id: UserId,
    side: Side,
    token_hash: &str,
) -> Result<bool, DbError> {
    let (token, confirmed) = side.columns();
    let result = row::Entity::update_many()
        .col_expr(token, Expr::value(token_hash))
        .filter(row::Column::UserId.eq(user_id.0))
        .filter(row::Column::ExpiresAt.gt(convert::now()))
        .filter(confirmed.is_null())
        .exec(write.connection())
        .await?;
    Ok(result.rows_affected > 0)
}

/// Whose live token this is, and which address it went to.
pub async fn find_token_unscoped(db: &Db, token_hash: &str) -> Result<Option<(UserId, Side)>, DbError> {
    for side in [Side::Old, Side::New] {
        let found = row::Entity::find()
            .filter(side.columns().0.eq(token_hash))
            .filter(row::Column::ExpiresAt.gt(convert::now()))
            .one(db.read())
            .await?;
        if let Some(row) = found {
            return Ok(Some((UserId(row.user_id), side)));
        }
    }
    Ok(None)
}

/// Takes one token; the second one completes the change. `None` if the token was used in the meantime.
///
/// # Errors
/// [`DbError::Conflict`] when somebody else has the address by now.
pub async fn redeem_unscoped(
    write: &mut Write,
    user_id: UserId,
    side: Side,
    token_hash: &str,
) -> Result<Option<EmailChange>, DbError> {
    let (token, confirmed) = side.columns();
    let now = convert::now();
    let taken = row::Entity::update_many()
        .col_expr(confirmed, Expr::value(now))
        .col_expr(token, Expr::value(Option::<String>::None))
        .filter(row::Column::UserId.eq(user_id.0))
        .filter(token.eq(token_hash))
        .filter(row::Column::ExpiresAt.gt(now))
        .exec(write.connection())
        .await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    write.audit(Action::Confirmed, Noun::EmailAddress, user_id, &[]);
    let found = row::Entity::find_by_id(user_id.0).one(write.connection()).await?;
    let change = wire(found.ok_or(DbError::NotFound("change of the address"))?);
    if change.old_confirmed && change.new_confirmed {
        users::set_email_unscoped(write, user_id, &change.email).await?;
        delete_unscoped(write, user_id).await?;
        link_tokens::delete_all_unscoped(write, user_id).await?;
    }
    Ok(Some(change))
}

/// Keeps the address as it is.
pub async fn give_up_unscoped(write: &mut Write, user_id: UserId) -> Result<(), DbError> {
    if !delete_unscoped(write, user_id).await? {
        return Err(DbError::NotFound("change of the address"));
    }
    write.audit(Action::Cancelled, Noun::EmailAddress, user_id, &[]);
    Ok(())
}

/// False if there was none.
pub(crate) async fn delete_unscoped(write: &mut Write, user_id: UserId) -> Result<bool, DbError> {
    let result = row::Entity::delete_by_id(user_id.0).exec(write.connection()).await?;
    Ok(result.rows_affected > 0)
}

/// Deletes changes that have expired.
pub async fn expire_unscoped(db: &Db) -> Result<u64, DbError> {
    let result = row::Entity::delete_many()
        .filter(row::Column::ExpiresAt.lte(convert::now()))
        .exec(db.write_connection())
        .await?;
    Ok(result.rows_affected)
}

fn wire(row: row::Model) -> EmailChange {
    EmailChange {
        email: row.email,
        old_confirmed: row.old_confirmed_at.is_some(),
        new_confirmed: row.new_confirmed_at.is_some(),
        expires_at: row.expires_at,
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "email_changes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        pub email: String,
        pub old_token_hash: Option<String>,
        pub new_token_hash: Option<String>,
        pub old_confirmed_at: Option<DateTimeUtc>,
        pub new_confirmed_at: Option<DateTimeUtc>,
        pub created_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
