//! Judging everything that the filters find, with the count before.

use super::state::Reviewing;
use crate::{
    api::examples::review_examples,
    components::{button::Button, dialog::Dialog, error_view::Alert, loaded::Loaded},
    format,
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::examples::{ExampleReview, ExampleStatus};
use leptos::prelude::*;

#[component]
pub fn Bulk(reviewing: Reviewing, open: RwSignal<bool>) -> impl IntoView {
    view! {
        <Dialog open title="Judge all that is listed">
            <Form reviewing open />
        </Dialog>
    }
}

#[component]
fn Form(reviewing: Reviewing, open: RwSignal<bool>) -> impl IntoView {
    let status = RwSignal::new(ExampleStatus::Approved);
    let filter = StoredValue::new(untrack(|| reviewing.filter()));
    // Without a wish for a status, what was judged already stays judged.
    let body = move |dry_run| {
        let mut filter = filter.get_value();
        if status.get() != ExampleStatus::Pending {
            filter.status = filter.status.or(Some(ExampleStatus::Pending));
        }
        ExampleReview {
            agent_id: reviewing.agent,
            status: status.get(),
            ids: None,
            filter: Some(filter),
            dry_run,
        }
    };
    let counted = Remote::new(move || review_examples(body(true)));
    let (sending, toasts) = (Sending::new(), Toasts::of_app());
    let go = move |_| {
        sending.start(review_examples(untrack(|| body(false))), move |result| {
            open.set(false);
            let word = done(status.get_untracked());
            toasts.good(format!(
                "{} {word}.",
                format::counted(result.changed, "example", "examples")
            ));
            reviewing.queue.lines.refetch();
        });
    };
    let statuses = [ExampleStatus::Approved, ExampleStatus::Rejected, ExampleStatus::Pending];
    view! {
        <div class="space-y-4">
            <p class="text-sm text-muted">
                "This is about the examples that your filters find. Those that were judged already only change if you filter by their status."
            </p>
            <fieldset class="flex flex-wrap gap-4">
                <legend class="sr-only">"What becomes of them"</legend>
                {statuses
                    .map(|one| {
                        view! {
                            <label class="flex cursor-pointer items-center gap-2">
                                <input
                                    type="radio"
                                    class="radio radio-sm"
                                    name="bulk-status"
                                    prop:checked=move || status.get() == one
                                    on:change=move |_| status.set(one)
                                />
                                {match one {
                                    ExampleStatus::Approved => "Approve",
                                    ExampleStatus::Rejected => "Reject",
                                    ExampleStatus::Pending => "Set back to pending",
                                }}
                            </label>
                        }
                    })
                    .collect_view()}
            </fieldset>
            <Alert error=sending.general() />
            <Loaded remote=counted let:counted>
                <p aria-live="polite">
                    <strong>{move || format::counted(counted.get().changed, "example", "examples")}</strong>
                    {move || format!(" will be {}.", done(status.get()))}
                    {move || {
                        let held = counted.get().held;
                        (held > 0).then(|| format!(" {} that others review just now stay as they are.", format::count(held)))
                    }}
                </p>
                <div class="flex justify-end">
                    <Button busy=sending.busy disabled=Signal::derive(move || counted.get().changed == 0) on_click=Callback::new(go)>
                        {move || match status.get() {
                            ExampleStatus::Approved => "Approve all",
                            ExampleStatus::Rejected => "Reject all",
                            ExampleStatus::Pending => "Set all back",
                        }}
                    </Button>
                </div>
            </Loaded>
        </div>
    }
}

fn done(status: ExampleStatus) -> &'static str {
    match status {
        ExampleStatus::Approved => "approved",
        ExampleStatus::Rejected => "rejected",
        ExampleStatus::Pending => "set back to pending",
    }
}
