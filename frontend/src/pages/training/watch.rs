//! A training job as it runs, and after.

use super::{
    watch_charts::ChartsPanel, watch_checkpoints::CheckpointsPanel, watch_log::LogPanel, watch_metrics::Metrics,
    watch_samples::SamplesPanel,
};
use crate::{
    api::{
        Answer,
        jobs::{cancel_job, find_job, pause_job, resume_job, retry_job},
    },
    components::{
        button::Button,
        dialog::Confirm,
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::{Fact, Panel},
        progress::Progress,
        status::JobTag,
        time::Ago,
    },
    format,
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    events::EventKind,
    ids::JobId,
    jobs::{
        GradientCheckpointing, Job, JobParameters, JobStatus, MethodChoice, Precision, Quantization, RateSchedule,
        TargetModule, TrainingMethod,
    },
    trainings::StageKind,
    workspaces::Role,
};
use chrono::Utc;
use leptos::prelude::*;
use std::pin::Pin;

#[component]
pub fn Watch(id: JobId) -> impl IntoView {
    let job =
        Remote::new(move || find_job(id)).live(move |event| event.kind == EventKind::JobChanged && event.id == id.0);
    let metrics = Metrics::new(id);
    view! {
        <Loaded remote=job let:current>
            <div class="space-y-6">
                <State job=current metrics remote=job />
                <Failure job=current />
                <Result job=current />
                <ChartsPanel id metrics />
                <Facts job=current />
                <SamplesPanel id />
                <CheckpointsPanel id />
                <LogPanel id />
            </div>
        </Loaded>
    }
}

/// Step, part and time left, and the buttons.
#[component]
pub fn State(
    job: Signal<Job>,
    metrics: Metrics,
    remote: Remote<Job>,
    /// For a page that shows several.
    #[prop(into, default = "Progress".to_owned())]
    label: String,
) -> impl IntoView {
    let status = Memo::new(move |_| job.with(|job| job.status));
    let total = move || job.with(|job| job.plan.as_ref().map(|plan| plan.total_steps));
    let step = Memo::new(move |_| job.with(|job| job.step).max(metrics.last_step()));
    let part = Signal::derive(move || total().map_or(0.0, |total| step.get() as f64 / total.max(1) as f64));
    let left = move || {
        let (step, total) = (step.get(), total()?);
        let per_step = metrics.seconds_per_step().or_else(|| {
            let started = job.with(|job| job.started_at)?;
            (step > 0).then(|| (Utc::now() - started).as_seconds_f64() / step as f64)
        })?;
        Some(format!(
            "about {} left",
            format::duration(per_step * total.saturating_sub(step) as f64)
        ))
    };
    let line = move || match (status.get(), total()) {
        (JobStatus::Queued, _) => match job.with(|job| job.queue_position) {
            Some(0) | None => "Starts as soon as the trainer is free.".to_owned(),
            Some(before) => format!("{} before it.", format::counted(before, "job is", "jobs are")),
        },
        (JobStatus::Running, None) => "The trainer is getting ready.".to_owned(),
        (JobStatus::Paused, None) => "It was paused before the first step.".to_owned(),
        (_, None) => "It ended before the first step.".to_owned(),
        (JobStatus::Running, Some(total)) => {
            let left = left().map(|left| format!(" · {left}")).unwrap_or_default();
            format!(
                "Step {} of {} · {:.0} %{left}",
                format::count(step.get()),
                format::count(total),
                part.get() * 100.0
            )
        }
        (_, Some(total)) => format!("{} of {} steps", format::count(step.get()), format::count(total)),
    };
    view! {
        <section class="panel space-y-4 p-4 sm:p-6" aria-label=label>
            <div class="flex flex-wrap items-center gap-2">
                {move || view! { <JobTag status=status.get() /> }}
                <p class="grow basis-40 text-sm">{line}</p>
                <May role=Role::Editor>
                    <Buttons status remote />
                </May>
            </div>
            <Progress part label="Steps done" />
        </section>
    }
}

type Order = Pin<Box<dyn Future<Output = Answer<Job>>>>;

#[component]
fn Buttons(status: Memo<JobStatus>, remote: Remote<Job>) -> impl IntoView {
    let asking = RwSignal::new(false);
    let sending = Sending::new();
    let toasts = Toasts::of_app();
    let order = move |order: fn(JobId) -> Order| {
        Callback::new(move |()| {
            let Some(id) = untrack(|| remote.with(|job| job.id)) else {
                return;
            };
            sending.start(order(id), move |job| {
                asking.set(false);
                remote.set(job);
            });
        })
    };
    let act = move |icon: icondata::Icon, name: &'static str, on_click: Callback<()>| {
        view! {
            <Button busy=sending.busy class="btn btn-sm" on_click=on_click>
                <Icon icon />
                {name}
            </Button>
        }
    };
    let resume = move || act(icondata::LuPlay, "Resume", order(|id| Box::pin(resume_job(id))));
    let cancel_button = move || {
        view! {
            <button type="button" class="btn btn-sm" on:click=move |_| asking.set(true)>
                <Icon icon=icondata::LuSquare />
                "Cancel"
            </button>
        }
    };
    Effect::new(move |_| {
        if let Some(error) = sending.error.get().filter(|_| !asking.get_untracked()) {
            toasts.bad(&error);
        }
    });
    view! {
        {move || match status.get() {
            JobStatus::Queued | JobStatus::Running => {
                (act(icondata::LuPause, "Pause", order(|id| Box::pin(pause_job(id)))), cancel_button()).into_any()
            }
            JobStatus::Paused => (resume(), cancel_button()).into_any(),
            JobStatus::Failed => act(icondata::LuRotateCw, "Try again", order(|id| Box::pin(retry_job(id)))).into_any(),
            JobStatus::Cancelled => resume().into_any(),
            JobStatus::Succeeded => ().into_any(),
        }}
        <Confirm open=asking title="Cancel this training?" action="Cancel training" sending confirmed=order(|id| Box::pin(cancel_job(id)))>
            <p>"It can be resumed from its last checkpoint."</p>
        </Confirm>
    }
}

#[component]
pub fn Failure(job: Signal<Job>) -> impl IntoView {
    move || {
        job.with(|job| job.failure.clone()).map(|failure| {
            view! {
                <div role="alert" class="flex gap-2 rounded-field bg-tint-red p-4 text-ink-red">
                    <Icon icon=icondata::LuTriangleAlert class="mt-1 size-4" />
                    <div>
                        <p class="font-medium">{failure.message}</p>
                        <p>{failure.remedy}</p>
                        <p class="mt-1 font-mono text-sm">{failure.code}</p>
                    </div>
                </div>
            }
        })
    }
}

#[component]
fn Result(job: Signal<Job>) -> impl IntoView {
    move || {
        let (model, agent, stage) = job.with(|job| (job.model_id, job.agent_id, job.stage));
        // A stage says nothing of the whole training.
        let alone = agent.filter(|_| stage.is_none());
        model.map(|model| {
            view! {
                <div class="flex flex-wrap items-center gap-4 rounded-field bg-tint-green p-4 text-ink-green">
                    <p class="flex grow basis-64 items-center gap-2 font-medium">
                        <Icon icon=icondata::LuCircleCheck class="size-5" />
                        {if alone.is_some() { "The model is trained, and the assistant answers with it." } else { "The model is trained." }}
                    </p>
                    <div class="flex flex-wrap gap-2">
                        {alone
                            .map(|agent| {
                                view! {
                                    <a href=format!("/assistants/{agent}?tab=chat") class="btn btn-sm btn-primary">
                                        "Chat with it"
                                    </a>
                                }
                            })}
                        <a href=format!("/models/{model}") class="btn btn-sm">
                            "See the model"
                        </a>
                    </div>
                </div>
            }
        })
    }
}

fn modules(parameters: &JobParameters) -> String {
    if parameters.target_modules.len() == TargetModule::ALL.len() {
        return "all of each layer".to_owned();
    }
    let name = |module: &TargetModule| match module {
        TargetModule::QProj => "q",
        TargetModule::KProj => "k",
        TargetModule::VProj => "v",
        TargetModule::OProj => "o",
        TargetModule::GateProj => "gate",
        TargetModule::UpProj => "up",
        TargetModule::DownProj => "down",
    };
    parameters
        .target_modules
        .iter()
        .map(name)
        .collect::<Vec<_>>()
        .join(", ")
}

fn precision(precision: Precision) -> &'static str {
    match precision {
        Precision::Fp32 => "fp32",
        Precision::Bf16 => "bf16, sums in fp32",
    }
}

fn kept(parameters: &JobParameters) -> &'static str {
    match parameters.quantization {
        Quantization::None => "as the precision has it",
        Quantization::Nf4 => "four bits (NF4)",
    }
}

fn checkpointing(parameters: &JobParameters) -> &'static str {
    match parameters.gradient_checkpointing {
        GradientCheckpointing::Auto => "where memory is short",
        GradientCheckpointing::On => "always",
        GradientCheckpointing::Off => "never",
    }
}

fn method(job: &Job) -> String {
    let planned = job.plan.as_ref().map(|plan| plan.method);
    match (planned, job.parameters.method) {
        (Some(TrainingMethod::Dpo), _) | (None, MethodChoice::Dpo) => format!("DPO, beta {}", job.parameters.beta),
        (Some(TrainingMethod::Supervised), _) | (None, MethodChoice::Supervised) => "Supervised".to_owned(),
        (Some(TrainingMethod::Text), _) | (None, MethodChoice::Text) => "Language modelling on texts".to_owned(),
        (None, MethodChoice::Auto) => "Follows from the rows".to_owned(),
    }
}

fn schedule(parameters: &JobParameters) -> String {
    let rate = match parameters.schedule {
        RateSchedule::Constant => "constant",
        RateSchedule::Linear => "linear",
        RateSchedule::Cosine => "cosine",
    };
    match parameters.early_stopping_patience {
        Some(patience) => format!("{rate}, stops early after {patience}"),
        None => format!("{rate}, all epochs"),
    }
}

#[component]
fn Facts(job: Signal<Job>) -> impl IntoView {
    view! {
        <Panel title="What is trained">
            {move || {
                let job = job.get();
                let method = method(&job);
                let parameters = job.parameters;
                let (modules, schedule) = (modules(&parameters), schedule(&parameters));
                let (kept, checkpointing) = (kept(&parameters), checkpointing(&parameters));
                let agent = job.agent_id;
                let stage = job.stage.and_then(StageKind::of_number);
                view! {
                    <dl class="grid grid-cols-1 gap-4 min-[420px]:grid-cols-2 md:grid-cols-4">
                        <Fact name="Dataset">
                            <a class="link-plain" href=format!("/datasets/{}", job.dataset_id)>{job.dataset_name}</a>
                        </Fact>
                        <Fact name="Base">{job.base_name}</Fact>
                        {job
                            .initial_model_id
                            .map(|id| view! { <Fact name="Goes on from"><a class="link-plain" href=format!("/models/{id}")>"A model"</a></Fact> })}
                        {stage
                            .zip(agent)
                            .map(|(stage, agent)| {
                                view! {
                                    <Fact name="Stage">
                                        <a class="link-plain" href=format!("/assistants/{agent}/wizard/5")>
                                            {format!("{}: {}", stage.numeral(), stage.title().to_lowercase())}
                                        </a>
                                    </Fact>
                                }
                            })}
                        {agent.map(|agent| view! { <Fact name="Assistant"><a class="link-plain" href=format!("/assistants/{agent}")>"Open"</a></Fact> })}
                        <Fact name="Ordered"><Ago at=job.created_at /></Fact>
                        {job
                            .plan
                            .map(|plan| {
                                view! {
                                    <Fact name="Rows">{format!("{} to train, {} to validate", format::count(plan.train_rows), format::count(plan.validation_rows))}</Fact>
                                    <Fact name="Tokens">{format!("{}, loss on {}", format::count(plan.train_tokens), format::count(plan.trainable_tokens))}</Fact>
                                    <Fact name="Cut off, left out">{format!("{}, {}", format::count(plan.truncated_rows), format::count(plan.dropped_rows))}</Fact>
                                    <Fact name="Trained parameters">{format::count(plan.trainable_parameters)}</Fact>
                                    <Fact name="Precision">{precision(plan.precision)}</Fact>
                                    <Fact name="Device">{plan.device}</Fact>
                                }
                            })}
                        <Fact name="Method">{method}</Fact>
                        <Fact name="Epochs">{parameters.epochs}</Fact>
                        <Fact name="Learning rate">{parameters.learning_rate}</Fact>
                        <Fact name="Batch size">{format!("{} × {}", parameters.batch_size, parameters.gradient_accumulation_steps)}</Fact>
                        <Fact name="Longest row">{format!("{} tokens", format::count(u64::from(parameters.max_seq_length)))}</Fact>
                        <Fact name="Rank, alpha">
                            {format!("{}, {}{}", parameters.rank, parameters.alpha, if parameters.rank_stabilized { ", rsLoRA" } else { "" })}
                        </Fact>
                        <Fact name="Adapted maps">{modules}</Fact>
                        <Fact name="Dropout, decay">{format!("{}, {}", parameters.dropout, parameters.weight_decay)}</Fact>
                        <Fact name="Warm-up, gradient limit">{format!("{}, {}", parameters.warmup_ratio, parameters.max_grad_norm)}</Fact>
                        <Fact name="Base in memory">{kept}</Fact>
                        <Fact name="Layers computed again">{checkpointing}</Fact>
                        <Fact name="Schedule">{schedule}</Fact>
                        <Fact name="Seed">{parameters.seed}</Fact>
                    </dl>
                }
            }}
        </Panel>
    }
}
