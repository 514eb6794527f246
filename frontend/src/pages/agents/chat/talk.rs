//! The state of a chat.

use crate::api::{ApiError, chat::stream_chat};
use cerebros_common::{
    agents::Agent,
    chat::{ChatCompletionRequest, ChatContent, ChatMessage, ChatRole, Citation, Delta},
    ids::AgentId,
};
use leptos::{prelude::*, task::spawn_local};
use web_sys::AbortController;

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
    pub question: StoredValue<String>,
    pub answer: RwSignal<String>,
    pub state: RwSignal<TurnState>,
    pub citations: RwSignal<Option<Vec<Citation>>>,
}

/// Whether there is anything that an answer could cite.
pub fn has_documents(agent: &Agent) -> bool {
    agent.documents.work_products + agent.documents.references > 0
}

#[derive(Clone, Copy)]
pub struct Talk {
    agent: AgentId,
    pub turns: RwSignal<Vec<Turn>>,
    pub busy: RwSignal<bool>,
    /// Whether passages of the documents are read before an answer.
    pub documents: RwSignal<bool>,
    abort: StoredValue<Option<AbortController>, LocalStorage>,
    next: StoredValue<u64>,
}

impl Talk {
    pub fn new(agent: &Agent) -> Self {
        let talk = Self {
            agent: agent.id,
            documents: RwSignal::new(has_documents(agent)),
            turns: RwSignal::new(Vec::new()),
            busy: RwSignal::new(false),
            abort: StoredValue::new_local(None),
            next: StoredValue::new(0),
        };
        on_cleanup(move || talk.stop());
        talk
    }

    pub fn ask(self, question: String) {
        let id = self.next.get_value();
        self.next.set_value(id + 1);
        let turn = Turn {
            id,
            question: StoredValue::new(question),
            answer: RwSignal::new(String::new()),
            state: RwSignal::new(TurnState::Answering),
            citations: RwSignal::new(None),
        };
        self.turns.update(|turns| turns.push(turn));
        self.answer(turn);
    }

    /// Asks the same question again; what was said after it is dropped.
    pub fn retry(self, turn: Turn) {
        if self.busy.get_untracked() {
            return;
        }
        self.turns.update(|turns| turns.retain(|other| other.id <= turn.id));
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

    pub fn clear(self) {
        self.stop();
        self.turns.set(Vec::new());
    }

    fn answer(self, turn: Turn) {
        let Ok(abort) = AbortController::new() else { return };
        let request = self.request();
        self.abort.set_value(Some(abort.clone()));
        self.busy.set(true);
        spawn_local(async move {
            let add = |delta: Delta| {
                if let Some(citations) = delta.citations {
                    turn.citations.try_set(Some(citations));
                }
                if let Some(piece) = delta.content.filter(|piece| !piece.is_empty()) {
                    turn.answer.try_update(|answer| answer.push_str(&piece));
                }
            };
            let end = match stream_chat(&request, &abort.signal(), add).await {
                Ok(_) => TurnState::Done,
                Err(ApiError::Cancelled) => TurnState::Stopped,
                Err(error) => TurnState::Failed(error),
            };
            turn.state.try_set(end);
            self.busy.try_set(false);
        });
    }

    /// All turns up to the newest question.
    fn request(self) -> ChatCompletionRequest {
        let say = |role, text: String| ChatMessage {
            role,
            content: ChatContent::Text(text),
        };
        let mut messages = Vec::new();
        for turn in self.turns.get_untracked() {
            messages.push(say(ChatRole::User, turn.question.get_value()));
            let answer = turn.answer.get_untracked();
            if !answer.is_empty() {
                messages.push(say(ChatRole::Assistant, answer));
            }
        }
        ChatCompletionRequest {
            model: format!("agent:{}", self.agent),
            messages,
            stream: Some(true),
            stream_options: None,
            temperature: None,
            top_p: None,
            seed: None,
            max_tokens: None,
            max_completion_tokens: None,
            stop: None,
            n: None,
            documents: Some(self.documents.get_untracked()),
        }
    }
}
