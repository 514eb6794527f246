//! Passwords, session tokens and API keys.

use crate::error::{AppError, AppResult};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// `__Host-` binds the cookie to this host, https (or loopback) and the whole path.
pub const SESSION_COOKIE: &str = "__Host-cerebros_session";

const KEY_MARK: &str = "cbk_";
const WAIT_FOR_A_CORE: Duration = Duration::from_secs(10);

/// Hashes passwords with argon2id (19 MiB, 2 passes), at most one at a time per core, off the async threads.
#[derive(Clone)]
pub struct Hasher {
    cores: Arc<Semaphore>,
    /// Verified against when there is no account, so that the answer takes as long.
    decoy: Arc<str>,
}

impl Hasher {
    pub fn new() -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        let decoy = hash_now("no account has this password")?;
        Ok(Self {
            cores: Arc::new(Semaphore::new(cores)),
            decoy: decoy.into(),
        })
    }

    /// A PHC string.
    pub async fn hash(&self, password: String) -> AppResult<String> {
        self.run(move || hash_now(&password)).await?.map_err(AppError::internal)
    }

    /// Whether the password belongs to the hash; without a hash it never does.
    pub async fn verify(&self, password: String, hash: Option<String>) -> AppResult<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.to_string());
        let right = self
            .run(move || {
                PasswordHash::new(&hash)
                    .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(right && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> AppResult<T> {
        let permit = tokio::time::timeout(WAIT_FOR_A_CORE, self.cores.clone().acquire_owned())
            .await
            .map_err(|_| AppError::unavailable("Many people are signing in right now. Try again in a moment.", 5))?
            .map_err(AppError::internal)?;
        let result = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        result.await.map_err(AppError::internal)
    }
}

fn hash_now(password: &str) -> anyhow::Result<String> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// A fresh secret for a cookie or a link: 256 random bits.
pub fn token() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// A fresh API key: a mark that secret scanners find, 256 random bits, and a checksum of both.
pub fn api_key() -> String {
    let body = format!("{KEY_MARK}{}", hex::encode(rand::random::<[u8; 32]>()));
    let checksum = digest(&body);
    format!("{body}{}", &checksum[..8])
}

/// The part of a key that lists show.
pub fn api_key_prefix(key: &str) -> String {
    key.chars().take(KEY_MARK.len() + 8).collect()
}

/// Whether it can be a key at all; spares the database a look-up.
pub fn is_api_key(key: &str) -> bool {
    let Some(split) = key.len().checked_sub(8) else {
        return false;
    };
    key.is_ascii() && key.starts_with(KEY_MARK) && digest(&key[..split])[..8] == key[split..]
}

/// What the database stores of a token or key. They are random, so one round of SHA-256 is enough.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_carries_its_checksum() {
        let key = api_key();
        assert!(is_api_key(&key));
        let mut other = key.clone();
        other.pop();
        other.push(if key.ends_with('0') { '1' } else { '0' });
        assert!(!is_api_key(&other));
        assert!(!is_api_key(""));
        assert!(!is_api_key("ключ ключ ключ"));
    }
}
