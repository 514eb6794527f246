//! What happened, kept for each person it concerns, and which kinds each wants to hear of.

use crate::{Db, DbError, Write, convert, members};
use cerebros_common::{
    audit::{Action, Noun},
    ids::{NotificationId, UserId, WorkspaceId},
    notifications::{
        Notification, NotificationKind, NotificationPreference, NotificationPreferencesPatch, NotificationSubject,
    },
    wire::CursorPage,
    workspaces::Role,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, LockBehavior, LockType, OnConflict},
};
use uuid::Uuid;

/// How many notifications of a person are kept.
const MAX_KEPT: u64 = 500;

/// Whom a notification is for.
#[derive(Debug, Clone, Copy)]
pub enum Audience {
    User(UserId),
    /// The members of the transaction's workspace who have at least this role, but not who acts.
    AtLeast(Role),
}

/// Tells everybody of the audience who has not turned this kind off, once the transaction commits. What the title says of a
/// subject goes with the subject: see [`forget`].
pub async fn notify(
    write: &Write,
    kind: NotificationKind,
    audience: Audience,
    title: &str,
    subject: NotificationSubject,
    subject_id: impl Into<Uuid>,
) -> Result<(), DbError> {
    let (workspace_id, subject_id) = (write.workspace_id()?, subject_id.into());
    let wanting = wanting(write, kind, audience).await?;
    let row = |user_id: &Uuid| -> Result<row::ActiveModel, DbError> {
        Ok(row::ActiveModel {
            id: Set(Uuid::now_v7()),
            user_id: Set(*user_id),
            workspace_id: Set(workspace_id.0),
            kind: Set(convert::name(&kind)?),
            title: Set(title.to_owned()),
            subject: Set(convert::name(&subject)?),
            subject_id: Set(subject_id),
            created_at: Set(convert::now()),
            read_at: Set(None),
        })
    };
    for user_id in &wanting {
        row::Entity::insert(row(user_id)?)
            .exec_without_returning(write.connection())
            .await?;
        prune(write, *user_id).await?;
    }
    Ok(())
}

/// Whether a person was told just this before, and it is still kept.
pub async fn was_told(write: &Write, user_id: UserId, kind: NotificationKind, title: &str) -> Result<bool, DbError> {
    let told = of(user_id)
        .filter(row::Column::Kind.eq(convert::name(&kind)?))
        .filter(row::Column::Title.eq(title));
    Ok(told.count(write.connection()).await? > 0)
}

/// Deletes what was said of subjects that are going.
pub async fn forget(write: &Write, subjects: impl IntoIterator<Item = Uuid>) -> Result<(), DbError> {
    let subjects: Vec<Uuid> = subjects.into_iter().collect();
    // Few enough for the bound values of one statement.
    for some in subjects.chunks(500) {
        row::Entity::delete_many()
            .filter(row::Column::SubjectId.is_in(some.iter().copied()))
            .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
            .exec(write.connection())
            .await?;
    }
    Ok(())
}

/// A person's notifications, newest first.
pub async fn list_unscoped(
    db: &Db,
    user_id: UserId,
    only_unread: bool,
    before: Option<NotificationId>,
    limit: u32,
) -> Result<CursorPage<Notification>, DbError> {
    let mut found = of(user_id).order_by_desc(row::Column::Id).limit(u64::from(limit) + 1);
    if only_unread {
        found = found.filter(row::Column::ReadAt.is_null());
    }
    if let Some(before) = before {
        found = found.filter(row::Column::Id.lt(before.0));
    }
    let mut rows = found.all(db.read()).await?;
    let more = rows.len() as u64 > u64::from(limit);
    if more {
        rows.pop();
    }
    let items: Vec<Notification> = rows.into_iter().map(wire).collect::<Result<_, _>>()?;
    Ok(CursorPage {
        next_cursor: items.last().filter(|_| more).map(|last| last.id.to_string()),
        items,
    })
}

pub async fn count_unread_unscoped(db: &Db, user_id: UserId) -> Result<u64, DbError> {
    let unread = of(user_id).filter(row::Column::ReadAt.is_null());
    Ok(unread.count(db.read()).await?)
}

/// By what a person sees that there is something new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub newest: Option<NotificationId>,
    pub unread: u64,
}

pub async fn standing_unscoped(db: &Db, user_id: UserId) -> Result<Standing, DbError> {
    let newest: Option<Uuid> = of(user_id)
        .select_only()
        .column(row::Column::Id)
        .order_by_desc(row::Column::Id)
        .into_tuple()
        .one(db.read())
        .await?;
    Ok(Standing {
        newest: newest.map(NotificationId),
        unread: count_unread_unscoped(db, user_id).await?,
    })
}

/// Marks one of a person's notifications as read; one that is read already stays as it is.
pub async fn read_unscoped(write: &Write, user_id: UserId, id: NotificationId) -> Result<Notification, DbError> {
    mark_read(write, of(user_id).filter(row::Column::Id.eq(id.0))).await?;
    let row = of(user_id)
        .filter(row::Column::Id.eq(id.0))
        .one(write.connection())
        .await?;
    wire(row.ok_or(DbError::NotFound("notification"))?)
}

pub async fn read_all_unscoped(write: &Write, user_id: UserId) -> Result<(), DbError> {
    mark_read(write, of(user_id)).await
}

/// Every kind, with what the person chose or else that it is on.
pub async fn preferences_unscoped(db: &Db, user_id: UserId) -> Result<Vec<NotificationPreference>, DbError> {
    let stored = preference::Entity::find()
        .filter(preference::Column::UserId.eq(user_id.0))
        .all(db.read())
        .await?;
    let choice = |kind: NotificationKind| {
        let name = convert::name(&kind)?;
        let refused = stored.iter().any(|row| row.kind == name && !row.enabled);
        Ok(NotificationPreference {
            kind,
            enabled: kind.always_on() || !refused,
        })
    };
    NotificationKind::ALL.into_iter().map(choice).collect()
}

/// Stores a person's choices; kinds that are not named stay as they are.
pub async fn set_preferences(
    write: &mut Write,
    user_id: UserId,
    patch: &NotificationPreferencesPatch,
) -> Result<(), DbError> {
    write.audit(Action::Updated, Noun::NotificationPreference, user_id, &["preferences"]);
    for choice in &patch.preferences {
        if choice.kind.always_on() && !choice.enabled {
            return Err(DbError::Conflict(format!(
                "`{}` concerns the safety of your account and stays on.",
                convert::name(&choice.kind)?
            )));
        }
        let row = preference::ActiveModel {
            user_id: Set(user_id.0),
            kind: Set(convert::name(&choice.kind)?),
            enabled: Set(choice.enabled),
        };
        let key = [preference::Column::UserId, preference::Column::Kind];
        preference::Entity::insert(row)
            .on_conflict(
                OnConflict::columns(key)
                    .update_column(preference::Column::Enabled)
                    .to_owned(),
            )
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(())
}

fn of(user_id: UserId) -> Select<row::Entity> {
    row::Entity::find().filter(row::Column::UserId.eq(user_id.0))
}

/// Locks first, in the order of their ids: two that mark the same rows wait for each other.
async fn mark_read(write: &Write, which: Select<row::Entity>) -> Result<(), DbError> {
    let unread: Vec<Uuid> = which
        .filter(row::Column::ReadAt.is_null())
        .select_only()
        .column(row::Column::Id)
        .order_by_asc(row::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(write.connection())
        .await?;
    row::Entity::update_many()
        .col_expr(row::Column::ReadAt, Expr::value(convert::now()))
        .filter(row::Column::Id.is_in(unread))
        .exec(write.connection())
        .await?;
    Ok(())
}

fn wire(row: row::Model) -> Result<Notification, DbError> {
    Ok(Notification {
        id: NotificationId(row.id),
        kind: convert::parse_name("notification kind", &row.kind)?,
        workspace_id: WorkspaceId(row.workspace_id),
        title: row.title,
        subject: convert::parse_name("notification subject", &row.subject)?,
        subject_id: row.subject_id,
        created_at: row.created_at,
        read_at: row.read_at,
    })
}

async fn wanting(write: &Write, kind: NotificationKind, audience: Audience) -> Result<Vec<Uuid>, DbError> {
    let mut concerned = match audience {
        Audience::User(id) => vec![id.0],
        Audience::AtLeast(least) => {
            let roles = Role::ALL.into_iter().filter(|role| *role >= least).map(Role::name);
            let acting = write.scope()?.actor.user_id().map(|id| id.0);
            let members = members::row::Entity::find()
                .filter(members::row::Column::WorkspaceId.eq(write.workspace_id()?.0))
                .filter(members::row::Column::Role.is_in(roles))
                .order_by_asc(members::row::Column::UserId)
                .all(write.connection())
                .await?;
            let ids = members.into_iter().map(|member| member.user_id);
            ids.filter(|id| Some(*id) != acting).collect()
        }
    };
    if !kind.always_on() {
        let refusing = preference::Entity::find()
            .filter(preference::Column::UserId.is_in(concerned.iter().copied()))
            .filter(preference::Column::Kind.eq(convert::name(&kind)?))
            .filter(preference::Column::Enabled.eq(false))
            .all(write.connection())
            .await?;
        concerned.retain(|id| refusing.iter().all(|row| row.user_id != *id));
    }
    Ok(concerned)
}

/// Deletes the oldest beyond what is kept. Rows that somebody else is working on are left to the next time.
async fn prune(write: &Write, user_id: Uuid) -> Result<(), DbError> {
    let surplus: Vec<Uuid> = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::UserId.eq(user_id))
        .order_by_desc(row::Column::Id)
        .offset(MAX_KEPT)
        .limit(MAX_KEPT)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(write.connection())
        .await?;
    if !surplus.is_empty() {
        row::Entity::delete_many()
            .filter(row::Column::Id.is_in(surplus))
            .exec(write.connection())
            .await?;
    }
    Ok(())
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "notifications")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub user_id: Uuid,
        pub workspace_id: Uuid,
        pub kind: String,
        pub title: String,
        pub subject: String,
        pub subject_id: Uuid,
        pub created_at: DateTimeUtc,
        pub read_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod preference {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "notification_preferences")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        pub enabled: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
