//! What the server says has changed.
//!
//! All tabs of a browser that are in one workspace share one stream: the tab that holds the lock reads it and passes each event on over a
//! channel, so that no tab uses up one of the few connections. When that tab goes, another gets the lock and reads on
//! after the last event that it has seen.

use crate::{api, browser};
use cerebros_common::{
    events::{Event, EventKind},
    ids::WorkspaceId,
};
use chrono::Utc;
use js_sys::{Function, Object, Promise, Reflect};
use leptos::{leptos_dom::helpers::set_timeout, prelude::*};
use std::time::Duration;
use uuid::Uuid;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{BroadcastChannel, EventSource, MessageEvent};

const CHANNEL: &str = "cerebros-events";
const RETRY: Duration = Duration::from_secs(3);
const CLOSED: u16 = 2;

struct Listener {
    id: u64,
    concerns: Box<dyn Fn(&Event) -> bool>,
    tell: Box<dyn Fn(&Event)>,
}

#[derive(Default)]
struct Hub {
    listeners: Vec<Listener>,
    next_listener: u64,
    last_seq: Option<i64>,
    /// In the leading tab only.
    source: Option<EventSource>,
    /// Gives the lock back.
    release: Option<Function>,
    running: bool,
}

#[derive(Clone, Copy)]
pub struct Events {
    hub: StoredValue<Hub, LocalStorage>,
    channel: StoredValue<Option<BroadcastChannel>, LocalStorage>,
}

impl Events {
    /// Provides the events of the app to all components.
    pub fn provide() -> Self {
        let events = Self {
            hub: StoredValue::new_local(Hub::default()),
            channel: StoredValue::new_local(None),
        };
        provide_context(events);
        events
    }

    pub fn of_app() -> Self {
        expect_context()
    }

    /// Calls `tell` for each event that `concerns` the caller, and after missed events, while the caller lives.
    pub fn on(self, concerns: impl Fn(&Event) -> bool + 'static, tell: impl Fn(&Event) + 'static) {
        let mut id = 0;
        self.hub.update_value(|hub| {
            id = hub.next_listener;
            hub.next_listener += 1;
            hub.listeners.push(Listener {
                id,
                concerns: Box::new(concerns),
                tell: Box::new(tell),
            });
        });
        on_cleanup(move || {
            self.hub
                .try_update_value(|hub| hub.listeners.retain(|listener| listener.id != id));
        });
    }

    /// Asks for the workspace's lock; whoever holds it reads the stream.
    pub fn start(self, workspace: WorkspaceId) {
        let already = self
            .hub
            .try_update_value(|hub| std::mem::replace(&mut hub.running, true));
        if already != Some(false) {
            return;
        }
        let name = format!("{CHANNEL}-{workspace}");
        self.join(&name);
        let locks = Reflect::get(&browser::window().navigator(), &"locks".into()).unwrap_or(JsValue::UNDEFINED);
        let Some(request) = Reflect::get(&locks, &"request".into())
            .ok()
            .and_then(|it| it.dyn_into::<Function>().ok())
        else {
            return self.open();
        };
        let lead = keep(move |_: JsValue| {
            self.open();
            Promise::new(&mut |resolve, _| self.hub.update_value(|hub| hub.release = Some(resolve)))
        });
        // The promise lasts as long as the lock is held; nothing waits for it.
        drop(request.call2(&locks, &name.into(), &lead));
    }

    /// Hears what the leading tab passes on.
    fn join(self, name: &str) {
        let Ok(channel) = BroadcastChannel::new(name) else {
            return;
        };
        channel.set_onmessage(Some(&keep(move |message: MessageEvent| {
            if let Some(text) = message.data().as_string() {
                self.hear(&text);
            }
        })));
        self.channel.set_value(Some(channel));
    }

    /// Closes the stream and lets another tab lead.
    pub fn stop(self) {
        self.channel.update_value(|channel| {
            if let Some(channel) = channel.take() {
                channel.close();
            }
        });
        self.hub.update_value(|hub| {
            hub.running = false;
            hub.last_seq = None;
            if let Some(source) = hub.source.take() {
                source.close();
            }
            if let Some(release) = hub.release.take() {
                drop(release.call0(&JsValue::UNDEFINED));
            }
        });
    }

    fn open(self) {
        let after = self.hub.with_value(|hub| hub.last_seq);
        if !self.hub.with_value(|hub| hub.running) {
            return;
        }
        let Ok(source) = EventSource::new(&api::events::address(after)) else {
            return;
        };
        source.set_onmessage(Some(&keep(move |message: MessageEvent| {
            if let Some(text) = message.data().as_string() {
                self.share(&text);
                self.hear(&text);
            }
        })));
        if after.is_none() {
            // What changed between the first page's fetches and now was told to nobody.
            source.set_onopen(Some(&keep(move |_: JsValue| {
                if self.hub.with_value(|hub| hub.last_seq.is_none()) {
                    self.tell(&missed());
                }
            })));
        }
        let watched = source.clone();
        source.set_onerror(Some(&keep(move |_: JsValue| {
            if watched.ready_state() == CLOSED {
                // Perhaps the session or the workspace is gone.
                browser::announce(api::NOT_FOUND);
                set_timeout(move || self.open(), RETRY);
            }
        })));
        self.hub.update_value(|hub| {
            if let Some(old) = hub.source.replace(source) {
                old.close();
            }
        });
    }

    fn share(self, text: &str) {
        self.channel.with_value(|channel| {
            if let Some(channel) = channel {
                // Fails only on a closed channel, and closed ones are dropped.
                drop(channel.post_message(&text.into()));
            }
        });
    }

    fn hear(self, text: &str) {
        if !self.hub.with_value(|hub| hub.running) {
            return;
        }
        if let Ok(event) = serde_json::from_str::<Event>(text) {
            // What concerns a person and not the workspace has no place in the sequence.
            if event.kind != EventKind::NotificationsChanged {
                self.hub.update_value(|hub| hub.last_seq = Some(event.seq));
            }
            self.tell(&event);
        }
    }

    fn tell(self, event: &Event) {
        self.hub.with_value(|hub| {
            for listener in &hub.listeners {
                if event.kind == EventKind::Reset || (listener.concerns)(event) {
                    (listener.tell)(event);
                }
            }
        });
    }
}

/// Stands for events that nobody heard.
fn missed() -> Event {
    Event {
        seq: 0,
        at: Utc::now(),
        kind: EventKind::Reset,
        id: Uuid::nil(),
        agent_id: None,
        metric: None,
    }
}

/// A function for the browser to call as long as the page lives.
fn keep<A, R>(work: impl FnMut(A) -> R + 'static) -> Function
where
    A: wasm_bindgen::convert::FromWasmAbi + 'static,
    R: wasm_bindgen::convert::ReturnWasmAbi + 'static,
{
    Closure::<dyn FnMut(A) -> R>::new(work)
        .into_js_value()
        .unchecked_into::<Object>()
        .unchecked_into()
}
