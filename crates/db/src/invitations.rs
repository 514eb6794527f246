//! Invitations to workspaces. Only a hash of the link's token is stored.

use crate::{
    Db, DbError, Scope, Write, convert, members,
    notifications::{self, Audience},
    paging::page,
    users, workspaces,
};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    ids::{InvitationId, UserId, WorkspaceId},
    notifications::{NotificationKind, NotificationSubject},
    wire::{Page, Paging},
    workspaces::{Invitation, InvitationView, NewInvitation, Role},
};
use chrono::Duration;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, Statement,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

const DAYS: i64 = 7;
/// How many invitations of a workspace may wait at once.
const MAX_OPEN: u64 = 100;

/// Newest first, expired ones included until they are tidied away.
pub async fn list(scope: &Scope, db: &Db, paging: Paging) -> Result<Page<Invitation>, DbError> {
    let all = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    let (rows, total) = page(db, all.order_by_desc(row::Column::Id), paging).await?;
    Ok(paging.of(rows.into_iter().map(wire).collect::<Result<_, _>>()?, total))
}

pub async fn find(scope: &Scope, db: &Db, id: InvitationId) -> Result<Invitation, DbError> {
    let row = row::Entity::find_by_id(id.0)
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .one(db.read())
        .await?;
    wire(row.ok_or(DbError::NotFound("invitation"))?)
}

/// Invites an address. Without a hash the link is made when the mail goes out.
pub async fn insert(write: &mut Write, new: &NewInvitation, token_hash: Option<&str>) -> Result<Invitation, DbError> {
    let (inviter, own) = members::lock(write).await?;
    let workspace = workspaces::find_row(write).await?;
    if workspace.personal {
        let detail = "A personal workspace is for one person. Make another workspace to work with others.";
        return Err(DbError::Conflict(detail.to_owned()));
    }
    members::may_manage(own, new.role)?;
    let email = new.email.trim();
    let now = convert::now();
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: workspace.id,
        email: email.to_owned(),
        email_key: email.to_lowercase(),
        role: convert::name(&new.role)?,
        token_hash: token_hash.map(str::to_owned),
        by_mail: token_hash.is_none(),
        invited_by: inviter.0,
        created_at: now,
        expires_at: now + Duration::days(DAYS),
    };
    check_new(write, &row).await?;
    let inserted = row::Entity::insert(row::ActiveModel::from(row.clone()))
        .on_conflict(
            OnConflict::columns([row::Column::WorkspaceId, row::Column::EmailKey])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(write.connection())
        .await?;
    if inserted == 0 {
        let detail = "This address is invited already. Send that invitation again, or delete it first.";
        return Err(DbError::Conflict(detail.to_owned()));
    }
    write.audit(Action::Invited, Noun::Invitation, row.id, &["email", "role"]);
    write.event(EventKind::InvitationsChanged, row.id, None);
    wire(row)
}

/// Gives an invitation a fresh link and seven days more; the link before stops working.
pub async fn renew(write: &mut Write, id: InvitationId, token_hash: Option<&str>) -> Result<Invitation, DbError> {
    let (_, own) = members::lock(write).await?;
    let current = find_row(write, id).await?;
    members::may_manage(own, convert::parse_name("role", &current.role)?)?;
    let mut row = current.into_active_model();
    row.token_hash = Set(token_hash.map(str::to_owned));
    row.by_mail = Set(token_hash.is_none());
    row.expires_at = Set(convert::now() + Duration::days(DAYS));
    let row = row.update(write.connection()).await?;
    write.audit(Action::Requested, Noun::Invitation, row.id, &["expires_at"]);
    write.event(EventKind::InvitationsChanged, row.id, None);
    wire(row)
}

/// Gives an invitation that goes by mail its link. `None`: it is gone, or has expired.
pub async fn set_token(
    write: &mut Write,
    id: InvitationId,
    token_hash: &str,
) -> Result<Option<InvitationView>, DbError> {
    let set = row::Entity::update_many()
        .col_expr(row::Column::TokenHash, Expr::value(token_hash))
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(row::Column::ByMail.eq(true))
        .filter(row::Column::ExpiresAt.gt(convert::now()))
        .exec(write.connection())
        .await?;
    if set.rows_affected == 0 {
        return Ok(None);
    }
    let row = find_row(write, id).await?;
    Ok(view(write.connection(), row).await?.map(|(_, view)| view))
}

pub async fn delete(write: &mut Write, id: InvitationId) -> Result<(), DbError> {
    let (_, own) = members::lock(write).await?;
    let row = find_row(write, id).await?;
    members::may_manage(own, convert::parse_name("role", &row.role)?)?;
    row::ActiveModel::from(row).delete(write.connection()).await?;
    write.audit(Action::Revoked, Noun::Invitation, id, &[]);
    write.event(EventKind::InvitationsChanged, id.0, None);
    Ok(())
}

/// What the link with this token hash leads to, and in which workspace; `None` for one that does not work.
pub async fn look_unscoped(db: &Db, token_hash: &str) -> Result<Option<(WorkspaceId, InvitationView)>, DbError> {
    let found = row::Entity::find()
        .filter(row::Column::TokenHash.eq(token_hash))
        .filter(row::Column::ExpiresAt.gt(convert::now()))
        .one(db.read())
        .await?;
    match found {
        Some(row) => view(db.read(), row).await,
        None => Ok(None),
    }
}

async fn view(
    connection: &impl ConnectionTrait,
    row: row::Model,
) -> Result<Option<(WorkspaceId, InvitationView)>, DbError> {
    let workspace = workspaces::row::Entity::find_by_id(row.workspace_id);
    let workspace = workspace.one(connection).await?;
    let inviter = users::row::Entity::find_by_id(row.invited_by).one(connection).await?;
    let Some((workspace, inviter)) = workspace.zip(inviter) else {
        return Ok(None);
    };
    let view = InvitationView {
        workspace: workspace.name,
        role: convert::parse_name("role", &row.role)?,
        invited_by: inviter.name,
        email: row.email,
        expires_at: row.expires_at,
    };
    Ok(Some((WorkspaceId(row.workspace_id), view)))
}

/// Makes who acts a member. Gives `false` if the link does not work, or not for this person's address.
pub async fn accept(write: &mut Write, token_hash: &str) -> Result<bool, DbError> {
    let Scope { workspace_id, actor } = write.scope()?;
    let user_id = actor.user_id().ok_or(DbError::NotFound("account"))?;
    let tx = write.connection();
    // One statement uses the link up: of two at once, one finds nothing.
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "delete from invitations where token_hash = $1 and workspace_id = $2 and expires_at > $3 \
         and email_key = (select email_key from users where id = $4) returning id, role, by_mail",
        [
            token_hash.into(),
            workspace_id.0.into(),
            convert::now().into(),
            user_id.0.into(),
        ],
    );
    let Some(used) = tx.query_one_raw(statement).await? else {
        return Ok(false);
    };
    if members::role_of(tx, workspace_id, user_id).await?.is_some() {
        return Err(DbError::Conflict(
            "You are a member of this workspace already.".to_owned(),
        ));
    }
    let id: Uuid = used.try_get("", "id")?;
    let role: String = used.try_get("", "role")?;
    members::insert(write, workspace_id, user_id, convert::parse_name("role", &role)?).await?;
    if used.try_get("", "by_mail")? {
        users::verify_email_unscoped(write, user_id).await?;
    }
    write.audit(Action::Accepted, Noun::Invitation, id, &[]);
    write.audit(Action::Created, Noun::Member, user_id, &["role"]);
    write.event(EventKind::MembersChanged, user_id.0, None);
    write.event(EventKind::InvitationsChanged, id, None);
    let title = format!("“{}” has a new member.", workspaces::name(write).await?);
    let (kind, subject) = (NotificationKind::MemberJoined, NotificationSubject::Workspace);
    notifications::notify(
        write,
        kind,
        Audience::AtLeast(Role::Admin),
        &title,
        subject,
        workspace_id.0,
    )
    .await?;
    Ok(true)
}

/// Deletes invitations that have expired.
pub async fn expire_unscoped(db: &Db) -> Result<u64, DbError> {
    let result = row::Entity::delete_many()
        .filter(row::Column::ExpiresAt.lte(convert::now()))
        .exec(db.write_connection())
        .await?;
    Ok(result.rows_affected)
}

/// Deletes what a person who no longer decides about members has sent.
pub(crate) async fn delete_of_inviter(write: &mut Write, user_id: UserId) -> Result<(), DbError> {
    let deleted = row::Entity::delete_many()
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(row::Column::InvitedBy.eq(user_id.0))
        .exec_with_returning(write.connection())
        .await?;
    for row in deleted {
        write.audit(Action::Revoked, Noun::Invitation, row.id, &[]);
        write.event(EventKind::InvitationsChanged, row.id, None);
    }
    Ok(())
}

async fn check_new(write: &Write, new: &row::Model) -> Result<(), DbError> {
    let of_workspace = || row::Entity::find().filter(row::Column::WorkspaceId.eq(new.workspace_id));
    row::Entity::delete_many()
        .filter(row::Column::WorkspaceId.eq(new.workspace_id))
        .filter(row::Column::ExpiresAt.lte(new.created_at))
        .exec(write.connection())
        .await?;
    if of_workspace().count(write.connection()).await? >= MAX_OPEN {
        return Err(DbError::Conflict(format!(
            "At most {MAX_OPEN} invitations may wait at once. Delete some first."
        )));
    }
    let invited = users::row::Entity::find()
        .filter(users::row::Column::EmailKey.eq(new.email_key.as_str()))
        .one(write.connection())
        .await?;
    if let Some(user) = invited
        && members::role_of(write.connection(), WorkspaceId(new.workspace_id), UserId(user.id))
            .await?
            .is_some()
    {
        let detail = "Somebody with this address is a member already.";
        return Err(DbError::Conflict(detail.to_owned()));
    }
    Ok(())
}

async fn find_row(write: &Write, id: InvitationId) -> Result<row::Model, DbError> {
    row::Entity::find_by_id(id.0)
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("invitation"))
}

fn wire(row: row::Model) -> Result<Invitation, DbError> {
    Ok(Invitation {
        id: InvitationId(row.id),
        email: row.email,
        role: convert::parse_name("role", &row.role)?,
        invited_by: UserId(row.invited_by),
        created_at: row.created_at,
        expires_at: row.expires_at,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "invitations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub email: String,
        pub email_key: String,
        pub role: String,
        pub token_hash: Option<String>,
        pub by_mail: bool,
        pub invited_by: Uuid,
        pub created_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
