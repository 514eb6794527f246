//! Choosing the base, and adding one.

use crate::{
    api::bases::create_base,
    components::{
        button::Button, dialog::Dialog, error_view::Alert, field::Field, icon::Icon, page_head::Panel, status::BaseTag,
    },
    format,
    forms::Sending,
};
use cerebros_common::{
    bases::{Base, BaseSource, BaseStatus, NewBase},
    ids::BaseId,
};
use leptos::prelude::*;

#[component]
pub fn Bases(bases: Signal<Vec<Base>>, chosen: RwSignal<Option<BaseId>>, added: Callback<()>) -> impl IntoView {
    let adding = RwSignal::new(false);
    let actions = move || {
        view! {
            <button type="button" class="btn btn-sm" on:click=move |_| adding.set(true)>
                <Icon icon=icondata::LuPlus />
                "Add a base"
            </button>
        }
    };
    view! {
        <Panel title="Base model" actions=ViewFn::from(actions)>
            <fieldset class="grid gap-4 md:grid-cols-2">
                <legend class="sr-only">"Base model"</legend>
                <For each=move || bases.get() key=|base| (base.id, base.status) let:base>
                    <Option base chosen />
                </For>
            </fieldset>
        </Panel>
        <Dialog open=adding title="Add a base">
            <AddBase
                done=Callback::new(move |base: Base| {
                    adding.set(false);
                    if base.status == BaseStatus::Ready {
                        chosen.set(Some(base.id));
                    }
                    added.run(());
                })
            />
        </Dialog>
    }
}

#[component]
fn Option(base: Base, chosen: RwSignal<std::option::Option<BaseId>>) -> impl IntoView {
    let id = base.id;
    let here = move || chosen.get() == Some(id);
    let ready = base.status == BaseStatus::Ready;
    let about = match base.source {
        BaseSource::BuiltIn => {
            "Random weights: for trying the loop on any machine. Its answers are noise, however long you train it."
        }
        BaseSource::Directory => "From a directory on the server.",
        BaseSource::Hub => "From the model hub.",
    };
    let facts = [
        base.parameters
            .map(|parameters| format!("{} parameters", format::quantity(parameters))),
        base.size_bytes.map(format::size),
        base.context_length
            .map(|length| format!("context of {} tokens", format::count(length))),
        ready.then(|| {
            base.license.map_or_else(
                || "states no licence".to_owned(),
                |license| format!("licence {license}"),
            )
        }),
    ];
    view! {
        <label
            class="flex gap-4 rounded-field border p-4 text-sm"
            class:cursor-pointer=ready
            class:border-primary=here
            class:bg-tint-blue=here
            class:border-line=move || !here()
        >
            <input
                type="radio"
                name="base"
                class="radio radio-sm radio-primary mt-0.5"
                disabled=!ready
                prop:checked=here
                on:change=move |_| chosen.set(Some(id))
            />
            <span class="min-w-0 space-y-1">
                <span class="flex flex-wrap items-center gap-2 text-base font-medium">
                    <span class="break-all">{base.name}</span>
                    {(!ready).then(|| view! { <BaseTag status=base.status /> })}
                </span>
                <span class="block">{about}</span>
                <span class="block text-muted">{facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")}</span>
                {base.error.map(|error| view! { <span class="block text-error">{error}</span> })}
            </span>
        </label>
    }
}

#[component]
fn AddBase(done: Callback<Base>) -> impl IntoView {
    let from_hub = RwSignal::new(false);
    let (directory, hub_id) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let sending = Sending::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let text = |signal: RwSignal<String>| signal.get_untracked().trim().to_owned();
        let hub = from_hub.get_untracked();
        let body = NewBase {
            directory: (!hub).then(|| text(directory)),
            hub_id: hub.then(|| text(hub_id)),
        };
        sending.submit(body, create_base, move |base| done.run(base));
    };
    let choice = move |hub: bool, name: &'static str| {
        view! {
            <label class="flex cursor-pointer items-center gap-2">
                <input
                    type="radio"
                    name="source"
                    class="radio radio-sm radio-primary"
                    prop:checked=move || from_hub.get() == hub
                    on:change=move |_| from_hub.set(hub)
                />
                {name}
            </label>
        }
    };
    view! {
        <form class="space-y-4" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <fieldset class="flex flex-wrap gap-x-6 gap-y-2">
                <legend class="mb-1 text-sm font-medium">"Where it is"</legend>
                {choice(false, "A directory on the server")}
                {choice(true, "The model hub")}
            </fieldset>
            <Show
                when=move || from_hub.get()
                fallback=move || {
                    view! {
                        <Field
                            label="Directory"
                            name="directory"
                            value=directory
                            error=sending.field("directory")
                            placeholder="/models/SmolLM2-135M-Instruct"
                            hint="An absolute path with config.json, tokenizer.json and safetensors of a Llama, Mistral, Qwen2 or Qwen3 model."
                        />
                    }
                }
            >
                <Field
                    label="Hub id"
                    name="hub_id"
                    value=hub_id
                    error=sending.field("hub_id")
                    placeholder="HuggingFaceTB/SmolLM2-135M-Instruct"
                    hint="The server downloads it, where its network allows."
                />
            </Show>
            <div class="flex justify-end">
                <Button busy=sending.busy kind="submit">
                    "Add base"
                </Button>
            </div>
        </form>
    }
}
