//! What the workspace's language model thinks of the answers: of all of them, and of one prompt's once it was voted on.

use crate::{
    api::{comparisons::judge_comparison, llm_settings::find_llm_settings},
    components::{
        button::Button,
        loaded::Loaded,
        may::May,
        page_head::{Fact, Panel},
        progress::Progress,
    },
    format,
    forms::Sending,
    remote::Remote,
};
use cerebros_common::{
    comparisons::{
        Comparison, ComparisonRound, ComparisonStatus, Contender, Judgement, JudgementStatus, Opinion, Ruling,
    },
    events::EventKind,
    llm_settings::{LlmProvider, LlmSettings},
    workspaces::Role,
};
use leptos::prelude::*;

#[component]
pub fn JudgePanel(comparison: Signal<Comparison>, remote: Remote<Comparison>) -> impl IntoView {
    let settings = Remote::new(find_llm_settings).live(|event| event.kind == EventKind::LlmSettingsChanged);
    let status = Memo::new(move |_| comparison.with(|one| one.judgement.as_ref().map(|judgement| judgement.status)));
    let there = move || status.get().is_some() || comparison.with(|one| one.status == ComparisonStatus::Ready);
    let facts = move || {
        let one = comparison.get();
        one.judgement
            .as_ref()
            .map(|judgement| so_far(&one, judgement).into_any())
    };
    let offer = move || match status.get() {
        Some(JudgementStatus::Running | JudgementStatus::Done) => ().into_any(),
        None | Some(JudgementStatus::Failed) => view! {
            <Loaded remote=settings skeleton=|| view! { <p class="text-muted">"One moment …"</p> } let:settings>
                <Offer comparison remote settings />
            </Loaded>
        }
        .into_any(),
    };
    view! {
        <Show when=there>
            <Panel title="A language model's judgement">
                <div class="space-y-4">{facts} {offer}</div>
            </Panel>
        </Show>
    }
}

/// What there is of it.
fn so_far(one: &Comparison, judgement: &Judgement) -> impl IntoView + use<> {
    let verdicts = judgement.verdicts;
    let shown = verdicts.decided() + verdicts.undecided;
    let judged = format!("{} of {}", judgement.judged, one.rounds);
    let of_model = format!("{}: {}", one.model_name, verdicts.model);
    let of_against = format!("{}: {}", one.against_name, verdicts.against);
    let neither = format!("{} equally good, {} undecided", verdicts.tie, verdicts.undecided);
    let part = f64::from(judgement.judged + judgement.failed) / f64::from(one.rounds.max(1));
    let running = judgement.status == JudgementStatus::Running;
    let agreed = (verdicts.decided() > 0).then(|| {
        format!(
            "It agrees with the vote on {} of {}.",
            verdicts.agreed,
            prompts(verdicts.decided())
        )
    });
    let hidden = judgement.judged - shown;
    let hidden = (hidden > 0).then(|| format!("{} after the vote on {}.", shows(hidden), those(hidden)));
    let cost = judgement
        .cost_micros
        .map(|cost| format!("It cost {}.", format::dollars(cost)));
    let line: Vec<String> = [agreed, hidden, cost].into_iter().flatten().collect();
    let failed = (!running && judgement.failed > 0).then(|| format!("{} why below.", not_judged(judgement.failed)));
    let errors = judgement.error.clone().into_iter().chain(failed);
    view! {
        <dl class="grid grid-cols-1 gap-4 min-[420px]:grid-cols-2 md:grid-cols-4" aria-live="polite">
            <Fact name="Judged">{judged}</Fact>
            {(shown > 0)
                .then(|| {
                    view! {
                        <Fact name="For the model">{of_model}</Fact>
                        <Fact name="For the other">{of_against}</Fact>
                        <Fact name="For neither">{neither}</Fact>
                    }
                })}
        </dl>
        {running.then(|| view! { <Progress part label="Judging" /> })}
        {(!line.is_empty()).then(|| view! { <p class="text-sm text-muted">{line.join(" ")}</p> })}
        {errors
            .map(|error| {
                view! {
                    <p role="alert" class="rounded-field bg-tint-red p-4 text-ink-red">
                        {error}
                    </p>
                }
            })
            .collect_view()}
    }
}

fn prompts(number: u32) -> String {
    format::counted(u64::from(number), "prompt", "prompts")
}

fn shows(number: u32) -> String {
    if number == 1 {
        "1 verdict shows".to_owned()
    } else {
        format!("{number} verdicts show")
    }
}

fn those(number: u32) -> &'static str {
    if number == 1 { "its prompt" } else { "their prompts" }
}

fn not_judged(number: u32) -> String {
    if number == 1 {
        "1 prompt was not judged: it says".to_owned()
    } else {
        format!("{number} prompts were not judged: each says")
    }
}

/// The button, or what it takes.
#[component]
fn Offer(comparison: Signal<Comparison>, remote: Remote<Comparison>, settings: Signal<LlmSettings>) -> impl IntoView {
    let sending = Sending::in_toasts();
    let id = comparison.with_untracked(|one| one.id);
    let model = Memo::new(move |_| {
        settings.with(|settings| {
            let model = settings.model.clone();
            model.filter(|_| settings.provider != LlmProvider::Extractive)
        })
    });
    let left = Memo::new(move |_| {
        comparison.with(|one| one.rounds - one.judgement.as_ref().map_or(0, |judgement| judgement.judged))
    });
    let begun = Memo::new(move |_| comparison.with(|one| one.judgement.is_some()));
    let order = move |()| sending.start(judge_comparison(id), move |_| remote.refetch());
    let button = move || {
        let Some(model) = model.get() else {
            return view! {
                <p class="max-w-prose text-muted">
                    "A language model can judge the answers, too. This workspace uses none: "
                    <a class="link-plain" href="/settings/language-model">
                        "choose one in the settings"
                    </a> "."
                </p>
            }
            .into_any();
        };
        let questions = format::counted(u64::from(left.get()) * 2, "question", "questions");
        view! {
            <Show when=move || !begun.get()>
                <p class="max-w-prose text-muted">
                    "It reads both answers to each prompt, without names, once in either order. What it says counts where it says the same both times. You see it after your vote."
                </p>
            </Show>
            <May role=Role::Editor>
                <div class="flex flex-wrap items-center gap-x-4 gap-y-2">
                    <Button class="btn" busy=sending.busy on_click=Callback::new(order)>
                        {if begun.get_untracked() { "Judge the rest" } else { "Let it judge" }}
                    </Button>
                    <span class="text-sm text-muted">{format!("{questions} to {model}")}</span>
                </div>
            </May>
        }
        .into_any()
    };
    view! { <div class="space-y-4">{button}</div> }
}

/// Below the answers to one prompt.
#[component]
pub fn OfRound(round: Memo<ComparisonRound>, comparison: Signal<Comparison>) -> impl IntoView {
    let content = move || {
        let round = round.get();
        if let Some(error) = round.judge_error {
            return Some(view! { <p class="text-sm text-ink-red">{format!("Not judged. {error}")}</p> }.into_any());
        }
        let Some((verdict, left_is)) = round.verdict.zip(round.left_is) else {
            let hidden = || view! { <p class="text-sm text-muted">"Judged. The verdict shows after the vote."</p> };
            return round.judged.then(|| hidden().into_any());
        };
        let name = |who: Contender| {
            comparison.with(|one| match who {
                Contender::Model => one.model_name.clone(),
                Contender::Against => one.against_name.clone(),
            })
        };
        let judge = verdict.opinions.first().map(|opinion| opinion.judge.clone());
        let says = match verdict.ruling {
            Ruling::Model => format!("{} is better", name(Contender::Model)),
            Ruling::Against => format!("{} is better", name(Contender::Against)),
            Ruling::Tie => "equally good".to_owned(),
            Ruling::Undecided => "undecided, for with the answers swapped it said something else".to_owned(),
        };
        let opinions = verdict
            .opinions
            .iter()
            .map(|opinion| one_opinion(opinion, left_is))
            .collect_view();
        Some(
            view! {
                <p class="text-sm font-medium break-words">{format!("{}: {says}.", judge.unwrap_or_default())}</p>
                <ul class="mt-2 space-y-2 text-sm text-muted">{opinions}</ul>
            }
            .into_any(),
        )
    };
    move || content().map(|content| view! { <div class="mt-4 border-t border-line pt-4">{content}</div> })
}

fn one_opinion(opinion: &Opinion, left_is: Contender) -> impl IntoView + use<> {
    let left_first = opinion.answer_a == left_is;
    let sides = if left_first {
        "Left as A, right as B"
    } else {
        "Right as A, left as B"
    };
    let winner = match opinion.better {
        Some(better) if better == opinion.answer_a => "A is better",
        Some(_) => "B is better",
        None => "equally good",
    };
    let (a, b) = match opinion.answer_a {
        Contender::Model => (opinion.model_score, opinion.against_score),
        Contender::Against => (opinion.against_score, opinion.model_score),
    };
    view! {
        <li class="max-w-prose break-words">
            {format!("{sides}: {winner}, with {a} and {b} of 5 points. “{}”", opinion.reason)}
        </li>
    }
}
