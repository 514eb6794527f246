//! Models in memory: a few bases, and the adapters that share their weights.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use super::grammar::{Grammar, Vocabulary};
use crate::base::{BaseError, inspect_base};
use crate::chat::{Chat, ChatError, Moment};
use crate::model::Llama;
use crate::model::adapter::{Adapter, AdapterError, WEIGHTS_FILE};
use crate::protocol::{Generate, InferErrorCode};

const BASES: u64 = 2;
/// Bytes of adapters that stay in memory.
const ADAPTERS: u64 = 1 << 30;

/// What a request gets instead of an answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct InferError {
    pub code: InferErrorCode,
    pub message: String,
}

impl InferError {
    pub fn new(code: InferErrorCode, message: impl Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    pub fn invalid(message: impl Display) -> Self {
        Self::new(InferErrorCode::InvalidRequest, message)
    }

    pub fn chat(error: ChatError) -> Self {
        Self::invalid(format!("The messages cannot be used: {error}."))
    }
}

impl From<BaseError> for InferError {
    fn from(error: BaseError) -> Self {
        Self::new(InferErrorCode::InvalidBase, error)
    }
}

impl From<AdapterError> for InferError {
    fn from(error: AdapterError) -> Self {
        Self::new(InferErrorCode::InvalidAdapter, error)
    }
}

impl From<candle_core::Error> for InferError {
    fn from(error: candle_core::Error) -> Self {
        Self::new(InferErrorCode::Internal, error)
    }
}

pub struct LoadedBase {
    pub llama: Llama,
    pub chat: Chat,
    /// Made when it is first asked for.
    vocabulary: OnceLock<Result<Vocabulary, InferError>>,
}

impl LoadedBase {
    fn vocabulary(&self) -> Result<&Vocabulary, InferError> {
        let made = || Vocabulary::of(&self.chat, self.llama.config.vocab);
        self.vocabulary.get_or_init(made).as_ref().map_err(Clone::clone)
    }

    /// What holds an answer to a form; `None` where it is free.
    pub fn grammar(&self, request: &Generate) -> Result<Option<Grammar>, InferError> {
        if !request.call_one_of.is_empty() {
            let tagged = self.chat.template.tags_calls;
            return self
                .vocabulary()?
                .call(&request.tools, &request.call_one_of, tagged)
                .map(Some);
        }
        let format = request.format.as_ref();
        format.map(|format| self.vocabulary()?.grammar(format)).transpose()
    }

    /// What a token stands for; nothing for one with a special meaning.
    pub fn bytes(&self, id: u32) -> Vec<u8> {
        let words = self.vocabulary().map(|vocabulary| &vocabulary.words);
        words
            .ok()
            .and_then(|words| words.get(id as usize))
            .cloned()
            .unwrap_or_default()
    }
}

/// A base with, maybe, an adapter over it.
pub struct Model {
    pub base: Arc<LoadedBase>,
    pub adapter: Option<Arc<Adapter>>,
}

/// Where something was loaded from, and as which version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    dir: PathBuf,
    changed: Option<SystemTime>,
}

impl Source {
    fn of(dir: &Path, file: &str) -> Self {
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let changed = dir.join(file).metadata().and_then(|metadata| metadata.modified()).ok();
        Self { dir, changed }
    }
}

/// Something in memory, and what it weighs.
struct Loaded<K, V> {
    key: K,
    weight: u64,
    value: Arc<V>,
}

/// Most recently used last.
type Recent<K, V> = Vec<Loaded<K, V>>;

#[derive(Default)]
pub struct Engine {
    bases: Mutex<Recent<Source, LoadedBase>>,
    adapters: Mutex<Recent<(Source, Source), Adapter>>,
}

impl Engine {
    /// Loads what is not in memory; others that want to load wait meanwhile.
    pub fn model(&self, base_dir: &Path, adapter_dir: Option<&Path>) -> Result<Model, InferError> {
        let base_source = Source::of(base_dir, "config.json");
        let base = recent(&self.bases, base_source.clone(), 1, BASES, || {
            inspect_base(base_dir)?;
            let llama = Llama::load(base_dir)?;
            let chat = Chat::load(base_dir, &llama.config, Moment::Now)?;
            Ok::<_, InferError>(LoadedBase {
                llama,
                chat,
                vocabulary: OnceLock::new(),
            })
        })?;
        let adapter = adapter_dir.map(|dir| {
            let key = (base_source, Source::of(dir, WEIGHTS_FILE));
            let weight = dir.join(WEIGHTS_FILE).metadata().map_or(0, |metadata| metadata.len());
            recent(&self.adapters, key, weight, ADAPTERS, || {
                Adapter::load(dir, &base.llama.config)
            })
        });
        Ok(Model {
            adapter: adapter.transpose()?,
            base,
        })
    }
}

fn recent<K: PartialEq, V, E>(
    entries: &Mutex<Recent<K, V>>,
    key: K,
    weight: u64,
    most: u64,
    load: impl FnOnce() -> Result<V, E>,
) -> Result<Arc<V>, E> {
    let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = match entries.iter().position(|loaded| loaded.key == key) {
        Some(index) => entries.remove(index),
        None => {
            // Room is made first: two versions of a large base would not fit.
            let in_memory = |entries: &[Loaded<K, V>]| entries.iter().map(|loaded| loaded.weight).sum::<u64>();
            while !entries.is_empty() && in_memory(&entries) + weight > most {
                entries.remove(0);
            }
            let value = Arc::new(load()?);
            Loaded { key, weight, value }
        }
    };
    let value = loaded.value.clone();
    entries.push(loaded);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_leaves_first() {
        let entries = Mutex::new(Vec::new());
        let get = |key: u32| recent(&entries, key, 1, 2, || Ok::<_, ()>(key * 10)).map(|value| *value);
        assert_eq!([get(1), get(2), get(1), get(3)], [Ok(10), Ok(20), Ok(10), Ok(30)]);
        let kept: Vec<u32> = entries
            .lock()
            .expect("unpoisoned")
            .iter()
            .map(|loaded| loaded.key)
            .collect();
        assert_eq!(kept, [1, 3]);
        let heavy = recent(&entries, 5, 9, 2, || Ok::<_, ()>(50)).map(|value| *value);
        assert_eq!(heavy, Ok(50), "alone, whatever it weighs");
        let failed = recent(&entries, 4, 1, 2, || Err("no"));
        assert_eq!(failed, Err("no"));
    }
}
