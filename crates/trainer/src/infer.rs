//! The inference process: a Unix socket, one request per connection, answers streamed as JSON lines.

mod embed;
mod engine;
mod generate;
mod grammar;
pub mod passages;
mod sample;
mod server;
mod slots;
mod text;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::protocol::{Exit, Logits};
use crate::threads;
use engine::Engine;
pub use engine::InferError;

/// Serves on `socket` until stdin ends, which is how the parent's death shows. Logs go to stderr. The process replaces
/// itself once to fix its number of threads, so this must be called before anything is read from stdin.
pub fn infer_main(socket: &Path) -> ExitCode {
    let served = threads::fix(None).and_then(|()| server::serve(socket, Arc::new(Engine::default())));
    match served {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            server::log(format_args!("{}: {error}", socket.display()));
            Exit::Internal.into()
        }
    }
}

/// The ids of `text`, in which special tokens are written out, and the logits of every position.
pub fn logits_of_text(
    base_dir: &Path,
    adapter_dir: Option<&Path>,
    text: &str,
) -> Result<(Vec<u32>, Vec<Vec<f32>>), InferError> {
    let engine = Engine::default();
    let model = engine.model(base_dir, adapter_dir)?;
    let token_ids = model.base.chat.encode_text(text).map_err(InferError::chat)?;
    let request = Logits {
        base_dir: base_dir.to_owned(),
        adapter_dir: adapter_dir.map(Path::to_owned),
        token_ids: token_ids.clone(),
    };
    Ok((token_ids, generate::logits(&model, &request)?))
}
