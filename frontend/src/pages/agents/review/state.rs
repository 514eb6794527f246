//! What is under review, and what can be done with it.

use super::{
    passages::Passages,
    queue::{self, Queue},
    turns::Turns,
};
use crate::{
    address::Address,
    api::{
        ApiError,
        examples::{delete_example, find_example, judge_example, undo_example},
    },
    forms::Sending,
    remote::Remote,
    session::Session,
    toasts::Toasts,
};
use cerebros_common::{
    errors::ErrorCode,
    examples::{Example, ExampleJudgement, ExampleLine, ExampleStatus},
    ids::{AgentId, ExampleId},
    workspaces::Role,
};
use leptos::{prelude::*, task::spawn_local};
use std::sync::Arc;

/// How an example is being changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Inline,
    Dialog,
    Split,
}

#[derive(Clone, Copy)]
pub struct Reviewing {
    pub agent: AgentId,
    pub address: Address,
    pub queue: Queue,
    pub turns: Turns,
    pub passages: Passages,
    pub chosen: RwSignal<Option<ExampleId>>,
    /// The chosen example in full.
    pub example: Remote<Option<Arc<Example>>>,
    /// What is being changed: the example as it was when that began, so that nothing typed is lost when it changes.
    pub editing: RwSignal<Option<(Mode, Arc<Example>)>>,
    pub deleting: RwSignal<bool>,
    /// What was done here, for undoing.
    done: StoredValue<Vec<ExampleId>>,
    pub can_undo: RwSignal<bool>,
    toasts: Toasts,
    session: Session,
}

impl Reviewing {
    pub fn new(agent: AgentId, address: Address) -> Self {
        let queue = Queue::new(agent, address);
        let chosen = RwSignal::new(None);
        let turns = Turns::new(agent, address, queue);
        let version = Memo::new(move |_| {
            let id = chosen.get()?;
            queue.line(id).map(|line| (id, line.version))
        });
        let example = Remote::new(move || {
            let wanted = version.get();
            async move {
                let Some((id, version)) = wanted else { return Ok(None) };
                match turns.known(id, version) {
                    Some(known) => Ok(Some(known)),
                    None => Ok(Some(Arc::new(find_example(id).await?))),
                }
            }
        });
        let reviewing = Self {
            agent,
            address,
            queue,
            turns,
            passages: Passages::new(),
            chosen,
            example,
            editing: RwSignal::new(None),
            deleting: RwSignal::new(false),
            done: StoredValue::new(Vec::new()),
            can_undo: RwSignal::new(false),
            toasts: Toasts::of_app(),
            session: Session::of_app(),
        };
        reviewing.keep_a_choice();
        reviewing.take_turns();
        reviewing
    }

    /// The chosen example stays chosen while it is listed; else the first one is.
    fn keep_a_choice(self) {
        Effect::new(move |_| {
            let chosen = self.chosen.get();
            let first = self.queue.lines.with(|lines| {
                let there = lines.iter().any(|line| Some(line.id) == chosen);
                (!there).then(|| lines.first().map(|line| line.id))
            });
            // Choosing nothing again would run this again, for ever.
            if let Some(Some(first)) = first.filter(|first| *first != Some(chosen)) {
                self.chosen.set(first);
            }
        });
    }

    /// Reserves the chosen example and some that follow; moves on where somebody else came first.
    fn take_turns(self) {
        Effect::new(move |_| {
            let Some(id) = self.chosen.get() else { return };
            if !self.may(Role::Reviewer) {
                return;
            }
            self.passages
                .prefetch(self.following(1).and_then(|id| self.turns.source_of(id)));
            self.turns.see_to(id, move |granted| {
                let still = self.chosen.try_get_untracked() == Some(Some(id));
                if let Some(first) = granted.filter(|_| still && self.turns.moves_on(id)) {
                    self.chosen.set(Some(first));
                }
                self.example.refetch();
            });
        });
    }

    fn following(self, by: isize) -> Option<ExampleId> {
        untrack(|| {
            let at = self.queue.position(self.chosen.get())?;
            let next = at.checked_add_signed(by)?;
            self.queue
                .lines
                .with(|lines| lines.get(next).map(|line| line.id))
                .flatten()
        })
    }

    /// Goes to an example that a person picked.
    pub fn choose(self, id: ExampleId) {
        self.turns.insist_on(id);
        self.editing.set(None);
        self.chosen.set(Some(id));
    }

    /// Moves the choice down the list, or up.
    pub fn step(self, by: isize) {
        if let Some(next) = self.following(by) {
            // Whoever goes back wants to see that one, also if somebody else holds it by now.
            if by < 0 {
                self.turns.insist_on(next);
            }
            self.editing.set(None);
            self.chosen.set(Some(next));
        }
    }

    fn may(self, role: Role) -> bool {
        untrack(|| self.session.may(role))
    }

    fn current(self) -> Option<Arc<Example>> {
        let chosen = self.chosen.get_untracked();
        let current = untrack(|| self.example.get()).flatten();
        current.filter(|example| Some(example.id) == chosen)
    }

    pub fn edit(self, mode: Mode) {
        if let Some(example) = self.current().filter(|_| self.may(Role::Editor)) {
            self.editing.set(Some((mode, example)));
        }
    }

    /// Sets the status of the chosen example, and goes on to the next one. What is shown changes at once.
    pub fn judge(self, status: ExampleStatus) {
        let chosen = self.chosen.get_untracked();
        let line = chosen.and_then(|id| untrack(|| self.queue.line(id)));
        let Some(line) = line.filter(|line| self.may(Role::Reviewer) && line.status != status) else {
            return;
        };
        self.editing.set(None);
        self.queue
            .replace(line.id, |old| Some(ExampleLine { status, ..old.clone() }));
        self.turns.let_go(line.id);
        self.step(1);
        spawn_local(async move {
            match judge_example(line.id, line.version, ExampleJudgement { status }).await {
                Ok(changed) => {
                    self.turns.count();
                    self.settle(changed);
                }
                Err(error) => {
                    self.queue.replace(line.id, |old| {
                        Some(ExampleLine {
                            status: line.status,
                            ..old.clone()
                        })
                    });
                    self.refused(line.id, &error);
                }
            }
        });
    }

    /// Takes over what the server made of an example.
    pub fn settle(self, changed: Example) {
        self.done.update_value(|done| done.push(changed.id));
        self.can_undo.set(true);
        self.turns.know(changed.clone());
        self.queue.put(&ExampleLine::from(&changed));
    }

    /// Undoes what was last done here, and shows it.
    pub fn undo(self) {
        if !self.may(Role::Reviewer) {
            return;
        }
        let Some(id) = self.done.try_update_value(Vec::pop).flatten() else {
            return;
        };
        self.can_undo.set(self.done.with_value(|done| !done.is_empty()));
        self.editing.set(None);
        spawn_local(async move {
            let found = async {
                let now = find_example(id).await?;
                undo_example(id, now.version).await
            };
            match found.await {
                Ok(changed) => {
                    self.turns.know(changed.clone());
                    self.queue.put(&ExampleLine::from(&changed));
                    self.turns.insist_on(id);
                    self.chosen.set(Some(id));
                    self.toasts.good("Undone.");
                }
                Err(error) => self.refused(id, &error),
            }
        });
    }

    pub fn delete(self, sending: Sending) {
        let Some(example) = self.current() else {
            return;
        };
        sending.start(delete_example(example.id, example.version), move |()| {
            self.deleting.set(false);
            self.step(1);
            self.queue.remove(example.id);
        });
    }

    /// Says why something was not done, and shows the example as it is.
    fn refused(self, id: ExampleId, error: &ApiError) {
        self.toasts.bad(error);
        let outdated = matches!(error.code(), Some(ErrorCode::StaleVersion | ErrorCode::Conflict));
        if outdated || error.is_missing() {
            self.turns.forget(id);
            self.queue.look_at(id);
            self.example.refetch();
        }
    }

    pub fn filter(self) -> cerebros_common::examples::ExampleFilter {
        queue::filter_of(self.address)
    }
}
