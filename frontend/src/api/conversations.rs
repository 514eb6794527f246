//! Conversations.

use super::{Answer, delete, get, list, patch, post};
use cerebros_common::{
    conversations::{Conversation, ConversationPatch, ConversationQuery, NewConversation, Transcript},
    ids::ConversationId,
    wire::Page,
};

pub async fn list_conversations(query: ConversationQuery) -> Answer<Page<Conversation>> {
    list("/conversations", &query).await
}

pub async fn create_conversation(body: NewConversation) -> Answer<Conversation> {
    post("/conversations", &body).await
}

pub async fn find_conversation(id: ConversationId) -> Answer<Transcript> {
    get(&format!("/conversations/{id}")).await
}

pub async fn update_conversation(id: ConversationId, version: i64, body: ConversationPatch) -> Answer<Conversation> {
    patch(&format!("/conversations/{id}"), version, &body).await
}

pub async fn delete_conversation(id: ConversationId, version: i64) -> Answer<()> {
    delete(&format!("/conversations/{id}"), Some(version)).await
}
