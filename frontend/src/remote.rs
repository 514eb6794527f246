//! A value that the server holds: fetched again when what it depends on changes, and when an event says so.

use crate::{
    api::{Answer, ApiError},
    browser,
    events::Events,
};
use cerebros_common::{events::Event, wire::CursorPage};
use leptos::{prelude::*, task::spawn_local};
use std::time::Duration;

/// Bursts of events lead to one refetch.
const QUIET: Duration = Duration::from_millis(200);

pub struct Remote<T: Send + Sync + 'static> {
    /// The last answer; none before the first.
    state: RwSignal<Option<Answer<T>>>,
    /// Why the last refetch failed while an older answer is still shown.
    stale: RwSignal<Option<ApiError>>,
    again: Trigger,
}

impl<T: Send + Sync + 'static> Clone for Remote<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Remote<T> {}

impl<T: Clone + Send + Sync + 'static> Remote<T> {
    /// Calls `fetch` now, when a signal that it reads changes, and on `refetch`. Late answers to older calls are dropped.
    pub fn new<F, R>(fetch: F) -> Self
    where
        F: Fn() -> R + 'static,
        R: Future<Output = Answer<T>> + 'static,
    {
        let remote = Self {
            state: RwSignal::new(None),
            stale: RwSignal::new(None),
            again: Trigger::new(),
        };
        let calls = StoredValue::new(0_u64);
        Effect::new(move |_| {
            remote.again.track();
            let answer = fetch();
            calls.update_value(|calls| *calls += 1);
            let call = calls.get_value();
            spawn_local(async move {
                let answer = answer.await;
                if calls.try_get_value() == Some(call) {
                    remote.accept(answer);
                }
            });
        });
        remote
    }

    fn accept(self, answer: Answer<T>) {
        let shown = self.state.with_untracked(|state| matches!(state, Some(Ok(_))));
        match answer {
            Err(error) if shown && !error.is_missing() => self.stale.set(Some(error)),
            answer => {
                self.stale.set(None);
                self.state.set(Some(answer));
            }
        }
    }

    /// Fetches again on each event that `concerns` it, and when events were missed.
    pub fn live(self, concerns: impl Fn(&Event) -> bool + Send + Sync + 'static) -> Self {
        let refetch = browser::settled(QUIET, move || self.refetch());
        Events::of_app().on(concerns, move |_| refetch());
        self
    }

    pub fn refetch(self) {
        self.again.notify();
    }

    /// Takes a value that the server has just answered with.
    pub fn set(self, value: T) {
        self.state.set(Some(Ok(value)));
    }

    pub fn state(self) -> Signal<Option<Answer<T>>> {
        self.state.into()
    }

    pub fn stale(self) -> Signal<Option<ApiError>> {
        self.stale.into()
    }

    /// The value, if it is there.
    pub fn get(self) -> Option<T> {
        self.state
            .with(|state| state.as_ref().and_then(|answer| answer.as_ref().ok().cloned()))
    }

    /// What `read` sees in the value, if it is there.
    pub fn with<R>(self, read: impl FnOnce(&T) -> R) -> Option<R> {
        self.state
            .with(|state| state.as_ref().and_then(|answer| answer.as_ref().ok().map(read)))
    }
}

/// The first `wanted` items of a list with cursors, in whole stretches. `more` says whether others follow.
pub async fn read_on<T, R>(wanted: usize, more: RwSignal<bool>, read: impl Fn(Option<String>) -> R) -> Answer<Vec<T>>
where
    R: Future<Output = Answer<CursorPage<T>>>,
{
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let stretch = read(cursor).await?;
        items.extend(stretch.items);
        cursor = stretch.next_cursor;
        if cursor.is_none() || items.len() >= wanted {
            more.try_set(cursor.is_some());
            return Ok(items);
        }
    }
}
