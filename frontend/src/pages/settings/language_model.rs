//! Which language model the workspace uses, how it is doing, and what it costs.

mod connection;
mod form;
mod limits;
mod prices;

use crate::{
    api::llm_settings::find_llm_settings,
    browser,
    components::{
        loaded::Loaded,
        may::May,
        page_head::{Fact, PageHead, Panel},
    },
    pages::settings::provider_keys::{KeyBox, Kind},
    remote::Remote,
    words::llm_provider_name,
};
use cerebros_common::{
    events::EventKind,
    llm_settings::{LlmProvider, LlmSettings},
    provider_keys::Provider,
    workspaces::Role,
};
use connection::Connection;
use form::Form;
use leptos::prelude::*;
use limits::Limits;
use prices::PriceTable;

const KEY_REMOVAL: &str = "The server can no longer ask the language model. Answers that are here already stay.";

static KEYS: [Kind; 3] = [
    kind(
        Provider::Openai,
        "sk-…",
        "From platform.openai.com. A server of your own may need none.",
    ),
    kind(Provider::Anthropic, "sk-ant-…", "From platform.claude.com."),
    kind(
        Provider::AzureOpenai,
        "",
        "One of the two keys of your resource, from the Azure portal.",
    ),
];

const fn kind(provider: Provider, placeholder: &'static str, hint: &'static str) -> Kind {
    Kind {
        provider,
        label: "API key",
        noun: "key",
        placeholder,
        hint,
        store: "Store key",
        replace: "Replace key",
        remove: "Remove key",
        removal: KEY_REMOVAL,
    }
}

#[component]
pub fn LanguageModelPage() -> impl IntoView {
    browser::title("Language model");
    let remote = Remote::new(find_llm_settings).live(|event| event.kind == EventKind::LlmSettingsChanged);
    let provider = Memo::new(move |_| remote.with(|settings| settings.provider).unwrap_or_default());
    let changed = Callback::new(move |settings: LlmSettings| remote.set(settings));
    view! {
        <PageHead
            title="Language model"
            level=2
            text="What examples, concepts and diagrams are made with. Questions that are put to it hold text of your documents."
        />
        <Loaded remote let:settings>
            <div class="space-y-6">
                <Panel title="Provider">
                    <Chosen settings />
                    <May role=Role::Admin>
                        <Form settings changed />
                    </May>
                </Panel>
                {move || {
                    let kind = KEYS.iter().find(|kind| provider.get().key() == Some(kind.provider));
                    kind.map(|kind| {
                        let stored = Callback::new(move |()| remote.refetch());
                        view! {
                            <May role=Role::Admin>
                                <Panel title="Key">
                                    <p class="mb-4 max-w-prose text-muted">
                                        "It is stored encrypted, is sent to this provider alone, and is never shown again."
                                    </p>
                                    <KeyBox kind changed=stored />
                                </Panel>
                                <Panel title="Connection">
                                    <Connection />
                                </Panel>
                            </May>
                            <Panel title="Rate limits">
                                <Limits settings />
                            </Panel>
                        }
                    })
                }}
                <PriceTable />
            </div>
        </Loaded>
    }
}

#[component]
fn Chosen(settings: Signal<LlmSettings>) -> impl IntoView {
    move || {
        let settings = settings.get();
        if settings.provider == LlmProvider::Extractive {
            return view! {
                <p class="max-w-prose">
                    "No language model is used. Examples, concepts and outlines are taken from the text itself; nothing leaves this server and nothing is paid."
                </p>
            }
            .into_any();
        }
        let address = settings
            .base_url
            .or(settings.provider.default_base_url().map(str::to_owned))
            .unwrap_or_default();
        view! {
            <dl class="grid grid-cols-1 gap-4 min-[420px]:grid-cols-2">
                <Fact name="Provider">{llm_provider_name(settings.provider)}</Fact>
                <Fact name="Model">{settings.model.unwrap_or_default()}</Fact>
                <Fact name="Address">
                    <span class="break-all">{address}</span>
                </Fact>
                <Fact name="Questions at once">{settings.parallel_calls}</Fact>
            </dl>
        }
        .into_any()
    }
}
