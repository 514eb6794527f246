//! What a model comes from and what came of it, as steps in their order.

use super::exports::kind_name;
use crate::{
    api::models::find_lineage,
    components::{
        icon::Icon,
        loaded::Loaded,
        page_head::Panel,
        status::{DatasetTag, JobTag, ModelExportTag},
        time::Ago,
    },
    format,
    remote::Remote,
};
use cerebros_common::{
    agents::Host,
    events::EventKind,
    ids::ModelId,
    models::{Lineage, Model},
};
use leptos::{either::Either, prelude::*};

#[component]
pub fn LineagePanel(model: Signal<Model>) -> impl IntoView {
    let id: ModelId = model.with_untracked(|model| model.id);
    let lineage = Remote::new(move || find_lineage(id)).live(move |event| {
        event.id == id.0 && event.kind == EventKind::ModelChanged || event.kind == EventKind::AgentChanged
    });
    view! {
        <Panel title="Where it comes from">
            <Loaded remote=lineage let:lineage>
                <ol class="flex flex-col gap-2 lg:flex-row lg:items-stretch">
                    {move || steps(lineage.get())}
                </ol>
            </Loaded>
        </Panel>
    }
}

fn steps(lineage: Lineage) -> impl IntoView {
    let Lineage {
        dataset,
        validation_dataset,
        base,
        job,
        model,
        earlier,
        later,
        agents,
        exports,
    } = lineage;
    let rows = job.plan.as_ref().map(|plan| {
        format!(
            "{}, {} kept apart",
            format::counted(plan.train_rows, "row", "rows"),
            plan.validation_rows
        )
    });
    let hash = dataset.as_ref().and_then(|dataset| dataset.sha256.clone());
    let dataset_status = dataset.map(|dataset| dataset.status);
    let nothing = agents.is_empty() && exports.is_empty() && later.is_empty();
    let earlier: Vec<_> = earlier.iter().map(model_link).collect();
    view! {
        <Step icon=icondata::LuDatabase name="Dataset">
            <a class="link-plain break-words" href=format!("/datasets/{}", model.dataset_id)>
                {model.dataset_name.clone()}
            </a>
            {dataset_status.map(|status| view! { <DatasetTag status /> })}
            {rows.map(|rows| view! { <p class="text-sm text-muted">{rows}</p> })}
            {validation_dataset
                .map(|dataset| view! { <p class="text-sm text-muted">{format!("Measured on {}", dataset.name)}</p> })}
            {hash.map(|hash| view! { <p class="font-mono text-xs break-all text-muted">{hash.chars().take(16).collect::<String>()}</p> })}
        </Step>
        <Step icon=icondata::LuLayers name="Base">
            <p class="break-words">{base.name}</p>
            <p class="text-sm text-muted">{base.license.unwrap_or_else(|| "It states no license.".to_owned())}</p>
        </Step>
        {(!earlier.is_empty())
            .then(|| {
                view! {
                    <Step icon=icondata::LuHistory name="Went on from">
                        <ul class="space-y-1">{earlier}</ul>
                    </Step>
                }
            })}
        <Step icon=icondata::LuActivity name="Training">
            <a class="link-plain" href=format!("/training/{}", job.id)>
                "Training job"
            </a>
            <JobTag status=job.status />
            <p class="text-sm text-muted">{format!("Seed {}, {}", model.seed, format::counted(model.steps, "step", "steps"))}</p>
        </Step>
        <Step icon=icondata::LuBox name="This model">
            <p class="font-medium break-words">{model.name}</p>
            <p class="text-sm text-muted">
                <Ago at=model.created_at />
            </p>
        </Step>
        <Step icon=icondata::LuSend name="What came of it" last=true>
            {if nothing {
                Either::Left(view! { <p class="text-sm text-muted">"No assistant answers with it, no model goes on from it, and it was not exported."</p> })
            } else {
                Either::Right(
                    view! {
                        <ul class="space-y-1">
                            {later.iter().map(model_link).collect_view()}
                            {agents
                                .into_iter()
                                .map(|agent| {
                                    view! {
                                        <li>
                                            <a class="link-plain break-words" href=format!("/assistants/{}", agent.id)>
                                                {agent.name}
                                            </a>
                                            {(agent.host == Host::Vllm)
                                                .then(|| view! { <p class="text-sm text-muted">"Answers with it on vLLM"</p> })}
                                        </li>
                                    }
                                })
                                .collect_view()}
                            {exports
                                .into_iter()
                                .map(|export| {
                                    view! {
                                        <li class="flex flex-wrap items-center gap-2 text-sm">
                                            {kind_name(export.kind)} <ModelExportTag status=export.status />
                                        </li>
                                    }
                                })
                                .collect_view()}
                        </ul>
                    },
                )
            }}
        </Step>
    }
}

fn model_link(model: &Model) -> impl IntoView + use<> {
    view! {
        <li>
            <a class="link-plain break-words" href=format!("/models/{}", model.id)>
                {model.name.clone()}
            </a>
            <p class="text-sm text-muted">
                <Ago at=model.created_at />
            </p>
        </li>
    }
}

#[component]
fn Step(icon: icondata::Icon, name: &'static str, #[prop(optional)] last: bool, children: Children) -> impl IntoView {
    view! {
        <li class="flex min-w-0 flex-1 flex-col gap-2 lg:flex-row lg:items-center">
            <div class="min-w-0 flex-1 space-y-1 self-stretch rounded-field border border-line p-3">
                <h3 class="flex items-center gap-2 text-sm font-semibold text-muted">
                    <Icon icon />
                    {name}
                </h3>
                {children()}
            </div>
            {(!last)
                .then(|| {
                    view! {
                        <span class="self-center text-muted max-lg:rotate-90" aria-hidden="true">
                            <Icon icon=icondata::LuChevronRight />
                        </span>
                    }
                })}
        </li>
    }
}
