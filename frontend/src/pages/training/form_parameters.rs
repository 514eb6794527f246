//! The parameters of a training job, each explained.

use crate::{
    api::{Answer, ApiError},
    components::{
        field::{Field, Select},
        page_head::Panel,
    },
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
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Whole,
    /// A whole number, or empty for none.
    WholeOrNone,
    Real,
    /// JSON values, and what the screen says of them.
    Choice(&'static [(&'static str, &'static str)]),
}

const fn whole(key: &'static str, label: &'static str, hint: &'static str) -> Parameter {
    Parameter {
        key,
        label,
        hint,
        kind: Kind::Whole,
    }
}

const fn real(key: &'static str, label: &'static str, hint: &'static str) -> Parameter {
    Parameter {
        key,
        label,
        hint,
        kind: Kind::Real,
    }
}

const ALL_MODULES: &str = r#"["q_proj","k_proj","v_proj","o_proj","gate_proj","up_proj","down_proj"]"#;

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

/// Of training on pairs of answers alone.
static PAIRS: [Parameter; 1] = [real(
    "beta",
    "Beta",
    "How closely the model stays to where it starts. 0.001 to 10; more holds it tighter.",
)];

static ADVANCED: [Parameter; 15] = [
    whole(
        "max_seq_length",
        "Longest row",
        "In tokens, 16 to 8192. Longer examples are cut off here.",
    ),
    Parameter {
        key: "early_stopping_patience",
        label: "Stop early after",
        hint: "Epochs in a row without a lower validation loss, 1 to 100; the best adapter is kept. Empty trains all epochs.",
        kind: Kind::WholeOrNone,
    },
    whole(
        "seed",
        "Seed",
        "Same seed, data and settings give the same adapter, byte for byte.",
    ),
    whole("alpha", "LoRA alpha", "How strongly the adapter speaks. 1 to 1024."),
    Parameter {
        key: "rank_stabilized",
        label: "Scale of the adapter",
        hint: "With the square root, a higher rank does not weaken it.",
        kind: Kind::Choice(&[
            ("false", "Alpha / rank"),
            ("true", "Alpha / square root of rank (rsLoRA)"),
        ]),
    },
    Parameter {
        key: "target_modules",
        label: "Adapted maps",
        hint: "Which linear maps of each layer learn. Fewer is smaller and quicker.",
        kind: Kind::Choice(&[
            (ALL_MODULES, "All seven"),
            (r#"["q_proj","k_proj","v_proj","o_proj"]"#, "Attention: q, k, v, o"),
            (r#"["q_proj","v_proj"]"#, "Queries and values: q, v"),
            (r#"["gate_proj","up_proj","down_proj"]"#, "Feed-forward: gate, up, down"),
        ]),
    },
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
    Parameter {
        key: "schedule",
        label: "Schedule",
        hint: "What the learning rate does after the warm-up.",
        kind: Kind::Choice(&[
            ("\"cosine\"", "Falls along a cosine"),
            ("\"linear\"", "Falls in a line"),
            ("\"constant\"", "Stays"),
        ]),
    },
    Parameter {
        key: "precision",
        label: "Precision",
        hint: "bf16 needs half the memory and is quicker where the processor has it; the loss differs in the third digit.",
        kind: Kind::Choice(&[
            ("\"auto\"", "What suits base and processor"),
            ("\"fp32\"", "fp32"),
            ("\"bf16\"", "bf16"),
        ]),
    },
    Parameter {
        key: "quantization",
        label: "Base in memory",
        hint: "Four bits a value take under a third of bf16's memory, and cost time and exactness. The adapter answers on the whole base.",
        kind: Kind::Choice(&[
            ("\"none\"", "As the precision has it"),
            ("\"nf4\"", "Four bits: NF4 (QLoRA)"),
        ]),
    },
    Parameter {
        key: "gradient_checkpointing",
        label: "Compute layers again",
        hint: "Gradient checkpointing: a fraction of the memory, about a third slower, the same adapter.",
        kind: Kind::Choice(&[
            ("\"auto\"", "Where memory is short"),
            ("\"on\"", "Always"),
            ("\"off\"", "Never"),
        ]),
    },
    real("weight_decay", "Weight decay", "Pulls weights to zero. 0 to 1."),
    real(
        "max_grad_norm",
        "Gradient limit",
        "Larger gradients are scaled down to it. 0.01 to 100.",
    ),
];

fn all() -> impl Iterator<Item = &'static Parameter> {
    BASIC.iter().chain(&PAIRS).chain(&ADVANCED)
}

/// What the person typed, by parameter.
#[derive(Clone, Copy)]
pub struct Typed(StoredValue<BTreeMap<&'static str, RwSignal<String>>>);

impl Typed {
    pub fn new(defaults: &JobParameters) -> Self {
        let typed = Self(StoredValue::new(
            all()
                .map(|parameter| (parameter.key, RwSignal::new(String::new())))
                .collect(),
        ));
        typed.set(defaults);
        typed
    }

    fn of(self, key: &'static str) -> RwSignal<String> {
        self.0.with_value(|all| all[key])
    }

    /// Writes parameters into their fields.
    pub fn set(self, parameters: &JobParameters) {
        let values = serde_json::to_value(parameters).unwrap_or_default();
        for parameter in all() {
            let stated = values.get(parameter.key).filter(|value| !value.is_null());
            self.of(parameter.key)
                .set(stated.map(Value::to_string).unwrap_or_default());
        }
    }

    /// The parameters, or which of them are no numbers. Runs again what reads them, whenever one changes.
    pub fn read(self) -> Answer<JobParameters> {
        let mut faults = Vec::new();
        let mut fields = Map::new();
        for parameter in all() {
            let text = self.of(parameter.key).get();
            match parameter.value(text.trim()) {
                Some(value) => {
                    fields.insert(parameter.key.to_owned(), value);
                }
                None => faults.push(FieldError {
                    path: parameter.key.to_owned(),
                    code: "type".to_owned(),
                    message: match parameter.kind {
                        Kind::Whole => "must be a whole number",
                        Kind::WholeOrNone => "must be a whole number, or empty",
                        Kind::Real => "must be a number",
                        Kind::Choice(_) => "must be one of the choices",
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
    fn value(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::WholeOrNone if text.is_empty() => Some(Value::Null),
            Kind::Whole | Kind::WholeOrNone => text
                .parse::<u64>()
                .ok()
                .filter(|number| self.key == "seed" || *number <= u64::from(u32::MAX))
                .map(Value::from),
            Kind::Real => text
                .replace(',', ".")
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .map(Value::from),
            Kind::Choice(_) => serde_json::from_str(text).ok(),
        }
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
        let value = typed.of(self.key);
        match self.kind {
            Kind::Choice(choices) => {
                let owned = |(value, text): &(&str, &str)| ((*value).to_owned(), (*text).to_owned());
                let options: Vec<(String, String)> = choices.iter().map(owned).collect();
                view! { <Select label=self.label name=self.key value options hint=self.hint /> }.into_any()
            }
            _ => view! { <Field label=self.label name=self.key value error=fault hint=self.hint /> }.into_any(),
        }
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
pub fn Parameters(
    typed: Typed,
    error: RwSignal<Option<ApiError>>,
    pairs: Signal<bool>,
    /// Whether training goes on from an adapter, whose shape stays.
    further: Signal<bool>,
) -> impl IntoView {
    let apply = move |preset: JobPreset| {
        let wanted = JobParameters::preset(preset);
        match untrack(|| typed.read()) {
            Ok(now) if further.get_untracked() => typed.set(&wanted.on_adapter_of(&now)),
            _ => typed.set(&wanted),
        }
    };
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
                                on:click=move |_| apply(preset)
                            >
                                {preset_name(preset)}
                            </button>
                        }
                    })
                    .collect_view()}
                <span class="text-sm text-muted">"A start to change as you like."</span>
            </div>
            <Show when=move || pairs.get()>
                <p class="mb-4 rounded-field bg-tint-blue p-4 text-sm">
                    "This dataset holds pairs of a better and a worse answer, so the method is direct preference optimisation (DPO): \
                    the better answer becomes likelier beside the worse one. It wants smaller steps: try a tenth of the learning rate."
                </p>
            </Show>
            <div class="grid gap-4 sm:grid-cols-2">
                {BASIC.iter().map(|parameter| parameter.field(typed, error)).collect_view()}
                <Show when=move || pairs.get()>{PAIRS.iter().map(|parameter| parameter.field(typed, error)).collect_view()}</Show>
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
        let Value::Object(known) = json!(JobParameters::default()) else {
            panic!("not an object")
        };
        // The method follows from the dataset: there is nothing to choose.
        let mut shown: Vec<&str> = all().map(|parameter| parameter.key).chain(["method"]).collect();
        shown.sort_unstable();
        assert_eq!(shown, known.keys().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_chosen_first_is_the_default_and_every_choice_is_a_value() {
        let defaults = json!(JobParameters::default());
        for parameter in all() {
            let Kind::Choice(choices) = parameter.kind else {
                continue;
            };
            assert_eq!(defaults[parameter.key].to_string(), choices[0].0);
            for (text, _) in choices {
                let value = parameter.value(text).unwrap_or_default();
                let fields = json!({ parameter.key: value });
                let read: Result<JobParameters, _> = serde_json::from_value(fields);
                assert_eq!(json!(read.ok())[parameter.key].to_string(), *text);
            }
        }
    }
}
