//! Keeping what is said in a conversation.

use crate::{
    chat::Target,
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    chat::{ChatCompletionRequest, ChatRole, Citation},
    conversations::MAX_MESSAGES,
    ids::ConversationId,
};
use cerebros_db::{self as db, Scope};

/// Where the answer to a kept question goes.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    id: ConversationId,
    place: i32,
}

/// Finds out whether the question may be kept, before anybody answers it.
pub async fn check(app: &App, scope: &Scope, request: &ChatCompletionRequest, target: &Target) -> AppResult<()> {
    let Some(id) = request.conversation_id else {
        return Ok(());
    };
    let refused = |path: &str, message: String| Err(AppError::field(path, "invalid_value", message));
    let found = db::conversations::find(scope, &app.db, id).await?;
    if Some(found.conversation.agent_id) != target.agent_id {
        return refused(
            "conversation_id",
            "must be a conversation with this assistant".to_owned(),
        );
    }
    let is_plain = request
        .messages
        .iter()
        .all(|message| message.role != ChatRole::Tool && message.tool_calls.is_none());
    if request.tools.is_some() || !is_plain {
        let message = "must be absent where functions are called: such conversations are not kept".to_owned();
        return refused("conversation_id", message);
    }
    if request.messages.len() >= MAX_MESSAGES {
        let message = format!("must be fewer than {MAX_MESSAGES}: begin a new conversation");
        return refused("messages", message);
    }
    Ok(())
}

/// Keeps what was said so far.
pub async fn keep_question(app: &App, scope: &Scope, request: &ChatCompletionRequest) -> AppResult<Option<Kept>> {
    let Some(id) = request.conversation_id else {
        return Ok(None);
    };
    let messages = request.messages.iter();
    let said: Vec<(ChatRole, String)> = messages.map(|message| (message.role, message.text())).collect();
    let mut write = app.db.write(scope).await?;
    let place = db::conversations::say(&mut write, id, &said).await?;
    write.commit().await?;
    Ok(Some(Kept { id, place }))
}

/// Keeps the answer, or as much of it as was heard.
pub async fn keep_answer(
    app: &App,
    scope: &Scope,
    kept: Kept,
    text: &str,
    citations: Option<&[Citation]>,
) -> AppResult<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut write = app.db.write(scope).await?;
    db::conversations::answer(&mut write, kept.id, kept.place, text, citations).await?;
    write.commit().await?;
    Ok(())
}
