//! Files of rows on their way to the server.

use crate::{
    components::{drop_zone::DropZone, transfer_list::TransferList},
    facts::Facts,
    format,
    transfers::{Destination, Transfers},
    uploads::DATASETS,
};
use leptos::prelude::*;
use web_sys::File;

/// Each file becomes a dataset, or a version of one.
#[component]
pub fn Upload(destination: Destination) -> impl IntoView {
    let transfers = Transfers::of_app();
    transfers.recover(None);
    let facts = Facts::of_app();
    let limits = move || DATASETS.up_to(facts.max_dataset_bytes());
    let add = UnsyncCallback::new(move |files: Vec<File>| {
        for file in files {
            let objection = untrack(limits).objection(&file.name(), file.size() as u64);
            transfers.add(destination, file, objection);
        }
    });
    let note = Signal::derive(move || {
        format!(
            "JSON Lines or a JSON list, up to {} each: OpenAI chat, ShareGPT, Alpaca, prompt and completion, preference pairs \
             or plain text. The format is told by the rows.",
            format::size(limits().bytes)
        )
    });
    view! {
        <div class="space-y-4">
            <DropZone limits=DATASETS note on_files=add />
            <TransferList destination />
        </div>
    }
}
