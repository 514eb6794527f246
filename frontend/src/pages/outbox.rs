//! What a server on trial would have sent by mail.

use super::missing::Missing;
use crate::{
    api::accounts::list_outbox,
    browser,
    components::{
        brand::Brand,
        loaded::{Empty, Loaded},
        page_head::PageHead,
        time::Ago,
    },
    facts::Facts,
    remote::Remote,
};
use cerebros_common::accounts::OutboxMail;
use leptos::prelude::*;
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_secs(3);

#[component]
pub fn OutboxPage() -> impl IntoView {
    let facts = Facts::of_app();
    move || match (facts.known(), facts.outbox()) {
        (false, _) => ().into_any(),
        (true, false) => view! { <Missing /> }.into_any(),
        (true, true) => view! { <Mails /> }.into_any(),
    }
}

#[component]
fn Mails() -> impl IntoView {
    browser::title("Outbox");
    let mails = Remote::new(list_outbox);
    if let Ok(timer) = set_interval_with_handle(move || mails.refetch(), LOOK_AGAIN) {
        on_cleanup(move || timer.clear());
    }
    let empty = || view! { <Empty icon=icondata::LuMail title="No mail yet" text="Mails appear here as soon as they are written." /> };
    view! {
        <header class="mx-auto max-w-3xl p-4 sm:px-8">
            <Brand />
        </header>
        <main class="mx-auto max-w-3xl px-4 py-6 sm:px-8">
            <PageHead title="Outbox" text="This server is on trial: it keeps its mails in memory and shows them here, instead of sending them." />
            <Loaded remote=mails is_empty=Vec::is_empty empty=empty let:mails>
                <ul class="space-y-4">
                    <For each=move || mails.get() key=|mail| (mail.at, mail.to.clone(), mail.subject.clone()) let:mail>
                        <Mail mail />
                    </For>
                </ul>
            </Loaded>
        </main>
    }
}

#[component]
fn Mail(mail: OutboxMail) -> impl IntoView {
    view! {
        <li class="panel overflow-hidden">
            <div class="border-b border-line bg-base-200 px-4 py-2">
                <h2 class="text-base break-words">{mail.subject}</h2>
                <p class="text-sm break-words text-muted">"To " {mail.to} " · " <Ago at=mail.at /></p>
            </div>
            <div class="p-4 text-sm break-words whitespace-pre-wrap">
                {mail
                    .text
                    .split_inclusive(char::is_whitespace)
                    .map(|word| {
                        let address = word.trim_end();
                        if address.starts_with("http://") || address.starts_with("https://") {
                            // Loaded anew, so that the token leaves the address as from a real mail.
                            view! {
                                <a href=address.to_owned() rel="external" class="link-plain break-all">
                                    {address.to_owned()}
                                </a>
                                {word[address.len()..].to_owned()}
                            }
                                .into_any()
                        } else {
                            word.to_owned().into_any()
                        }
                    })
                    .collect_view()}
            </div>
        </li>
    }
}
