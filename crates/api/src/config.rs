//! Settings, read once from the environment. `.env.example` explains each.

mod prices;
mod vllm;

pub use prices::TrainingPrices;
pub use vllm::VllmConfig;

use crate::keys::SecretKeys;
use ipnet::IpNet;
use lettre::message::Mailbox;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};
use url::Url;

#[derive(Debug, Clone)]
pub struct Config {
    /// Files, the embedded database and job directories.
    pub data_dir: PathBuf,
    pub bind: SocketAddr,
    /// Where browsers reach the server; `None` on loopback means `http://<bind>`.
    pub public_url: Option<Url>,
    pub database_url: String,
    pub database_connections: u32,
    /// Replaces the generated file `secret.key`; the first one is in use, the others are for what was made with them.
    pub secret_keys: Option<SecretKeys>,
    /// Directories below which a base may be registered by path.
    pub base_dirs: Vec<PathBuf>,
    /// Where bases are fetched from by hub id.
    pub hub_url: Url,
    /// Largest document, in bytes.
    pub max_document_bytes: u64,
    /// Largest uploaded dataset, in bytes.
    pub max_dataset_bytes: u64,
    /// Where files are kept instead of `data_dir`.
    pub s3: Option<S3Config>,
    /// The virus scanner.
    pub clamd: Option<Clamd>,
    /// Training jobs that run at once.
    pub training_concurrency: usize,
    /// Threads of one training job.
    pub training_threads: u32,
    pub training_prices: TrainingPrices,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    pub rate_limits: RateLimits,
    /// How long a browser stays signed in at most, and without being used.
    pub session_days: i64,
    pub session_idle_days: i64,
    pub mail: MailConfig,
    /// Holds `privacy.md` and `terms.md`, which replace the built-in texts.
    pub legal_dir: Option<PathBuf>,
    /// Origins whose pages may call the API with an API key.
    pub cors_origins: Vec<String>,
    pub deadlines: Deadlines,
    /// Private networks into which base URLs and webhooks of workspaces may lead, also without TLS.
    pub networks: Vec<IpNet>,
    pub llm: LlmConfig,
    /// Hosts assistants beside the embedded engine.
    pub vllm: Option<VllmConfig>,
    /// What writing a model for other programs may take; `None` is most of what is free.
    pub export_memory_bytes: Option<u64>,
    /// The executable that is run as the training, inference and extraction child.
    pub child_program: PathBuf,
}

/// An S3 bucket, or what speaks like one.
#[derive(Clone)]
pub struct S3Config {
    pub bucket: String,
    /// `None`: Amazon's for the region.
    pub endpoint: Option<Url>,
    /// Where browsers reach it, if not at `endpoint`.
    pub public_endpoint: Option<Url>,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl S3Config {
    /// What browsers send files to.
    pub fn origin(&self) -> String {
        match self.public_endpoint.as_ref().or(self.endpoint.as_ref()) {
            Some(url) => url.origin().ascii_serialization(),
            None => format!("https://s3.{}.amazonaws.com", self.region),
        }
    }
}

/// Without the keys.
impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.bucket, self.origin())
    }
}

/// Where clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clamd {
    /// `host:port`
    Tcp(String),
    Socket(PathBuf),
}

impl FromStr for Clamd {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.starts_with('/') {
            return Ok(Self::Socket(PathBuf::from(text)));
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(Self::Tcp(text.to_owned())),
            _ => Err(()),
        }
    }
}

/// How language models are reached.
#[derive(Debug, Clone)]
pub struct LlmConfig {
    /// Between the attempts of a question.
    pub retry_waits: Vec<Duration>,
    /// No setting: only tests wait less.
    pub deadlines: cerebros_llm::Deadlines,
}

/// Where mail goes.
#[derive(Clone)]
pub enum MailConfig {
    None,
    /// Into memory, for everybody to read: for trying things out.
    Outbox,
    Smtp {
        url: Url,
        from: Mailbox,
    },
}

/// The URL holds a password.
impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Outbox => "Outbox",
            Self::Smtp { .. } => "Smtp",
        })
    }
}

/// How often a caller may ask.
#[derive(Debug, Clone)]
pub struct RateLimits {
    /// Requests of a user or API key in a minute.
    pub requests: u32,
    /// Requests from an address in a minute.
    pub address: u32,
    /// Uploads of a user in a minute.
    pub uploads: u32,
    /// Attempts to sign in from an address in 10 minutes; a quarter of it may fail for one account.
    pub sign_in: u32,
    /// Mails to an account in 15 minutes.
    pub mail: u32,
}

/// How long the server waits. No setting: only tests wait less.
#[derive(Debug, Clone)]
pub struct Deadlines {
    /// For a request's head.
    pub head: Duration,
    /// For the next request on a connection.
    pub keep_alive: Duration,
    /// For a JSON body.
    pub body: Duration,
    /// For the next piece of an upload.
    pub piece: Duration,
    /// For a handler.
    pub handler: Duration,
    /// For an upload in parts to be completed.
    pub upload: Duration,
    /// For a file to get a row that names it.
    pub orphan: Duration,
    /// For a model to be written for other programs.
    pub export: Duration,
    /// For the virus scanner to take the next piece, and to answer.
    pub scan: Duration,
    /// Until the virus scanner is asked again; `None` is ever longer.
    pub scan_again: Option<Duration>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(15),
            // Longer than proxies keep theirs, or they send a request just as we close.
            keep_alive: Duration::from_secs(75),
            body: Duration::from_secs(30),
            piece: Duration::from_secs(30),
            handler: Duration::from_secs(60),
            upload: Duration::from_secs(7 * 24 * 3600),
            orphan: Duration::from_secs(24 * 3600),
            export: Duration::from_secs(3600),
            scan: Duration::from_secs(120),
            scan_again: None,
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} is `{value}`, but must be {expected}")]
    Invalid {
        name: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error(
        "BIND is {0}, which other machines can reach, but PUBLIC_URL is not an https address. \
         Browsers drop the session cookie on plain http. Put a TLS proxy in front and set PUBLIC_URL=https://..., \
         or bind to 127.0.0.1"
    )]
    OpenWithoutTls(SocketAddr),
}

impl Config {
    /// Reads the process environment.
    ///
    /// # Errors
    /// Names the variable, its value and what it must be.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads settings by name; an empty value counts as absent.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let data_dir = get("DATA_DIR").map_or_else(|| PathBuf::from("data"), PathBuf::from);
        let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
        let bind: SocketAddr = parse(&get, "BIND", "an address and port such as 127.0.0.1:8420")?
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8420)));
        let public_url = url(&get, "PUBLIC_URL")?;
        if !bind.ip().is_loopback() && public_url.as_ref().is_none_or(|url| url.scheme() != "https") {
            return Err(ConfigError::OpenWithoutTls(bind));
        }
        let database_url = match get("DATABASE_URL") {
            None => format!("sqlite://{}", data_dir.join("cerebros.db").display()),
            Some(value)
                if ["sqlite:", "postgres:", "postgresql:"]
                    .iter()
                    .any(|scheme| value.starts_with(scheme)) =>
            {
                value
            }
            Some(_) => {
                return Err(ConfigError::Invalid {
                    name: "DATABASE_URL",
                    // The value holds a password.
                    value: "...".to_owned(),
                    expected: "a sqlite: or postgres: URL",
                });
            }
        };
        let base_dirs = match get("BASE_DIRS") {
            Some(value) => value.split(':').map(PathBuf::from).collect(),
            None if bind.ip().is_loopback() => vec![PathBuf::from("/")],
            None => Vec::new(),
        };
        let mail = mail(&get, bind, public_url.as_ref())?;
        Ok(Self {
            data_dir,
            bind,
            public_url,
            database_url,
            database_connections: number(&get, "DATABASE_CONNECTIONS", "a number from 1 to 200", 1, 200)?.unwrap_or(8),
            secret_keys: get("SECRET_KEY").map(|value| value.parse()).transpose().map_err(|_| {
                ConfigError::Invalid {
                    name: "SECRET_KEY",
                    // Some of it may be a key.
                    value: "...".to_owned(),
                    expected: "keys of 64 hexadecimal digits, separated by commas (`openssl rand -hex 32` makes one)",
                }
            })?,
            base_dirs,
            hub_url: match url(&get, "HUB_URL")? {
                Some(url) => url,
                None => Url::parse("https://huggingface.co").map_err(|_| ConfigError::Invalid {
                    name: "HUB_URL",
                    value: String::new(),
                    expected: "an http(s) URL",
                })?,
            },
            max_document_bytes: number(&get, "MAX_DOCUMENT_BYTES", "a number of bytes", 1, u64::MAX)?
                .unwrap_or(50 * 1024 * 1024),
            max_dataset_bytes: number(&get, "MAX_DATASET_BYTES", "a number of bytes", 1, u64::MAX)?
                .unwrap_or(500 * 1024 * 1024),
            s3: s3(&get)?,
            vllm: vllm::read(&get)?,
            clamd: parse(&get, "CLAMD_ADDR", "host:port, or the path of a socket")?,
            training_concurrency: number(&get, "TRAINING_CONCURRENCY", "a number from 1 to 64", 1, 64)?.unwrap_or(1),
            training_threads: number(&get, "TRAINING_THREADS", "a number from 1 to 256", 1, 256)?.unwrap_or(1),
            training_prices: prices::read(&get)?,
            export_memory_bytes: number(&get, "EXPORT_MEMORY_BYTES", "a number of bytes", 1, u64::MAX)?,
            mail,
            trusted_proxies: list(
                &get,
                "TRUSTED_PROXIES",
                "addresses or networks such as 10.0.0.0/8",
                network,
            )?,
            rate_limits: RateLimits {
                requests: rate(&get, "RATE_LIMIT_REQUESTS", 6_000)?,
                address: rate(&get, "RATE_LIMIT_ADDRESS", 12_000)?,
                uploads: rate(&get, "RATE_LIMIT_UPLOADS", 120)?,
                sign_in: rate(&get, "RATE_LIMIT_SIGN_IN", 60)?,
                mail: rate(&get, "RATE_LIMIT_MAIL", 5)?,
            },
            session_days: number(&get, "SESSION_DAYS", "a number from 1 to 365", 1, 365)?.unwrap_or(30),
            session_idle_days: number(&get, "SESSION_IDLE_DAYS", "a number from 1 to 365", 1, 365)?.unwrap_or(14),
            legal_dir: get("LEGAL_DIR").map(PathBuf::from),
            cors_origins: list(&get, "CORS_ORIGINS", "origins such as https://app.example.org", origin)?,
            deadlines: Deadlines::default(),
            networks: list(
                &get,
                "ALLOWED_NETWORKS",
                "addresses or networks such as 10.0.0.0/8",
                network,
            )?,
            llm: LlmConfig {
                retry_waits: match get("LLM_RETRY_WAITS_MS") {
                    None => [1, 2, 4, 8].map(Duration::from_secs).to_vec(),
                    Some(_) => list(
                        &get,
                        "LLM_RETRY_WAITS_MS",
                        "numbers such as 1000,2000,4000,8000",
                        |text| {
                            text.parse()
                                .ok()
                                .filter(|wait| *wait <= 60_000)
                                .map(Duration::from_millis)
                        },
                    )?,
                },
                deadlines: cerebros_llm::Deadlines::default(),
            },
            child_program: match get("CHILD_PROGRAM") {
                Some(path) => PathBuf::from(path),
                None => PathBuf::from("/proc/self/exe"),
            },
        })
    }

    pub fn session_idle(&self) -> chrono::Duration {
        chrono::Duration::days(self.session_idle_days)
    }

    /// Where files lie while they are being read.
    pub fn work_dir(&self) -> PathBuf {
        self.data_dir.join("work")
    }

    /// Whether browsers come by TLS.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    /// The origin that browsers see, without a trailing slash.
    pub fn origin(&self, bound: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.origin().ascii_serialization(),
            None => format!("http://{bound}"),
        }
    }
}

fn parse<T: FromStr>(
    get: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &'static str,
) -> Result<Option<T>, ConfigError> {
    let Some(value) = get(name) else { return Ok(None) };
    value
        .parse()
        .map(Some)
        .map_err(|_| ConfigError::Invalid { name, value, expected })
}

fn number<T: FromStr + PartialOrd>(
    get: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &'static str,
    least: T,
    most: T,
) -> Result<Option<T>, ConfigError> {
    match parse::<T>(get, name, expected)? {
        Some(value) if value < least || value > most => Err(ConfigError::Invalid {
            name,
            value: get(name).unwrap_or_default(),
            expected,
        }),
        other => Ok(other),
    }
}

fn s3(get: &impl Fn(&str) -> Option<String>) -> Result<Option<S3Config>, ConfigError> {
    let Some(bucket) = get("S3_BUCKET") else {
        return Ok(None);
    };
    let needed = |name: &'static str| {
        get(name).ok_or(ConfigError::Invalid {
            name,
            value: String::new(),
            expected: "set where S3_BUCKET is set",
        })
    };
    Ok(Some(S3Config {
        bucket,
        endpoint: url(get, "S3_ENDPOINT")?,
        public_endpoint: url(get, "S3_PUBLIC_ENDPOINT")?,
        region: get("S3_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        access_key_id: needed("S3_ACCESS_KEY_ID")?,
        secret_access_key: needed("S3_SECRET_ACCESS_KEY")?,
    }))
}

fn mail(
    get: &impl Fn(&str) -> Option<String>,
    bind: SocketAddr,
    public_url: Option<&Url>,
) -> Result<MailConfig, ConfigError> {
    let invalid = |name, value: &str, expected| {
        let value = value.to_owned();
        Err(ConfigError::Invalid { name, value, expected })
    };
    let smtp_url = get("SMTP_URL");
    match get("OUTBOX").as_deref() {
        None | Some("0") => {}
        Some("1") if smtp_url.is_some() => return invalid("OUTBOX", "1", "unset where SMTP_URL is set"),
        // Whoever reads the outbox can sign in as anybody.
        Some("1") if !bind.ip().is_loopback() || public_url.is_some() => {
            return invalid(
                "OUTBOX",
                "1",
                "unset unless BIND is a loopback address and PUBLIC_URL is unset",
            );
        }
        Some("1") => return Ok(MailConfig::Outbox),
        Some(other) => return invalid("OUTBOX", other, "0 or 1"),
    }
    let Some(smtp_url) = smtp_url else {
        return Ok(MailConfig::None);
    };
    let Some(from) = get("MAIL_FROM") else {
        return invalid("MAIL_FROM", "", "set where SMTP_URL is set");
    };
    let Ok(from) = from.parse() else {
        return invalid("MAIL_FROM", &from, "an address such as Cerebros <cerebros@example.org>");
    };
    match Url::parse(&smtp_url) {
        Ok(url) if is_safe_smtp(&url) => Ok(MailConfig::Smtp { url, from }),
        // The value holds a password.
        _ => invalid(
            "SMTP_URL",
            "...",
            "smtps://user:password@host or smtp://user:password@host:587?tls=required; without TLS only to this machine",
        ),
    }
}

fn is_safe_smtp(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match (url.scheme(), url.query()) {
        ("smtps", None) | ("smtp", Some("tls=required")) => true,
        ("smtp", None) => local,
        _ => false,
    }
}

fn rate(get: &impl Fn(&str) -> Option<String>, name: &'static str, default: u32) -> Result<u32, ConfigError> {
    Ok(number(get, name, "a number from 1 to 1000000000", 1, 1_000_000_000)?.unwrap_or(default))
}

/// What stands between commas.
fn list<T>(
    get: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &'static str,
    item: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ConfigError> {
    let value = get(name).unwrap_or_default();
    let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    let items: Option<Vec<T>> = parts.map(item).collect();
    items.ok_or(ConfigError::Invalid { name, value, expected })
}

/// Written as browsers write it, a trailing slash aside.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let origin = url.origin().ascii_serialization();
    (origin == text.trim_end_matches('/')).then_some(origin)
}

fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn url(get: &impl Fn(&str) -> Option<String>, name: &'static str) -> Result<Option<Url>, ConfigError> {
    match parse::<Url>(get, name, "an http(s) URL")? {
        Some(url) if !matches!(url.scheme(), "http" | "https") => Err(ConfigError::Invalid {
            name,
            value: url.to_string(),
            expected: "an http(s) URL",
        }),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let pairs: Vec<(String, String)> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::read(move |name| {
            pairs
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn defaults_are_a_loopback_server_with_an_embedded_database() {
        let config = read(&[("DATA_DIR", "/var/lib/cerebros")]).unwrap();
        assert!(config.bind.ip().is_loopback());
        assert_eq!(config.database_url, "sqlite:///var/lib/cerebros/cerebros.db");
    }

    #[test]
    fn a_bad_value_is_refused_by_name() {
        for (name, value) in [
            ("BIND", "localhost"),
            ("PUBLIC_URL", "ftp://example.org"),
            ("CLAMD_ADDR", "localhost"),
            ("DATABASE_URL", "mysql://example.org"),
            ("DATABASE_CONNECTIONS", "0"),
            ("MAX_DOCUMENT_BYTES", "50MB"),
            ("TRAINING_THREADS", "-1"),
            ("SESSION_DAYS", "0"),
            ("SESSION_IDLE_DAYS", "366"),
            ("OUTBOX", "yes"),
            ("SECRET_KEY", "tooshort"),
            ("TRUSTED_PROXIES", "10.0.0.0/8,nginx"),
            ("RATE_LIMIT_SIGN_IN", "0"),
            ("CORS_ORIGINS", "*"),
            ("CORS_ORIGINS", "https://example.org/app"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn mail_goes_out_by_tls_and_the_outbox_stays_here() {
        let from = ("MAIL_FROM", "Cerebros <cerebros@example.org>");
        for url in [
            "smtps://ada:hunter2@mail.example.org",
            "smtp://ada:hunter2@mail.example.org:587?tls=required",
            "smtp://127.0.0.1:1025",
        ] {
            let config = read(&[("SMTP_URL", url), from]).unwrap();
            assert!(matches!(config.mail, MailConfig::Smtp { .. }));
            assert!(!format!("{config:?}").contains("hunter2"));
            let outbox = read(&[("SMTP_URL", url), from, ("OUTBOX", "1")]);
            assert!(outbox.unwrap_err().to_string().starts_with("OUTBOX"));
        }
        for url in [
            "smtp://ada:hunter2@mail.example.org",
            "smtp://ada:hunter2@mail.example.org?tls=opportunistic",
            "https://ada:hunter2@mail.example.org",
            "hunter2",
        ] {
            let error = read(&[("SMTP_URL", url), from]).unwrap_err().to_string();
            assert!(error.starts_with("SMTP_URL") && !error.contains("hunter2"), "{error}");
        }
        for pairs in [
            [("SMTP_URL", "smtps://mail.example.org"), ("MAIL_FROM", "")],
            [("SMTP_URL", "smtps://mail.example.org"), ("MAIL_FROM", "nobody")],
        ] {
            assert!(read(&pairs).unwrap_err().to_string().starts_with("MAIL_FROM"));
        }
        assert!(matches!(read(&[("OUTBOX", "1")]).unwrap().mail, MailConfig::Outbox));
        for more in [("BIND", "[::]:80"), ("OUTBOX", "1")] {
            let pairs = [("OUTBOX", "1"), ("PUBLIC_URL", "https://example.org"), more];
            assert!(read(&pairs).unwrap_err().to_string().starts_with("OUTBOX"));
        }
    }

    #[test]
    fn an_open_bind_needs_an_https_public_url() {
        let bind = ("BIND", "0.0.0.0:80");
        assert!(matches!(read(&[bind]), Err(ConfigError::OpenWithoutTls(_))));
        assert!(matches!(
            read(&[bind, ("PUBLIC_URL", "http://example.org")]),
            Err(ConfigError::OpenWithoutTls(_))
        ));
        let config = read(&[bind, ("PUBLIC_URL", "https://example.org/")]).unwrap();
        assert!(config.is_https());
        assert_eq!(config.origin(config.bind), "https://example.org");
        assert!(config.base_dirs.is_empty());
    }
}
