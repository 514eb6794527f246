//! The models trained for an assistant, and which of them answers.

use super::host::HostPart;
use crate::{
    api::{agents::update_agent, models::list_models},
    components::{
        button::Button,
        icon::Icon,
        loaded::{Empty, Loaded, no_items},
        may::May,
        tag::{Colour, Tag},
        time::Ago,
    },
    format,
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    agents::{Agent, AgentPatch, Host},
    events::EventKind,
    models::{Model, ModelQuery},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn ModelsPart(agent: Signal<Agent>, changed: Callback<()>) -> impl IntoView {
    let id = agent.with_untracked(|agent| agent.id);
    let models = Remote::new(move || {
        list_models(ModelQuery {
            agent_id: Some(id),
            limit: Some(100),
            ..ModelQuery::default()
        })
    })
    .live(move |event| {
        event.agent_id == Some(id) && matches!(event.kind, EventKind::ModelChanged | EventKind::ModelDeleted)
    });
    let empty = move || {
        let wizard = format!("/assistants/{id}/wizard/5");
        view! {
            <Empty icon=icondata::LuBox title="No model yet" text="Training makes one from the approved examples.">
                <May role=Role::Editor>
                    <a href=wizard.clone() class="btn btn-primary">
                        "Go to training"
                    </a>
                </May>
            </Empty>
        }
    };
    view! {
        <Loaded remote=models is_empty=no_items empty=empty let:page>
            <HostPart agent changed />
            <ul class="panel divide-y divide-line">
                <For each=move || page.get().items key=|model| (model.id, model.serving, model.source_deleted_at) let:model>
                    <ModelRow model agent changed />
                </For>
            </ul>
        </Loaded>
    }
}

#[component]
fn ModelRow(model: Model, agent: Signal<Agent>, changed: Callback<()>) -> impl IntoView {
    let (id, erased) = (model.id, model.source_deleted_at.is_some());
    let (sending, toasts) = (Sending::in_toasts(), Toasts::of_app());
    let answers = move || agent.with(|agent| agent.model_id == Some(id));
    let choose = Callback::new(move |()| {
        let (agent, version) = agent.with_untracked(|agent| (agent.id, agent.version));
        let body = AgentPatch {
            model_id: Some(Some(id)),
            ..AgentPatch::default()
        };
        sending.start(update_agent(agent, version, body), move |_| {
            toasts.good("This model answers from now on.");
            changed.run(());
        });
    });
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-4">
            <span class="text-muted">
                <Icon icon=icondata::LuBox class="size-5" />
            </span>
            <div class="min-w-0 grow basis-48">
                <a href=format!("/models/{id}") class="block truncate font-medium hover:underline">
                    {model.name}
                </a>
                <p class="text-sm text-muted">
                    {model.base_name} " · " {model.validation_loss.map(|loss| format!("validation loss {} · ", format::loss(loss)))}
                    <Ago at=model.created_at />
                </p>
            </div>
            {move || {
                if erased {
                    view! { <Tag colour=Colour::Red text="Source deleted" /> }.into_any()
                } else if answers() {
                    let by_vllm = agent.with(|agent| agent.host == Host::Vllm);
                    let text = if by_vllm { "Answers now, on vLLM" } else { "Answers now" };
                    view! { <Tag colour=Colour::Green text /> }.into_any()
                } else {
                    view! {
                        <May role=Role::Editor>
                            <Button busy=sending.busy class="btn btn-sm" on_click=choose>
                                "Use this model"
                            </Button>
                        </May>
                    }
                        .into_any()
                }
            }}
        </li>
    }
}
