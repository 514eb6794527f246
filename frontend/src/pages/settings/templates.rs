//! What a language model is asked to write examples by: the instructions for each type of document, and their versions.

mod trial;
mod versions;

use crate::{
    address::{Address, word},
    api::templates::{find_template, update_template},
    browser,
    components::{
        button::Button, error_view::Alert, field::TextArea, loaded::Loaded, may::May, page_head::Panel, time::Ago,
    },
    forms::Sending,
    remote::Remote,
    session::Session,
    toasts::Toasts,
};
use cerebros_common::{
    events::EventKind,
    templates::{Template, TemplateKind, TemplatePatch},
    workspaces::Role,
};
use leptos::prelude::*;
use trial::Trial;
use versions::Versions;

pub fn template_name(kind: TemplateKind) -> &'static str {
    match kind {
        TemplateKind::Prose => "Running text",
        TemplateKind::Table => "Tables",
        TemplateKind::Structured => "Data and settings",
        TemplateKind::Dialogue => "Conversations",
    }
}

fn template_text(kind: TemplateKind) -> &'static str {
    match kind {
        TemplateKind::Prose => "For PDF, Word, plain text and Markdown.",
        TemplateKind::Table => "For CSV.",
        TemplateKind::Structured => "For JSON and XML.",
        TemplateKind::Dialogue => "For whatever was uploaded as communication.",
    }
}

#[component]
pub fn TemplatesPage() -> impl IntoView {
    browser::title("Prompt templates");
    let address = Address::of_page();
    let kind = Memo::new(move |_| address.word("kind").unwrap_or(TemplateKind::Prose));
    view! {
        <nav aria-label="Types of document" class="flex flex-wrap gap-1">
            {TemplateKind::ALL
                .map(|one| {
                    view! {
                        <a
                            href=format!("?kind={}", word(&one))
                            class="btn btn-sm"
                            class:btn-primary=move || kind.get() == one
                            aria-current=move || (kind.get() == one).then_some("page")
                        >
                            {template_name(one)}
                        </a>
                    }
                })
                .collect_view()}
        </nav>
        {move || view! { <One kind=kind.get() /> }}
    }
}

#[component]
fn One(kind: TemplateKind) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let template = Remote::new(move || find_template(kind)).live(|event| event.kind == EventKind::TemplatesChanged);
    view! {
        <Loaded remote=template let:current>
            <Instructions current remote=template text />
            <May role=Role::Editor>
                <Trial kind instructions=text />
            </May>
            <Versions kind current changed=Callback::new(move |now| template.set(now)) />
        </Loaded>
    }
}

#[component]
fn Instructions(current: Signal<Template>, remote: Remote<Template>, text: RwSignal<String>) -> impl IntoView {
    let session = Session::of_app();
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let Template {
        kind,
        instructions,
        frame,
        version,
        ..
    } = current.get_untracked();
    text.set(instructions.clone());
    let based_on = RwSignal::new((version, instructions));
    // What somebody else saved is taken over, unless something was typed here.
    Effect::new(move |_| {
        let fresh = current.get();
        let untouched = text.with_untracked(|text| based_on.with_untracked(|(_, old)| text == old));
        if untouched {
            text.set(fresh.instructions.clone());
            based_on.set((fresh.version, fresh.instructions));
        }
    });
    let changed = Signal::derive(move || text.with(|text| based_on.with(|(_, old)| text != old)));
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let version = based_on.with_untracked(|(version, _)| *version);
        let body = TemplatePatch {
            instructions: text.get_untracked(),
        };
        sending.submit(
            body,
            |body| update_template(kind, version, body),
            move |saved| {
                based_on.set((saved.version, saved.instructions.clone()));
                toasts.good("The template was saved as a new version.");
                remote.set(saved);
            },
        );
    };
    let at = move || {
        let template = current.get();
        view! {
            <span class="text-sm text-muted">
                {format!("Version {}", template.version)}
                {match template.updated_at {
                    Some(at) => view! { ", saved " <Ago at /> }.into_any(),
                    None => view! { ", built in" }.into_any(),
                }}
            </span>
        }
    };
    view! {
        <Panel title=template_name(kind) actions=ViewFn::from(at)>
            <div class="space-y-4">
                <p class="text-muted">{template_text(kind)}</p>
                <details class="rounded-field border border-line">
                    <summary class="cursor-pointer px-4 py-2 text-sm font-medium">"The rules that come first in each request"</summary>
                    <p class="border-t border-line px-4 py-2 text-sm whitespace-pre-wrap text-muted">{frame}</p>
                </details>
                <Show
                    when=move || session.may(Role::Editor)
                    fallback=move || view! { <p class="whitespace-pre-wrap">{move || current.with(|current| current.instructions.clone())}</p> }
                >
                    <form class="space-y-2" novalidate on:submit=submit>
                        <Alert error=sending.general() />
                        <TextArea
                            label="Instructions"
                            name="instructions"
                            value=text
                            rows=8
                            error=sending.field("instructions")
                            hint="Batches that are under way keep the version that they were started with."
                        />
                        <Button busy=sending.busy disabled=Signal::derive(move || !changed.get()) kind="submit">
                            "Save as a new version"
                        </Button>
                    </form>
                </Show>
            </div>
        </Panel>
    }
}
