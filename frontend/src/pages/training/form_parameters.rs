//! The parameters of a training job, each explained.

use crate::{
    api::{Answer, ApiError},
    components::{field::Field, page_head::Panel},
};
use cerebros_common::{
    errors::FieldError,
    jobs::{JobParameters, JobPreset},
};
use leptos::prelude::*;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

struct Parameter {
    key: &'static str,
    label: &'static str,
    hint: &'static str,
    whole: bool,
}

const fn whole(key: &'static str, label: &'static str, hint: &'static str) -> Parameter {
    Parameter {
        key,
        label,
        hint,
        whole: true,
    }
}

const fn real(key: &'static str, label: &'static str, hint: &'static str) -> Parameter {
    Parameter {
        key,
        label,
        hint,
        whole: false,
    }
}

static BASIC: [Parameter; 4] = [
    whole(
        "epochs",
        "Epochs",
        "How often each example is seen. 1 to 100; more learns harder, and by heart.",
    ),
    whole(
        "rank",
        "LoRA rank",
        "How much the adapter can learn. 1 to 256; higher is larger and slower.",
    ),
    real(
        "learning_rate",
        "Learning rate",
        "How far each step goes. 0.0000001 to 0.1; lower it if the loss jumps.",
    ),
    whole(
        "batch_size",
        "Batch size",
        "Examples per step. 1 to 64; lower it if memory runs out.",
    ),
];

static ADVANCED: [Parameter; 9] = [
    whole(
        "max_seq_length",
        "Longest row",
        "In tokens, 16 to 8192. Longer examples are cut off here.",
    ),
    real(
        "validation_fraction",
        "Validation part",
        "Kept out of training to measure it. 0 to 0.5.",
    ),
    whole(
        "seed",
        "Seed",
        "Same seed, data and settings give the same adapter, byte for byte.",
    ),
    whole(
        "alpha",
        "LoRA alpha",
        "The adapter is scaled by alpha / rank. 1 to 1024.",
    ),
    real("dropout", "LoRA dropout", "Against learning by heart. 0 to 0.5."),
    whole(
        "gradient_accumulation_steps",
        "Accumulation",
        "Passes per step: a larger batch in the same memory. 1 to 256.",
    ),
    real(
        "warmup_ratio",
        "Warm-up",
        "Part of all steps in which the learning rate rises. 0 to 0.5.",
    ),
    real("weight_decay", "Weight decay", "Pulls weights to zero. 0 to 1."),
    real(
        "max_grad_norm",
        "Gradient limit",
        "Larger gradients are scaled down to it. 0.01 to 100.",
    ),
];

/// What the person typed, by parameter.
#[derive(Clone, Copy)]
pub struct Typed(StoredValue<BTreeMap<&'static str, RwSignal<String>>>);

impl Typed {
    pub fn new(defaults: &JobParameters) -> Self {
        let defaults = serde_json::to_value(defaults).unwrap_or_default();
        let text = |key: &str| defaults.get(key).map(Value::to_string).unwrap_or_default();
        let all = BASIC.iter().chain(&ADVANCED);
        Self(StoredValue::new(
            all.map(|parameter| (parameter.key, RwSignal::new(text(parameter.key))))
                .collect(),
        ))
    }

    fn of(self, key: &'static str) -> RwSignal<String> {
        self.0.with_value(|all| all[key])
    }

    /// Writes parameters into their fields.
    pub fn set(self, parameters: &JobParameters) {
        let values = serde_json::to_value(parameters).unwrap_or_default();
        for parameter in BASIC.iter().chain(&ADVANCED) {
            if let Some(value) = values.get(parameter.key) {
                self.of(parameter.key).set(value.to_string());
            }
        }
    }

    /// The parameters, or which of them are no numbers. Runs again what reads them, whenever one changes.
    pub fn read(self) -> Answer<JobParameters> {
        let mut faults = Vec::new();
        let mut fields = Map::new();
        for parameter in BASIC.iter().chain(&ADVANCED) {
            let text = self.of(parameter.key).get();
            match parameter.number(text.trim()) {
                Some(number) => {
                    fields.insert(parameter.key.to_owned(), number);
                }
                None => faults.push(FieldError {
                    path: parameter.key.to_owned(),
                    code: "type".to_owned(),
                    message: if parameter.whole {
                        "must be a whole number"
                    } else {
                        "must be a number"
                    }
                    .to_owned(),
                }),
            }
        }
        if !faults.is_empty() {
            return Err(ApiError::Invalid(faults));
        }
        serde_json::from_value(Value::Object(fields)).map_err(|error| ApiError::Unreadable(error.to_string()))
    }
}

impl Parameter {
    fn number(&self, text: &str) -> Option<Value> {
        if self.whole {
            return text
                .parse::<u64>()
                .ok()
                .filter(|number| self.key == "seed" || *number <= u64::from(u32::MAX))
                .map(Value::from);
        }
        text.replace(',', ".")
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::from)
    }

    fn field(&'static self, typed: Typed, error: RwSignal<Option<ApiError>>) -> impl IntoView {
        let fault = Signal::derive(move || {
            error.with(|error| {
                let error = error.as_ref()?;
                error
                    .field(self.key)
                    .or_else(|| error.field(&format!("parameters.{}", self.key)))
            })
        });
        view! { <Field label=self.label name=self.key value=typed.of(self.key) error=fault hint=self.hint /> }
    }
}

fn preset_name(preset: JobPreset) -> &'static str {
    match preset {
        JobPreset::Fast => "Fast",
        JobPreset::Balanced => "Balanced",
        JobPreset::Quality => "Quality",
    }
}

fn preset_hint(preset: JobPreset) -> &'static str {
    match preset {
        JobPreset::Fast => "One epoch with a small adapter: to see whether it works at all",
        JobPreset::Balanced => "Three epochs: what suits most datasets",
        JobPreset::Quality => "Five epochs in smaller steps with a large adapter and long rows",
    }
}

#[component]
pub fn Parameters(typed: Typed, error: RwSignal<Option<ApiError>>) -> impl IntoView {
    let hidden_fault = move || {
        error.with(|error| {
            let names = error
                .iter()
                .flat_map(|error| error.fields().iter().map(|field| field.path.as_str()));
            names
                .into_iter()
                .any(|path| ADVANCED.iter().any(|parameter| path.ends_with(parameter.key)))
        })
    };
    view! {
        <Panel title="Settings">
            <div role="group" aria-label="Presets" class="mb-4 flex flex-wrap items-center gap-2">
                {JobPreset::ALL
                    .map(|preset| {
                        view! {
                            <button
                                type="button"
                                class="btn btn-sm"
                                title=preset_hint(preset)
                                on:click=move |_| typed.set(&JobParameters::preset(preset))
                            >
                                {preset_name(preset)}
                            </button>
                        }
                    })
                    .collect_view()}
                <span class="text-sm text-muted">"A start to change as you like."</span>
            </div>
            <div class="grid gap-4 sm:grid-cols-2">
                {BASIC.iter().map(|parameter| parameter.field(typed, error)).collect_view()}
            </div>
            <details class="mt-4" prop:open=hidden_fault>
                <summary class="cursor-pointer font-medium text-primary">"Advanced settings"</summary>
                <div class="mt-4 grid gap-4 sm:grid-cols-2 xl:grid-cols-3">
                    {ADVANCED.iter().map(|parameter| parameter.field(typed, error)).collect_view()}
                </div>
            </details>
        </Panel>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_parameter_has_a_field() {
        let Value::Object(all) = json!(JobParameters::default()) else {
            panic!("not an object")
        };
        let mut shown: Vec<&str> = BASIC.iter().chain(&ADVANCED).map(|parameter| parameter.key).collect();
        shown.sort_unstable();
        assert_eq!(shown, all.keys().map(String::as_str).collect::<Vec<_>>());
    }
}
