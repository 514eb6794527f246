//! A model for other programs: what there is, how to get the rest, and what vouches for it.

use crate::{
    api::model_exports::{create_model_export, delete_model_export, export_address, list_model_exports},
    components::{
        button::Button, icon::Icon, loaded::Loaded, may::May, page_head::Panel, status::ModelExportTag, time::Ago,
    },
    format,
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    events::EventKind,
    ids::ModelId,
    model_exports::{ModelExport, ModelExportKind, ModelExportStatus, NewModelExport, ParityCertificate},
    models::Model,
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn Exports(model: Signal<Model>) -> impl IntoView {
    let id = model.with_untracked(|model| model.id);
    let exports = Remote::new(move || list_model_exports(id))
        .live(move |event| event.id == id.0 && event.kind == EventKind::ModelChanged);
    let usable = Signal::derive(move || model.with(|model| model.source_deleted_at.is_none()));
    view! {
        <Panel title="For other programs">
            <p class="mb-4 max-w-prose text-muted">
                "Each file is compared with the model before it counts: both continue twenty fixed prompts, and must choose the same words."
            </p>
            <Loaded remote=exports let:page>
                <ul class="divide-y divide-line">
                    {ModelExportKind::ALL
                        .into_iter()
                        .map(|kind| {
                            let export = Memo::new(move |_| page.with(|page| page.items.iter().find(|export| export.kind == kind).cloned()));
                            view! { <Row id kind export usable exports=Callback::new(move |()| exports.refetch()) /> }
                        })
                        .collect_view()}
                </ul>
            </Loaded>
        </Panel>
    }
}

pub fn kind_name(kind: ModelExportKind) -> &'static str {
    match kind {
        ModelExportKind::Peft => "PEFT adapter with its card",
        ModelExportKind::Merged => "Merged model",
        ModelExportKind::Gguf => "GGUF adapter",
    }
}

fn kind_text(kind: ModelExportKind) -> &'static str {
    match kind {
        ModelExportKind::Peft => "A ZIP for PEFT and vLLM. It needs the base beside it.",
        ModelExportKind::Merged => {
            "A ZIP in Hugging Face layout with the base's weights in fp32: large, and it needs nothing else."
        }
        ModelExportKind::Gguf => "For llama.cpp and what builds on it. It needs the base as GGUF beside it.",
    }
}

#[component]
fn Row(
    id: ModelId,
    kind: ModelExportKind,
    export: Memo<Option<ModelExport>>,
    /// Whether the model may still be written.
    usable: Signal<bool>,
    /// Something changed.
    exports: Callback<()>,
) -> impl IntoView {
    let (sending, toasts) = (Sending::in_toasts(), Toasts::of_app());
    let name = kind_name(kind);
    let ask = Callback::new(move |()| {
        sending.start(create_model_export(id, NewModelExport { kind }), move |_| {
            exports.run(())
        });
    });
    let remove = Callback::new(move |()| {
        let Some(id) = export.with_untracked(|export| export.as_ref().map(|export| export.id)) else {
            return;
        };
        sending.start(delete_model_export(id), move |()| {
            toasts.good(format!("{name}: the file was deleted."));
            exports.run(());
        });
    });
    let status = Memo::new(move |_| export.with(|export| export.as_ref().map(|export| export.status)));
    let actions = move || match status.get() {
        None | Some(ModelExportStatus::Failed) => {
            let word = if status.get().is_none() { "Export" } else { "Try again" };
            view! {
                <May role=Role::Editor>
                    <Button busy=sending.busy disabled=Signal::derive(move || !usable.get()) class="btn btn-sm" on_click=ask>
                        {word}
                        <span class="sr-only">{name}</span>
                    </Button>
                </May>
            }
                .into_any()
        }
        Some(ModelExportStatus::Queued | ModelExportStatus::Running) => view! {
            <May role=Role::Editor>
                <Button busy=sending.busy class="btn btn-sm" on_click=remove>
                    "Stop"
                    <span class="sr-only">{name}</span>
                </Button>
            </May>
        }
        .into_any(),
        Some(ModelExportStatus::Ready) => view! {
            <May role=Role::Editor>
                <Button busy=sending.busy class="btn btn-ghost btn-sm" on_click=remove>
                    <Icon icon=icondata::LuTrash2 />
                    <span class="sr-only">{format!("Delete the file: {name}")}</span>
                </Button>
            </May>
            {move || {
                export
                    .get()
                    .map(|export| {
                        view! {
                            <a href=export_address(export.id) download class="btn btn-sm btn-primary">
                                <Icon icon=icondata::LuDownload />
                                "Download"
                                <span class="sr-only">{name}</span>
                            </a>
                        }
                    })
            }}
        }
        .into_any(),
    };
    view! {
        <li class="grid gap-x-4 gap-y-2 py-4 first:pt-0 last:pb-0 sm:grid-cols-[1fr_auto]">
            <div class="min-w-0">
                <p class="flex flex-wrap items-center gap-x-3 gap-y-1 font-medium">
                    {name} {move || status.get().map(|status| view! { <ModelExportTag status /> })}
                </p>
                <p class="max-w-prose text-sm text-muted">{kind_text(kind)}</p>
            </div>
            <div class="flex flex-wrap items-center gap-2 sm:justify-end">{actions}</div>
            <div class="min-w-0 sm:col-span-2" aria-live="polite">
                {move || export.get().map(|export| view! { <Outcome export /> })}
            </div>
        </li>
    }
}

#[component]
fn Outcome(export: ModelExport) -> impl IntoView {
    let certificate = export.certificate.map(|certificate| {
        let good = certificate.holds;
        view! {
            <p class="flex max-w-prose gap-2 text-sm">
                <span class=if good { "text-success" } else { "text-error" }>
                    <Icon icon=if good { icondata::LuShieldCheck } else { icondata::LuShieldX } class="mt-0.5 size-4" />
                </span>
                <span>{certificate_text(&certificate)}</span>
            </p>
        }
    });
    view! {
        {export.error.map(|error| view! { <p class="max-w-prose rounded-field bg-tint-red p-3 text-sm text-ink-red">{error}</p> })}
        {certificate}
        {export
            .size_bytes
            .zip(export.finished_at)
            .map(|(bytes, at)| {
                view! {
                    <p class="mt-1 text-sm text-muted">
                        {format::size(bytes)} ", written " <Ago at />
                    </p>
                }
            })}
        {export
            .sha256
            .map(|sha256| {
                view! {
                    <details class="mt-1 text-sm text-muted">
                        <summary class="cursor-pointer">"SHA-256 of the file"</summary>
                        <code class="font-mono break-all">{sha256}</code>
                    </details>
                }
            })}
    }
}

fn certificate_text(certificate: &ParityCertificate) -> String {
    let gap = match certificate.largest_logit_gap {
        None => "some scores are not numbers".to_owned(),
        Some(0.0) => "every score is the same".to_owned(),
        Some(gap) => format!(
            "scores differ by at most {gap:.6}, where {} is allowed",
            certificate.bound
        ),
    };
    format!(
        "{} of {} words after {} prompts are the same; {gap}.",
        certificate.equal_tokens, certificate.tokens, certificate.prompts
    )
}
