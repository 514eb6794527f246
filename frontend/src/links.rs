//! Links from mails. The token stands after `#`, so no request holds it, and it leaves the address bar before anything
//! is shown.

use crate::{browser, session::HOME};
use cerebros_common::accounts::LinkToken;
use std::cell::RefCell;
use wasm_bindgen::JsValue;

const LENGTH: usize = 64;
/// Where the browser remembers what the person was doing when a mail was asked for; its link may open another tab.
const NEXT: &str = "next";
const INVITATION: &str = "invitation";

thread_local! {
    static TOKEN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes the token out of the address. To be called before the app starts.
pub fn take_from_address() {
    let location = browser::window().location();
    let hash = location.hash().unwrap_or_default();
    let Some(token) = hash.strip_prefix("#token=") else {
        return;
    };
    TOKEN.set(Some(token.to_owned()));
    let rest = format!(
        "{}{}",
        location.pathname().unwrap_or_default(),
        location.search().unwrap_or_default()
    );
    if let Ok(history) = browser::window().history() {
        // Fails only for another origin.
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(&rest)));
    }
}

/// The token of the link that opened this page, once.
pub fn take_token() -> Option<LinkToken> {
    let token = TOKEN.take().filter(|token| token.len() == LENGTH)?;
    Some(LinkToken { token })
}

/// The token of the invitation that is being answered, also after signing up.
pub fn invitation() -> Option<LinkToken> {
    if let Some(LinkToken { token }) = take_token() {
        browser::remember(browser::storage(), INVITATION, Some(&token));
    }
    let token = browser::recall(browser::storage(), INVITATION)?;
    Some(LinkToken { token })
}

pub fn forget_invitation() {
    browser::remember(browser::storage(), INVITATION, None);
}

/// Remembers where the person was going, until the link is followed.
pub fn keep_next(next: &str) {
    browser::remember(browser::storage(), NEXT, (next != HOME).then_some(next));
}

pub fn take_next() -> String {
    let next = browser::recall(browser::storage(), NEXT).unwrap_or_default();
    browser::remember(browser::storage(), NEXT, None);
    inside(&next)
}

/// The path and query of `next` if it is an address of this app, else the start page.
pub fn inside(next: &str) -> String {
    let origin = browser::origin();
    match web_sys::Url::new_with_base(next, &origin) {
        Ok(url) if next.starts_with('/') && url.origin() == origin => format!("{}{}", url.pathname(), url.search()),
        _ => HOME.to_owned(),
    }
}
