//! What is under review, and what can be done with it.

use crate::{
    address::Address,
    api::{
        Answer,
        examples::{delete_example, list_examples, review_examples, update_example},
    },
    components::dialog::Confirm,
    format,
    forms::Sending,
    remote::{Remote, read_on},
    session::Session,
    toasts::Toasts,
};
use cerebros_common::{
    agents::AgentExamples,
    errors::ErrorCode,
    events::EventKind,
    examples::{Example, ExamplePatch, ExampleQuery, ExampleReview, ExampleStatus},
    ids::{AgentId, ExampleId},
    workspaces::Role,
};
use leptos::{prelude::*, task::spawn_local};

const STRETCH: u32 = 100;

#[derive(Clone, Copy)]
pub struct Reviewing {
    pub examples: Remote<Vec<Example>>,
    /// Whether more examples follow those that are loaded.
    pub more: RwSignal<bool>,
    pub wanted: RwSignal<usize>,
    pub chosen: RwSignal<Option<ExampleId>>,
    pub editing: RwSignal<bool>,
    pub deleting: RwSignal<bool>,
    agent: AgentId,
    toasts: Toasts,
    session: Session,
}

impl Reviewing {
    pub fn new(agent: AgentId, address: Address) -> Self {
        let more = RwSignal::new(false);
        let wanted = RwSignal::new(STRETCH as usize);
        let examples = Remote::new(move || {
            let query = ExampleQuery {
                agent_id: Some(agent),
                document_id: address.word("document"),
                status: address.word("status"),
                cursor: None,
                limit: Some(STRETCH),
            };
            read_on(wanted.get(), more, move |cursor| {
                list_examples(ExampleQuery {
                    cursor,
                    ..query.clone()
                })
            })
        })
        .live(move |event| event.agent_id == Some(agent) && event.kind == EventKind::ExamplesChanged);
        let reviewing = Self {
            examples,
            more,
            wanted,
            chosen: RwSignal::new(None),
            editing: RwSignal::new(false),
            deleting: RwSignal::new(false),
            agent,
            toasts: Toasts::of_app(),
            session: Session::of_app(),
        };
        // The chosen example stays chosen while it is there; else the first one is.
        Effect::new(move |_| {
            let chosen = reviewing.chosen.get();
            let fallback = examples.with(|examples| {
                let there = examples.iter().any(|example| Some(example.id) == chosen);
                (!there).then(|| examples.first().map(|example| example.id))
            });
            // Choosing nothing again would run this again, for ever.
            if let Some(Some(first)) = fallback.filter(|first| *first != Some(chosen)) {
                reviewing.editing.set(false);
                reviewing.chosen.set(first);
            }
        });
        reviewing
    }

    pub fn current(self) -> Option<Example> {
        let chosen = self.chosen.get();
        self.examples
            .with(|examples| examples.iter().find(|example| Some(example.id) == chosen).cloned())
            .flatten()
    }

    /// Moves the choice down the list, or up.
    pub fn step(self, by: isize) {
        let chosen = self.chosen.get_untracked();
        let next = untrack(|| {
            self.examples.with(|examples| {
                let at = examples.iter().position(|example| Some(example.id) == chosen)?;
                examples.get(at.checked_add_signed(by)?).map(|example| example.id)
            })
        });
        if let Some(Some(next)) = next {
            self.editing.set(false);
            self.chosen.set(Some(next));
        }
    }

    fn may(self, role: Role) -> bool {
        untrack(|| self.session.may(role))
    }

    pub fn edit(self) {
        if self.may(Role::Editor) {
            self.editing.set(true);
        }
    }

    /// Sets the status of the chosen example, and goes on to the next one.
    pub fn judge(self, status: ExampleStatus) {
        let Some(example) = untrack(|| self.current()).filter(|_| self.may(Role::Reviewer)) else {
            return;
        };
        self.step(1);
        let body = ExampleReview {
            agent_id: self.agent,
            status,
            ids: Some(vec![example.id]),
        };
        spawn_local(async move {
            self.settle(review_examples(body).await.map(|_| Example {
                status,
                version: example.version + i64::from(example.status != status),
                ..example
            }));
        });
    }

    pub fn save(self, sending: Sending, example: &Example, body: ExamplePatch) {
        let (id, version) = (example.id, example.version);
        sending.submit(
            body,
            move |body| update_example(id, version, body),
            move |changed| {
                self.editing.set(false);
                self.settle(Ok(changed));
            },
        );
    }

    pub fn delete(self, sending: Sending) {
        let Some(example) = untrack(|| self.current()) else {
            return;
        };
        sending.start(delete_example(example.id, example.version), move |()| {
            self.deleting.set(false);
            self.step(1);
            self.examples.refetch();
        });
    }

    /// Shows the new state of an example at once; the event that follows brings the rest.
    fn settle(self, answer: Answer<Example>) {
        match answer {
            Ok(changed) => {
                let fresh = untrack(|| self.examples.get()).map(|mut examples| {
                    if let Some(place) = examples.iter_mut().find(|example| example.id == changed.id) {
                        *place = changed;
                    }
                    examples
                });
                if let Some(fresh) = fresh {
                    self.examples.set(fresh);
                }
            }
            Err(error) => {
                self.toasts.bad(&error);
                if error.code() == Some(ErrorCode::StaleVersion) || error.is_missing() {
                    self.examples.refetch();
                }
            }
        }
    }
}

#[component]
pub fn ApproveAll(
    agent: AgentId,
    open: RwSignal<bool>,
    counts: Signal<AgentExamples>,
    done: Callback<()>,
) -> impl IntoView {
    let sending = Sending::new();
    let toasts = Toasts::of_app();
    let confirmed = Callback::new(move |()| {
        let body = ExampleReview {
            agent_id: agent,
            status: ExampleStatus::Approved,
            ids: None,
        };
        sending.start(review_examples(body), move |result| {
            open.set(false);
            toasts.good(format!(
                "{} approved.",
                format::counted(result.changed, "example", "examples")
            ));
            done.run(());
        });
    });
    view! {
        <Confirm open title="Approve all pending examples?" action="Approve all" tone="btn btn-primary" sending confirmed>
            <p>
                {move || format::counted(counts.get().pending, "example", "examples")}
                " of all documents will count as reviewed and can be trained on. You can still reject single ones afterwards."
            </p>
        </Confirm>
    }
}
