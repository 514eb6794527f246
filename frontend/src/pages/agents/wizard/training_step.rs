//! The fifth step: from documents and approved examples to a model, in five stages.

use super::stages::{Stages, learns_from};
use crate::{
    api::{
        ApiError,
        trainings::{create_training, find_training},
    },
    components::{
        error_view::{Alert, ErrorView},
        icon::Icon,
        loaded::{Loaded, Skeleton},
        may::{May, Needs},
        page_head::Panel,
    },
    format,
    forms::Sending,
    pages::training::form::{Choice, TrainForm},
    remote::Remote,
};
use cerebros_common::{
    agents::Agent,
    events::EventKind,
    trainings::{NewTraining, StageKind, Training, TrainingStatus},
    workspaces::Role,
};
use leptos::prelude::*;

#[derive(Clone, PartialEq)]
enum Shown {
    Loading,
    Failed(ApiError),
    /// Nothing was trained yet, or it is to be trained again.
    Start,
    Stages,
}

#[component]
pub fn TrainingStep(agent: Signal<Agent>) -> impl IntoView {
    let id = agent.with_untracked(|agent| agent.id);
    let training = Remote::new(move || find_training(id)).live(move |event| {
        event.agent_id == Some(id) && matches!(event.kind, EventKind::AgentChanged | EventKind::JobChanged)
    });
    let again = RwSignal::new(false);
    let shown = Memo::new(move |_| {
        let again = again.get();
        training.state().with(|state| match state {
            None => Shown::Loading,
            Some(Err(error)) if error.is_missing() => Shown::Start,
            Some(Err(error)) => Shown::Failed(error.clone()),
            Some(Ok(_)) if again => Shown::Start,
            Some(Ok(_)) => Shown::Stages,
        })
    });
    let rests = Memo::new(move |_| {
        let status = training.with(|training| training.status);
        status.is_some_and(|status| status != TrainingStatus::Running)
    });
    move || match shown.get() {
        Shown::Loading => view! { <Skeleton /> }.into_any(),
        Shown::Failed(error) => {
            view! { <ErrorView error retry=Callback::new(move |()| training.refetch()) /> }.into_any()
        }
        Shown::Start => view! {
            <Needs role=Role::Editor>
                <Start agent training again />
            </Needs>
        }
        .into_any(),
        Shown::Stages => view! {
            <Loaded remote=training let:current>
                <Stages training=current remote=training />
            </Loaded>
            <May role=Role::Editor>
                <Show when=move || rests.get()>
                    <div class="mt-6">
                        <button type="button" class="btn" on:click=move |_| again.set(true)>
                            <Icon icon=icondata::LuRotateCcw />
                            "Train again with other settings"
                        </button>
                    </div>
                </Show>
            </May>
        }
        .into_any(),
    }
}

#[component]
fn Start(agent: Signal<Agent>, training: Remote<Training>, again: RwSignal<bool>) -> impl IntoView {
    let id = agent.with_untracked(|agent| agent.id);
    let sending = Sending::new();
    let train = Callback::new(move |choice: Choice| {
        let body = NewTraining {
            base_id: choice.base_id,
            parameters: choice.parameters,
        };
        sending.submit(
            body,
            move |body| create_training(id, body),
            move |begun| {
                training.set(begun);
                again.set(false);
            },
        );
    });
    let last = agent.with_untracked(|agent| agent.job_id);
    let nothing = move || agent.with(|agent| documents(agent) == 0 && agent.examples.approved == 0);
    view! {
        <Alert error=sending.general() />
        <div class="space-y-6">
            <Panel title="What each stage learns from">
                <ol class="divide-y divide-line">
                    {StageKind::ALL.map(|kind| view! { <Coming agent kind /> }).collect_view()}
                </ol>
                <p class="mt-4 text-sm text-muted">
                    "Each stage goes on from the one before, on the same adapter. A stage with nothing to learn from is skipped. "
                    "To train on one dataset alone, open it under "
                    <a href="/datasets" class="link-plain">"Datasets"</a>
                    "."
                    {last
                        .map(|id| {
                            view! {
                                " "
                                <a href=format!("/training/{id}") class="link-plain">"See the last job of this assistant"</a>
                                "."
                            }
                        })}
                </p>
            </Panel>
            <TrainForm
                busy=sending.busy
                error=sending.error
                blocked=Signal::derive(move || nothing().then_some("Upload a document or approve an example first."))
                fresh=true
                train
            />
        </div>
    }
}

fn documents(agent: &Agent) -> u64 {
    agent.documents.work_products + agent.documents.communications + agent.documents.references
}

/// A stage that is still to be started, with how much there is for it.
#[component]
fn Coming(agent: Signal<Agent>, kind: StageKind) -> impl IntoView {
    let amount = move || {
        agent.with(|agent| match kind {
            StageKind::Foundation => format::counted(documents(agent), "document", "documents"),
            StageKind::Communications => format::counted(agent.documents.communications, "file", "files"),
            StageKind::WorkProducts => format::counted(agent.documents.work_products, "file", "files"),
            StageKind::Instructions => "comes with Cerebros".to_owned(),
            StageKind::Personalization => {
                format::counted(agent.examples.approved, "approved example", "approved examples")
            }
        })
    };
    let review = (kind == StageKind::Personalization).then(|| agent.with_untracked(|agent| agent.id));
    view! {
        <li class="flex flex-wrap items-baseline gap-x-4 gap-y-1 py-3">
            <span class="w-6 shrink-0 font-semibold text-primary" aria-hidden="true">{kind.numeral()}</span>
            <div class="min-w-0 grow basis-56">
                <p class="font-medium">{kind.title()}</p>
                <p class="text-sm text-muted">{learns_from(kind)}</p>
            </div>
            <p class="text-sm">{amount}</p>
            {review.map(|id| view! { <a href=format!("/assistants/{id}/wizard/2") class="btn btn-sm">"Review examples"</a> })}
        </li>
    }
}
