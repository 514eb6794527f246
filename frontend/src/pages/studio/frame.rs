//! What a source draws, by Mermaid itself in a frame that can reach nothing.

use crate::browser;
use js_sys::{Object, Reflect};
use leptos::{ev, html, prelude::*};
use std::time::Duration;
use wasm_bindgen::JsValue;
use web_sys::MessageEvent;

const TYPING: Duration = Duration::from_millis(300);

#[component]
pub fn Preview(source: RwSignal<String>) -> impl IntoView {
    let frame = NodeRef::<html::Iframe>::new();
    let ready = RwSignal::new(false);
    let number = StoredValue::new(0_u32);
    let send = move || {
        let window = frame.get_untracked().and_then(|frame| frame.content_window());
        let (Some(window), true) = (window, ready.get_untracked()) else {
            return;
        };
        number.update_value(|number| *number += 1);
        let message = Object::new();
        let fields = [
            ("id", JsValue::from(number.get_value())),
            ("source", JsValue::from(source.get_untracked())),
        ];
        for (key, value) in fields {
            drop(Reflect::set(&message, &key.into(), &value));
        }
        drop(window.post_message(&message, &browser::origin()));
    };
    let later = browser::settled(TYPING, send);
    Effect::new(move |_| {
        source.track();
        later();
    });
    let refused = RwSignal::new(false);
    let heard = window_event_listener(ev::message, move |event: MessageEvent| {
        let ours = frame
            .get_untracked()
            .and_then(|frame| frame.content_window())
            .is_some_and(|window| {
                event
                    .source()
                    .is_some_and(|source| JsValue::from(source) == JsValue::from(window))
            });
        if !ours || event.origin() != browser::origin() {
            return;
        }
        let kind = Reflect::get(&event.data(), &"kind".into())
            .ok()
            .and_then(|kind| kind.as_string());
        match kind.as_deref() {
            Some("ready") => {
                ready.set(true);
                send();
            }
            Some("drawn") => refused.set(false),
            Some("refused") => refused.set(true),
            _ => {}
        }
    });
    on_cleanup(move || heard.remove());
    view! {
        <div class="min-w-0 space-y-1">
            <p class="text-sm font-medium">"Preview"</p>
            <iframe
                node_ref=frame
                src="/diagram.html"
                title="Preview of the diagram"
                class="panel h-80 w-full bg-white"
                class:opacity-50=move || refused.get()
            ></iframe>
            <p role="status" class="text-sm text-muted">
                {move || refused.get().then_some("The preview shows what was last valid.")}
            </p>
        </div>
    }
}
