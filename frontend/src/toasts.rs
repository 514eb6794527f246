//! Short notices about outcomes that have no place of their own on the screen.

use crate::{api::ApiError, browser};
use leptos::{leptos_dom::helpers::set_timeout, prelude::*};
use std::time::Duration;

const SHOWN: Duration = Duration::from_secs(6);
const KEPT: &str = "notice";

/// Said once the next page of this tab has been loaded.
pub fn after_loading(text: &str) {
    browser::remember(browser::tab_storage(), KEPT, Some(text));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    pub id: u64,
    pub tone: Tone,
    pub text: String,
}

#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    next: StoredValue<u64>,
}

impl Toasts {
    pub fn provide() {
        let toasts = Self {
            shown: RwSignal::new(Vec::new()),
            next: StoredValue::new(0),
        };
        if let Some(text) = browser::recall(browser::tab_storage(), KEPT) {
            browser::remember(browser::tab_storage(), KEPT, None);
            toasts.good(text);
        }
        provide_context(toasts);
    }

    pub fn of_app() -> Self {
        expect_context()
    }

    pub fn shown(self) -> Signal<Vec<Toast>> {
        self.shown.into()
    }

    pub fn good(self, text: impl Into<String>) {
        self.show(Tone::Good, text.into());
    }

    pub fn bad(self, error: &ApiError) {
        self.show(Tone::Bad, format!("{}. {}", error.title(), error.message()));
    }

    pub fn close(self, id: u64) {
        self.shown.update(|shown| shown.retain(|toast| toast.id != id));
    }

    fn show(self, tone: Tone, text: String) {
        let id = self.next.get_value();
        self.next.set_value(id + 1);
        self.shown.update(|shown| shown.push(Toast { id, tone, text }));
        set_timeout(move || self.close(id), SHOWN);
    }
}
