//! Choosing the provider, its address and a model.

use crate::{
    address::{from_word, word},
    api::llm_settings::{list_llm_models, put_llm_settings},
    components::{
        button::Button,
        error_view::Alert,
        field::{Field, Select},
    },
    forms::Sending,
    toasts::Toasts,
    words::llm_provider_name,
};
use cerebros_common::llm_settings::{LlmModels, LlmProvider, LlmSettings, LlmSettingsUpdate};
use leptos::prelude::*;

const PROVIDERS: [LlmProvider; 4] = [
    LlmProvider::Extractive,
    LlmProvider::Openai,
    LlmProvider::Anthropic,
    LlmProvider::AzureOpenai,
];

#[derive(Clone, Copy)]
struct Fields {
    provider: RwSignal<String>,
    base_url: RwSignal<String>,
    model: RwSignal<String>,
    parallel: RwSignal<String>,
}

impl Fields {
    fn of(settings: &LlmSettings) -> Self {
        Self {
            provider: RwSignal::new(word(&settings.provider)),
            base_url: RwSignal::new(settings.base_url.clone().unwrap_or_default()),
            model: RwSignal::new(settings.model.clone().unwrap_or_default()),
            parallel: RwSignal::new(settings.parallel_calls.to_string()),
        }
    }

    fn provider(self) -> LlmProvider {
        self.provider.with(|word| from_word(word)).unwrap_or_default()
    }

    fn body(self) -> LlmSettingsUpdate {
        let text = |field: RwSignal<String>| {
            let text = field.get_untracked().trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let provider = untrack(|| self.provider());
        let uses_model = provider != LlmProvider::Extractive;
        LlmSettingsUpdate {
            provider,
            base_url: text(self.base_url).filter(|_| uses_model),
            model: text(self.model).filter(|_| uses_model),
            // Out of range: the rule says so.
            parallel_calls: uses_model.then(|| self.parallel.get_untracked().trim().parse().unwrap_or(0)),
        }
    }
}

#[component]
pub fn Form(settings: Signal<LlmSettings>, changed: Callback<LlmSettings>) -> impl IntoView {
    let fields = Fields::of(&settings.get_untracked());
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let provider = Memo::new(move |_| fields.provider());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let version = settings.with_untracked(|settings| settings.version);
        sending.submit(
            fields.body(),
            move |body| put_llm_settings(version, body),
            move |settings| {
                toasts.good("The settings were saved.");
                changed.run(settings);
            },
        );
    };
    let options = PROVIDERS
        .map(|provider| (word(&provider), llm_provider_name(provider).to_owned()))
        .to_vec();
    let uses_model = Signal::derive(move || provider.get() != LlmProvider::Extractive);
    view! {
        <form class="mt-6 max-w-md space-y-2" novalidate on:submit=submit>
            <Alert error=sending.general() />
            <Select label="Provider" name="llm-provider" value=fields.provider options=Signal::stored(options) />
            <Show when=move || uses_model.get()>
                <Field
                    label="Base URL"
                    name="llm-base-url"
                    value=fields.base_url
                    error=sending.field("base_url")
                    placeholder="https://…"
                    autocomplete="off"
                    hint="Left empty: the provider's own. For Azure the address of your resource; for Ollama, vLLM or llama.cpp theirs, ending in /v1."
                />
                <Field
                    label="Model"
                    name="llm-model"
                    value=fields.model
                    error=sending.field("model")
                    autocomplete="off"
                    hint="As the provider names it. For Azure the name of a deployment."
                />
                <Models provider settings model=fields.model />
                <Field
                    label="Questions at once"
                    name="llm-parallel"
                    kind="number"
                    value=fields.parallel
                    error=sending.field("parallel_calls")
                    hint="1 to 32. More is faster, until the provider's rate limit is reached."
                />
            </Show>
            <Button busy=sending.busy kind="submit">
                "Save"
            </Button>
        </form>
    }
}

/// Models of the provider that is saved, to choose one of.
#[component]
fn Models(provider: Memo<LlmProvider>, settings: Signal<LlmSettings>, model: RwSignal<String>) -> impl IntoView {
    let (sending, found) = (Sending::new(), RwSignal::new(None::<LlmModels>));
    let saved = Memo::new(move |_| settings.with(|settings| settings.provider) == provider.get());
    let lists = Signal::derive(move || saved.get() && provider.get() != LlmProvider::AzureOpenai);
    let fetch = Callback::new(move |()| sending.start(list_llm_models(), move |models| found.set(Some(models))));
    let chosen = RwSignal::new(String::new());
    Effect::new(move |_| {
        let name = chosen.get();
        if !name.is_empty() {
            model.set(name);
        }
    });
    let options = Signal::derive(move || {
        let models = found.with(|found| found.as_ref().map(|found| found.models.clone()).unwrap_or_default());
        let first = (String::new(), "Choose a model".to_owned());
        std::iter::once(first)
            .chain(models.into_iter().map(|name| (name.clone(), name)))
            .collect::<Vec<_>>()
    });
    let said = Signal::derive(move || found.with(|found| found.as_ref().and_then(|found| found.error.clone())));
    view! {
        <Show when=move || lists.get()>
            <div class="space-y-2" aria-live="polite">
                <Alert error=sending.error />
                <Button busy=sending.busy class="btn btn-sm" on_click=fetch>
                    "List models"
                </Button>
                {move || said.get().map(|error| view! { <p class="text-sm text-error">{error.message}</p> })}
                <Show when=move || options.with(|options| options.len() > 1)>
                    <Select label="The provider's models" name="llm-models" value=chosen options />
                </Show>
            </div>
        </Show>
    }
}
