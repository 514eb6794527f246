//! What handlers and tasks share.

use crate::{auth::Hasher, config::Config, storage::Storage};
use cerebros_db::Db;
use tokio_util::sync::CancellationToken;

pub struct App {
    pub config: Config,
    pub db: Db,
    pub storage: Storage,
    pub hasher: Hasher,
    /// Fires when the process is asked to stop.
    pub shutdown: CancellationToken,
}
