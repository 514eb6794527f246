//! What a person and an assistant said to each other. A conversation is its person's alone, within a workspace.

use crate::{Db, DbError, Scope, Write, agents, convert, paging::page};
use cerebros_common::{
    audit::{Action, Noun},
    chat::{ChatRole, Citation},
    conversations::{Conversation, ConversationMessage, ConversationQuery, NewConversation, Transcript},
    ids::{AgentId, ConversationId},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

/// Characters of the first question that a title takes.
const TITLE: usize = 80;

/// Those spoken in last come first.
pub async fn list(scope: &Scope, db: &Db, query: &ConversationQuery) -> Result<Page<Conversation>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = of_person(scope)?;
    if let Some(agent_id) = query.agent_id {
        found = found.filter(row::Column::AgentId.eq(agent_id.0));
    }
    let ordered = found
        .order_by_desc(row::Column::UpdatedAt)
        .order_by_desc(row::Column::Id);
    let (rows, total) = page(db, ordered, paging).await?;
    Ok(paging.of(rows.into_iter().map(wire).collect(), total))
}

pub async fn find(scope: &Scope, db: &Db, id: ConversationId) -> Result<Transcript, DbError> {
    let row = of_person(scope)?.filter(row::Column::Id.eq(id.0)).one(db.read());
    let row = row.await?.ok_or(DbError::NotFound("conversation"))?;
    Ok(Transcript {
        conversation: wire(row),
        messages: messages(db.read(), id).await?,
    })
}

pub async fn insert(write: &mut Write, new: &NewConversation) -> Result<Conversation, DbError> {
    agents::require(write, new.agent_id).await?;
    let now = convert::now();
    let row = row::Model {
        id: Uuid::now_v7(),
        workspace_id: write.workspace_id()?.0,
        user_id: person(&write.scope()?)?,
        agent_id: new.agent_id.0,
        title: new.title.as_deref().unwrap_or_default().trim().to_owned(),
        messages: 0,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    write.audit(Action::Created, Noun::Conversation, row.id, &["agent_id", "title"]);
    Ok(wire(row))
}

/// Gives another title, at `version`; `None` changes whatever version there is.
pub async fn update(
    write: &mut Write,
    id: ConversationId,
    version: Option<i64>,
    title: &str,
) -> Result<Conversation, DbError> {
    let current = lock(write, id, version).await?;
    write.audit(Action::Updated, Noun::Conversation, id, &["title"]);
    changed(write, current, |row| row.title = Set(title.trim().to_owned())).await
}

pub async fn delete(write: &mut Write, id: ConversationId, version: Option<i64>) -> Result<(), DbError> {
    lock(write, id, version).await?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    write.audit(Action::Deleted, Noun::Conversation, id, &[]);
    Ok(())
}

/// Makes the conversation hold just this, and gives the place of the answer that comes. What it holds already stays, with
/// its citations.
pub async fn say(write: &mut Write, id: ConversationId, said: &[(ChatRole, String)]) -> Result<i32, DbError> {
    let current = lock(write, id, None).await?;
    let said: Vec<(ChatRole, String)> = said.iter().map(|(role, text)| (*role, clean(text))).collect();
    let stored = messages(write.connection(), id).await?;
    let pairs = stored.iter().zip(&said);
    let same = pairs
        .take_while(|(stored, (role, text))| stored.role == *role && stored.content == *text)
        .count();
    message::Entity::delete_many()
        .filter(message::Column::ConversationId.eq(id.0))
        .filter(message::Column::Idx.gte(index(same)?))
        .exec(write.connection())
        .await?;
    for (place, (role, text)) in said.iter().enumerate().skip(same) {
        // Of an answer that was stopped, less may have been heard than was kept.
        let heard = stored
            .get(place)
            .filter(|stored| stored.role == *role && stored.content.starts_with(text));
        let citations = heard.and_then(|stored| stored.citations.as_deref());
        add(write, id, index(place)?, *role, text, citations).await?;
    }
    let count = index(said.len())?;
    write.audit(Action::Updated, Noun::Conversation, id, &["messages"]);
    changed(write, current, |row| {
        row.messages = Set(count);
        let question = said.iter().find(|(role, _)| *role == ChatRole::User);
        if let (Some((_, question)), Some(true)) = (question, row.title.try_as_ref().map(String::is_empty)) {
            row.title = Set(title(question));
        }
    })
    .await?;
    Ok(count)
}

/// Adds the answer at its place. Where something else was said meanwhile, or all of it is gone, the answer is dropped.
pub async fn answer(
    write: &mut Write,
    id: ConversationId,
    place: i32,
    text: &str,
    citations: Option<&[Citation]>,
) -> Result<(), DbError> {
    let scoped = row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0));
    let current = scoped.lock_exclusive().one(write.connection()).await?;
    let Some(current) = current.filter(|row| row.messages == place) else {
        return Ok(());
    };
    add(write, id, place, ChatRole::Assistant, &clean(text), citations).await?;
    write.audit(Action::Updated, Noun::Conversation, id, &["messages"]);
    changed(write, current, |row| row.messages = Set(place + 1)).await?;
    Ok(())
}

async fn add(
    write: &Write,
    id: ConversationId,
    place: i32,
    role: ChatRole,
    text: &str,
    citations: Option<&[Citation]>,
) -> Result<(), DbError> {
    let citations = citations.map(|citations| convert::json("citations", &citations));
    let message = message::ActiveModel {
        conversation_id: Set(id.0),
        idx: Set(place),
        role: Set(convert::name(&role)?),
        content: Set(text.to_owned()),
        citations: Set(citations.transpose()?),
        at: Set(convert::now()),
    };
    message::Entity::insert(message)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

async fn changed(
    write: &Write,
    current: row::Model,
    change: impl FnOnce(&mut row::ActiveModel),
) -> Result<Conversation, DbError> {
    let version = current.version + 1;
    let mut row = current.into_active_model();
    change(&mut row);
    row.updated_at = Set(convert::now());
    row.version = Set(version);
    Ok(wire(row.update(write.connection()).await?))
}

async fn lock(write: &Write, id: ConversationId, version: Option<i64>) -> Result<row::Model, DbError> {
    let row = of_person(&write.scope()?)?
        .filter(row::Column::Id.eq(id.0))
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("conversation"))?;
    match version {
        Some(version) if version != row.version => Err(DbError::Stale {
            noun: "conversation",
            current: row.version,
        }),
        _ => Ok(row),
    }
}

/// Oldest first.
async fn messages(connection: &impl ConnectionTrait, id: ConversationId) -> Result<Vec<ConversationMessage>, DbError> {
    let rows = message::Entity::find()
        .filter(message::Column::ConversationId.eq(id.0))
        .order_by_asc(message::Column::Idx)
        .all(connection)
        .await?;
    let wire = |row: message::Model| {
        let citations = row.citations.as_deref();
        Ok(ConversationMessage {
            role: convert::parse_name("role", &row.role)?,
            citations: citations
                .map(|citations| convert::parse_json("citations", citations))
                .transpose()?,
            content: row.content,
            at: row.at,
        })
    };
    rows.into_iter().map(wire).collect()
}

fn of_person(scope: &Scope) -> Result<Select<row::Entity>, DbError> {
    Ok(row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::UserId.eq(person(scope)?)))
}

fn person(scope: &Scope) -> Result<Uuid, DbError> {
    let person = scope.actor.user_id().map(|id| id.0);
    person.ok_or(DbError::Fault("a conversation needs a person"))
}

/// The beginning of a question, on one line.
fn title(question: &str) -> String {
    let words: Vec<&str> = question.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= TITLE {
        return line;
    }
    let cut: String = line.chars().take(TITLE - 1).collect();
    format!("{}…", cut.trim_end())
}

/// PostgreSQL stores no NUL, which a model may well say.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn index(place: usize) -> Result<i32, DbError> {
    i32::try_from(place).map_err(|error| DbError::Corrupt("place in a conversation", error.to_string()))
}

fn wire(row: row::Model) -> Conversation {
    Conversation {
        id: ConversationId(row.id),
        agent_id: AgentId(row.agent_id),
        title: row.title,
        messages: convert::unsigned(row.messages.into()),
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "conversations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub user_id: Uuid,
        pub agent_id: Uuid,
        pub title: String,
        pub messages: i32,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod message {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "conversation_messages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub conversation_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub idx: i32,
        pub role: String,
        pub content: String,
        pub citations: Option<String>,
        pub at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
