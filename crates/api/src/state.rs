//! What handlers and tasks share.

use crate::{
    auth::Hasher, config::Config, idempotency::InFlight, infer::Inference, keys::Keys, legal::Legal, limits::Limits,
    llm::Gates, mail::Mailer, storage::Storage, uses::Uses, vllm::Vllm,
};
use cerebros_db::{Db, bases::BaseFacts};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub struct App {
    pub config: Config,
    pub db: Db,
    pub keys: Keys,
    /// Archives that may still be made at once.
    pub exports: Arc<Semaphore>,
    /// Training jobs that may be estimated at once.
    pub estimates: Semaphore,
    /// For datasets that are written while they are sent.
    pub written: Arc<Semaphore>,
    pub storage: Storage,
    pub hasher: Hasher,
    pub inference: Inference,
    /// `None` when the operator has set up none.
    pub vllm: Option<Vllm>,
    pub uses: Uses,
    pub legal: Legal,
    /// `None` when the operator has set up no mail.
    pub mailer: Option<Mailer>,
    /// What links to this server begin with.
    pub origin: String,
    /// Keyed requests that are being worked on.
    pub in_flight: InFlight,
    pub limits: Limits,
    /// The ways to the workspaces' language models.
    pub llm: Gates,
    /// What the built-in base is.
    pub built_in: BaseFacts,
    /// Fires when the process is asked to stop.
    pub shutdown: CancellationToken,
}
