//! How far the review is, and how fast it goes.

use super::state::Reviewing;
use crate::{
    api::examples::summarize_examples, browser, components::progress::Progress, events::Events, format, remote::Remote,
};
use cerebros_common::{
    agents::AgentExamples,
    events::EventKind,
    examples::{ExampleSummary, ExampleSummaryQuery},
};
use leptos::prelude::*;
use std::time::Duration;

/// The counts of the team follow this slowly; one's own follow at once.
const QUIET: Duration = Duration::from_secs(5);

#[component]
pub fn Counts(counts: Signal<AgentExamples>, reviewing: Reviewing) -> impl IntoView {
    let agent = reviewing.agent;
    let summary = Remote::new(move || summarize_examples(ExampleSummaryQuery { agent_id: agent }));
    let refetch = browser::settled(QUIET, move || summary.refetch());
    Events::of_app().on(
        move |event| event.agent_id == Some(agent) && event.kind == EventKind::ExamplesChanged,
        move |_| refetch(),
    );
    let total = move || counts.with(|counts| counts.pending + counts.approved + counts.rejected);
    let part = Signal::derive(move || {
        let reviewed = total() - counts.get().pending;
        if total() == 0 {
            0.0
        } else {
            reviewed as f64 / total() as f64
        }
    });
    view! {
        <div class="panel mb-4 space-y-2 p-4">
            <div class="flex flex-wrap justify-between gap-x-6 gap-y-1 text-sm">
                <span class="font-medium">
                    {move || format!("{} of {} reviewed", format::count(total() - counts.get().pending), format::counted(total(), "example", "examples"))}
                </span>
                <span class="text-muted" aria-live="polite">
                    {move || {
                        let counts = counts.get();
                        format!(
                            "{} approved · {} pending · {} rejected",
                            format::count(counts.approved),
                            format::count(counts.pending),
                            format::count(counts.rejected),
                        )
                    }}
                </span>
            </div>
            <Progress part label="Reviewed" />
            <p class="flex flex-wrap gap-x-6 gap-y-1 text-sm text-muted empty:hidden">
                {move || own(reviewing).map(|text| view! { <span>{text}</span> })}
                {move || summary.with(team).flatten().map(|text| view! { <span>{text}</span> })}
                {move || summary.with(doubts).flatten().map(|text| view! { <span>{text}</span> })}
            </p>
        </div>
    }
}

fn own(reviewing: Reviewing) -> Option<String> {
    let count = reviewing.turns.judged.with(Vec::len) as u64;
    let pace = reviewing.turns.pace();
    let pace = pace
        .map(|pace| format!(", {} an hour", format::count(pace)))
        .unwrap_or_default();
    (count > 0).then(|| format!("You: {} now{pace}", format::count(count)))
}

fn team(summary: &ExampleSummary) -> Option<String> {
    let people: Vec<String> = summary
        .reviewers
        .iter()
        .filter(|one| one.reviewed_last_hour > 0)
        .map(|one| format!("{} {}", one.name, format::count(one.reviewed_last_hour)))
        .collect();
    (!people.is_empty()).then(|| format!("In the last hour: {}", people.join(", ")))
}

fn doubts(summary: &ExampleSummary) -> Option<String> {
    let parts = [
        (summary.ungrounded, "not in their document"),
        (summary.duplicates, "copies of others"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", format::count(count)))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}
