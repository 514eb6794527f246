//! The price table: shipped list prices, and the workspace's own.

use crate::{
    address::{from_word, word},
    api::{
        ApiError,
        prices::{delete_price, list_prices, put_price},
    },
    components::{
        button::Button,
        error_view::Alert,
        field::{Field, Select},
        loaded::Loaded,
        may::May,
        page_head::Panel,
        tag::{Colour, Tag},
    },
    format,
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
    words::llm_provider_name,
};
use cerebros_common::{
    errors::FieldError,
    events::EventKind,
    llm_settings::LlmProvider,
    prices::{NewPrice, Price},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn PriceTable() -> impl IntoView {
    let prices = Remote::new(list_prices).live(|event| event.kind == EventKind::LlmSettingsChanged);
    let changed = Callback::new(move |()| prices.refetch());
    view! {
        <Panel title="Prices">
            <p class="mb-4 max-w-prose text-muted">
                "In US dollars for a million tokens. Costs are reckoned with them; your provider's bill is what counts. With a base URL of your own only your own prices are used."
            </p>
            <Loaded remote=prices let:prices>
                <div class="max-h-96 overflow-auto rounded-field border border-line" tabindex="0" role="region" aria-label="Prices">
                    <table class="grid-table">
                        <thead>
                            <tr>
                                <th scope="col">"Model"</th>
                                <th scope="col" class="text-right">"Prompt"</th>
                                <th scope="col" class="text-right">"Answer"</th>
                                <th scope="col"><span class="sr-only">"Actions"</span></th>
                            </tr>
                        </thead>
                        <tbody>
                            <For
                                each=move || prices.get().items
                                key=|price| (price.provider, price.model.clone(), price.prompt_micros, price.completion_micros, price.own)
                                let:price
                            >
                                <Row price changed />
                            </For>
                        </tbody>
                    </table>
                </div>
                <p class="mt-2 text-sm text-muted">
                    {move || prices.with(|prices| format!("Shipped: {}, {}.", prices.source, prices.as_of.format("%-d %b %Y")))}
                </p>
            </Loaded>
            <May role=Role::Admin>
                <Set changed />
            </May>
        </Panel>
    }
}

#[component]
fn Row(price: Price, changed: Callback<()>) -> impl IntoView {
    let sending = Sending::in_toasts();
    let label = format!("Remove your price of {}", price.model);
    let (provider, model) = (price.provider, StoredValue::new(price.model.clone()));
    let remove = move |_| {
        sending.start(
            async move { delete_price(provider, &model.get_value()).await },
            move |()| changed.run(()),
        )
    };
    view! {
        <tr>
            <td class="min-w-40">
                <span class="block font-medium break-all">{price.model}</span>
                <span class="text-sm text-muted">{llm_provider_name(price.provider)}</span>
            </td>
            <td class="text-right whitespace-nowrap">{format::dollars(price.prompt_micros)}</td>
            <td class="text-right whitespace-nowrap">{format::dollars(price.completion_micros)}</td>
            <td class="text-right">
                {price
                    .own
                    .then(|| {
                        view! {
                            <span class="inline-flex items-center gap-2">
                                <Tag colour=Colour::Blue text="Yours" />
                                <May role=Role::Admin>
                                    <button
                                        type="button"
                                        class="btn btn-ghost btn-sm"
                                        aria-label=label.clone()
                                        disabled=move || sending.busy.get()
                                        on:click=remove
                                    >
                                        "Remove"
                                    </button>
                                </May>
                            </span>
                        }
                    })}
            </td>
        </tr>
    }
}

#[component]
fn Set(changed: Callback<()>) -> impl IntoView {
    let provider = RwSignal::new(word(&LlmProvider::Openai));
    let (model, prompt, answer) = (
        RwSignal::new(String::new()),
        RwSignal::new(String::new()),
        RwSignal::new(String::new()),
    );
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        match read(model, prompt, answer) {
            Err(error) => sending.error.set(Some(error)),
            Ok((name, body)) => {
                let provider = provider
                    .with_untracked(|word| from_word(word))
                    .unwrap_or(LlmProvider::Openai);
                sending.submit(
                    body,
                    move |body| async move { put_price(provider, &name, body).await },
                    move |_| {
                        toasts.good("The price was set.");
                        for field in [model, prompt, answer] {
                            field.set(String::new());
                        }
                        changed.run(());
                    },
                );
            }
        }
    };
    let options = [LlmProvider::Openai, LlmProvider::Anthropic, LlmProvider::AzureOpenai]
        .map(|provider| (word(&provider), llm_provider_name(provider).to_owned()))
        .to_vec();
    view! {
        <form class="mt-6 space-y-2" novalidate on:submit=submit>
            <h3 class="font-semibold">"Set a price"</h3>
            <Alert error=sending.general() />
            <div class="grid gap-x-4 gap-y-2 sm:grid-cols-2">
                <Select label="Price of" name="price-provider" value=provider options=Signal::stored(options) />
                <Field label="Model's name" name="price-model" value=model error=sending.field("model") autocomplete="off" />
                <Field
                    label="A million prompt tokens"
                    name="price-prompt"
                    value=prompt
                    error=sending.field("prompt_micros")
                    placeholder="0.15"
                    autocomplete="off"
                />
                <Field
                    label="A million answer tokens"
                    name="price-answer"
                    value=answer
                    error=sending.field("completion_micros")
                    placeholder="0.60"
                    autocomplete="off"
                />
            </div>
            <Button busy=sending.busy class="btn" kind="submit">
                "Set price"
            </Button>
        </form>
    }
}

fn read(
    model: RwSignal<String>,
    prompt: RwSignal<String>,
    answer: RwSignal<String>,
) -> Result<(String, NewPrice), ApiError> {
    let name = model.get_untracked().trim().to_owned();
    let (prompt, answer) = (
        prompt.with_untracked(|text| format::parse_dollars(text)),
        answer.with_untracked(|text| format::parse_dollars(text)),
    );
    let fault = |path: &str, message: &str| {
        ApiError::Invalid(vec![FieldError {
            path: path.to_owned(),
            code: "type".to_owned(),
            message: message.to_owned(),
        }])
    };
    if name.is_empty() {
        return Err(fault("model", "must name a model"));
    }
    let dollars = "must be dollars, such as 0.15";
    Ok((
        name,
        NewPrice {
            prompt_micros: prompt.ok_or_else(|| fault("prompt_micros", dollars))?,
            completion_micros: answer.ok_or_else(|| fault("completion_micros", dollars))?,
        },
    ))
}
