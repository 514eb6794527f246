//! The examples that the filters find, as lines: thousands of them, read in stretches and kept up to date one by one.

use crate::{
    address::Address,
    api::{
        Answer,
        examples::{find_example, outline_examples},
    },
    browser,
    events::Events,
    remote::Remote,
};
use cerebros_common::{
    events::{Event, EventKind},
    examples::{ExampleFilter, ExampleLine, ExampleOutlineQuery, ExampleSort},
    ids::{AgentId, ExampleId},
};
use leptos::{prelude::*, task::spawn_local};
use std::{sync::Arc, time::Duration};

const STRETCH: u32 = 2_000;
/// More than anybody scrolls through: filters narrow the rest.
const SHOWN: usize = 20_000;
/// Many examples change at once while others generate or judge them.
const QUIET: Duration = Duration::from_millis(700);

/// Cheap to copy as a whole: a line changes by being replaced.
pub type Lines = Vec<Arc<ExampleLine>>;

/// The keys of the address that say which examples are meant.
pub const FILTERS: [&str; 8] = [
    "status",
    "document",
    "batch",
    "grounding",
    "origin",
    "score",
    "duplicates",
    "search",
];

pub fn filter_of(address: Address) -> ExampleFilter {
    let scores = address.text("score").and_then(|score| {
        let (min, max) = score.split_once('-')?;
        Some((min.parse::<u8>().ok()?, max.parse::<u8>().ok()?))
    });
    let duplicates = address.text("duplicates");
    ExampleFilter {
        document_id: address.word("document"),
        batch_id: address.word("batch"),
        status: address.word("status"),
        grounding: address.word("grounding"),
        origin: address.word("origin"),
        min_score: scores.map(|(min, _)| min.min(100)),
        max_score: scores.map(|(_, max)| max.min(100)),
        duplicates: match duplicates.as_deref() {
            Some("only") => Some(true),
            Some("none") => Some(false),
            _ => None,
        },
        duplicate_of: duplicates.and_then(|text| text.parse().ok()),
        search: address.text("search").map(|text| text.chars().take(200).collect()),
    }
}

pub fn sort_of(address: Address) -> ExampleSort {
    address.word("sort").unwrap_or_default()
}

#[derive(Clone, Copy)]
pub struct Queue {
    pub lines: Remote<Lines>,
    /// More examples match than are shown.
    pub cut_off: RwSignal<bool>,
}

impl Queue {
    pub fn new(agent: AgentId, address: Address) -> Self {
        let cut_off = RwSignal::new(false);
        let lines = Remote::new(move || {
            let query = ExampleOutlineQuery::of_filter(agent, filter_of(address), sort_of(address));
            read_all(query, cut_off)
        });
        let queue = Self { lines, cut_off };
        let refetch = browser::settled(QUIET, move || lines.refetch());
        let concerns = move |event: &Event| event.agent_id == Some(agent) && event.kind == EventKind::ExamplesChanged;
        Events::of_app().on(concerns, move |event| {
            let id = ExampleId(event.id);
            if event.kind == EventKind::ExamplesChanged && untrack(|| queue.line(id)).is_some() {
                queue.look_at(id);
            } else {
                refetch();
            }
        });
        queue
    }

    pub fn line(self, id: ExampleId) -> Option<Arc<ExampleLine>> {
        self.lines
            .with(|lines| lines.iter().find(|line| line.id == id).cloned())
            .flatten()
    }

    pub fn position(self, id: Option<ExampleId>) -> Option<usize> {
        self.lines
            .with(|lines| lines.iter().position(|line| Some(line.id) == id))
            .flatten()
    }

    /// Shows a newer state of an example; an older one changes nothing.
    pub fn put(self, fresh: &ExampleLine) {
        self.replace(fresh.id, |old| (old.version <= fresh.version).then(|| fresh.clone()));
    }

    /// Replaces a line by what `change` makes of it.
    pub fn replace(self, id: ExampleId, change: impl FnOnce(&ExampleLine) -> Option<ExampleLine>) {
        let Some(mut lines) = untrack(|| self.lines.get()) else {
            return;
        };
        let Some(line) = lines.iter_mut().find(|line| line.id == id) else {
            return;
        };
        let Some(changed) = change(line).filter(|changed| changed != line.as_ref()) else {
            return;
        };
        *line = Arc::new(changed);
        self.lines.set(lines);
    }

    pub fn remove(self, id: ExampleId) {
        if let Some(mut lines) = untrack(|| self.lines.get()) {
            lines.retain(|line| line.id != id);
            self.lines.set(lines);
        }
    }

    /// Reads one example again.
    pub fn look_at(self, id: ExampleId) {
        spawn_local(async move {
            match find_example(id).await {
                Ok(example) => self.put(&ExampleLine::from(&example)),
                Err(error) if error.is_missing() => self.remove(id),
                // The next event, or a reload, brings it.
                Err(_) => {}
            }
        });
    }
}

async fn read_all(query: ExampleOutlineQuery, cut_off: RwSignal<bool>) -> Answer<Lines> {
    let mut lines = Lines::new();
    let mut cursor = None;
    loop {
        let stretch = outline_examples(ExampleOutlineQuery {
            cursor,
            limit: Some(STRETCH),
            ..query.clone()
        });
        let stretch = stretch.await?;
        lines.extend(stretch.items.into_iter().map(Arc::new));
        cursor = stretch.next_cursor;
        if cursor.is_none() || lines.len() >= SHOWN {
            cut_off.try_set(cursor.is_some());
            return Ok(lines);
        }
    }
}
