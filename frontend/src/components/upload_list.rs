//! Files on their way, and files that were refused.

use super::{icon::Icon, progress::Progress};
use crate::{
    format,
    uploads::{Upload, UploadState, Uploads},
};
use leptos::prelude::*;

#[component]
pub fn UploadList(uploads: Uploads) -> impl IntoView {
    view! {
        <ul class="space-y-2" aria-label="Uploads">
            <For each=move || uploads.shown.get() key=|upload| upload.id let:upload>
                <UploadItem upload remove=Callback::new(move |()| uploads.remove(upload.id)) />
            </For>
        </ul>
    }
}

#[component]
fn UploadItem(upload: Upload, remove: Callback<()>) -> impl IntoView {
    let failed = move || match upload.state.get() {
        UploadState::Failed(message) => Some(message),
        UploadState::Waiting | UploadState::Sending => None,
    };
    view! {
        <li class="panel p-4 text-sm">
            <div class="flex items-center gap-2">
                <Icon icon=icondata::LuFileUp />
                <span class="min-w-0 grow truncate font-medium">{upload.name.get_value()}</span>
                <span class="whitespace-nowrap text-muted">{format::size(upload.bytes)}</span>
                <button type="button" class="btn btn-ghost btn-sm" on:click=move |_| remove.run(())>
                    {move || if failed().is_some() { "Dismiss" } else { "Cancel" }}
                </button>
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
                            <Progress part=upload.sent label="Uploaded" />
                            <span class="w-20 text-right whitespace-nowrap text-muted">
                                {move || if upload.state.get() == UploadState::Waiting { "Waiting".to_owned() } else { format!("{:.0} %", upload.sent.get() * 100.0) }}
                            </span>
                        </div>
                    }
                        .into_any()
                }
            }}
        </li>
    }
}
