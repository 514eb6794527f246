//! Light, dark, or as the system says. `js/theme.js` reads the choice before the first paint.

use crate::browser;
use leptos::prelude::*;

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
            Self::System => browser::window()
                .match_media("(prefers-color-scheme: dark)")
                .ok()
                .flatten()
                .is_some_and(|query| query.matches()),
        }
    }
}

/// Provides the choice, and keeps the page and the browser's memory in step with it.
pub fn provide_theme() {
    let theme = RwSignal::new(Theme::stored());
    Effect::new(move |_| {
        let theme = theme.get();
        browser::remember(browser::storage(), KEY, Some(theme.key()));
        if let Some(root) = document().document_element() {
            let name = if theme.is_dark() { Theme::Dark } else { Theme::Light };
            drop(root.set_attribute("data-theme", name.key()));
        }
    });
    provide_context(theme);
}
