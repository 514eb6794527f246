//! Conversations: list, begin, read, rename, delete. What is said in one comes by `POST /v1/chat/completions`.

use crate::{
    error::AppResult,
    extract::{Body, Id, IfMatch, IfMatchHeader, IfNoneMatchHeader, Query, Viewer},
    idempotency::{Answer, IdempotencyKeyHeader, Once},
    respond,
    state::App,
};
use actix_web::{delete, get, patch, post, web};
use cerebros_common::{
    conversations::{Conversation, ConversationPatch, ConversationQuery, NewConversation, Transcript},
    ids::ConversationId,
    wire::{Envelope, Page},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_conversations)
        .service(create_conversation)
        .service(find_conversation)
        .service(update_conversation)
        .service(delete_conversation);
}

/// List your conversations
///
/// Nobody else sees them. An API key sees those of whoever made it.
#[utoipa::path(
    tag = "conversations",
    params(ConversationQuery),
    responses((status = 200, description = "A page, those spoken in last first", body = Envelope<Page<Conversation>>)),
)]
#[get("/conversations")]
async fn list_conversations(app: web::Data<App>, Viewer(scope): Viewer, query: Query<ConversationQuery>) -> AppResult {
    Ok(respond::ok(db::conversations::list(&scope, &app.db, &query.0).await?))
}

/// Begin a conversation
///
/// Name it as `conversation_id` in `POST /v1/chat/completions`: questions and answers are kept in it.
#[utoipa::path(
    tag = "conversations",
    params(IdempotencyKeyHeader),
    request_body = NewConversation,
    responses((status = 201, description = "The conversation, still empty", body = Envelope<Conversation>)),
)]
#[post("/conversations")]
async fn create_conversation(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    once: Once,
    body: Body<NewConversation>,
) -> AppResult {
    let work = async |write: &mut db::Write| {
        let conversation = db::conversations::insert(write, &body).await?;
        let location = format!("/api/v1/conversations/{}", conversation.id);
        Ok(Answer::created(location, &conversation)?.version(conversation.version))
    };
    once.run(&app, &scope, &body.0, work).await
}

/// Read a conversation
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path), IfNoneMatchHeader),
    responses((status = 200, description = "All that was said; `ETag` holds the version", body = Envelope<Transcript>)),
)]
#[get("/conversations/{id}")]
async fn find_conversation(app: web::Data<App>, Viewer(scope): Viewer, id: Id<ConversationId>) -> AppResult {
    let transcript = db::conversations::find(&scope, &app.db, id.0).await?;
    let version = transcript.conversation.version;
    Ok(respond::ok_versioned(transcript, version))
}

/// Rename a conversation
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path), IfMatchHeader),
    request_body = ConversationPatch,
    responses((status = 200, description = "The conversation as it is now", body = Envelope<Conversation>)),
)]
#[patch("/conversations/{id}")]
async fn update_conversation(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<ConversationId>,
    version: IfMatch,
    body: Body<ConversationPatch>,
) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    let conversation = db::conversations::update(&mut write, id.0, version.0, &body.title).await?;
    write.commit().await?;
    let version = conversation.version;
    Ok(respond::ok_versioned(conversation, version))
}

/// Delete a conversation
#[utoipa::path(
    tag = "conversations",
    params(("id" = ConversationId, Path), IfMatchHeader),
    responses((status = 204, description = "It is gone, with all that was said")),
)]
#[delete("/conversations/{id}")]
async fn delete_conversation(
    app: web::Data<App>,
    Viewer(scope): Viewer,
    id: Id<ConversationId>,
    version: IfMatch,
) -> AppResult {
    let mut write = app.db.write(&scope).await?;
    db::conversations::delete(&mut write, id.0, version.0).await?;
    write.commit().await?;
    Ok(respond::no_content())
}
