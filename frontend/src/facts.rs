//! What this server can do, whoever asks.

use crate::{api::accounts::find_server, remote::Remote};
use cerebros_common::accounts::ServerFacts;
use leptos::prelude::*;

#[derive(Clone, Copy)]
pub struct Facts(Remote<ServerFacts>);

impl Facts {
    pub fn provide() {
        provide_context(Self(Remote::new(find_server)));
    }

    pub fn of_app() -> Self {
        expect_context()
    }

    /// Whether the server has answered.
    pub fn known(self) -> bool {
        self.0.with(|_| ()).is_some()
    }

    /// Whether links by mail arrive: at people, or in the outbox.
    pub fn mail(self) -> bool {
        self.0.with(|facts| facts.mail || facts.outbox).unwrap_or_default()
    }

    /// How large a document may be, once the server has answered.
    pub fn max_document_bytes(self) -> Option<u64> {
        self.0.with(|facts| facts.max_document_bytes)
    }

    /// How large a dataset's file may be, once the server has answered.
    pub fn max_dataset_bytes(self) -> Option<u64> {
        self.0.with(|facts| facts.max_dataset_bytes)
    }

    /// Whether assistants can be hosted by a vLLM server.
    pub fn vllm(self) -> bool {
        self.0.with(|facts| facts.vllm).unwrap_or_default()
    }

    pub fn outbox(self) -> bool {
        self.0.with(|facts| facts.outbox).unwrap_or_default()
    }
}
