//! A chat with an assistant, beside the passages of its documents that were read for each answer.

mod history;
mod talk;
mod turn;

use crate::{
    api::{bases::find_base, models::find_model},
    components::{button::Button, error_view::Alert, icon::Icon, loaded::Empty, may::May},
    remote::Remote,
};
use cerebros_common::{agents::Agent, bases::BaseSource, ids::AgentId, workspaces::Role};
use history::History;
use leptos::prelude::*;
use talk::{Talk, has_documents};
use turn::TurnView;
use web_sys::KeyboardEvent;

#[component]
pub fn Chat(agent: Signal<Agent>) -> impl IntoView {
    let model = Memo::new(move |_| agent.with(|agent| agent.model_id));
    let wizard = move || agent.with(|agent| format!("/assistants/{}/wizard/{}", agent.id, agent.wizard_step.max(1)));
    let talk = agent.with_untracked(Talk::new);
    view! {
        <Show
            when=move || model.get().is_some()
            fallback=move || {
                view! {
                    <Empty icon=icondata::LuMessageSquare title="Nothing to chat with yet" text="The chat opens once a model was trained for this assistant.">
                        <May role=Role::Editor>
                            <a href=wizard class="btn btn-primary">
                                "Continue the wizard"
                            </a>
                        </May>
                    </Empty>
                }
            }
        >
            <Noise model />
            <Toolbar talk agent=agent.with_untracked(|agent| agent.id) />
            <Conversation talk citable=Signal::derive(move || agent.with(has_documents)) />
        </Show>
    }
}

/// Says when the answers mean nothing.
#[component]
fn Noise(model: Memo<Option<cerebros_common::ids::ModelId>>) -> impl IntoView {
    let base = Remote::new(move || {
        let model = model.get();
        async move {
            let Some(id) = model else { return Ok(None) };
            find_base(find_model(id).await?.base_id)
                .await
                .map(|base| Some(base.source))
        }
    });
    view! {
        <Show when=move || base.get().flatten() == Some(BaseSource::BuiltIn)>
            <div class="mb-6 flex gap-2 rounded-field bg-tint-amber px-4 py-2 text-sm text-ink-amber">
                <Icon icon=icondata::LuInfo class="mt-0.5 size-4" />
                <p>
                    "This model stands on the built-in base, whose weights are random: its answers are noise. What is useful here are the passages of your documents beside each answer."
                </p>
            </div>
        </Show>
    }
}

#[component]
fn Toolbar(talk: Talk, agent: AgentId) -> impl IntoView {
    let open = RwSignal::new(false);
    let chosen = Callback::new(move |id| {
        open.set(false);
        talk.open(id);
    });
    view! {
        <div class="mb-6 flex flex-wrap justify-end gap-2">
            <button type="button" class="btn btn-sm" on:click=move |_| open.set(true)>
                <Icon icon=icondata::LuHistory />
                "Earlier chats"
            </button>
            <button
                type="button"
                class="btn btn-sm"
                disabled=move || talk.turns.with(Vec::is_empty)
                on:click=move |_| talk.open(None)
            >
                <Icon icon=icondata::LuPlus />
                "New chat"
            </button>
        </div>
        <History open agent current=talk.conversation.into() chosen />
    }
}

#[component]
fn Conversation(talk: Talk, citable: Signal<bool>) -> impl IntoView {
    let question = RwSignal::new(String::new());
    let ask = move || {
        let text = question.get_untracked().trim().to_owned();
        if !text.is_empty() && !talk.busy.get_untracked() {
            question.set(String::new());
            talk.ask(text);
        }
    };
    let key = move |event: KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            ask();
        }
    };
    view! {
        <Alert error=talk.trouble />
        <div class="space-y-8" role="log" aria-label="Chat">
            <For each=move || talk.turns.get() key=|turn| turn.id let:turn>
                <TurnView
                    turn
                    editable=Signal::derive(move || {
                        !talk.busy.get() && talk.turns.with(|turns| turns.last().is_some_and(|last| last.id == turn.id))
                    })
                    retry=Callback::new(move |words| talk.retry(turn, words))
                />
            </For>
            <Show when=move || talk.conversation.with(Option::is_none) && talk.turns.with(Vec::is_empty)>
                <p class="py-8 text-center text-muted">"Ask something that your documents answer."</p>
            </Show>
        </div>
        <form
            class="sticky bottom-0 mt-6 bg-base-100 pt-2 pb-4"
            on:submit=move |event| {
                event.prevent_default();
                ask();
            }
        >
            <div class="panel p-2 focus-within:border-primary">
                <textarea
                    id="question"
                    rows="2"
                    aria-label="Your message"
                    aria-describedby="question-note"
                    placeholder="Your message"
                    class="block w-full resize-none bg-transparent p-2 text-base outline-none"
                    prop:value=question
                    on:input:target=move |event| question.set(event.target().value())
                    on:keydown=key
                ></textarea>
                <div class="flex flex-wrap items-center justify-between gap-2">
                    <Show when=move || citable.get()>
                        <label class="flex cursor-pointer items-center gap-2 text-sm">
                            <input
                                type="checkbox"
                                class="toggle toggle-primary toggle-sm"
                                prop:checked=talk.documents
                                on:change:target=move |event| talk.documents.set(event.target().checked())
                            />
                            "Use the documents"
                        </label>
                    </Show>
                    <span id="question-note" class="hidden grow text-right text-sm text-muted sm:block">
                        "Enter sends, Shift+Enter starts a line"
                    </span>
                    <Show
                        when=move || talk.busy.get()
                        fallback=move || {
                            view! {
                                <Button
                                    busy=false
                                    kind="submit"
                                    class="btn btn-primary btn-sm"
                                    disabled=Signal::derive(move || question.with(|question| question.trim().is_empty()))
                                >
                                    <Icon icon=icondata::LuSend />
                                    "Send"
                                </Button>
                            }
                        }
                    >
                        <button type="button" class="btn btn-sm" on:click=move |_| talk.stop()>
                            <Icon icon=icondata::LuSquare />
                            "Stop"
                        </button>
                    </Show>
                </div>
            </div>
        </form>
    }
}
