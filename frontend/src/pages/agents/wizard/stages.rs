//! A training in stages: each with its state, progress and loss as it runs, and after.

use crate::{
    api::{jobs::find_job, trainings::cancel_training},
    components::{
        dialog::Confirm,
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::Fact,
        status::{StageTag, TrainingTag},
        time::Ago,
    },
    format,
    forms::Sending,
    pages::training::{
        watch::{Failure, State},
        watch_charts::LossChart,
        watch_metrics::Metrics,
    },
    remote::Remote,
};
use cerebros_common::{
    events::EventKind,
    ids::JobId,
    jobs::Job,
    trainings::{StageKind, StageStatus, Training, TrainingStage, TrainingStatus},
    workspaces::Role,
};
use leptos::prelude::*;

pub fn learns_from(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Foundation => "The plain text of all documents: their words and subjects.",
        StageKind::Communications => "The plain text of the communications: how you talk to people.",
        StageKind::WorkProducts => "The plain text of the work products: how you write at work.",
        StageKind::Instructions => "Short questions and answers of a general kind: how to follow an instruction.",
        StageKind::Personalization => "The approved examples: your answers to questions on your documents.",
    }
}

#[component]
pub fn Stages(training: Signal<Training>, remote: Remote<Training>) -> impl IntoView {
    view! {
        <div class="space-y-6">
            <Summary training remote />
            {StageKind::ALL.map(|kind| view! { <Stage training kind /> }).collect_view()}
        </div>
    }
}

/// How all of it stands.
#[component]
fn Summary(training: Signal<Training>, remote: Remote<Training>) -> impl IntoView {
    let status = Memo::new(move |_| training.with(|training| training.status));
    let line = move || training.with(summary);
    let cost = move || {
        training.with(|training| {
            let costs = training.stages.iter().map(|stage| stage.cost_micros);
            costs
                .sum::<Option<i64>>()
                .map(|cost| format!("{} so far", format::dollars(cost)))
        })
    };
    let agent = training.with_untracked(|training| training.agent_id);
    view! {
        <section class="panel space-y-4 p-4 sm:p-6" aria-label="Training">
            <div class="flex flex-wrap items-center gap-2">
                {move || view! { <TrainingTag status=status.get() /> }}
                <p class="grow basis-40 text-sm" role="status">{line}</p>
                <May role=Role::Editor>
                    <Show when=move || matches!(status.get(), TrainingStatus::Running | TrainingStatus::Halted)>
                        <Cancel training remote />
                    </Show>
                </May>
            </div>
            <p class="text-sm text-muted">
                {move || training.with(|training| format!("On {}, begun ", training.base_name))}
                {move || view! { <Ago at=training.with(|training| training.created_at) /> }}
                {move || cost().map(|cost| format!(" · {cost}"))}
            </p>
            <Show when=move || status.get() == TrainingStatus::Succeeded>
                <div class="flex flex-wrap items-center gap-4 rounded-field bg-tint-green p-4 text-ink-green">
                    <p class="flex grow basis-64 items-center gap-2 font-medium">
                        <Icon icon=icondata::LuCircleCheck class="size-5" />
                        "The model is trained, and the assistant answers with it."
                    </p>
                    <a href=format!("/assistants/{agent}?tab=chat") class="btn btn-sm btn-primary">
                        "Chat with it"
                    </a>
                </div>
            </Show>
        </section>
    }
}

fn summary(training: &Training) -> String {
    let of = |status: &[StageStatus]| {
        training
            .stages
            .iter()
            .filter(|stage| status.contains(&stage.status))
            .count()
    };
    let wanted = training.stages.len() - of(&[StageStatus::Skipped]);
    let done = of(&[StageStatus::Succeeded]);
    let done = format!("{done} of {}", format::counted(wanted as u64, "stage", "stages"));
    match training.status {
        TrainingStatus::Running => format!("{done} done. You can leave this page: it goes on by itself."),
        TrainingStatus::Halted => format!("{done} done. The stage below says what to do."),
        TrainingStatus::Succeeded | TrainingStatus::Cancelled => format!("{done} done."),
    }
}

#[component]
fn Cancel(training: Signal<Training>, remote: Remote<Training>) -> impl IntoView {
    let asking = RwSignal::new(false);
    let sending = Sending::new();
    let confirmed = Callback::new(move |()| {
        let id = training.with_untracked(|training| training.agent_id);
        sending.start(cancel_training(id), move |cancelled| {
            asking.set(false);
            remote.set(cancelled);
        });
    });
    view! {
        <button type="button" class="btn btn-sm" on:click=move |_| asking.set(true)>
            <Icon icon=icondata::LuSquare />
            "Cancel the training"
        </button>
        <Confirm open=asking title="Cancel all stages that are left?" action="Cancel all stages" sending confirmed>
            <p>"The stage under way stops, and those after it do not begin. Models of stages that are done stay."</p>
        </Confirm>
    }
}

#[component]
fn Stage(training: Signal<Training>, kind: StageKind) -> impl IntoView {
    let stage = Memo::new(move |_| {
        let find = |stage: &&TrainingStage| stage.kind == kind;
        training.with(|training| training.stages.iter().find(find).cloned())
    });
    let of =
        move |read: fn(&TrainingStage) -> Option<String>| move || stage.with(|stage| stage.as_ref().and_then(read));
    let status = Memo::new(move |_| stage.with(|stage| stage.as_ref().map(|stage| stage.status)));
    let job = Memo::new(move |_| stage.with(|stage| stage.as_ref()?.job.as_ref().map(|job| job.id)));
    let reason = of(|stage| stage.reason.clone());
    let heading = format!("Stage {}: {}", kind.numeral(), kind.title().to_lowercase());
    let label = heading.clone();
    view! {
        <section class="panel space-y-4 p-4 sm:p-6" aria-label=label>
            <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <h2>{heading}</h2>
                // With a job, its progress says how it stands.
                {move || status.get().filter(|_| job.get().is_none()).map(|status| view! { <StageTag status /> })}
            </div>
            <p class="text-sm text-muted">{learns_from(kind)}</p>
            {move || reason().map(|reason| view! { <p class="text-sm">{reason}</p> })}
            {move || job.get().map(|id| view! { <StageJob id kind stage /> })}
        </section>
    }
}

#[component]
fn StageJob(id: JobId, kind: StageKind, stage: Memo<Option<TrainingStage>>) -> impl IntoView {
    let job =
        Remote::new(move || find_job(id)).live(move |event| event.kind == EventKind::JobChanged && event.id == id.0);
    let metrics = Metrics::new(id);
    view! {
        <Loaded remote=job let:current>
            <State job=current metrics remote=job label=format!("Progress of stage {}", kind.numeral()) />
            <Failure job=current />
            <LossChart metrics title=format!("Loss by step of stage {}", kind.numeral()) />
            <Facts job=current stage />
        </Loaded>
    }
}

#[component]
fn Facts(job: Signal<Job>, stage: Memo<Option<TrainingStage>>) -> impl IntoView {
    let id = job.with_untracked(|job| job.id);
    move || {
        stage.get().map(|stage| {
            let (train, validation) = job.with(|job| (job.train_loss, job.validation_loss));
            let shown = |loss: Option<f64>| loss.map_or_else(|| "–".to_owned(), format::loss);
            let left_out = stage.left_out_characters;
            view! {
                <dl class="grid grid-cols-2 gap-4 pt-2 md:grid-cols-4">
                    <Fact name="Learns from">
                        {match stage.dataset_id {
                            Some(dataset) => {
                                view! {
                                    <a class="link-plain" href=format!("/datasets/{dataset}")>
                                        {format::counted(stage.rows, "row", "rows")}
                                    </a>
                                }
                                    .into_any()
                            }
                            None => "Gone".into_any(),
                        }}
                    </Fact>
                    <Fact name="Loss">{shown(train)}</Fact>
                    <Fact name="Validation loss">{shown(validation)}</Fact>
                    {stage.cost_micros.map(|cost| view! { <Fact name="Cost so far">{format::dollars(cost)}</Fact> })}
                </dl>
                {(left_out > 0)
                    .then(|| {
                        view! {
                            <p class="text-sm text-ink-amber">
                                {format!("{} of the text are more than a stage takes, and left out.", format::counted(left_out, "character", "characters"))}
                            </p>
                        }
                    })}
                <p class="text-sm">
                    <a class="link-plain" href=format!("/training/{id}")>
                        "Log, checkpoints and all measurements"
                    </a>
                </p>
            }
        })
    }
}
