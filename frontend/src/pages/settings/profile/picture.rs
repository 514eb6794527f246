//! The person's picture.

use crate::{
    api::accounts::{delete_avatar, store_avatar},
    components::{avatar::Avatar, button::Button, dialog::Dialog, error_view::Alert, icon::Icon},
    forms::Sending,
    toasts::Toasts,
};
use cerebros_common::accounts::Profile;
use leptos::{html, prelude::*};
use web_sys::{File, Url};

const LARGEST: f64 = 2.0 * 1024.0 * 1024.0;
const FORMATS: &str = "image/png,image/jpeg,image/webp,image/gif";
const SIZE: &str = "size-20 text-2xl";

/// A file that was chosen, and where the browser shows it.
type Chosen = (File, String);

#[component]
pub fn Picture(profile: Signal<Profile>, changed: Callback<Profile>) -> impl IntoView {
    let chosen = RwSignal::new_local(None::<Chosen>);
    let objection = RwSignal::new(None::<&'static str>);
    let input = NodeRef::<html::Input>::new();
    let removing = Sending::new();
    let has = move || profile.with(|profile| profile.user.avatar_url.is_some());
    let remove = Callback::new(move |()| removing.start(delete_avatar(), move |profile| changed.run(profile)));
    let pick = move |_| {
        let Some(input) = input.get_untracked() else { return };
        let file = input.files().and_then(|files| files.get(0));
        input.set_value("");
        let Some(file) = file else { return };
        objection.set(if !FORMATS.split(',').any(|format| format == file.type_()) {
            Some("This kind of file is not taken. Choose a PNG, JPEG, WebP or GIF.")
        } else if file.size() > LARGEST {
            Some("The picture is larger than 2 MB.")
        } else {
            None
        });
        if objection.get_untracked().is_none()
            && let Ok(address) = Url::create_object_url_with_blob(&file)
        {
            chosen.set(Some((file, address)));
        }
    };
    view! {
        <div class="flex flex-wrap items-center gap-4">
            <Avatar
                name=Signal::derive(move || profile.with(|profile| profile.user.name.clone()))
                url=Signal::derive(move || profile.with(|profile| profile.user.avatar_url.clone()))
                class=SIZE
            />
            <div class="space-y-2">
                <div class="flex flex-wrap gap-2">
                    <button
                        type="button"
                        class="btn btn-sm"
                        on:click=move |_| {
                            if let Some(input) = input.get_untracked() {
                                input.click();
                            }
                        }
                    >
                        <Icon icon=icondata::LuUpload />
                        {move || if has() { "Change picture" } else { "Upload a picture" }}
                    </button>
                    <Show when=has>
                        <Button busy=removing.busy class="btn btn-ghost btn-sm" on_click=remove>
                            "Remove"
                        </Button>
                    </Show>
                </div>
                <p class="text-sm">
                    {move || match objection.get() {
                        Some(objection) => view! { <span role="alert" class="text-error">{objection}</span> }.into_any(),
                        None => view! { <span class="text-muted">"PNG, JPEG, WebP or GIF, up to 2 MB."</span> }.into_any(),
                    }}
                </p>
            </div>
            <input node_ref=input type="file" class="hidden" aria-label="Picture" tabindex="-1" accept=FORMATS on:change=pick />
        </div>
        <Alert error=removing.error />
        <Preview chosen changed />
    }
}

#[component]
fn Preview(chosen: RwSignal<Option<Chosen>, LocalStorage>, changed: Callback<Profile>) -> impl IntoView {
    let toasts = Toasts::of_app();
    let open = RwSignal::new(false);
    let sending = Sending::new();
    Effect::new(move |_| {
        if chosen.with(Option::is_some) {
            sending.error.set(None);
            open.set(true);
        }
    });
    Effect::new(move |_| {
        if !open.get()
            && let Some((_, address)) = chosen.try_update_untracked(Option::take).flatten()
        {
            // Fails only for text that is no address.
            drop(Url::revoke_object_url(&address));
        }
    });
    let save = Callback::new(move |()| {
        let Some((file, _)) = chosen.get_untracked() else {
            return;
        };
        sending.start(store_avatar(file), move |profile| {
            open.set(false);
            toasts.good("Your picture was saved.");
            changed.run(profile);
        });
    });
    let address = move || chosen.with_untracked(|chosen| chosen.as_ref().map(|(_, address)| address.clone()));
    view! {
        <Dialog open title="Your new picture">
            <img src=address alt="Preview" class="mx-auto size-40 rounded-full object-cover" />
            <Alert error=sending.error />
            <div class="mt-6 flex flex-wrap justify-end gap-2">
                <button type="button" class="btn btn-ghost" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <Button busy=sending.busy on_click=save>
                    "Use this picture"
                </Button>
            </div>
        </Dialog>
    }
}
