//! Files on their way, and files that were refused.

use super::{icon::Icon, progress::Progress};
use crate::{
    format,
    transfers::{Destination, Transfer, TransferState, Transfers},
};
use leptos::{html, prelude::*};

#[component]
pub fn TransferList(destination: Destination) -> impl IntoView {
    let transfers = Transfers::of_app();
    view! {
        <ul class="space-y-2" aria-label="Uploads">
            <For each=move || transfers.of(destination) key=|transfer| transfer.key let:transfer>
                <TransferItem transfers transfer />
            </For>
        </ul>
    }
}

#[component]
fn TransferItem(transfers: Transfers, transfer: Transfer) -> impl IntoView {
    let name = transfer.name.get_value();
    let says = move |verb: &str| format!("{verb} {}", transfer.name.get_value());
    let state = move || transfer.state.get();
    let failed = move || match state() {
        TransferState::Failed(message) => Some(message),
        _ => None,
    };
    let moves = move || {
        matches!(
            state(),
            TransferState::Waiting | TransferState::Sending | TransferState::Lost
        )
    };
    let stays = move || matches!(state(), TransferState::Checking | TransferState::Elsewhere);
    view! {
        <li class="panel p-4 text-sm">
            <div class="flex flex-wrap items-center gap-2">
                <Icon icon=icondata::LuFileUp />
                <span class="min-w-0 grow basis-32 truncate font-medium">{name}</span>
                <span class="whitespace-nowrap text-muted">{format::size(transfer.bytes)}</span>
                <Show when=moves>
                    <button type="button" class="btn btn-ghost btn-sm" aria-label=says("Pause") on:click=move |_| transfers.pause(transfer)>
                        "Pause"
                    </button>
                </Show>
                <Show when=move || state() == TransferState::Paused>
                    <button type="button" class="btn btn-ghost btn-sm" aria-label=says("Resume") on:click=move |_| transfers.resume(transfer)>
                        "Resume"
                    </button>
                </Show>
                <Show when=move || state() == TransferState::NeedsFile>
                    <Again transfers transfer />
                </Show>
                <Show when=move || !stays()>
                    <button
                        type="button"
                        class="btn btn-ghost btn-sm"
                        aria-label=move || says(if failed().is_some() { "Dismiss" } else { "Cancel" })
                        on:click=move |_| transfers.remove(transfer)
                    >
                        {move || if failed().is_some() { "Dismiss" } else { "Cancel" }}
                    </button>
                </Show>
            </div>
            {move || match failed() {
                Some(message) => {
                    view! {
                        <p role="alert" class="mt-2 flex gap-2 text-error">
                            <Icon icon=icondata::LuCircleAlert class="mt-0.5 size-4" />
                            {message}
                        </p>
                    }
                        .into_any()
                }
                None => {
                    view! {
                        <div class="mt-2 flex items-center gap-4">
                            <Progress part=transfer.sent label="Uploaded" />
                            <span class="w-24 shrink-0 text-right whitespace-nowrap text-muted">{move || word(transfer)}</span>
                        </div>
                        {move || {
                            explanation(&state()).map(|text| view! { <p role="status" class="mt-2 text-muted">{text}</p> })
                        }}
                    }
                        .into_any()
                }
            }}
        </li>
    }
}

fn word(transfer: Transfer) -> String {
    match transfer.state.get() {
        TransferState::Waiting => "Waiting".to_owned(),
        TransferState::Paused => "Paused".to_owned(),
        TransferState::Lost => "Waiting".to_owned(),
        TransferState::Checking => "Checking".to_owned(),
        TransferState::NeedsFile => "Stopped".to_owned(),
        TransferState::Elsewhere => "Other tab".to_owned(),
        TransferState::Sending | TransferState::Failed(_) => format!("{:.0} %", transfer.sent.get() * 100.0),
    }
}

fn explanation(state: &TransferState) -> Option<&'static str> {
    match state {
        TransferState::Lost => Some("The connection is lost. It goes on by itself when it is back."),
        TransferState::NeedsFile => Some("Choose the same file again: what has arrived is not sent twice."),
        TransferState::Elsewhere => Some("Another tab sends this file."),
        _ => None,
    }
}

/// Asks for a file that the browser did not keep.
#[component]
fn Again(transfers: Transfers, transfer: Transfer) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let wrong = RwSignal::new(false);
    let pick = move |_| {
        let Some(input) = input.get_untracked() else { return };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            wrong.set(!transfers.go_on(transfer, file));
        }
        input.set_value("");
    };
    let open = move |_| {
        if let Some(input) = input.get_untracked() {
            input.click();
        }
    };
    let label = format!("Choose {} again", transfer.name.get_value());
    view! {
        <Show when=move || wrong.get()>
            <span role="alert" class="text-error">"This is another file."</span>
        </Show>
        <button type="button" class="btn btn-sm" aria-label=label on:click=open>
            "Choose again"
        </button>
        <input node_ref=input type="file" class="hidden" aria-label="The same file" tabindex="-1" on:change=pick />
    }
}
