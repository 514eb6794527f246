//! The state of a chat.

use crate::{
    address::Address,
    api::{
        Answer, ApiError,
        chat::stream_chat,
        conversations::{create_conversation, find_conversation},
    },
};
use cerebros_common::{
    agents::Agent,
    chat::{ChatCompletionRequest, ChatContent, ChatMessage, ChatRole, Citation, Delta},
    conversations::{ConversationMessage, NewConversation},
    ids::{AgentId, ConversationId},
};
use leptos::{prelude::*, task::spawn_local};
use web_sys::AbortController;

/// Where the address names the conversation.
const PARAMETER: &str = "conversation";

#[derive(Debug, Clone, PartialEq)]
pub enum TurnState {
    Answering,
    Done,
    Stopped,
    Failed(ApiError),
}

/// A question, its answer, and the passages that were read for it; none where the documents were left alone.
#[derive(Clone, Copy)]
pub struct Turn {
    pub id: u64,
    pub question: RwSignal<String>,
    pub answer: RwSignal<String>,
    pub state: RwSignal<TurnState>,
    pub citations: RwSignal<Option<Vec<Citation>>>,
}

impl Turn {
    fn new(id: u64, question: String, state: TurnState) -> Self {
        Self {
            id,
            question: RwSignal::new(question),
            answer: RwSignal::new(String::new()),
            state: RwSignal::new(state),
            citations: RwSignal::new(None),
        }
    }
}

/// Whether there is anything that an answer could cite.
pub fn has_documents(agent: &Agent) -> bool {
    agent.documents.work_products + agent.documents.references > 0
}

#[derive(Clone, Copy)]
pub struct Talk {
    agent: AgentId,
    address: Address,
    /// None before the first question.
    pub conversation: RwSignal<Option<ConversationId>>,
    /// Why an earlier conversation is not shown.
    pub trouble: RwSignal<Option<ApiError>>,
    pub turns: RwSignal<Vec<Turn>>,
    pub busy: RwSignal<bool>,
    /// Whether passages of the documents are read before an answer.
    pub documents: RwSignal<bool>,
    abort: StoredValue<Option<AbortController>, LocalStorage>,
    next: StoredValue<u64>,
}

impl Talk {
    /// Follows the conversation that the address names.
    pub fn new(agent: &Agent) -> Self {
        let talk = Self {
            agent: agent.id,
            address: Address::of_page(),
            conversation: RwSignal::new(None),
            trouble: RwSignal::new(None),
            documents: RwSignal::new(has_documents(agent)),
            turns: RwSignal::new(Vec::new()),
            busy: RwSignal::new(false),
            abort: StoredValue::new_local(None),
            next: StoredValue::new(0),
        };
        Effect::new(move |_| {
            let wanted = talk.address.word(PARAMETER);
            if wanted != talk.conversation.get_untracked() {
                talk.show(wanted);
            }
        });
        on_cleanup(move || talk.stop());
        talk
    }

    /// Opens an earlier conversation, or a new one.
    pub fn open(self, id: Option<ConversationId>) {
        self.address
            .set(PARAMETER, &id.map(|id| id.to_string()).unwrap_or_default());
        // The address may have named it all along.
        if id.is_none() {
            self.show(None);
        }
    }

    fn show(self, id: Option<ConversationId>) {
        self.stop();
        self.turns.set(Vec::new());
        self.trouble.set(None);
        self.conversation.set(id);
        let Some(id) = id else { return };
        spawn_local(async move {
            let found = find_conversation(id).await;
            if self.conversation.try_get_untracked() != Some(Some(id)) {
                return;
            }
            match found {
                Ok(transcript) => self.turns.set(self.turns_of(transcript.messages)),
                Err(error) => self.trouble.set(Some(error)),
            }
        });
    }

    fn turns_of(self, messages: Vec<ConversationMessage>) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        for message in messages {
            match (message.role, turns.last()) {
                (ChatRole::User, _) => turns.push(Turn::new(self.next_id(), message.content, TurnState::Stopped)),
                (ChatRole::Assistant, Some(turn)) => {
                    turn.answer.set(message.content);
                    turn.citations.set(message.citations);
                    turn.state.set(TurnState::Done);
                }
                _ => {}
            }
        }
        turns
    }

    fn next_id(self) -> u64 {
        let id = self.next.get_value();
        self.next.set_value(id + 1);
        id
    }

    pub fn ask(self, question: String) {
        let turn = Turn::new(self.next_id(), question, TurnState::Answering);
        self.turns.update(|turns| turns.push(turn));
        self.answer(turn);
    }

    /// Asks the same question again, or asks it in other words; what was said after it is dropped.
    pub fn retry(self, turn: Turn, question: Option<String>) {
        if self.busy.get_untracked() {
            return;
        }
        self.turns.update(|turns| turns.retain(|other| other.id <= turn.id));
        if let Some(question) = question {
            turn.question.set(question);
        }
        turn.answer.set(String::new());
        turn.citations.set(None);
        turn.state.set(TurnState::Answering);
        self.answer(turn);
    }

    pub fn stop(self) {
        self.abort.try_with_value(|abort| {
            if let Some(abort) = abort {
                abort.abort();
            }
        });
    }

    fn answer(self, turn: Turn) {
        let Ok(abort) = AbortController::new() else { return };
        self.abort.set_value(Some(abort.clone()));
        self.busy.set(true);
        spawn_local(async move {
            let end = match self.stream(turn, &abort).await {
                Ok(()) => TurnState::Done,
                Err(ApiError::Cancelled) => TurnState::Stopped,
                Err(error) => TurnState::Failed(error),
            };
            turn.state.try_set(end);
            self.busy.try_set(false);
        });
    }

    async fn stream(self, turn: Turn, abort: &AbortController) -> Answer<()> {
        let request = self.request(turn);
        let conversation_id = Some(self.begun().await?);
        let request = ChatCompletionRequest {
            conversation_id,
            ..request
        };
        let add = |delta: Delta| {
            if let Some(citations) = delta.citations {
                turn.citations.try_set(Some(citations));
            }
            if let Some(piece) = delta.content.filter(|piece| !piece.is_empty()) {
                turn.answer.try_update(|answer| answer.push_str(&piece));
            }
        };
        stream_chat(&request, &abort.signal(), add).await?;
        Ok(())
    }

    /// The conversation that is kept; the first question begins it.
    async fn begun(self) -> Answer<ConversationId> {
        if let Some(id) = self.conversation.get_untracked() {
            return Ok(id);
        }
        let new = NewConversation {
            agent_id: self.agent,
            title: None,
        };
        let id = create_conversation(new).await?.id;
        // Whoever has left the page meanwhile has another address.
        if self.conversation.try_set(Some(id)).is_none() {
            self.address.set(PARAMETER, &id.to_string());
        }
        Ok(id)
    }

    /// All turns up to this one's question.
    fn request(self, asked: Turn) -> ChatCompletionRequest {
        let say = |role, text: String| ChatMessage {
            role,
            content: Some(ChatContent::Text(text)),
            tool_calls: None,
            tool_call_id: None,
        };
        let mut messages = Vec::new();
        for turn in self.turns.get_untracked() {
            messages.push(say(ChatRole::User, turn.question.get_untracked()));
            let answer = turn.answer.get_untracked();
            if !answer.is_empty() && turn.id != asked.id {
                messages.push(say(ChatRole::Assistant, answer));
            }
        }
        ChatCompletionRequest {
            model: format!("agent:{}", self.agent),
            messages,
            stream: Some(true),
            documents: Some(self.documents.get_untracked()),
            ..ChatCompletionRequest::default()
        }
    }
}
