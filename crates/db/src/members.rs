//! Members of workspaces and their roles. A workspace has exactly one owner at any time.

use crate::{
    Db, DbError, Scope, Write, api_keys, convert, invitations,
    notifications::{self, Audience},
    users, workspaces,
};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{UserId, WorkspaceId},
    notifications::{NotificationKind, NotificationSubject},
    wire::{Page, Paging},
    workspaces::{Member, Role},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Statement, Value,
};
use uuid::Uuid;

/// Members, in the order in which their accounts were made.
pub async fn list(scope: &Scope, db: &Db, paging: Paging) -> Result<Page<Member>, DbError> {
    let all = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    let total = all.count(db.read()).await?;
    let values = [
        scope.workspace_id.0.into(),
        i64::from(paging.limit).into(),
        convert::signed(paging.offset()).into(),
    ];
    let found = shown(db.read(), "order by m.user_id limit $2 offset $3", values).await?;
    Ok(paging.of(found, total))
}

pub async fn find(scope: &Scope, db: &Db, id: UserId) -> Result<Member, DbError> {
    find_in(db.read(), scope.workspace_id, id).await
}

/// Gives a member another role. An admin manages the roles below admin, the owner all below owner.
pub async fn update(write: &mut Write, id: UserId, version: Option<i64>, role: Role) -> Result<Member, DbError> {
    let (actor, own) = lock(write).await?;
    let (member, current) = target(write, id, version).await?;
    if id == actor {
        let detail = "Nobody changes their own role. Ask somebody whose role is above yours.";
        return Err(DbError::Conflict(detail.to_owned()));
    }
    may_manage(own, current.max(role))?;
    if role < Role::Admin {
        invitations::delete_of_inviter(write, id).await?;
    }
    set_role(write, member, role).await?;
    write.audit(Action::Updated, Noun::Member, id, &["role"]);
    let title = format!(
        "Your role in “{}” is {} now.",
        workspaces::name(write).await?,
        convert::name(&role)?
    );
    tell(write, id, &title, NotificationSubject::Workspace).await?;
    find_in(write.connection(), write.workspace_id()?, id).await
}

/// Removes a member, or leaves. The API keys and invitations that they made here go along.
pub async fn delete(write: &mut Write, id: UserId, version: Option<i64>) -> Result<(), DbError> {
    let (actor, own) = lock(write).await?;
    let (member, current) = target(write, id, version).await?;
    if current == Role::Owner {
        let detail = "The owner stays. Make another member the owner first.";
        return Err(DbError::Conflict(detail.to_owned()));
    }
    if id == actor {
        write.audit(Action::Left, Noun::Member, id, &[]);
    } else {
        may_manage(own, current)?;
        write.audit(Action::Deleted, Noun::Member, id, &[]);
        let title = format!("You are no longer a member of “{}”.", workspaces::name(write).await?);
        tell(write, id, &title, NotificationSubject::Account).await?;
    }
    row::ActiveModel::from(member).delete(write.connection()).await?;
    api_keys::delete_of_maker(write, id).await?;
    invitations::delete_of_inviter(write, id).await?;
    write.event(EventKind::MembersChanged, id.0, None);
    Ok(())
}

/// Hands the workspace over; who owned it becomes an admin.
pub async fn make_owner(write: &mut Write, id: UserId) -> Result<Member, DbError> {
    let (actor, own) = lock(write).await?;
    if own != Role::Owner {
        let detail = "Only the owner hands the workspace over.";
        return Err(DbError::Forbidden(detail.to_owned()));
    }
    let (member, _) = target(write, id, None).await?;
    if id == actor {
        return Err(DbError::Conflict("You are the owner already.".to_owned()));
    }
    workspaces::check_room(write, id).await?;
    let (owner, _) = target(write, actor, None).await?;
    set_role(write, owner, Role::Admin).await?;
    set_role(write, member, Role::Owner).await?;
    write.audit(Action::Transferred, Noun::Member, id, &["role"]);
    let title = format!("You are the owner of “{}” now.", workspaces::name(write).await?);
    tell(write, id, &title, NotificationSubject::Workspace).await?;
    find_in(write.connection(), write.workspace_id()?, id).await
}

pub(crate) async fn insert(
    write: &mut Write,
    workspace_id: WorkspaceId,
    user_id: UserId,
    role: Role,
) -> Result<(), DbError> {
    let new = row::ActiveModel {
        workspace_id: Set(workspace_id.0),
        user_id: Set(user_id.0),
        role: Set(convert::name(&role)?),
        version: Set(1),
        joined_at: Set(Some(convert::now())),
    };
    row::Entity::insert(new)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

/// Makes changes of this workspace's members wait for each other, and gives who acts, with the role they have now.
pub(crate) async fn lock(write: &Write) -> Result<(UserId, Role), DbError> {
    let Scope { workspace_id, actor } = write.scope()?;
    row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(workspace_id.0))
        .order_by_asc(row::Column::UserId)
        .lock_exclusive()
        .all(write.connection())
        .await?;
    let user_id = actor.user_id().ok_or(DbError::NotFound("workspace"))?;
    let role = role_of(write.connection(), workspace_id, user_id).await?;
    Ok((user_id, role.ok_or(DbError::NotFound("workspace"))?))
}

/// Whether somebody with the role `own` decides about the role `other`.
pub(crate) fn may_manage(own: Role, other: Role) -> Result<(), DbError> {
    if own >= Role::Admin && own > other {
        return Ok(());
    }
    let detail = "An admin decides about roles below admin, the owner about all others. The owner is made by a transfer \
                  of ownership.";
    Err(DbError::Forbidden(detail.to_owned()))
}

pub(crate) async fn role_of(
    connection: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    user_id: UserId,
) -> Result<Option<Role>, DbError> {
    let found = row::Entity::find_by_id((workspace_id.0, user_id.0))
        .one(connection)
        .await?;
    found.map(|row| convert::parse_name("role", &row.role)).transpose()
}

async fn target(write: &Write, id: UserId, version: Option<i64>) -> Result<(row::Model, Role), DbError> {
    let row = row::Entity::find_by_id((write.workspace_id()?.0, id.0))
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("member"))?;
    if version.is_some_and(|version| version != row.version) {
        return Err(DbError::Stale {
            noun: "member",
            current: row.version,
        });
    }
    let role = convert::parse_name("role", &row.role)?;
    Ok((row, role))
}

async fn set_role(write: &mut Write, member: row::Model, role: Role) -> Result<(), DbError> {
    let (user_id, version) = (member.user_id, member.version);
    let mut member = member.into_active_model();
    member.role = Set(convert::name(&role)?);
    member.version = Set(version + 1);
    member.update(write.connection()).await?;
    write.event(EventKind::MembersChanged, user_id, None);
    Ok(())
}

async fn tell(write: &Write, id: UserId, title: &str, subject: NotificationSubject) -> Result<(), DbError> {
    let subject_id = match subject {
        NotificationSubject::Account => id.0,
        _ => write.workspace_id()?.0,
    };
    let kind = NotificationKind::MembershipChanged;
    notifications::notify(write, kind, Audience::User(id), title, subject, subject_id).await
}

#[derive(FromQueryResult)]
struct Shown {
    user_id: Uuid,
    name: String,
    email: String,
    role: String,
    version: i64,
    joined_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    avatar_at: Option<DateTime<Utc>>,
}

async fn find_in(connection: &impl ConnectionTrait, workspace_id: WorkspaceId, id: UserId) -> Result<Member, DbError> {
    let values = [workspace_id.0.into(), id.0.into()];
    let mut found = shown(connection, "and m.user_id = $2", values).await?;
    found.pop().ok_or(DbError::NotFound("member"))
}

/// The members of the workspace `$1`, with what stands in other tables.
async fn shown(
    connection: &impl ConnectionTrait,
    rest: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Member>, DbError> {
    let sql = format!(
        "select m.user_id, u.name, u.email, m.role, m.version, m.joined_at, w.created_at, a.updated_at as avatar_at \
         from members m join users u on u.id = m.user_id join workspaces w on w.id = m.workspace_id \
         left join avatars a on a.user_id = m.user_id where m.workspace_id = $1 {rest}"
    );
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = Shown::find_by_statement(statement).all(connection).await?;
    let wire = |row: Shown| {
        Ok(Member {
            user_id: UserId(row.user_id),
            name: row.name,
            email: row.email,
            avatar_url: row.avatar_at.map(|at| users::avatar_url(UserId(row.user_id), at)),
            role: convert::parse_name("role", &row.role)?,
            // Who was there before others could join came with the workspace.
            joined_at: row.joined_at.unwrap_or(row.created_at),
            version: row.version,
        })
    };
    rows.into_iter().map(wire).collect()
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "members")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        pub role: String,
        pub version: i64,
        pub joined_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::workspaces::row::Entity",
            from = "Column::WorkspaceId",
            to = "crate::workspaces::row::Column::Id"
        )]
        Workspace,
    }

    impl Related<crate::workspaces::row::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Workspace.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
