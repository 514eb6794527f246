//! Assistants: the list, one of them, and the wizard that makes one.

mod chat;
mod connect;
mod documents;
pub mod find;
mod host;
pub mod list;
mod list_card;
mod list_dialogs;
mod models;
mod review;
pub mod wizard;
