//! Links sent by mail or made by an operator. Only a hash of the token is stored; a person has at most one per purpose.

use crate::{Db, DbError, Write, convert};
use cerebros_common::{
    audit::{Action, Noun},
    ids::UserId,
};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

/// How long a link works.
pub const LIFETIME: Duration = Duration::minutes(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    VerifyEmail,
    SignIn,
    ResetPassword,
    /// As the one before, but from the operator: it says nothing about the address.
    ResetByOperator,
}

/// Stores a token and ends the person's older one for the same purpose.
pub async fn replace_unscoped(
    write: &mut Write,
    user_id: UserId,
    purpose: Purpose,
    token_hash: &str,
) -> Result<DateTime<Utc>, DbError> {
    let purpose = convert::name(&purpose)?;
    row::Entity::delete_many()
        .filter(row::Column::UserId.eq(user_id.0))
        .filter(row::Column::Purpose.eq(&purpose))
        .exec(write.connection())
        .await?;
    let now = convert::now();
    let new = row::ActiveModel {
        token_hash: Set(token_hash.to_owned()),
        purpose: Set(purpose),
        user_id: Set(user_id.0),
        created_at: Set(now),
        expires_at: Set(now + LIFETIME),
    };
    row::Entity::insert(new)
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::Requested, Noun::LinkToken, user_id, &[]);
    Ok(now + LIFETIME)
}

/// Whose live token this is.
pub async fn find_unscoped(db: &Db, purpose: Purpose, token_hash: &str) -> Result<Option<UserId>, DbError> {
    let found = row::Entity::find_by_id(token_hash)
        .filter(row::Column::Purpose.eq(convert::name(&purpose)?))
        .filter(row::Column::ExpiresAt.gt(convert::now()))
        .one(db.read())
        .await?;
    Ok(found.map(|row| UserId(row.user_id)))
}

/// Takes a token away; false if it was used, replaced or expired in the meantime. One statement decides, so of two who
/// come at once only one is let in.
pub async fn redeem_unscoped(write: &mut Write, user_id: UserId, token_hash: &str) -> Result<bool, DbError> {
    let result = row::Entity::delete_many()
        .filter(row::Column::TokenHash.eq(token_hash))
        .filter(row::Column::UserId.eq(user_id.0))
        .filter(row::Column::ExpiresAt.gt(convert::now()))
        .exec(write.connection())
        .await?;
    write.audit(Action::Confirmed, Noun::LinkToken, user_id, &[]);
    Ok(result.rows_affected > 0)
}

/// Ends all links of a person.
pub async fn delete_all_unscoped(write: &mut Write, user_id: UserId) -> Result<(), DbError> {
    row::Entity::delete_many()
        .filter(row::Column::UserId.eq(user_id.0))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Deletes links that have expired.
pub async fn expire_unscoped(db: &Db) -> Result<u64, DbError> {
    let result = row::Entity::delete_many()
        .filter(row::Column::ExpiresAt.lte(convert::now()))
        .exec(db.write_connection())
        .await?;
    Ok(result.rows_affected)
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "link_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: String,
        pub purpose: String,
        pub user_id: Uuid,
        pub created_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
