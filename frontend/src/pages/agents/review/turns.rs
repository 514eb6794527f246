//! Whose turn it is: examples are reserved before they are reviewed, so that no two people review the same ones.

use super::queue::{Queue, sort_of};
use crate::{
    address::Address,
    api::examples::{claim_examples, release_examples},
};
use cerebros_common::{
    examples::{Example, ExampleClaim, ExampleRelease, ExampleSource, ExampleStatus},
    ids::{AgentId, ExampleId},
};
use leptos::{prelude::*, task::spawn_local};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Examples that are reserved at a time.
const AHEAD: u32 = 10;
/// Of how many, so that some are free when others review the same list.
const AMONG: usize = 50;
/// Reserved ones that follow; with fewer, more are reserved.
const FEW: usize = 3;
/// Milliseconds after which reservations are renewed by the next step.
const OLD: f64 = 90_000.0;
/// Milliseconds that the pace looks back on.
const LOOK_BACK: f64 = 600_000.0;

#[derive(Clone, Copy)]
pub struct Turns {
    agent: AgentId,
    address: Address,
    queue: Queue,
    mine: StoredValue<HashSet<ExampleId>>,
    known: StoredValue<HashMap<ExampleId, Arc<Example>>>,
    claimed_at: StoredValue<f64>,
    /// An example that a person picked: shown even if somebody else holds it.
    picked: StoredValue<Option<ExampleId>>,
    /// When examples were judged here.
    pub judged: RwSignal<Vec<f64>>,
}

impl Turns {
    pub fn new(agent: AgentId, address: Address, queue: Queue) -> Self {
        let turns = Self {
            agent,
            address,
            queue,
            mine: StoredValue::new(HashSet::new()),
            known: StoredValue::new(HashMap::new()),
            claimed_at: StoredValue::new(0.0),
            picked: StoredValue::new(None),
            judged: RwSignal::new(Vec::new()),
        };
        let held_any = turns.mine;
        on_cleanup(move || {
            // What cannot be released becomes free by itself.
            if held_any.try_with_value(|mine| !mine.is_empty()) == Some(true) {
                spawn_local(async move { drop(release_examples(ExampleRelease { agent_id: agent }).await) });
            }
        });
        turns
    }

    /// The example, if this version of it was read already.
    pub fn known(self, id: ExampleId, version: i64) -> Option<Arc<Example>> {
        self.known
            .with_value(|known| known.get(&id).cloned())
            .filter(|example| example.version == version)
    }

    pub fn know(self, example: Example) {
        self.known.update_value(|known| {
            // Room for what is ahead and what was just done.
            if known.len() > 200 {
                known.clear();
            }
            known.insert(example.id, Arc::new(example));
        });
    }

    pub fn forget(self, id: ExampleId) {
        self.known.update_value(|known| drop(known.remove(&id)));
        self.mine.update_value(|mine| {
            mine.remove(&id);
        });
    }

    pub fn source_of(self, id: ExampleId) -> Option<ExampleSource> {
        self.known
            .with_value(|known| known.get(&id).and_then(|example| example.source.clone()))
    }

    pub fn insist_on(self, id: ExampleId) {
        self.picked.set_value(Some(id));
    }

    /// Whether the review goes past an example that somebody else holds.
    pub fn moves_on(self, id: ExampleId) -> bool {
        self.picked.get_value() != Some(id)
    }

    /// A judged example is no longer reserved.
    pub fn let_go(self, id: ExampleId) {
        self.mine.update_value(|mine| {
            mine.remove(&id);
        });
    }

    pub fn count(self) {
        let now = js_sys::Date::now();
        self.judged.update(|judged| judged.push(now));
    }

    /// Judgements in an hour at the pace of the last minutes; none before there is a pace.
    pub fn pace(self) -> Option<u64> {
        let now = js_sys::Date::now();
        self.judged.with(|judged| {
            let recent = judged.iter().filter(|at| now - **at < LOOK_BACK);
            let first = recent.clone().next()?;
            let count = recent.count();
            let passed = (now - first).max(1_000.0);
            (count >= 3).then(|| ((count - 1) as f64 * 3_600_000.0 / passed).round() as u64)
        })
    }

    /// Reserves an example and those that follow, if need be, and tells the first that was granted if this one was not.
    pub fn see_to(self, id: ExampleId, done: impl FnOnce(Option<ExampleId>) + 'static) {
        let pending = untrack(|| self.pending_from(id));
        if pending.first() != Some(&id) {
            return;
        }
        let now = js_sys::Date::now();
        let ahead = self
            .mine
            .with_value(|mine| pending.iter().filter(|id| mine.contains(*id)).count());
        let holds = self.mine.with_value(|mine| mine.contains(&id));
        if holds && (ahead > FEW || ahead == pending.len()) && now - self.claimed_at.get_value() < OLD {
            return;
        }
        let body = ExampleClaim {
            agent_id: self.agent,
            filter: None,
            ids: Some(pending),
            sort: Some(untrack(|| sort_of(self.address))),
            count: AHEAD,
        };
        spawn_local(async move {
            // Without an answer the review goes on; the server refuses what somebody else holds.
            let Ok(claimed) = claim_examples(body).await else {
                return;
            };
            if self.claimed_at.try_set_value(now).is_some() {
                return;
            }
            let granted: Vec<ExampleId> = claimed.items.iter().map(|example| example.id).collect();
            self.mine.update_value(|mine| {
                mine.clear();
                mine.extend(granted.iter().copied());
            });
            for example in claimed.items {
                self.know(example);
            }
            if !granted.contains(&id) {
                self.known.update_value(|known| drop(known.remove(&id)));
                done(granted.first().copied());
            }
        });
    }

    /// Pending examples from one on, in the order of the list.
    fn pending_from(self, id: ExampleId) -> Vec<ExampleId> {
        self.queue
            .lines
            .with(|lines| {
                let from = lines.iter().position(|line| line.id == id).unwrap_or(lines.len());
                let pending = lines[from..]
                    .iter()
                    .filter(|line| line.status == ExampleStatus::Pending);
                pending.map(|line| line.id).take(AMONG).collect()
            })
            .unwrap_or_default()
    }
}
