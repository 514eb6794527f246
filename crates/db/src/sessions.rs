//! Browser sessions. Only a hash of the token is stored.

use crate::{Db, DbError, Write, convert, users};
use cerebros_common::{
    accounts::User,
    audit::{Action, Noun},
    ids::UserId,
};
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

pub async fn insert_unscoped(
    write: &mut Write,
    token_hash: &str,
    user_id: UserId,
    expires_at: DateTime<Utc>,
) -> Result<(), DbError> {
    let now = convert::now();
    let id = Uuid::now_v7();
    let new = row::ActiveModel {
        id: Set(id),
        token_hash: Set(token_hash.to_owned()),
        user_id: Set(user_id.0),
        user_agent: Set(String::new()),
        address: Set(String::new()),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(expires_at),
    };
    row::Entity::insert(new)
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::SignedIn, Noun::Session, id, &[]);
    Ok(())
}

/// Who holds an unexpired session with this token hash.
pub async fn find_user_unscoped(db: &Db, token_hash: &str) -> Result<Option<User>, DbError> {
    let found = row::Entity::find()
        .filter(row::Column::TokenHash.eq(token_hash))
        .filter(row::Column::ExpiresAt.gt(convert::now()))
        .find_also_related(users::row::Entity)
        .one(db.read())
        .await?;
    Ok(found.and_then(|(_, user)| user).map(users::wire))
}

pub async fn delete_unscoped(write: &mut Write, token_hash: &str) -> Result<(), DbError> {
    let found = row::Entity::find().filter(row::Column::TokenHash.eq(token_hash));
    if let Some(session) = found.one(write.connection()).await? {
        row::Entity::delete_by_id(session.id).exec(write.connection()).await?;
        write.audit(Action::SignedOut, Noun::Session, session.id, &[]);
    }
    Ok(())
}

/// Deletes sessions that have expired.
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
    #[sea_orm(table_name = "sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub token_hash: String,
        pub user_id: Uuid,
        pub user_agent: String,
        pub address: String,
        pub created_at: DateTimeUtc,
        pub last_used_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::users::row::Entity",
            from = "Column::UserId",
            to = "crate::users::row::Column::Id"
        )]
        User,
    }

    impl Related<crate::users::row::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::User.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
