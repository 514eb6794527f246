//! One model: where it comes from, how well it learned, and the adapter itself.

use super::{card::CardPanel, exports::Exports, lineage::LineagePanel, quality::QualityPanel};
use crate::{
    address::Address,
    api::models::{adapter_address, delete_model, find_model},
    browser,
    components::{
        copy_button::CopyButton,
        dialog::Confirm,
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::{Fact, PageHead, Panel},
        tag::{Colour, Tag},
        time::Day,
    },
    format,
    forms::Sending,
    pages::by_id::by_id,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{events::EventKind, ids::ModelId, models::Model, workspaces::Role};
use leptos::prelude::*;

#[component]
pub fn ModelPage() -> impl IntoView {
    view! {
        {by_id(|id| view! { <OneModel id /> })}
    }
}

#[component]
fn OneModel(id: ModelId) -> impl IntoView {
    let model = Remote::new(move || find_model(id)).live(move |event| {
        event.id == id.0 && event.kind == EventKind::ModelChanged || event.kind == EventKind::AgentChanged
    });
    view! {
        <Loaded remote=model let:model>
            <Head model />
            <div class="space-y-6">
                <QualityPanel model />
                <Losses model />
                <LineagePanel model />
                <Artifact model />
                <Exports model />
                <CardPanel model />
            </div>
        </Loaded>
    }
}

#[component]
fn Head(model: Signal<Model>) -> impl IntoView {
    let address = Address::of_page();
    let toasts = Toasts::of_app();
    let (asking, sending) = (RwSignal::new(false), Sending::new());
    let id = model.with_untracked(|model| model.id);
    let name = Signal::derive(move || model.with(|model| model.name.clone()));
    Effect::new(move |_| browser::title(name.get()));
    let confirmed = Callback::new(move |()| {
        sending.start(delete_model(id), move |()| {
            toasts.good(format!("{} was deleted.", name.get_untracked()));
            address.leave_for("/models");
        });
    });
    view! {
        <PageHead title=name parents=vec![("Models".to_owned(), "/models".to_owned())]>
            <Show when=move || model.with(|model| model.serving)>
                <Tag colour=Colour::Green text="Answers" />
            </Show>
            <May role=Role::Editor>
                <button type="button" class="btn" on:click=move |_| asking.set(true)>
                    <Icon icon=icondata::LuTrash2 />
                    "Delete"
                </button>
            </May>
            <May role=Role::Editor>
                <Show when=move || model.with(|model| model.source_deleted_at.is_none())>
                    <a href=move || format!("/datasets/{}/train?from={id}", model.with(|model| model.dataset_id)) class="btn">
                        <Icon icon=icondata::LuStepForward />
                        "Train further"
                    </a>
                </Show>
            </May>
            <a href=format!("/models/{id}/compare") class="btn">
                <Icon icon=icondata::LuColumns2 />
                "Compare"
            </a>
            <a href=adapter_address(id) download class="btn btn-primary">
                <Icon icon=icondata::LuDownload />
                "Download adapter"
            </a>
        </PageHead>
        {move || {
            model
                .with(|model| model.source_deleted_at)
                .map(|at| {
                    view! {
                        <p role="alert" class="mb-6 flex gap-2 rounded-field bg-tint-red p-4 text-ink-red">
                            <Icon icon=icondata::LuTriangleAlert class="mt-1 size-4" />
                            <span>
                                "Something that this model learned from was deleted on " <Day at />
                                ". It answers no more, and no assistant can use it. Train a new one without it, and delete this one."
                            </span>
                        </p>
                    }
                })
        }}
        <Confirm open=asking title="Delete this model?" action="Delete model" sending confirmed>
            <p>"The adapter and its exports are removed and cannot be brought back. The job and the dataset it came from stay."</p>
            <Show when=move || model.with(|model| model.serving)>
                <p>"An assistant answers with it: choose another model for that assistant first."</p>
            </Show>
        </Confirm>
    }
}

#[component]
fn Losses(model: Signal<Model>) -> impl IntoView {
    view! {
        <Panel title="What it learned">
            {move || {
                let model = model.get();
                let or_dash = |loss: Option<f64>| loss.map_or_else(|| "–".to_owned(), format::loss);
                let fell = model.initial_validation_loss.zip(model.validation_loss).filter(|(before, _)| *before > 0.0);
                view! {
                    <dl class="grid grid-cols-2 gap-4 md:grid-cols-4">
                        <Fact name="Validation loss before">{or_dash(model.initial_validation_loss)}</Fact>
                        <Fact name="Validation loss after">
                            {or_dash(model.validation_loss)}
                            {fell
                                .map(|(before, after)| {
                                    let colour = if after <= before { "text-success" } else { "text-error" };
                                    view! { <span class=format!("ml-2 text-sm font-medium {colour}")>{format!("{:+.0} %", (after / before - 1.0) * 100.0)}</span> }
                                })}
                        </Fact>
                        <Fact name="Training loss">{format::loss(model.train_loss)}</Fact>
                        <Fact name="Steps">{format::count(model.steps)}</Fact>
                    </dl>
                }
            }}
        </Panel>
    }
}

#[component]
fn Artifact(model: Signal<Model>) -> impl IntoView {
    let id = model.with_untracked(|model| model.id);
    view! {
        <Panel title="Adapter">
            <p class="mb-4 max-w-prose text-muted">
                "A ZIP with a PEFT directory: it loads with peft.PeftModel.from_pretrained on the same base. Over the API the model is called by its id."
            </p>
            <dl class="grid gap-4">
                <Fact name="Size">{move || format::size(model.with(|model| model.size_bytes))}</Fact>
                <Fact name="Model id">
                    <span class="flex flex-wrap items-center gap-2">
                        <code class="font-mono text-sm break-all">{id.to_string()}</code>
                        <CopyButton text=id.to_string() />
                    </span>
                </Fact>
                <div class="min-w-0">
                    <dt class="text-sm text-muted">"SHA-256 of the weights"</dt>
                    <dd class="font-mono text-sm break-all">{move || model.with(|model| model.sha256.clone())}</dd>
                </div>
            </dl>
        </Panel>
    }
}
