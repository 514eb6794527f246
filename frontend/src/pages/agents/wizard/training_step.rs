//! The fifth step: from approved examples to a model.

use crate::{
    api::{
        ApiError,
        datasets::{create_dataset, find_dataset},
        jobs::create_job,
    },
    browser,
    components::{
        error_view::Alert,
        icon::Icon,
        may::{May, Needs},
        page_head::Panel,
        progress::Progress,
    },
    events::Events,
    format,
    forms::Sending,
    pages::training::{
        form::{Choice, TrainForm},
        watch::Watch,
    },
};
use cerebros_common::{
    agents::Agent,
    datasets::{DatasetStatus, NewDataset},
    events::EventKind,
    ids::{AgentId, JobId},
    jobs::NewJob,
    workspaces::Role,
};
use chrono::Utc;
use leptos::{leptos_dom::helpers::set_timeout, prelude::*};
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[component]
pub fn TrainingStep(agent: Signal<Agent>) -> impl IntoView {
    let id = agent.with_untracked(|agent| agent.id);
    let order = Order::new(id);
    let job = Memo::new(move |_| order.started.get().or(agent.with(|agent| agent.job_id)));
    let again = RwSignal::new(false);
    let preparing = Memo::new(move |_| order.waiting.with(Option::is_some));
    Effect::new(move |_| {
        job.get();
        again.set(false);
    });
    view! {
        <Alert error=order.sending.error />
        {move || {
            if preparing.get() {
                return view! { <Preparing /> }.into_any();
            }
            match job.get() {
                Some(job) if !again.get() => {
                    view! {
                        <Watch id=job />
                        <May role=Role::Editor>
                            <div class="mt-6">
                                <button type="button" class="btn" on:click=move |_| again.set(true)>
                                    <Icon icon=icondata::LuRotateCcw />
                                    "Train again with other settings"
                                </button>
                            </div>
                        </May>
                    }
                        .into_any()
                }
                _ => {
                    view! {
                        <Needs role=Role::Editor>
                            <Start agent order />
                        </Needs>
                    }
                        .into_any()
                }
            }
        }}
    }
}

#[component]
fn Preparing() -> impl IntoView {
    view! {
        <Panel title="Preparing the dataset">
            <p class="mb-4 text-muted" role="status">
                "The approved examples are written into a dataset and checked. Training starts by itself; you can leave this page."
            </p>
            <Progress part=0.1 label="Preparing" />
        </Panel>
    }
}

#[component]
fn Start(agent: Signal<Agent>, order: Order) -> impl IntoView {
    let approved = move || agent.with(|agent| agent.examples.approved);
    let review = move || agent.with(|agent| format!("/assistants/{}/wizard/2", agent.id));
    let train = Callback::new(move |choice: Choice| {
        order.place(agent.with_untracked(|agent| agent.name.clone()), choice);
    });
    view! {
        <div class="panel mb-6 flex flex-wrap items-center gap-4 p-4">
            <span class="rounded-full bg-tint-blue p-2 text-ink-blue">
                <Icon icon=icondata::LuQuote class="size-5" />
            </span>
            <div class="grow">
                <p class="font-medium">{move || format::counted(approved(), "approved example", "approved examples")}</p>
                <p class="text-sm text-muted">"Training uses these and nothing else."</p>
            </div>
            <a href=review class="btn btn-sm">
                "Review examples"
            </a>
        </div>
        <TrainForm
            busy=order.sending.busy
            error=order.sending.error
            blocked=Signal::derive(move || (approved() == 0).then_some("Approve at least one example first."))
            train
        />
    }
}

/// A training on its way: the dataset is being checked, the job comes after. It is kept in the browser's storage, so that
/// a reload goes on with it.
#[derive(Clone, Copy)]
struct Order {
    agent: AgentId,
    waiting: RwSignal<Option<NewJob>>,
    /// The job, from when it was made until the agent names it too.
    started: RwSignal<Option<JobId>>,
    sending: Sending,
}

impl Order {
    fn new(agent: AgentId) -> Self {
        let order = Self {
            agent,
            waiting: RwSignal::new(None),
            started: RwSignal::new(None),
            sending: Sending::new(),
        };
        let kept = browser::recall(browser::storage(), &order.key());
        order
            .waiting
            .set(kept.and_then(|kept| serde_json::from_str(&kept).ok()));
        Events::of_app().on(
            move |event| {
                let dataset = order
                    .waiting
                    .with_untracked(|job| job.as_ref().map(|job| job.dataset_id.0));
                event.kind == EventKind::DatasetChanged && Some(event.id) == dataset
            },
            move |_| order.advance(),
        );
        Effect::new(move |_| {
            if order.sending.error.with(Option::is_some) && order.waiting.with_untracked(Option::is_some) {
                order.keep(None);
            }
        });
        order.advance();
        order
    }

    fn key(self) -> String {
        format!("training-{}", self.agent)
    }

    fn place(self, name: String, choice: Choice) {
        let agent_id = self.agent;
        let day = Utc::now().format("%-d %b %Y, %H:%M");
        let name: String = name.chars().take(90).collect();
        let body = NewDataset {
            agent_id,
            name: format!("{name}, {day}"),
            version_of: None,
        };
        self.sending.submit(body, create_dataset, move |dataset| {
            self.keep(Some(NewJob {
                dataset_id: dataset.id,
                validation_dataset_id: None,
                base_id: choice.base_id,
                initial_model_id: choice.initial_model_id,
                agent_id: Some(agent_id),
                parameters: choice.parameters,
            }));
            self.advance();
        });
    }

    fn keep(self, job: Option<NewJob>) {
        let text = job.as_ref().and_then(|job| serde_json::to_string(job).ok());
        browser::remember(browser::storage(), &self.key(), text.as_deref());
        self.waiting.try_set(job);
    }

    /// Starts the job once the dataset is ready. Looks again by itself, in case that the event was missed.
    fn advance(self) {
        let Some(Some(job)) = self.waiting.try_get_untracked() else {
            return;
        };
        let work = async move {
            let dataset = find_dataset(job.dataset_id).await?;
            match dataset.status {
                DatasetStatus::Uploading | DatasetStatus::Validating => Ok(None),
                DatasetStatus::Ready => create_job(job).await.map(|job| Some(job.id)),
                DatasetStatus::Error | DatasetStatus::Erased => {
                    Err(ApiError::Unreadable(dataset.error.unwrap_or_default()))
                }
            }
        };
        self.sending.start(work, move |started| {
            if started.is_some() {
                self.keep(None);
                self.started.try_set(started);
            } else {
                set_timeout(move || self.advance(), LOOK_AGAIN);
            }
        });
    }
}
