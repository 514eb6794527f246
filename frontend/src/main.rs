//! The browser app of Cerebros: a client-side Leptos app that talks to `/api/v1` and `/v1` of the server it came from.
//!
//! `pages/` fetch and own the state that the address holds, `components/` take props and never fetch, `api/` has one
//! function per operation. What all of them share (session, toasts, events) is a context that `app.rs` provides.

mod address;
mod api;
mod app;
mod browser;
mod components;
mod events;
mod facts;
mod fault;
mod format;
mod forms;
mod links;
mod pages;
mod remote;
mod session;
mod theme;
mod toasts;
mod transfers;
mod uploads;
mod words;

fn main() {
    fault::watch();
    links::take_from_address();
    leptos::mount::mount_to_body(app::App);
}
