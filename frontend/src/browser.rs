//! Thin access to the browser.

use js_sys::{Function, Object, Promise, Reflect};
use leptos::{leptos_dom::helpers::set_timeout, prelude::*};
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, ScrollBehavior, ScrollIntoViewOptions, ScrollLogicalPosition, Storage, Window};

pub fn window() -> Window {
    leptos::prelude::window()
}

/// Sends an event of this name on `window`.
pub fn announce(name: &str) {
    if let Ok(event) = web_sys::Event::new(name) {
        // Fails only for an event that is already being sent.
        drop(window().dispatch_event(&event));
    }
}

pub fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Lasts as long as the tab.
pub fn tab_storage() -> Option<Storage> {
    window().session_storage().ok().flatten()
}

pub fn recall(storage: Option<Storage>, key: &str) -> Option<String> {
    storage?.get_item(key).ok().flatten()
}

/// Without room to remember it, it is forgotten when the page is left.
pub fn remember(storage: Option<Storage>, key: &str, value: Option<&str>) {
    if let Some(storage) = storage {
        drop(match value {
            Some(value) => storage.set_item(key, value),
            None => storage.remove_item(key),
        });
    }
}

/// Leaves for an address by loading it, so that nothing of the present page stays.
pub fn load(address: &str) {
    // Fails only for text that is no address.
    drop(window().location().assign(address));
}

/// `https://host:port` of this page.
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

pub async fn copy(text: String) -> Result<(), JsValue> {
    JsFuture::from(window().navigator().clipboard().write_text(&text))
        .await
        .map(|_| ())
}

/// What the page's head says under this name.
pub fn meta(name: &str) -> Option<String> {
    let element = document()
        .query_selector(&format!("meta[name={name}]"))
        .ok()
        .flatten()?;
    element.get_attribute("content")
}

/// Names the page in the tab while the calling component lives.
pub fn title(name: impl Into<String>) {
    document().set_title(&format!("{} · Cerebros", name.into()));
}

/// Scrolls so that the element stands in the middle.
pub fn reveal(element: &Element) {
    let options = ScrollIntoViewOptions::new();
    options.set_behavior(ScrollBehavior::Instant);
    options.set_block(ScrollLogicalPosition::Center);
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// Scrolls the region that the element stands in, and nothing around it.
pub fn reveal_in_region(element: &Element) {
    if let Ok(Some(region)) = element.closest("[role=region]") {
        let (own, around) = (element.get_bounding_client_rect(), region.get_bounding_client_rect());
        let above = own.top() - around.top() - (around.height() - own.height()).max(0.0) / 2.0;
        region.set_scroll_top(region.scroll_top() + above as i32);
    }
}

pub fn focus(id: &str) {
    if let Some(element) = document()
        .get_element_by_id(id)
        .and_then(|element| element.dyn_into().ok())
    {
        let element: web_sys::HtmlElement = element;
        // An element that cannot take the focus leaves it where it is.
        drop(element.focus());
    }
}

/// Puts the focus on the first element that a selector finds.
pub fn focus_first(selector: &str) {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = found.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        // As in `focus`.
        drop(element.focus());
    }
}

/// Takes the focus out of a search field, if the key goes to one.
pub fn leave_search(event: &web_sys::KeyboardEvent) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
    let Some(field) = target.filter(|field| field.type_() == "search") else {
        return false;
    };
    // As in `focus`.
    drop(field.blur());
    true
}

/// Whether the key goes to something that takes text, or to a dialog.
pub fn is_typing(event: &web_sys::KeyboardEvent) -> bool {
    let Some(target) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else {
        return false;
    };
    target
        .closest("input, textarea, select, dialog, [contenteditable]")
        .ok()
        .flatten()
        .is_some()
}

/// A function that runs `work` at most once per `wait`, however often it is called, and always after the last call.
pub fn settled(wait: Duration, work: impl Fn() + 'static) -> impl Fn() + Clone + 'static {
    let pending = StoredValue::new(false);
    let work = StoredValue::new_local(work);
    move || {
        if pending.try_get_value() != Some(false) {
            return;
        }
        pending.set_value(true);
        set_timeout(
            move || {
                pending.try_set_value(false);
                work.try_with_value(|work| work());
            },
            wait,
        );
    }
}

/// A name that no other tab of this browser has while this lives.
pub struct Claim {
    /// Gives it back; none where the browser knows no locks.
    release: Option<Function>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            drop(release.call0(&JsValue::UNDEFINED));
        }
    }
}

/// Claims a name. `None`: another tab has it.
pub async fn claim(name: &str) -> Option<Claim> {
    ask_for(name, true).await
}

/// Waits until no other tab has the name.
pub async fn claim_when_free(name: &str) -> Option<Claim> {
    ask_for(name, false).await
}

async fn ask_for(name: &str, at_once: bool) -> Option<Claim> {
    let locks = Reflect::get(&window().navigator(), &"locks".into()).unwrap_or(JsValue::UNDEFINED);
    let request = Reflect::get(&locks, &"request".into());
    let Some(request) = request.ok().and_then(|request| request.dyn_into::<Function>().ok()) else {
        return Some(Claim { release: None });
    };
    let options = Object::new();
    // A plain object takes every field.
    drop(Reflect::set(&options, &"ifAvailable".into(), &at_once.into()));
    let answered = Promise::new(&mut |answer: Function, _: Function| {
        let lead = Closure::once_into_js(move |lock: JsValue| {
            if lock.is_null() {
                drop(answer.call1(&JsValue::UNDEFINED, &JsValue::NULL));
                return JsValue::UNDEFINED;
            }
            let held = Promise::new(&mut |release: Function, _: Function| {
                drop(answer.call1(&JsValue::UNDEFINED, &release));
            });
            held.into()
        });
        // The promise lasts as long as the lock is held; nothing waits for it.
        drop(request.call3(&locks, &name.into(), &options, &lead));
    });
    let release = JsFuture::from(answered).await.ok()?.dyn_into().ok()?;
    Some(Claim { release: Some(release) })
}

/// Lets time pass.
pub async fn pass(time: Duration) {
    let passed = Promise::new(&mut |resolve: Function, _: Function| {
        set_timeout(move || drop(resolve.call0(&JsValue::UNDEFINED)), time);
    });
    // It is never refused.
    drop(JsFuture::from(passed).await);
}

/// Lets time pass, or less if the network comes back.
pub async fn pass_or_online(time: Duration) {
    let passed = Promise::new(&mut |resolve: Function, _: Function| {
        let online = resolve.clone();
        let options = web_sys::AddEventListenerOptions::new();
        options.set_once(true);
        // Without the event, the time passes.
        drop(window().add_event_listener_with_callback_and_add_event_listener_options("online", &online, &options));
        set_timeout(move || drop(resolve.call0(&JsValue::UNDEFINED)), time);
    });
    drop(JsFuture::from(passed).await);
}
