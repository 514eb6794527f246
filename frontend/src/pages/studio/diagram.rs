//! One diagram: its picture, what it says of itself, and what can be done with it.

use super::{
    diagrams::status_look,
    editor::Editor,
    picture,
    state::{Studio, level_name, origin, severity},
};
use crate::{
    api::diagrams::{delete_diagram, find_diagram, picture_address, retry_diagram, share_diagram, unshare_diagram},
    browser,
    components::{
        dialog::{About, Confirm},
        icon::Icon,
        loaded::Loaded,
        may::May,
        shown_once::ShownOnce,
        tag::{Colour, Tag},
    },
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    diagrams::{Diagram, DiagramStatus},
    events::EventKind,
    ids::DiagramId,
    workspaces::Role,
};
use leptos::{prelude::*, task::spawn_local};

#[component]
pub fn OneDiagram(studio: Studio, id: DiagramId) -> impl IntoView {
    let diagram = Remote::new(move || find_diagram(id))
        .live(move |event| event.id == id.0 && event.kind == EventKind::DiagramChanged);
    let editing = Memo::new(move |_| studio.address.text("edit").is_some());
    // Here, so that the link stays in sight when the diagram is shown anew because of it.
    let link = ShareLink {
        told: RwSignal::new(false),
        address: RwSignal::new(String::new()),
    };
    view! {
        <button type="button" class="btn btn-sm" on:click=move |_| studio.address.clear(&["diagram", "edit"])>
            <Icon icon=icondata::LuChevronLeft />
            "All diagrams"
        </button>
        <Loaded remote=diagram let:value>
            {move || {
                if editing.get() {
                    view! { <Editor studio diagram=value.get_untracked() remote=diagram /> }.into_any()
                } else {
                    view! { <Shown studio diagram=value remote=diagram link /> }.into_any()
                }
            }}
        </Loaded>
        <ShownOnce open=link.told title="Share link" copy="Copy the link" secret=link.address>
            "Whoever has this link sees title, summary and picture, without an account. It is shown once."
        </ShownOnce>
    }
}

/// A link that was just made.
#[derive(Clone, Copy)]
struct ShareLink {
    told: RwSignal<bool>,
    address: RwSignal<String>,
}

#[component]
fn Shown(studio: Studio, diagram: Signal<Diagram>, remote: Remote<Diagram>, link: ShareLink) -> impl IntoView {
    move || {
        let now = diagram.get();
        let ready = now.status == DiagramStatus::Ready;
        let (colour, text, moving) = status_look(now.status);
        let src = picture_address(&now, false);
        let problem = now.error.clone().map(|error| {
            let (colour, text) = severity(error.severity);
            view! {
                <div role="alert" class="panel space-y-2 p-4">
                    <p class="break-words"><Tag colour text /> " " {error.message}</p>
                    <May role=Role::Editor>
                        <Mend studio id=now.id remote />
                    </May>
                </div>
            }
        });
        let about =
            (!now.summary.is_empty()).then(|| view! { <p class="max-w-prose break-words">{now.summary.clone()}</p> });
        let notes = (!now.notes.is_empty())
            .then(|| view! { <p class="max-w-prose whitespace-pre-wrap break-words text-sm">{now.notes.clone()}</p> });
        let source = now.source.clone();
        view! {
            <div class="flex flex-wrap items-center gap-2">
                <h2 id="studio-diagrams" class="grow break-words">{now.title.clone()}</h2>
                {(!ready).then(|| view! { <Tag colour text moving /> })}
            </div>
            {problem}
            {ready
                .then(|| {
                    view! {
                        <div class="panel overflow-hidden bg-white p-2">
                            <img src=src alt=format!("Diagram: {}", now.title) class="mx-auto max-h-[70vh] max-w-full" />
                        </div>
                        <Actions studio diagram=now.clone() remote link />
                    }
                })}
            {about}
            <p class="flex flex-wrap items-center gap-1 text-sm text-muted">
                {level_name(now.level)}
                {(!now.domain.is_empty()).then(|| format!(" · {}", now.domain))}
                {now.tags.iter().map(|tag| view! { <Tag colour=Colour::Grey text=tag.clone() /> }).collect_view()}
                <code class="font-mono break-all">{now.slug.clone()}</code>
            </p>
            {notes}
            <p class="text-sm text-muted">{origin(now.origin, now.model.as_deref())}</p>
            {(!source.is_empty())
                .then(|| {
                    view! {
                        <details class="panel">
                            <summary class="cursor-pointer px-4 py-2 text-sm font-medium">"Source"</summary>
                            <pre tabindex="0" class="overflow-x-auto border-t border-line p-4 font-mono text-sm">{source}</pre>
                        </details>
                    }
                })}
        }
    }
}

#[component]
fn Mend(studio: Studio, id: DiagramId, remote: Remote<Diagram>) -> impl IntoView {
    let sending = Sending::in_toasts();
    view! {
        <button
            type="button"
            class="btn btn-sm"
            on:click=move |_| sending.start(retry_diagram(id), move |diagram| remote.set(diagram))
        >
            <Icon icon=icondata::LuRefreshCw />
            "Draw again"
        </button>
        <button type="button" class="btn btn-sm" on:click=move |_| studio.address.set("edit", "1")>
            "Edit the source"
        </button>
    }
}

#[component]
fn Actions(studio: Studio, diagram: Diagram, remote: Remote<Diagram>, link: ShareLink) -> impl IntoView {
    let toasts = Toasts::of_app();
    let sharing = Sending::in_toasts();
    let deleting = About::new();
    let id = diagram.id;
    let shared = diagram.shared;
    let picture = picture_address(&diagram, false);
    let save = picture_address(&diagram, true);
    let (slug, source) = (diagram.slug.clone(), diagram.source.clone());
    let name = StoredValue::new(slug);
    let png = move |_| {
        let picture = picture.clone();
        spawn_local(async move {
            if picture::save_png(&picture, &name.get_value()).await.is_err() {
                toasts.bad(&crate::api::ApiError::Unreadable(
                    "This browser could not make a PNG of it. Save the SVG instead.".to_owned(),
                ));
            }
        });
    };
    let text = move |_| picture::save_text(&source, &format!("{}.mmd", name.get_value()));
    let share = move |_| {
        sharing.start(share_diagram(id), move |share| {
            link.address.set(share.link);
            link.told.set(true);
            remote.refetch();
        });
    };
    let unshare = move |_| {
        sharing.start(unshare_diagram(id), move |()| {
            toasts.good("The link does not work any more.");
            remote.refetch();
        });
    };
    let whole = StoredValue::new(diagram);
    view! {
        <div class="flex flex-wrap gap-2">
            <a class="btn btn-sm" href=save download="">
                <Icon icon=icondata::LuDownload />
                "SVG"
            </a>
            <button type="button" class="btn btn-sm" on:click=png>
                <Icon icon=icondata::LuDownload />
                "PNG"
            </button>
            <button type="button" class="btn btn-sm" on:click=text>
                <Icon icon=icondata::LuDownload />
                "Source"
            </button>
            <May role=Role::Editor>
                <button type="button" class="btn btn-sm btn-primary" on:click=move |_| studio.address.set("edit", "1")>
                    <Icon icon=icondata::LuPencil />
                    "Edit"
                </button>
                <button type="button" class="btn btn-sm" on:click=share>
                    <Icon icon=icondata::LuLink />
                    {if shared { "New link" } else { "Share" }}
                </button>
                <Show when=move || shared>
                    <button type="button" class="btn btn-sm" on:click=unshare>
                        "Take the link away"
                    </button>
                </Show>
                <button type="button" class="btn btn-sm" on:click=move |_| deleting.ask(whole.get_value())>
                    <Icon icon=icondata::LuTrash2 />
                    "Delete"
                </button>
            </May>
        </div>
        <Delete studio about=deleting />
    }
}

#[component]
fn Delete(studio: Studio, about: About<Diagram>) -> impl IntoView {
    let sending = Sending::new();
    let confirmed = Callback::new(move |()| {
        let Some(diagram) = about.now() else { return };
        sending.start(delete_diagram(diagram.id, diagram.version), move |()| {
            about.close();
            browser::focus("main");
            studio.address.clear(&["diagram", "edit"]);
        });
    });
    view! {
        <Confirm open=about.open title=about.title(|diagram| format!("Delete “{}”?", diagram.title)) action="Delete" sending confirmed>
            <p>"Its link stops working too."</p>
        </Confirm>
    }
}
