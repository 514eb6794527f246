//! Passwords, session tokens and API keys.

use crate::error::{AppError, AppResult};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use cerebros_common::errors::ErrorCode;
use sha2::{Digest, Sha256};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, SyncSender},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// `__Host-` binds the cookie to this host, https (or loopback) and the whole path.
pub const SESSION_COOKIE: &str = "__Host-cerebros_session";

const KEY_MARK: &str = "cbk_";
const WAITING_PER_THREAD: usize = 8;
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The `nice` value that yields to every other thread.
const LEAST_PRIORITY: i32 = 19;

/// Hashes passwords with argon2id (19 MiB, 2 passes) on threads of its own, which give way to everything else. What they
/// cannot keep up with is refused at once.
pub struct Hasher {
    queue: SyncSender<Job>,
    /// Verified against when there is no account, so that the answer takes as long.
    decoy: Arc<str>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Hasher {
    /// With a thread per core but one: while all of them hash, the rest of the server has that core.
    pub fn new() -> anyhow::Result<Self> {
        Self::with_threads(std::thread::available_parallelism()?.get().saturating_sub(1).max(1))
    }

    fn with_threads(threads: usize) -> anyhow::Result<Self> {
        let (queue, jobs) = mpsc::sync_channel::<Job>(threads * WAITING_PER_THREAD);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = jobs.clone();
            std::thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(move || {
                    // On Linux this is about the calling thread. Refused, it only costs the others some speed.
                    let _ = rustix::process::setpriority_process(None, LEAST_PRIORITY);
                    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    while let Ok(job) = next() {
                        job();
                    }
                })?;
        }
        Ok(Self {
            queue,
            decoy: hash_now("no account has this password")?.into(),
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
        let surplus = || {
            let detail = "Many people are signing in right now. Try again in a moment.";
            AppError::new(ErrorCode::TooManyRequests, detail).retry_after(1)
        };
        let (answer, result) = oneshot::channel();
        let job = move || {
            // Whoever left does not keep others waiting.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        };
        self.queue.try_send(Box::new(job)).map_err(|_| surplus())?;
        let result = tokio::time::timeout(LONGEST_WAIT, result).await;
        result.map_err(|_| surplus())?.map_err(AppError::internal)
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
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;
    use futures_util::future::join_all;

    #[tokio::test]
    async fn surplus_hashing_is_refused_at_once() {
        let hasher = Hasher::with_threads(2).unwrap();
        let (started, begun) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let work = || {
            let (started, gate) = (started.clone(), gate.clone());
            hasher.run(move || {
                started.send(()).unwrap();
                // Until the other end is dropped.
                let _ = gate.lock().unwrap().recv();
            })
        };
        let mut taken: Vec<_> = (0..2).map(|_| Box::pin(work())).collect();
        for job in &mut taken {
            assert!(futures_util::poll!(job).is_pending());
            begun.recv().unwrap();
        }
        for _ in 0..2 * WAITING_PER_THREAD {
            taken.push(Box::pin(work()));
            assert!(futures_util::poll!(taken.last_mut().unwrap()).is_pending());
        }
        let surplus = work().await.unwrap_err();
        assert_eq!(surplus.code, ErrorCode::TooManyRequests);
        drop(open);
        assert!(join_all(taken).await.iter().all(Result::is_ok));
    }

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
