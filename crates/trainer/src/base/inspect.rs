//! What a person should know about a base before choosing it.

use std::fs;
use std::path::Path;

use super::weights::Weights;
use super::{BaseError, CONFIG_LIMIT, LlamaConfig, TOKENIZER_LIMIT, open_regular, read_bounded};

/// A base that can be trained.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BaseInfo {
    /// The directory's name.
    pub name: String,
    /// As config.json has it, such as `LlamaForCausalLM`.
    pub architecture: String,
    pub parameters: u64,
    /// Of the weight files.
    pub size_bytes: u64,
    /// From the README's front matter, else from config.json; absent when neither says.
    pub license: Option<String>,
    /// Tokens.
    pub context_length: u64,
    pub vocab_size: u64,
    /// `float32`, `bfloat16` or `float16`.
    pub dtype: String,
    pub has_chat_template: bool,
}

/// Reads the configuration, the weight files' headers and the tokenizer's presence; no weights.
pub fn inspect_base(dir: &Path) -> Result<BaseInfo, BaseError> {
    let metadata = fs::metadata(dir).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => BaseError::Absent(dir.to_owned()),
        _ => BaseError::Unreadable(dir.to_owned(), error),
    })?;
    if !metadata.is_dir() {
        return Err(BaseError::NotADirectory(dir.to_owned()));
    }
    let config = LlamaConfig::read(dir)?;
    let weights = Weights::open_base(dir)?;
    let dtype = weights.check(&config)?;
    check_tokenizer(dir)?;
    Ok(BaseInfo {
        name: base_name(dir),
        architecture: config.architecture.clone(),
        parameters: super::weights::expected_tensors(&config)
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>() as u64)
            .sum(),
        size_bytes: weights.size_bytes,
        license: readme_license(dir)?.or(config.license),
        context_length: config.context_length as u64,
        vocab_size: config.vocab as u64,
        dtype: dtype.name().to_owned(),
        has_chat_template: chat_template_source(dir)?.is_some(),
    })
}

/// The directory's own name, also where the path ends in `.` or is a link.
pub fn base_name(dir: &Path) -> String {
    let resolved = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let name = dir.file_name().or_else(|| resolved.file_name());
    name.unwrap_or(dir.as_os_str()).to_string_lossy().into_owned()
}

/// The chat template's text: `chat_template.jinja`, else the (default) entry of `tokenizer_config.json`.
pub fn chat_template_source(dir: &Path) -> Result<Option<String>, BaseError> {
    const FILE: &str = "tokenizer_config.json";
    let invalid = |reason: String| BaseError::InvalidTokenizer { file: FILE, reason };
    if let Some(bytes) = read_bounded(&dir.join("chat_template.jinja"), CONFIG_LIMIT)? {
        return String::from_utf8(bytes)
            .map(Some)
            .map_err(|error| BaseError::InvalidTokenizer {
                file: "chat_template.jinja",
                reason: error.to_string(),
            });
    }
    let Some(bytes) = read_bounded(&dir.join(FILE), CONFIG_LIMIT)? else {
        return Ok(None);
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
    let template = match &value["chat_template"] {
        serde_json::Value::Array(named) => named
            .iter()
            .find(|entry| entry["name"] == "default")
            .map_or(&serde_json::Value::Null, |entry| &entry["template"]),
        other => other,
    };
    Ok(template.as_str().map(str::to_owned))
}

fn check_tokenizer(dir: &Path) -> Result<(), BaseError> {
    let path = dir.join("tokenizer.json");
    let Some(file) = open_regular(&path)? else {
        return Err(BaseError::NoTokenizer(dir.to_owned()));
    };
    let size = file
        .metadata()
        .map_err(|error| BaseError::Unreadable(path, error))?
        .len();
    if size == 0 || size > TOKENIZER_LIMIT {
        return Err(BaseError::InvalidTokenizer {
            file: "tokenizer.json",
            reason: format!("it has {size} bytes"),
        });
    }
    Ok(())
}

/// `license:` of the model card's front matter.
fn readme_license(dir: &Path) -> Result<Option<String>, BaseError> {
    let Some(bytes) = read_bounded(&dir.join("README.md"), CONFIG_LIMIT)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Ok(None);
    }
    let license = lines
        .take_while(|line| line.trim_end() != "---")
        .find_map(|line| line.strip_prefix("license:"))
        .map(|value| {
            value
                .trim()
                .trim_matches(['"', '\''])
                .chars()
                .take(100)
                .collect::<String>()
        });
    Ok(license.filter(|license| !license.is_empty()))
}
