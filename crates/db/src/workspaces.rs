//! Workspaces and their members.

use crate::{Actor, Db, DbError, Scope, Write, convert, paging::page};
use cerebros_common::{
    ids::{UserId, WorkspaceId},
    wire::{Page, Paging},
    workspaces::{Role, Workspace},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

/// The workspaces that a person is a member of, oldest first: the personal one leads.
pub async fn list_of_user_unscoped(db: &Db, user_id: UserId, paging: Paging) -> Result<Page<Workspace>, DbError> {
    let mine = member::Entity::find().filter(member::Column::UserId.eq(user_id.0));
    let (rows, total) = page(db, mine.order_by_asc(member::Column::WorkspaceId), paging).await?;
    let mut items = Vec::with_capacity(rows.len());
    for membership in rows {
        if let Some(row) = row::Entity::find_by_id(membership.workspace_id).one(db.read()).await? {
            items.push(wire(row, &membership)?);
        }
    }
    Ok(paging.of(items, total))
}

/// A person's role in a workspace; `None` for a stranger and for a workspace that does not exist.
pub async fn find_role_unscoped(db: &Db, user_id: UserId, workspace_id: WorkspaceId) -> Result<Option<Role>, DbError> {
    let found = member::Entity::find_by_id((workspace_id.0, user_id.0))
        .one(db.read())
        .await?;
    found.map(|row| convert::parse_name("role", &row.role)).transpose()
}

/// The workspace that a person got on signing up.
pub async fn find_personal_unscoped(db: &Db, user_id: UserId) -> Result<Option<WorkspaceId>, DbError> {
    let found = row::Entity::find()
        .filter(row::Column::Personal.eq(true))
        .inner_join(member::Entity)
        .filter(member::Column::UserId.eq(user_id.0))
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

pub(crate) async fn insert(write: &mut Write, name: &str, personal: bool) -> Result<WorkspaceId, DbError> {
    let id = Uuid::now_v7();
    let new = row::ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
        personal: Set(personal),
        event_seq: Set(0),
        created_at: Set(convert::now()),
        version: Set(1),
    };
    row::Entity::insert(new)
        .exec_without_returning(write.connection())
        .await?;
    Ok(WorkspaceId(id))
}

pub(crate) async fn insert_member(
    write: &mut Write,
    workspace_id: WorkspaceId,
    user_id: UserId,
    role: Role,
) -> Result<(), DbError> {
    let new = member::ActiveModel {
        workspace_id: Set(workspace_id.0),
        user_id: Set(user_id.0),
        role: Set(convert::name(&role)?),
        version: Set(1),
        joined_at: Set(Some(convert::now())),
    };
    member::Entity::insert(new)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

fn wire(row: row::Model, membership: &member::Model) -> Result<Workspace, DbError> {
    Ok(Workspace {
        id: WorkspaceId(row.id),
        name: row.name,
        personal: row.personal,
        role: convert::parse_name("role", &membership.role)?,
        created_at: row.created_at,
        version: row.version,
    })
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
        #[sea_orm(has_many = "super::member::Entity")]
        Members,
    }

    impl Related<super::member::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Members.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod member {
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
            belongs_to = "super::row::Entity",
            from = "Column::WorkspaceId",
            to = "super::row::Column::Id"
        )]
        Workspace,
    }

    impl Related<super::row::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Workspace.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
