//! The state of a chat.

use crate::api::{ApiError, chat::stream_chat, search::search};
use cerebros_common::{
    chat::{ChatCompletionRequest, ChatContent, ChatMessage, ChatRole},
    ids::AgentId,
    search::{Passage, SearchQuery},
};
use leptos::{prelude::*, task::spawn_local};
use web_sys::AbortController;

const PASSAGES: u32 = 4;
const LONGEST_QUERY: usize = 1000;

#[derive(Debug, Clone, PartialEq)]
pub enum TurnState {
    Answering,
    Done,
    Stopped,
    Failed(ApiError),
}

/// A question, its answer, and the passages that match it.
#[derive(Clone, Copy)]
pub struct Turn {
    pub id: u64,
    pub question: StoredValue<String>,
    pub answer: RwSignal<String>,
    pub state: RwSignal<TurnState>,
    pub passages: RwSignal<Option<Result<Vec<Passage>, ApiError>>>,
}

#[derive(Clone, Copy)]
pub struct Talk {
    agent: AgentId,
    pub turns: RwSignal<Vec<Turn>>,
    pub busy: RwSignal<bool>,
    abort: StoredValue<Option<AbortController>, LocalStorage>,
    next: StoredValue<u64>,
}

impl Talk {
    pub fn new(agent: AgentId) -> Self {
        let talk = Self {
            agent,
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
            passages: RwSignal::new(None),
        };
        self.turns.update(|turns| turns.push(turn));
        self.look_up(turn);
        self.answer(turn);
    }

    /// Asks the same question again; what was said after it is dropped.
    pub fn retry(self, turn: Turn) {
        if self.busy.get_untracked() {
            return;
        }
        self.turns.update(|turns| turns.retain(|other| other.id <= turn.id));
        turn.answer.set(String::new());
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

    fn look_up(self, turn: Turn) {
        let query = SearchQuery {
            q: turn
                .question
                .with_value(|question| question.chars().take(LONGEST_QUERY).collect()),
            agent_id: Some(self.agent),
            limit: Some(PASSAGES),
        };
        spawn_local(async move {
            let found = search(query).await.map(|result| result.passages);
            turn.passages.try_set(Some(found));
        });
    }

    fn answer(self, turn: Turn) {
        let Ok(abort) = AbortController::new() else { return };
        let request = self.request();
        self.abort.set_value(Some(abort.clone()));
        self.busy.set(true);
        spawn_local(async move {
            let add = |piece: &str| {
                turn.answer.try_update(|answer| answer.push_str(piece));
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
        }
    }
}
