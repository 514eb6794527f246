//! What computes an assistant's answers, where the server has a choice.

use crate::{
    api::agents::update_agent,
    components::{icon::Icon, may::May},
    facts::Facts,
    forms::Sending,
    toasts::Toasts,
};
use cerebros_common::{
    agents::{Agent, AgentPatch, Host},
    workspaces::Role,
};
use leptos::{html, prelude::*};

fn word(host: Host) -> &'static str {
    match host {
        Host::Embedded => "embedded",
        Host::Vllm => "vllm",
    }
}

#[component]
pub fn HostPart(agent: Signal<Agent>, changed: Callback<()>) -> impl IntoView {
    let facts = Facts::of_app();
    let host = Memo::new(move |_| agent.with(|agent| agent.host));
    // Without a vLLM server one may still go back from it.
    let has_choice = move || facts.vllm() || host.get() == Host::Vllm;
    let told = move || match host.get() {
        Host::Embedded => "This server computes the answers itself.",
        Host::Vllm if facts.vllm() => "A vLLM server computes the answers. While it is away, there are none.",
        Host::Vllm => "A vLLM server computed the answers, but this server has none any more.",
    };
    view! {
        <Show when=has_choice>
            <section class="panel mb-4 flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-4" aria-labelledby="host-name">
                <span class="text-muted">
                    <Icon icon=icondata::LuServer class="size-5" />
                </span>
                <div class="min-w-0 grow basis-48">
                    <h2 id="host-name" class="text-base font-medium">
                        "Answers come from"
                    </h2>
                    <p class="text-sm text-muted">{told}</p>
                </div>
                <May role=Role::Editor>
                    <HostChoice agent host changed />
                </May>
            </section>
        </Show>
    }
}

#[component]
fn HostChoice(agent: Signal<Agent>, host: Memo<Host>, changed: Callback<()>) -> impl IntoView {
    let (sending, toasts) = (Sending::in_toasts(), Toasts::of_app());
    let element = NodeRef::<html::Select>::new();
    let show = move |host: Host| {
        if let Some(element) = element.get_untracked() {
            element.set_value(word(host));
        }
    };
    let change = move |event: web_sys::Event| {
        let wanted = match event_target_value(&event).as_str() {
            "vllm" => Host::Vllm,
            _ => Host::Embedded,
        };
        let (id, version) = agent.with_untracked(|agent| (agent.id, agent.version));
        let body = AgentPatch {
            host: Some(wanted),
            ..AgentPatch::default()
        };
        sending.start(update_agent(id, version, body), move |agent| {
            toasts.good(match agent.host {
                Host::Embedded => "This server answers from now on.",
                Host::Vllm => "The vLLM server answers from now on.",
            });
            changed.run(());
        });
    };
    Effect::new(move |_| {
        let current = host.get();
        // A change that failed is taken back.
        sending.error.with(|_| ());
        show(current);
    });
    view! {
        <select
            node_ref=element
            class="select select-sm w-auto"
            aria-labelledby="host-name"
            disabled=sending.busy
            on:change=change
        >
            {[(Host::Embedded, "This server"), (Host::Vllm, "vLLM")]
                .map(|(each, name)| {
                    let chosen = host.get_untracked() == each;
                    view! {
                        <option value=word(each) selected=chosen>
                            {name}
                        </option>
                    }
                })}
        </select>
    }
}
