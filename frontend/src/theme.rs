//! Light, dark, or as the system says. `js/theme.js` reads the choice before the first paint.

use crate::browser;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::MediaQueryList;

const KEY: &str = "theme";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn stored() -> Self {
        let stored = browser::recall(browser::storage(), KEY);
        Self::ALL
            .into_iter()
            .find(|theme| Some(theme.key()) == stored.as_deref())
            .unwrap_or(Self::System)
    }

    fn is_dark(self) -> bool {
        match self {
            Self::Light => false,
            Self::Dark => true,
            Self::System => system_query().is_some_and(|query| query.matches()),
        }
    }
}

/// Whether the system asks for a dark screen.
fn system_query() -> Option<MediaQueryList> {
    browser::window().match_media("(prefers-color-scheme: dark)").ok()?
}

/// Provides the choice, and keeps the page and the browser's memory in step with it.
pub fn provide_theme() {
    let theme = RwSignal::new(Theme::stored());
    let system = RwSignal::new(());
    if let Some(query) = system_query() {
        // For as long as the page lives.
        let changed = Closure::<dyn FnMut()>::new(move || system.notify()).into_js_value();
        drop(query.add_event_listener_with_callback("change", changed.unchecked_ref()));
    }
    Effect::new(move |_| {
        system.track();
        let theme = theme.get();
        browser::remember(browser::storage(), KEY, Some(theme.key()));
        if let Some(root) = document().document_element() {
            let name = if theme.is_dark() { Theme::Dark } else { Theme::Light };
            drop(root.set_attribute("data-theme", name.key()));
        }
    });
    provide_context(theme);
}
