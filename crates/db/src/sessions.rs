//! Browser sessions. Only a hash of the token is stored.

use crate::{Db, DbError, Write, convert, paging::page, users};
use cerebros_common::{
    accounts::{DeviceSession, User},
    audit::{Action, Noun},
    ids::{SessionId, UserId},
    wire::{Page, Paging},
};
use chrono::{DateTime, Duration, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::Expr,
};
use uuid::Uuid;

/// How exactly the last use is known: spares most requests a write.
const NOTED_EVERY: Duration = Duration::minutes(1);

/// A browser that signs in.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub token_hash: String,
    pub user_agent: String,
    pub address: String,
    pub lifetime: Duration,
}

/// A session that was presented.
#[derive(Debug, Clone)]
pub struct Presented {
    pub id: SessionId,
    pub user: User,
    /// When it ends unless it is used again.
    pub ends_at: DateTime<Utc>,
    /// Whether [`note_use_unscoped`] has something to write.
    pub note_use: bool,
}

pub async fn insert_unscoped(write: &mut Write, user_id: UserId, new: &NewSession) -> Result<SessionId, DbError> {
    let now = convert::now();
    let id = Uuid::now_v7();
    let new = row::ActiveModel {
        id: Set(id),
        token_hash: Set(new.token_hash.clone()),
        user_id: Set(user_id.0),
        user_agent: Set(new.user_agent.clone()),
        address: Set(new.address.clone()),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(now + new.lifetime),
    };
    row::Entity::insert(new)
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::SignedIn, Noun::Session, id, &[]);
    Ok(SessionId(id))
}

/// What the browsers call themselves in which a person is or was lately signed in.
pub async fn user_agents_unscoped(write: &Write, user_id: UserId) -> Result<Vec<String>, DbError> {
    Ok(row::Entity::find()
        .filter(row::Column::UserId.eq(user_id.0))
        .select_only()
        .column(row::Column::UserAgent)
        .distinct()
        .into_tuple()
        .all(write.connection())
        .await?)
}

/// The live session with this token hash.
pub async fn find_unscoped(db: &Db, token_hash: &str, idle: Duration) -> Result<Option<Presented>, DbError> {
    let found = live(idle)
        .filter(row::Column::TokenHash.eq(token_hash))
        .find_also_related(users::row::Entity)
        .one(db.read())
        .await?;
    Ok(found.and_then(|(session, user)| {
        Some(Presented {
            id: SessionId(session.id),
            user: users::wire(user?),
            ends_at: session.expires_at.min(session.last_used_at + idle),
            note_use: convert::now() - session.last_used_at > NOTED_EVERY,
        })
    }))
}

/// Notes that and from where a session is used.
pub async fn note_use_unscoped(db: &Db, id: SessionId, address: &str) -> Result<(), DbError> {
    row::Entity::update_many()
        .col_expr(row::Column::LastUsedAt, Expr::value(convert::now()))
        .col_expr(row::Column::Address, Expr::value(address))
        .filter(row::Column::Id.eq(id.0))
        .exec(db.write_connection())
        .await?;
    Ok(())
}

/// A person's live sessions, newest first; `device` is what the browser calls itself.
pub async fn list_unscoped(
    db: &Db,
    user_id: UserId,
    current: SessionId,
    idle: Duration,
    paging: Paging,
) -> Result<Page<DeviceSession>, DbError> {
    let mine = live(idle).filter(row::Column::UserId.eq(user_id.0));
    let (rows, total) = page(db, mine.order_by_desc(row::Column::Id), paging).await?;
    let items = rows.into_iter().map(|row| DeviceSession {
        id: SessionId(row.id),
        device: row.user_agent,
        address: row.address,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
        current: row.id == current.0,
    });
    Ok(paging.of(items.collect(), total))
}

/// Ends one session of a person.
pub async fn delete_unscoped(write: &mut Write, user_id: UserId, id: SessionId) -> Result<(), DbError> {
    let result = row::Entity::delete_many()
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::UserId.eq(user_id.0))
        .exec(write.connection())
        .await?;
    if result.rows_affected == 0 {
        return Err(DbError::NotFound("session"));
    }
    write.audit(Action::SignedOut, Noun::Session, id, &[]);
    Ok(())
}

/// Ends whichever session has this token hash.
pub async fn delete_by_token_unscoped(write: &mut Write, token_hash: &str) -> Result<(), DbError> {
    let found = row::Entity::find().filter(row::Column::TokenHash.eq(token_hash));
    if let Some(session) = found.one(write.connection()).await? {
        row::Entity::delete_by_id(session.id).exec(write.connection()).await?;
        write.audit(Action::SignedOut, Noun::Session, session.id, &[]);
    }
    Ok(())
}

/// Ends all sessions of a person, but the one to keep.
pub async fn delete_all_unscoped(write: &mut Write, user_id: UserId, keep: Option<SessionId>) -> Result<(), DbError> {
    let mut delete = row::Entity::delete_many().filter(row::Column::UserId.eq(user_id.0));
    if let Some(keep) = keep {
        delete = delete.filter(row::Column::Id.ne(keep.0));
    }
    delete.exec(write.connection()).await?;
    write.audit(Action::Revoked, Noun::Session, user_id, &[]);
    Ok(())
}

/// Deletes sessions that have expired.
pub async fn expire_unscoped(db: &Db, idle: Duration) -> Result<u64, DbError> {
    let now = convert::now();
    let ended = Condition::any()
        .add(row::Column::ExpiresAt.lte(now))
        .add(row::Column::LastUsedAt.lte(now - idle));
    let result = row::Entity::delete_many()
        .filter(ended)
        .exec(db.write_connection())
        .await?;
    Ok(result.rows_affected)
}

fn live(idle: Duration) -> Select<row::Entity> {
    let now = convert::now();
    row::Entity::find()
        .filter(row::Column::ExpiresAt.gt(now))
        .filter(row::Column::LastUsedAt.gt(now - idle))
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
