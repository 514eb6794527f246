//! Where a vLLM server is, and where it finds adapters.

use super::ConfigError;
use std::{fmt, path::PathBuf};
use url::Url;

/// A vLLM server that loads adapters when it is told to.
#[derive(Clone)]
pub struct VllmConfig {
    pub url: Url,
    pub api_key: Option<String>,
    /// Where adapters are put for it.
    pub adapters_dir: PathBuf,
    /// What the same directory is called where vLLM runs.
    pub adapters_path: PathBuf,
}

/// Without the key.
impl fmt::Debug for VllmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reading {}", self.url, self.adapters_path.display())
    }
}

pub fn read(get: &impl Fn(&str) -> Option<String>) -> Result<Option<VllmConfig>, ConfigError> {
    let Some(url) = super::url(get, "VLLM_URL")? else {
        return Ok(None);
    };
    let Some(adapters_dir) = get("VLLM_ADAPTERS_DIR").map(PathBuf::from) else {
        return Err(ConfigError::Invalid {
            name: "VLLM_ADAPTERS_DIR",
            value: String::new(),
            expected: "set where VLLM_URL is set",
        });
    };
    let adapters_dir = std::path::absolute(&adapters_dir).unwrap_or(adapters_dir);
    Ok(Some(VllmConfig {
        url,
        api_key: get("VLLM_API_KEY"),
        adapters_path: get("VLLM_ADAPTERS_PATH").map_or_else(|| adapters_dir.clone(), PathBuf::from),
        adapters_dir,
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;

    fn with(pairs: &'static [(&'static str, &'static str)]) -> Result<Option<VllmConfig>, ConfigError> {
        read(&|name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_vllm_server_needs_a_directory_and_shows_no_key() {
        assert!(with(&[]).unwrap().is_none());
        let refused = with(&[("VLLM_URL", "http://127.0.0.1:8000")]);
        assert!(matches!(
            refused,
            Err(ConfigError::Invalid {
                name: "VLLM_ADAPTERS_DIR",
                ..
            })
        ));
        let found = with(&[
            ("VLLM_URL", "http://127.0.0.1:8000"),
            ("VLLM_API_KEY", "canary"),
            ("VLLM_ADAPTERS_DIR", "/srv/adapters"),
        ]);
        let found = found.unwrap().unwrap();
        assert_eq!(found.adapters_path, found.adapters_dir);
        assert!(!format!("{found:?}").contains("canary"));
    }
}
