//! The receipt of a deletion. Whoever knows its address can read it, as the account that asked may be gone.

use super::counts::in_words;
use crate::{
    api::{ApiError, deletions::find_receipt},
    browser,
    components::{
        brand::Brand,
        icon::Icon,
        loaded::Loaded,
        page_head::{Fact, PageHead, Panel},
        time::Moment,
    },
    pages::by_id::by_id,
    remote::Remote,
};
use cerebros_common::{
    deletions::{DeletionSubject, Receipt, ReceiptStatement},
    ids::ReceiptId,
};
use leptos::prelude::*;
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_secs(2);

#[component]
pub fn ReceiptPage() -> impl IntoView {
    browser::title("Receipt");
    view! {
        <header class="mx-auto max-w-3xl p-4 sm:px-8">
            <Brand />
        </header>
        <main class="mx-auto max-w-3xl px-4 py-6 sm:px-8">{by_id(|id| view! { <OneReceipt id /> })}</main>
    }
}

/// There is none as long as the deletion is under way.
#[component]
fn OneReceipt(id: ReceiptId) -> impl IntoView {
    let receipt = Remote::new(move || async move {
        match find_receipt(id).await {
            Ok(receipt) => Ok(Some(receipt)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    });
    if let Ok(timer) = set_interval_with_handle(
        move || {
            if untrack(|| receipt.with(Option::is_none)).unwrap_or(true) {
                receipt.refetch();
            }
        },
        LOOK_AGAIN,
    ) {
        on_cleanup(move || timer.clear());
    }
    view! {
        <PageHead title="Receipt of a deletion" text="Signed by this server. It names nobody and nothing." />
        <Loaded remote=receipt let:receipt>
            {move || match receipt.get() {
                None => view! { <UnderWay /> }.into_any(),
                Some(receipt) => {
                    match serde_json::from_str(&receipt.payload) {
                        Ok(statement) => view! { <Statement receipt statement id /> }.into_any(),
                        Err(error) => {
                            let error = ApiError::Unreadable(error.to_string());
                            view! { <crate::components::error_view::ErrorView error /> }.into_any()
                        }
                    }
                }
            }}
        </Loaded>
    }
}

#[component]
fn UnderWay() -> impl IntoView {
    view! {
        <div role="status" class="panel flex flex-col items-center gap-2 px-6 py-12 text-center">
            <span class="loading loading-spinner loading-lg text-primary" aria-hidden="true"></span>
            <h2 class="mt-2">"The deletion is under way"</h2>
            <p class="max-w-prose text-muted">"It is out of reach already; files and rows are being removed. Keep this address: the receipt will be here."</p>
        </div>
    }
}

#[component]
fn Statement(receipt: Receipt, statement: ReceiptStatement, id: ReceiptId) -> impl IntoView {
    let file = serde_json::to_string_pretty(&receipt).unwrap_or_default();
    let href = format!(
        "data:application/json;charset=utf-8,{}",
        js_sys::encode_uri_component(&file)
    );
    let subject = match statement.subject {
        DeletionSubject::Document => "A document",
        DeletionSubject::Agent => "An assistant",
        DeletionSubject::Workspace => "A workspace",
        DeletionSubject::Account => "An account",
    };
    let gone = in_words(&statement.counts, statement.bytes).join(", ");
    let flagged = statement.flagged_models;
    let hex = "font-mono text-sm break-all";
    view! {
        <div class="space-y-6">
            <Panel title="What was deleted">
                <dl class="grid gap-4 sm:grid-cols-2">
                    <Fact name="Subject">{subject}</Fact>
                    <Fact name="Its id">
                        <span class=hex>{statement.subject_id.to_string()}</span>
                    </Fact>
                    <Fact name="Asked for">
                        <Moment at=statement.requested_at />
                    </Fact>
                    <Fact name="Done">
                        <Moment at=statement.finished_at />
                    </Fact>
                    <Fact name="Gone" wide=true>
                        {gone}
                    </Fact>
                    {(!flagged.is_empty())
                        .then(|| {
                            let ids: Vec<String> = flagged.iter().map(ToString::to_string).collect();
                            view! {
                                <Fact name="Models that answer no more" wide=true>
                                    <span class=hex>{ids.join(", ")}</span>
                                </Fact>
                            }
                        })}
                </dl>
            </Panel>
            <Panel title="Signature">
                <dl class="mb-4 grid gap-4">
                    <Fact name="Algorithm">{receipt.algorithm}</Fact>
                    <Fact name="Public key">
                        <span class=hex>{receipt.public_key}</span>
                    </Fact>
                    <Fact name="Signature of the statement">
                        <span class=hex>{receipt.signature}</span>
                    </Fact>
                </dl>
                <a href=href download=format!("receipt-{id}.json") class="btn btn-primary">
                    <Icon icon=icondata::LuDownload />
                    "Download the receipt"
                </a>
            </Panel>
        </div>
    }
}
