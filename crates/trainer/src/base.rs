//! Base models on disk: what a directory holds, whether it can be trained, and the built-in tiny one.

pub mod config;
pub mod inspect;
pub mod tiny;
pub mod weights;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use config::{Family, LlamaConfig, RopeScaling};
pub use inspect::{BaseInfo, inspect_base};
pub use tiny::{TINY_BASE_NAME, write_tiny_base};

/// Why a directory cannot serve as a base. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    #[error("{0} does not exist. Check the path of the base model.")]
    Absent(PathBuf),
    #[error(
        "{0} is not a directory. Give the directory that holds config.json, the safetensors files and tokenizer.json."
    )]
    NotADirectory(PathBuf),
    #[error("{0} cannot be read ({1}). Check its permissions.")]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{0} has no config.json. Give a directory in Hugging Face layout, as `save_pretrained` writes it.")]
    NoConfig(PathBuf),
    #[error("config.json cannot be understood: {0}. Fetch the model again or correct the file.")]
    InvalidConfig(String),
    #[error(
        "The architecture {0} is not supported. Choose a Llama, Mistral, Qwen2 or Qwen3 base (model_type llama, mistral, qwen2 or qwen3)."
    )]
    UnsupportedArchitecture(String),
    #[error("config.json asks for {0}, which is not supported. Choose a base without it.")]
    UnsupportedFeature(String),
    #[error(
        "{0} has no model.safetensors and no model.safetensors.index.json. Convert the weights to safetensors first."
    )]
    NoWeights(PathBuf),
    #[error("{file} is damaged or incomplete: {reason}. Fetch it again.")]
    CorruptWeights { file: String, reason: String },
    #[error("The weights lack {0}. Fetch all of the model's safetensors files.")]
    MissingTensor(String),
    #[error(
        "{name} has the shape {found:?} where config.json implies {expected:?}. The weights belong to another config.json: fetch both again."
    )]
    WrongShape {
        name: String,
        found: Vec<usize>,
        expected: Vec<usize>,
    },
    #[error("{name} is stored as {dtype}. Save the model in float32, bfloat16 or float16.")]
    UnsupportedDtype { name: String, dtype: String },
    #[error("{0} has no tokenizer.json. Save the model's fast tokenizer next to the weights.")]
    NoTokenizer(PathBuf),
    #[error("{file} cannot be understood: {reason}. Fetch it again.")]
    InvalidTokenizer { file: &'static str, reason: String },
    #[error("The base cannot be written to {0}: {1}. Check free space and permissions.")]
    Unwritable(PathBuf, #[source] io::Error),
    #[error("The base cannot be loaded: {0}.")]
    Tensor(#[from] candle_core::Error),
}

/// Most bytes of config.json, generation_config.json, tokenizer_config.json or a chat template.
pub(crate) const CONFIG_LIMIT: u64 = 4 << 20;
/// Most bytes of tokenizer.json; the largest public ones have about 35 MB.
pub(crate) const TOKENIZER_LIMIT: u64 = 128 << 20;

/// Reads a whole regular file of at most `limit` bytes; `None` when there is none. Pipes and devices are refused unread.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, BaseError> {
    let unreadable = |error| BaseError::Unreadable(path.to_owned(), error);
    let Some(file) = open_regular(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(unreadable(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {limit} bytes"),
        )));
    }
    Ok(Some(bytes))
}

/// Opens a regular file; `None` when there is none.
pub(crate) fn open_regular(path: &Path) -> Result<Option<File>, BaseError> {
    let unreadable = |error| BaseError::Unreadable(path.to_owned(), error);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(File::open(path).map_err(unreadable)?)),
        Ok(_) => Err(unreadable(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}
