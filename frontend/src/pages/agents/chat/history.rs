//! The conversations that were had with an assistant: open one, rename it, delete it.

use crate::{
    api::conversations::{delete_conversation, list_conversations, update_conversation},
    components::{
        button::Button,
        dialog::Dialog,
        error_view::Alert,
        icon::Icon,
        loaded::{Loaded, no_items},
        time::Ago,
    },
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    conversations::{Conversation, ConversationPatch, ConversationQuery},
    ids::{AgentId, ConversationId},
    wire::Page,
};
use leptos::prelude::*;

const SHOWN: u32 = 20;

/// What is being done to a row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Doing {
    Nothing,
    Renaming,
    Deleting,
}

#[component]
pub fn History(
    open: RwSignal<bool>,
    agent: AgentId,
    current: Signal<Option<ConversationId>>,
    chosen: Callback<Option<ConversationId>>,
) -> impl IntoView {
    view! {
        <Dialog open title="Earlier chats">
            <List agent current chosen />
        </Dialog>
    }
}

#[component]
fn List(
    agent: AgentId,
    current: Signal<Option<ConversationId>>,
    chosen: Callback<Option<ConversationId>>,
) -> impl IntoView {
    let page = RwSignal::new(1);
    let remote = Remote::new(move || {
        list_conversations(ConversationQuery {
            agent_id: Some(agent),
            page: Some(page.get()),
            limit: Some(SHOWN),
        })
    });
    let changed = Callback::new(move |()| remote.refetch());
    view! {
        <Loaded
            remote
            is_empty=no_items
            empty=|| view! { <p class="py-4 text-muted">"Nothing was said yet. Only you will see your chats here."</p> }
            let:found
        >
            <p class="mb-2 text-sm text-muted">"Only you see these."</p>
            <ul class="divide-y divide-line">
                <For
                    each=move || found.get().items
                    key=|conversation| (conversation.id, conversation.version)
                    let:conversation
                >
                    <Row conversation current chosen changed />
                </For>
            </ul>
            <Pages page found />
        </Loaded>
    }
}

#[component]
fn Pages(page: RwSignal<u32>, found: Signal<Page<Conversation>>) -> impl IntoView {
    let pages = move || found.with(|found| found.total_pages);
    view! {
        <Show when=move || { pages() > 1 }>
            <div class="mt-4 flex items-center justify-end gap-2 text-sm text-muted">
                <button
                    type="button"
                    class="btn btn-sm btn-square"
                    aria-label="Newer chats"
                    disabled=move || page.get() <= 1
                    on:click=move |_| page.update(|page| *page -= 1)
                >
                    <Icon icon=icondata::LuChevronLeft />
                </button>
                {move || format!("Page {} of {}", page.get(), pages())}
                <button
                    type="button"
                    class="btn btn-sm btn-square"
                    aria-label="Older chats"
                    disabled=move || { page.get() >= pages() }
                    on:click=move |_| page.update(|page| *page += 1)
                >
                    <Icon icon=icondata::LuChevronRight />
                </button>
            </div>
        </Show>
    }
}

fn shown_title(conversation: &Conversation) -> String {
    if conversation.title.is_empty() {
        "Untitled chat".to_owned()
    } else {
        conversation.title.clone()
    }
}

#[component]
fn Row(
    conversation: Conversation,
    current: Signal<Option<ConversationId>>,
    chosen: Callback<Option<ConversationId>>,
    changed: Callback<()>,
) -> impl IntoView {
    let doing = RwSignal::new(Doing::Nothing);
    let conversation = StoredValue::new(conversation);
    view! {
        <li class="py-1">
            {move || match doing.get() {
                Doing::Nothing => view! { <Line conversation current chosen doing /> }.into_any(),
                Doing::Renaming => view! { <Rename conversation doing changed /> }.into_any(),
                Doing::Deleting => view! { <Delete conversation current chosen doing changed /> }.into_any(),
            }}
        </li>
    }
}

#[component]
fn Line(
    conversation: StoredValue<Conversation>,
    current: Signal<Option<ConversationId>>,
    chosen: Callback<Option<ConversationId>>,
    doing: RwSignal<Doing>,
) -> impl IntoView {
    let Conversation { id, updated_at, .. } = conversation.get_value();
    let title = conversation.with_value(shown_title);
    let is_current = move || (current.get() == Some(id)).to_string();
    view! {
        <div class="flex items-center gap-1">
            <button
                type="button"
                class="min-w-0 grow cursor-pointer rounded-field px-2 py-2 text-left hover:bg-base-200 aria-[current=true]:bg-tint-blue aria-[current=true]:text-ink-blue"
                aria-current=is_current
                on:click=move |_| chosen.run(Some(id))
            >
                <span class="block truncate">{title.clone()}</span>
                <span class="block text-sm opacity-80">
                    <Ago at=updated_at />
                </span>
            </button>
            <button
                type="button"
                class="btn btn-ghost btn-sm btn-square"
                aria-label=format!("Rename {title}")
                on:click=move |_| doing.set(Doing::Renaming)
            >
                <Icon icon=icondata::LuPencil />
            </button>
            <button
                type="button"
                class="btn btn-ghost btn-sm btn-square"
                aria-label=format!("Delete {title}")
                on:click=move |_| doing.set(Doing::Deleting)
            >
                <Icon icon=icondata::LuTrash2 />
            </button>
        </div>
    }
}

#[component]
fn Rename(conversation: StoredValue<Conversation>, doing: RwSignal<Doing>, changed: Callback<()>) -> impl IntoView {
    let Conversation { id, version, .. } = conversation.get_value();
    let title = RwSignal::new(conversation.with_value(shown_title));
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let body = ConversationPatch {
            title: title.get_untracked().trim().to_owned(),
        };
        sending.submit(
            body,
            move |body| update_conversation(id, version, body),
            move |_| changed.run(()),
        );
    };
    view! {
        <form class="space-y-2 py-1" novalidate on:submit=submit>
            <Alert error=sending.error />
            <div class="flex flex-wrap items-center gap-2">
                <input
                    class="input min-w-40 grow"
                    aria-label="Title"
                    autofocus=true
                    prop:value=title
                    on:input:target=move |event| title.set(event.target().value())
                />
                <Button busy=sending.busy kind="submit" class="btn btn-primary btn-sm">
                    "Save"
                </Button>
                <button type="button" class="btn btn-ghost btn-sm" on:click=move |_| doing.set(Doing::Nothing)>
                    "Cancel"
                </button>
            </div>
        </form>
    }
}

#[component]
fn Delete(
    conversation: StoredValue<Conversation>,
    current: Signal<Option<ConversationId>>,
    chosen: Callback<Option<ConversationId>>,
    doing: RwSignal<Doing>,
    changed: Callback<()>,
) -> impl IntoView {
    let Conversation { id, version, .. } = conversation.get_value();
    let sending = Sending::new();
    let delete = move |_| {
        sending.start(delete_conversation(id, version), move |()| {
            if current.get_untracked() == Some(id) {
                chosen.run(None);
            }
            changed.run(());
        });
    };
    view! {
        <div class="space-y-2 py-1">
            <Alert error=sending.error />
            <div class="flex flex-wrap items-center justify-end gap-2">
                <p class="min-w-40 grow truncate px-2">"Delete “" {conversation.with_value(shown_title)} "”?"</p>
                <button type="button" class="btn btn-error btn-sm" disabled=sending.busy on:click=delete>
                    "Delete"
                </button>
                <button type="button" class="btn btn-ghost btn-sm" on:click=move |_| doing.set(Doing::Nothing)>
                    "Keep"
                </button>
            </div>
        </div>
    }
}
