//! What training would take, told while one types.

use crate::{
    components::{icon::Icon, loaded::Loaded},
    format,
    remote::Remote,
};
use cerebros_common::jobs::{FittingParameters, JobEstimate, Precision, TrainingMethod};
use leptos::prelude::*;

#[component]
pub fn Estimate(estimate: Remote<Option<JobEstimate>>, apply: Callback<FittingParameters>) -> impl IntoView {
    view! {
        <div class="rounded-field bg-base-200 p-4" aria-live="polite">
            <Loaded remote=estimate skeleton=|| view! { <p class="text-muted">"Counting…"</p> } let:estimate>
                {move || match estimate.get() {
                    None => view! { <p class="text-muted">"Choose a base and settings to see what training takes."</p> }.into_any(),
                    Some(estimate) => view! { <Told estimate apply /> }.into_any(),
                }}
            </Loaded>
        </div>
    }
}

#[component]
fn Told(estimate: JobEstimate, apply: Callback<FittingParameters>) -> impl IntoView {
    let plan = &estimate.plan;
    let time = format!("About {}", format::duration(estimate.duration_s as f64));
    let cost = estimate.cost_micros.map(|cost| format!(", {}", format::dollars(cost)));
    let (one, many) = match plan.method {
        TrainingMethod::Supervised => ("row", "rows"),
        TrainingMethod::Dpo => ("pair", "pairs"),
        TrainingMethod::Text => ("text", "texts"),
    };
    let steps = format!(
        "{} over {}, {} kept for validation",
        format::counted(plan.total_steps, "step", "steps"),
        format::counted(plan.train_rows, one, many),
        format::count(plan.validation_rows),
    );
    let tokens = format!(
        "{} tokens an epoch, {} of them learned; the longest row has {}",
        format::quantity(plan.train_tokens),
        format::quantity(plan.trainable_tokens),
        format::count(estimate.longest_row_tokens),
    );
    let memory = match estimate.available_bytes {
        Some(left) => format!(
            "{} of memory; {} are free",
            format::size(estimate.memory_bytes),
            format::size(left)
        ),
        None => format!("{} of memory", format::size(estimate.memory_bytes)),
    };
    let memory = match plan.precision {
        Precision::Fp32 => memory,
        Precision::Bf16 => format!("{memory}; the base in bf16"),
    };
    let memory = match estimate.recomputes {
        true => format!("{memory}; layers computed again"),
        false => memory,
    };
    let notes = [
        (
            plan.truncated_rows,
            "is cut at the longest row",
            "are cut at the longest row",
        ),
        (
            plan.dropped_rows,
            "is left out: nothing in it is learned",
            "are left out: nothing in them is learned",
        ),
        (
            estimate.duplicate_rows,
            "is the same as an earlier one",
            "are the same as earlier ones",
        ),
    ];
    let notes = notes
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, is_so, are_so)| {
            let row = format::counted(count, one, many);
            let what = if count == 1 { is_so } else { are_so };
            view! { <li class="text-ink-amber">{format!("{row} {what}")}</li> }
        });
    let notes = notes.collect_view();
    view! {
        <p class="font-medium">{time}{cost}</p>
        <ul class="mt-1 space-y-0.5 text-sm text-muted">
            <li>{steps}</li>
            <li>{tokens}</li>
            <li>{memory}</li>
            <li>{plan.device.clone()}</li>
            {notes}
        </ul>
        {(!estimate.fits).then(|| view! { <TooLarge fitting=estimate.fitting apply /> })}
    }
}

#[component]
fn TooLarge(fitting: Option<FittingParameters>, apply: Callback<FittingParameters>) -> impl IntoView {
    let proposal = fitting.map(|fitting| {
        let words = format!(
            "Batch size {}, accumulation {}, longest row {}",
            fitting.batch_size, fitting.gradient_accumulation_steps, fitting.max_seq_length
        );
        view! {
            <button type="button" class="btn btn-sm" on:click=move |_| apply.run(fitting)>
                {words}
            </button>
        }
    });
    let text = match fitting {
        Some(_) => "That does not fit into this server's memory. It would with:",
        None => "That does not fit into this server's memory, and smaller batches do not help. Choose a smaller base.",
    };
    view! {
        <div role="alert" class="mt-3 flex flex-wrap items-center gap-2 rounded-field bg-tint-red p-3 text-sm text-ink-red">
            <Icon icon=icondata::LuCircleAlert />
            <p>{text}</p>
            {proposal}
        </div>
    }
}
