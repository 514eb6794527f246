//! Where files are dropped or picked.

use super::icon::Icon;
use crate::uploads::Limits;
use leptos::{html, prelude::*};
use web_sys::{DragEvent, File, FileList};

#[component]
pub fn DropZone(
    limits: Limits,
    /// What is said under the button.
    #[prop(into)]
    note: Signal<String>,
    #[prop(default = true)] multiple: bool,
    on_files: UnsyncCallback<Vec<File>>,
) -> impl IntoView {
    let over = RwSignal::new(false);
    let input = NodeRef::<html::Input>::new();
    let drop = move |event: DragEvent| {
        event.prevent_default();
        over.set(false);
        if let Some(files) = event.data_transfer().and_then(|transfer| transfer.files()) {
            on_files.run(listed(&files));
        }
    };
    let pick = move |_| {
        let Some(input) = input.get_untracked() else { return };
        if let Some(files) = input.files() {
            on_files.run(listed(&files));
        }
        input.set_value("");
    };
    let accept: String = limits
        .extensions
        .iter()
        .map(|extension| format!(".{extension}"))
        .collect::<Vec<_>>()
        .join(",");
    view! {
        <div
            class="flex flex-col items-center gap-2 rounded-box border-2 border-dashed p-6 text-center transition-colors sm:p-8"
            class:border-primary=over
            class:bg-tint-blue=over
            class:border-line=move || !over.get()
            on:dragover=move |event: DragEvent| {
                event.prevent_default();
                over.set(true);
            }
            on:dragleave=move |_| over.set(false)
            on:drop=drop
        >
            <span class="rounded-full bg-tint-blue p-3 text-ink-blue">
                <Icon icon=icondata::LuUpload class="size-6" />
            </span>
            <p class="font-medium">{if multiple { "Drop files here" } else { "Drop a file here" }}</p>
            <p class="text-sm text-muted">{move || note.get()}</p>
            <button
                type="button"
                class="btn mt-2"
                on:click=move |_| {
                    if let Some(input) = input.get_untracked() {
                        input.click();
                    }
                }
            >
                {if multiple { "Choose files" } else { "Choose a file" }}
            </button>
            <input node_ref=input type="file" class="hidden" aria-label="Files" tabindex="-1" multiple=multiple accept=accept on:change=pick />
        </div>
    }
}

fn listed(files: &FileList) -> Vec<File> {
    (0..files.length()).filter_map(|index| files.get(index)).collect()
}
