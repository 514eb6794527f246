//! The server's own keys. All are derived from one ring of secrets: `SECRET_KEY`, or a file that is made at the first start.
//! The first secret is in use; older ones read what was made with them.

use crate::config::Config;
use anyhow::{Context, ensure};
use cerebros_common::audit::{Action, Noun};
use cerebros_db::{AuditKeys, Db, settings};
use ring::{hkdf, hmac};
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};
use uuid::Uuid;

/// What a derived key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Audit,
    /// Encrypts what is stored.
    Secrets,
    /// Signs deletion receipts.
    Receipts,
    /// Hashes addresses that rate limits count.
    Addresses,
    /// Signs addresses for parts of uploads.
    Uploads,
    Check,
    Id,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Audit => b"audit",
            Self::Secrets => b"secrets",
            Self::Receipts => b"receipts",
            Self::Addresses => b"addresses",
            Self::Uploads => b"uploads",
            Self::Check => b"check",
            Self::Id => b"id",
        }
    }
}

/// Secrets in the order of their use. Prints nothing of them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKeys(Vec<[u8; 32]>);

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

impl FromStr for SecretKeys {
    type Err = anyhow::Error;

    /// Reads secrets of 64 hexadecimal digits, separated by commas or line breaks.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut keys = Vec::new();
        for part in text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
            let mut key = [0; 32];
            hex::decode_to_slice(part, &mut key)?;
            keys.push(key);
        }
        ensure!(!keys.is_empty(), "there is no key");
        Ok(Self(keys))
    }
}

/// The ring, with where it came from.
#[derive(Debug, Clone)]
pub struct Keys {
    ring: SecretKeys,
    file: Option<PathBuf>,
}

const CHECK: &str = "key_check";

impl Keys {
    /// Takes `SECRET_KEY`, or reads the key file, or makes it.
    ///
    /// # Errors
    /// When the file can be neither read nor made.
    pub fn load(config: &Config) -> anyhow::Result<Self> {
        if let Some(ring) = &config.secret_keys {
            let (ring, file) = (ring.clone(), None);
            return Ok(Self { ring, file });
        }
        let path = config.data_dir.join("secret.key");
        if !path.exists() {
            write_new(&path, &line(rand::random()), false)?;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let ring = text
            .parse()
            .with_context(|| format!("{} holds something else than keys", path.display()))?;
        let file = Some(path);
        Ok(Self { ring, file })
    }

    /// The keys for a purpose with the ids of the secrets that they come from, the one in use first.
    pub fn derived(&self, purpose: Purpose) -> Vec<(String, [u8; 32])> {
        let derived = self.ring.0.iter().map(|secret| (id(secret), derive(secret, purpose)));
        derived.collect()
    }

    /// The key in use for a purpose, with the id of its secret.
    pub fn current(&self, purpose: Purpose) -> (String, [u8; 32]) {
        let secret = &self.ring.0[0];
        (id(secret), derive(secret, purpose))
    }

    pub fn audit(&self) -> AuditKeys {
        AuditKeys::new(self.derived(Purpose::Audit))
    }

    /// Puts a fresh secret in front of those in the key file. `false`: the secrets come from `SECRET_KEY`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn renew(&mut self) -> anyhow::Result<bool> {
        let Some(path) = &self.file else { return Ok(false) };
        let fresh = rand::random();
        let mut text = line(fresh);
        self.ring.0.iter().for_each(|secret| text.push_str(&line(*secret)));
        write_new(path, &text, true)?;
        self.ring.0.insert(0, fresh);
        Ok(true)
    }

    /// Notes in the database which secret is in use, so that no process goes on with another one.
    ///
    /// # Errors
    /// When the database was used with a secret that this process does not have.
    pub async fn check(&self, db: &Db) -> anyhow::Result<()> {
        let (current, key) = self.current(Purpose::Check);
        let value = format!("{current}:{}", tag(&key));
        let mut write = db.write_unscoped().await?;
        if settings::insert_unscoped(&write, CHECK, &value).await? {
            write.audit(Action::Created, Noun::SecretKey, Uuid::nil(), &[]);
            return Ok(write.commit().await?);
        }
        let stored = settings::find_unscoped(&write, CHECK).await?.unwrap_or_default();
        if stored == value {
            return Ok(());
        }
        let known = self.derived(Purpose::Check);
        let known = known.iter().any(|(id, key)| format!("{id}:{}", tag(key)) == stored);
        ensure!(
            known,
            "this database is used with the secret key {}, which this server does not have. {}",
            stored.split(':').next().unwrap_or_default(),
            match &self.file {
                Some(path) => format!(
                    "Copy the file secret.key of the server that used the database first to {}, or set SECRET_KEY to \
                     the same value everywhere",
                    path.display()
                ),
                None => "Add it to SECRET_KEY, behind the one that is to be used from now on".to_owned(),
            }
        );
        settings::update_unscoped(&write, CHECK, &value).await?;
        write.audit(Action::Rotated, Noun::SecretKey, Uuid::nil(), &[]);
        Ok(write.commit().await?)
    }
}

fn line(secret: [u8; 32]) -> String {
    format!("{}\n", hex::encode(secret))
}

fn id(secret: &[u8; 32]) -> String {
    hex::encode(&derive(secret, Purpose::Id)[..4])
}

fn tag(key: &[u8; 32]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hex::encode(hmac::sign(&key, b"cerebros"))
}

fn derive(secret: &[u8; 32], purpose: Purpose) -> [u8; 32] {
    let mut key = [0; 32];
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"cerebros").extract(secret);
    let label = [purpose.label()];
    // Fails only for lengths that HKDF cannot give.
    let filled = extracted
        .expand(&label, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key));
    debug_assert!(filled.is_ok());
    key
}

/// Writes a file that only its owner reads, whole or not at all. Without `replace` one that is there already stays.
fn write_new(path: &Path, text: &str, replace: bool) -> anyhow::Result<()> {
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if replace {
            fs::rename(&unfinished, path)?;
        } else {
            match fs::hard_link(&unfinished, path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => fs::remove_file(&unfinished)?,
            }
        }
        path.parent()
            .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(directory: &Path, secret: Option<&str>) -> Config {
        Config::read(|name| match name {
            "DATA_DIR" => Some(directory.display().to_string()),
            "SECRET_KEY" => secret.map(str::to_owned),
            _ => None,
        })
        .unwrap()
    }

    #[test]
    fn the_key_file_is_made_once_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), None);
        let first = Keys::load(&config).unwrap();
        let mode = directory.path().join("secret.key").metadata().unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert_eq!(Keys::load(&config).unwrap().ring, first.ring);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_renewed_key_leads_and_the_old_one_stays() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), None);
        let mut keys = Keys::load(&config).unwrap();
        let old = keys.current(Purpose::Audit);
        assert!(keys.renew().unwrap());
        let read = Keys::load(&config).unwrap().derived(Purpose::Audit);
        assert_eq!(read.len(), 2);
        assert_eq!(read[1], old);
        assert_eq!(read[0], keys.current(Purpose::Audit));
    }

    #[test]
    fn each_purpose_and_each_secret_has_its_own_key() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = format!("{}, {}", "0a".repeat(32), "0b".repeat(32));
        let mut keys = Keys::load(&config(directory.path(), Some(&secrets))).unwrap();
        let mut all: Vec<[u8; 32]> = [Purpose::Audit, Purpose::Secrets, Purpose::Receipts, Purpose::Addresses]
            .into_iter()
            .flat_map(|purpose| keys.derived(purpose))
            .map(|(_, key)| key)
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 8);
        assert!(!keys.renew().unwrap());
        assert!(!format!("{keys:?}").contains("0a0a"));
    }
}
