//! Who did what, when.

mod line;

use crate::{
    address::{Address, word},
    api::{Answer, api_keys::list_api_keys, audit::list_audit, members::list_members},
    browser,
    components::{
        filters::{Choice, Day},
        loaded::{Empty, Loaded},
        may::Needs,
        page_head::PageHead,
    },
    remote::{Remote, read_on},
};
use cerebros_common::{
    audit::{AuditEntry, AuditQuery},
    wire::PageQuery,
    workspaces::Role,
};
use chrono::{DateTime, Days, Local, NaiveDate, Utc};
use leptos::prelude::*;
use line::{ACTIONS, Line, NOUNS, action_name, noun_name};
use std::collections::BTreeMap;
use uuid::Uuid;

const STRETCH: usize = 50;
const FILTERS: [&str; 6] = ["actor", "action", "noun", "subject", "from", "to"];

/// Names of members and API keys by id.
pub type Names = BTreeMap<Uuid, String>;

#[component]
pub fn AuditPage() -> impl IntoView {
    browser::title("Audit log");
    view! {
        <Needs role=Role::Admin>
            <Log />
        </Needs>
    }
}

#[component]
fn Log() -> impl IntoView {
    let address = Address::of_page();
    let (wanted, more) = (RwSignal::new(STRETCH), RwSignal::new(false));
    let entries = Remote::new(move || {
        let query = AuditQuery {
            actor: address.word("actor"),
            action: address.word("action"),
            noun: address.word("noun"),
            subject_id: address.word("subject"),
            from: address.word("from").and_then(|day| midnight(day, 0)),
            to: address.word("to").and_then(|day| midnight(day, 1)),
            cursor: None,
            limit: Some(STRETCH as u32),
        };
        read_on(wanted.get(), more, move |cursor| {
            list_audit(AuditQuery {
                cursor,
                ..query.clone()
            })
        })
    });
    let remote = Remote::new(read_names);
    let names = Signal::derive(move || remote.get().unwrap_or_default());
    let people = Signal::derive(move || {
        let names = names.get().into_iter();
        names.map(|(id, name)| (id.to_string(), name)).collect::<Vec<_>>()
    });
    let actions = ACTIONS
        .map(|action| (word(&action), action_name(action).to_owned()))
        .to_vec();
    let nouns = NOUNS.map(|noun| (word(&noun), noun_name(noun).to_owned())).to_vec();
    let filtered = Memo::new(move |_| FILTERS.iter().any(|key| address.text(key).is_some()));
    let empty = || view! { <Empty icon=icondata::LuScrollText title="No entry matches" text="Choose other filters to see more." /> };
    view! {
        <PageHead title="Audit log" level=2 text="Each change in this workspace, newest first. It holds ids and names of fields, never their values." />
        <div class="flex flex-wrap items-end gap-2">
            <Choice address key="actor" label="Who" all="Everybody" options=people />
            <Choice address key="action" label="What was done" all="All actions" options=actions />
            <Choice address key="noun" label="To what" all="All things" options=nouns />
            <Day address key="from" label="From" />
            <Day address key="to" label="To" />
            <Show when=move || filtered.get()>
                <button type="button" class="btn btn-ghost" on:click=move |_| address.clear(&FILTERS)>
                    "Clear"
                </button>
            </Show>
        </div>
        <Loaded remote=entries is_empty=Vec::is_empty empty=empty let:entries>
            <ol class="panel divide-y divide-line">
                <For each=move || entries.get() key=|entry: &AuditEntry| entry.seq let:entry>
                    <Line entry names />
                </For>
            </ol>
            <Show when=move || more.get()>
                <button type="button" class="btn mt-4" on:click=move |_| wanted.update(|wanted| *wanted += STRETCH)>
                    "Load more entries"
                </button>
            </Show>
        </Loaded>
    }
}

async fn read_names() -> Answer<Names> {
    let all = PageQuery {
        page: None,
        limit: Some(100),
    };
    let members = list_members(all.clone()).await?.items;
    let keys = list_api_keys(all).await?.items;
    let members = members.into_iter().map(|member| (member.user_id.0, member.name));
    let keys = keys.into_iter().map(|key| (key.id.0, format!("Key {}", key.name)));
    Ok(members.chain(keys).collect())
}

/// The start of a day here, `days` later.
fn midnight(day: NaiveDate, days: u64) -> Option<DateTime<Utc>> {
    let start = day.checked_add_days(Days::new(days))?.and_hms_opt(0, 0, 0)?;
    Some(start.and_local_timezone(Local).earliest()?.to_utc())
}
