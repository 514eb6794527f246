//! State that lives in the address: filters, pages, tabs. It survives a reload and can be shared.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_query_map},
    params::ParamsMap,
};
use serde::{
    Serialize,
    de::{DeserializeOwned, IntoDeserializer, value::Error},
};

type Navigate = Box<dyn Fn(&str, NavigateOptions)>;

#[derive(Clone, Copy)]
pub struct Address {
    path: Memo<String>,
    query: Memo<ParamsMap>,
    navigate: StoredValue<Navigate, LocalStorage>,
}

impl Address {
    /// The parameters that the address holds now, for initial values.
    pub fn untracked(self, key: &str) -> Option<String> {
        self.query.with_untracked(|query| query.get(key))
    }

    pub fn of_page() -> Self {
        Self {
            path: use_location().pathname,
            query: use_query_map(),
            navigate: StoredValue::new_local(Box::new(use_navigate())),
        }
    }

    pub fn text(self, key: &str) -> Option<String> {
        self.query.with(|query| query.get(key)).filter(|text| !text.is_empty())
    }

    pub fn number(self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok()
    }

    /// From 1; for lists.
    pub fn page(self) -> Option<u32> {
        self.text("page")?.parse().ok().filter(|page| *page > 0)
    }

    /// A word of the wire vocabulary, or an id.
    pub fn word<T: DeserializeOwned>(self, key: &str) -> Option<T> {
        from_word(&self.text(key)?)
    }

    /// Changes one thing, and goes back to the first page.
    pub fn set(self, key: &str, value: &str) {
        let mut query = self.query.get_untracked();
        query.remove("page");
        if value.is_empty() {
            query.remove(key);
        } else {
            query.replace(key.to_owned(), value.to_owned());
        }
        self.go(&query);
    }

    /// Changes several things at once; what is empty goes.
    pub fn change(self, changes: &[(&str, &str)]) {
        let mut query = self.query.get_untracked();
        query.remove("page");
        for (key, value) in changes {
            query.remove(key);
            if !value.is_empty() {
                query.replace((*key).to_owned(), (*value).to_owned());
            }
        }
        self.go(&query);
    }

    pub fn clear(self, keys: &[&str]) {
        let mut query = self.query.get_untracked();
        for key in keys.iter().chain(&["page"]) {
            query.remove(key);
        }
        self.go(&query);
    }

    fn go(self, query: &ParamsMap) {
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        let target = format!("{}{}", self.path.get_untracked(), query.to_query_string());
        self.navigate.with_value(|navigate| navigate(&target, options));
    }

    /// Goes to another page of the app.
    pub fn leave_for(self, target: &str) {
        self.navigate
            .with_value(|navigate| navigate(target, NavigateOptions::default()));
    }
}

/// How the wire spells a value.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

pub fn from_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    let deserializer: serde::de::value::StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(deserializer).ok()
}
