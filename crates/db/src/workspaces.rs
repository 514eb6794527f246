//! Workspaces. A workspace's name and settings; who belongs to it stands in [`crate::members`].

use crate::{Actor, Db, DbError, Scope, Write, convert, members, paging::page, users};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{UserId, WorkspaceId},
    wire::{Page, Paging},
    workspaces::{NewWorkspace, Role, Workspace, WorkspacePatch},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, sea_query::LockType,
};
use uuid::Uuid;

/// How many workspaces a person may own, the personal one included.
const MAX_OWNED: u64 = 50;

/// The workspaces that a person is a member of, oldest first: the personal one leads.
pub async fn list_of_user_unscoped(db: &Db, user_id: UserId, paging: Paging) -> Result<Page<Workspace>, DbError> {
    let mine = members::row::Entity::find().filter(members::row::Column::UserId.eq(user_id.0));
    let (rows, total) = page(db, mine.order_by_asc(members::row::Column::WorkspaceId), paging).await?;
    let mut items = Vec::with_capacity(rows.len());
    for membership in rows {
        if let Some(row) = row::Entity::find_by_id(membership.workspace_id).one(db.read()).await? {
            items.push(wire(row, convert::parse_name("role", &membership.role)?));
        }
    }
    Ok(paging.of(items, total))
}

/// The workspace of the scope, as its actor sees it.
pub async fn find(scope: &Scope, db: &Db) -> Result<Workspace, DbError> {
    let missing = DbError::NotFound("workspace");
    let Some(user_id) = scope.actor.user_id() else {
        return Err(missing);
    };
    let row = row::Entity::find_by_id(scope.workspace_id.0).one(db.read()).await?;
    let role = members::role_of(db.read(), scope.workspace_id, user_id).await?;
    row.zip(role).map(|(row, role)| wire(row, role)).ok_or(missing)
}

/// A person's role in a workspace; `None` for a stranger and for a workspace that does not exist.
pub async fn find_role_unscoped(db: &Db, user_id: UserId, workspace_id: WorkspaceId) -> Result<Option<Role>, DbError> {
    members::role_of(db.read(), workspace_id, user_id).await
}

/// The workspace that a person got on signing up.
pub async fn find_personal_unscoped(db: &Db, user_id: UserId) -> Result<Option<WorkspaceId>, DbError> {
    let found = row::Entity::find()
        .filter(row::Column::Personal.eq(true))
        .inner_join(members::row::Entity)
        .filter(members::row::Column::UserId.eq(user_id.0))
        .one(db.read())
        .await?;
    Ok(found.map(|row| WorkspaceId(row.id)))
}

/// The scope in which a person changes what is theirs alone: profile, sessions.
pub async fn personal_scope_unscoped(db: &Db, user_id: UserId) -> Result<Scope, DbError> {
    let found = find_personal_unscoped(db, user_id).await?;
    Ok(Scope {
        workspace_id: found.ok_or(DbError::NotFound("workspace"))?,
        actor: Actor::User(user_id),
    })
}

/// Creates another workspace, owned by who acts. The transaction enters it.
pub async fn insert(write: &mut Write, new: &NewWorkspace) -> Result<Workspace, DbError> {
    let actor = write.scope()?.actor;
    let owner = actor.user_id().ok_or(DbError::NotFound("account"))?;
    check_room(write, owner).await?;
    let row = insert_row(write, new.name.trim(), false).await?;
    let workspace_id = WorkspaceId(row.id);
    members::insert(write, workspace_id, owner, Role::Owner).await?;
    write.enter(Scope { workspace_id, actor });
    write.audit(Action::Created, Noun::Workspace, row.id, &["name"]);
    write.event(EventKind::WorkspaceChanged, row.id, None);
    Ok(wire(row, Role::Owner))
}

/// The personal workspace of an account that is being created.
pub(crate) async fn insert_personal(write: &mut Write, owner: UserId, name: &str) -> Result<WorkspaceId, DbError> {
    let id = WorkspaceId(insert_row(write, name, true).await?.id);
    members::insert(write, id, owner, Role::Owner).await?;
    Ok(id)
}

/// Changes the workspace of the transaction at `version`; `None` changes whatever version there is.
pub async fn update(write: &mut Write, version: Option<i64>, patch: &WorkspacePatch) -> Result<Workspace, DbError> {
    let Scope { workspace_id, actor } = write.scope()?;
    let missing = || DbError::NotFound("workspace");
    let current = row::Entity::find_by_id(workspace_id.0)
        // Rows of the workspace may be added meanwhile.
        .lock(LockType::NoKeyUpdate)
        .one(write.connection())
        .await?
        .ok_or_else(missing)?;
    if version.is_some_and(|version| version != current.version) {
        return Err(DbError::Stale {
            noun: "workspace",
            current: current.version,
        });
    }
    let user_id = actor.user_id().ok_or_else(missing)?;
    let role = members::role_of(write.connection(), workspace_id, user_id).await?;
    let role = role.ok_or_else(missing)?;
    let version = current.version + 1;
    let mut row = current.into_active_model();
    row.name = Set(patch.name.trim().to_owned());
    row.version = Set(version);
    let row = row.update(write.connection()).await?;
    write.audit(Action::Updated, Noun::Workspace, workspace_id, &["name"]);
    write.event(EventKind::WorkspaceChanged, workspace_id.0, None);
    Ok(wire(row, role))
}

/// Refuses one more workspace for a person who owns as many as anybody may.
pub(crate) async fn check_room(write: &Write, owner: UserId) -> Result<(), DbError> {
    users::lock(write, owner).await?;
    let owned = members::row::Entity::find()
        .filter(members::row::Column::UserId.eq(owner.0))
        .filter(members::row::Column::Role.eq(convert::name(&Role::Owner)?))
        .count(write.connection())
        .await?;
    if owned < MAX_OWNED {
        return Ok(());
    }
    Err(DbError::Conflict(format!(
        "A person may own at most {MAX_OWNED} workspaces. Delete one, or hand one over."
    )))
}

/// The name of the transaction's workspace.
pub(crate) async fn name(write: &Write) -> Result<String, DbError> {
    Ok(find_row(write).await?.name)
}

pub(crate) async fn find_row(write: &Write) -> Result<row::Model, DbError> {
    row::Entity::find_by_id(write.workspace_id()?.0)
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("workspace"))
}

async fn insert_row(write: &Write, name: &str, personal: bool) -> Result<row::Model, DbError> {
    let row = row::Model {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        personal,
        event_seq: 0,
        created_at: convert::now(),
        version: 1,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    Ok(row)
}

fn wire(row: row::Model, role: Role) -> Workspace {
    Workspace {
        id: WorkspaceId(row.id),
        name: row.name,
        personal: row.personal,
        role,
        created_at: row.created_at,
        version: row.version,
    }
}

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "workspaces")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub name: String,
        pub personal: bool,
        pub event_seq: i64,
        pub created_at: DateTimeUtc,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "crate::members::row::Entity")]
        Members,
    }

    impl Related<crate::members::row::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Members.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
