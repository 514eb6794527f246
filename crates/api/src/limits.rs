//! How often a caller may ask. Windows of fixed length that start with a caller's first request, counted exactly in
//! memory; attempts to sign in and mails are counted in the database too, for all replicas together.

use crate::{
    address::address_of,
    config::Config,
    error::{AppError, AppResult},
    extract,
    state::App,
};
use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
};
use cerebros_common::{errors::ErrorCode, ids::UserId};
use cerebros_db::{Actor, Scope, rates};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use uuid::Uuid;

const MINUTE: Duration = Duration::from_secs(60);
/// More callers than this at once, and the oldest windows start anew.
const MAX_KEYS: usize = 100_000;
/// Event streams of a user.
const MAX_STREAMS: u32 = 20;

pub struct Limits {
    requests: Windows<Uuid>,
    addresses: Windows<IpAddr>,
    uploads: Windows<Uuid>,
    sign_in_addresses: Windows<IpAddr>,
    sign_in_accounts: Windows<String>,
    mails: Windows<String>,
    streams: Mutex<HashMap<UserId, u32>>,
    /// Keeps e-mail and network addresses out of the shared counters.
    secret: [u8; 32],
}

impl Limits {
    pub fn new(config: &Config, secret: [u8; 32]) -> Self {
        let limits = &config.rate_limits;
        Self {
            requests: Windows::new(limits.requests, MINUTE),
            addresses: Windows::new(limits.address, MINUTE),
            uploads: Windows::new(limits.uploads, MINUTE),
            sign_in_addresses: Windows::new(limits.sign_in, 10 * MINUTE),
            sign_in_accounts: Windows::new((limits.sign_in / 4).max(1), 10 * MINUTE),
            mails: Windows::new(limits.mail, 15 * MINUTE),
            streams: Mutex::default(),
            secret,
        }
    }

    fn hash(&self, purpose: &str, text: &str) -> String {
        let hash = Sha256::new()
            .chain_update(self.secret)
            .chain_update(purpose)
            .chain_update([0]);
        hex::encode(hash.chain_update(text).finalize())
    }
}

/// Where a caller stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    limit: u32,
    remaining: u32,
    /// Seconds until the window ends.
    reset_s: u32,
    refused: bool,
}

impl Standing {
    fn check(self) -> AppResult<()> {
        if self.refused {
            let detail = format!(
                "At most {} are allowed in this time. Try again in {} s.",
                self.limit, self.reset_s
            );
            return Err(AppError::new(ErrorCode::TooManyRequests, detail).retry_after(self.reset_s));
        }
        Ok(())
    }
}

/// `RateLimit-*` of the bucket that is nearest to its limit.
pub fn write_headers(request: &HttpRequest, headers: &mut HeaderMap) {
    let Some(standing) = request.extensions().get::<Standing>().copied() else {
        return;
    };
    for (name, value) in [
        ("ratelimit-limit", standing.limit),
        ("ratelimit-remaining", standing.remaining),
        ("ratelimit-reset", standing.reset_s),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

fn note(request: &HttpRequest, standing: Standing) -> AppResult<()> {
    let mut extensions = request.extensions_mut();
    let noted = extensions.get::<Standing>().copied();
    if noted.is_none_or(|noted| standing.refused || standing.remaining < noted.remaining) {
        extensions.insert(standing);
    }
    standing.check()
}

/// Counts a request for the address that it comes from.
pub async fn by_address(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Err(error) = count_address(request.request()) {
        let (request, _) = request.into_parts();
        return Ok(ServiceResponse::new(request, HttpResponse::from_error(error)));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn count_address(request: &HttpRequest) -> AppResult<()> {
    if !crate::respond::is_api(request.path()) {
        return Ok(());
    }
    let limits = &extract::app(request)?.limits;
    note(request, limits.addresses.take(network_of(address_of(request))))
}

/// A request whose caller was counted.
struct Counted;

/// Counts a request for its user or API key, once however often it is asked.
pub fn by_caller(request: &HttpRequest, caller: Uuid) -> AppResult<()> {
    if request.extensions_mut().insert(Counted).is_some() {
        return Ok(());
    }
    note(request, extract::app(request)?.limits.requests.take(caller))
}

/// Counts an upload.
pub fn upload(request: &HttpRequest, scope: &Scope) -> AppResult<()> {
    match scope.actor {
        Actor::User(user_id) | Actor::ApiKey(_, user_id) => {
            note(request, extract::app(request)?.limits.uploads.take(user_id.0))
        }
        Actor::System => Ok(()),
    }
}

/// One of a user's event streams.
pub struct Stream {
    app: Arc<App>,
    user_id: UserId,
}

impl Stream {
    /// # Errors
    /// 429 when the user has too many.
    pub fn open(app: &Arc<App>, scope: &Scope) -> AppResult<Self> {
        let (Actor::User(user_id) | Actor::ApiKey(_, user_id)) = scope.actor else {
            return Err(AppError::internal(anyhow::anyhow!("a task asked for a stream")));
        };
        let mut streams = app.limits.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(user_id).or_default();
        if *count >= MAX_STREAMS {
            let detail = format!("At most {MAX_STREAMS} streams may be open at once. Close one first.");
            return Err(AppError::new(ErrorCode::TooManyRequests, detail).retry_after(5));
        }
        *count += 1;
        Ok(Self {
            app: app.clone(),
            user_id,
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut streams = self.app.limits.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = streams.entry(self.user_id) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// An attempt to sign in that was counted.
pub struct Attempt {
    account: String,
}

/// Counts an attempt to sign in, for the address that it comes from and for the account that it aims at.
///
/// # Errors
/// 429 when either had too many.
pub async fn sign_in(app: &App, request: &HttpRequest, email: &str) -> AppResult<Attempt> {
    let limits = &app.limits;
    let address = network_of(address_of(request));
    let attempt = Attempt {
        account: limits.hash("sign-in account", &email.trim().to_lowercase()),
    };
    note(request, limits.sign_in_addresses.take(address))?;
    note(request, limits.sign_in_accounts.take(attempt.account.clone()))?;
    let address = limits.hash("sign-in address", &address.to_string());
    let shared = [
        (address, &limits.sign_in_addresses.rule),
        (attempt.account.clone(), &limits.sign_in_accounts.rule),
    ];
    for standing in shared_standings(app, shared).await? {
        note(request, standing)?;
    }
    Ok(attempt)
}

impl Attempt {
    /// The account is not to blame: the password was right, or nobody looked.
    pub async fn forgive(self, app: &App) -> AppResult<()> {
        app.limits.sign_in_accounts.give_back(&self.account);
        if !app.db.is_sqlite() {
            rates::uncount_unscoped(&app.db, &self.account).await?;
        }
        Ok(())
    }
}

/// Counts a mail to an account, whether there is one or not.
///
/// # Errors
/// 429 when it had too many.
pub async fn mail(app: &App, request: &HttpRequest, email: &str) -> AppResult<()> {
    let account = app.limits.hash("mail", &email.trim().to_lowercase());
    note(request, app.limits.mails.take(account.clone()))?;
    for standing in shared_standings(app, [(account, &app.limits.mails.rule)]).await? {
        note(request, standing)?;
    }
    Ok(())
}

/// Counts for all replicas. SQLite belongs to one process, whose memory knows it all.
async fn shared_standings<const N: usize>(app: &App, keys: [(String, &Rule); N]) -> AppResult<Vec<Standing>> {
    if app.db.is_sqlite() {
        return Ok(Vec::new());
    }
    let mut standings = Vec::with_capacity(N);
    for (key, rule) in keys {
        let counted = rates::count_unscoped(&app.db, &key, rule.length).await?;
        standings.push(Standing {
            limit: rule.limit,
            remaining: u32::try_from(u64::from(rule.limit).saturating_sub(counted.count)).unwrap_or(u32::MAX),
            reset_s: seconds(counted.left),
            refused: counted.count > u64::from(rule.limit),
        });
    }
    Ok(standings)
}

/// An IPv6 customer has a whole /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !0 << 64)),
    }
}

/// Rounded up, so that who waits this long is let in.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

#[derive(Debug, Clone, Copy)]
struct Rule {
    limit: u32,
    length: Duration,
}

/// A count per key and window.
struct Windows<K> {
    rule: Rule,
    open: Mutex<Open<K>>,
}

struct Open<K> {
    windows: HashMap<K, Window>,
    /// All keys in the order in which their windows end.
    order: VecDeque<K>,
}

struct Window {
    ends: Instant,
    count: u32,
}

impl<K: Hash + Eq + Clone> Windows<K> {
    fn new(limit: u32, length: Duration) -> Self {
        let (windows, order) = (HashMap::new(), VecDeque::new());
        Self {
            rule: Rule { limit, length },
            open: Mutex::new(Open { windows, order }),
        }
    }

    fn take(&self, key: K) -> Standing {
        self.take_at(key, Instant::now())
    }

    fn take_at(&self, key: K, now: Instant) -> Standing {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Open { windows, order } = &mut *open;
        while let Some(first) = order.front() {
            let over = windows.get(first).is_none_or(|window| window.ends <= now);
            if !over && (windows.len() < MAX_KEYS || windows.contains_key(&key)) {
                break;
            }
            windows.remove(first);
            order.pop_front();
        }
        let window = match windows.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                order.push_back(entry.key().clone());
                let ends = now + self.rule.length;
                entry.insert(Window { ends, count: 0 })
            }
        };
        let refused = window.count >= self.rule.limit;
        window.count += u32::from(!refused);
        Standing {
            limit: self.rule.limit,
            remaining: self.rule.limit - window.count,
            reset_s: seconds(window.ends - now),
            refused,
        }
    }

    fn give_back(&self, key: &K) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = open.windows.get_mut(key) {
            window.count = window.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;

    #[test]
    fn ten_thousand_racing_requests_are_counted_exactly() {
        let windows = Windows::new(7_777, MINUTE);
        let let_in: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| (0..625).filter(|_| !windows.take("key").refused).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(let_in, 7_777);
    }

    #[test]
    fn a_window_starts_with_the_first_request_and_ends_for_its_key_alone() {
        let windows = Windows::new(2, MINUTE);
        let start = Instant::now();
        let at = |key, second| windows.take_at(key, start + Duration::from_secs(second));
        assert_eq!(
            (at("a", 0).remaining, at("b", 30).remaining, at("a", 59).remaining),
            (1, 1, 0)
        );
        let refused = at("a", 59);
        assert_eq!((refused.refused, refused.remaining, refused.reset_s), (true, 0, 1));
        assert_eq!(
            (at("a", 60).remaining, at("b", 60).remaining, at("b", 89).refused),
            (1, 0, true)
        );
        windows.give_back(&"b");
        assert!(!at("b", 89).refused);
    }

    #[test]
    fn memory_is_bounded_and_ended_windows_go() {
        let windows = Windows::new(1, MINUTE);
        let start = Instant::now();
        for key in 0..MAX_KEYS + 10 {
            windows.take_at(key, start);
        }
        let sizes = || {
            let open = windows.open.lock().unwrap();
            (open.windows.len(), open.order.len())
        };
        assert_eq!(sizes(), (MAX_KEYS, MAX_KEYS));
        assert!(windows.take_at(MAX_KEYS + 9, start).refused);
        windows.take_at(0, start + MINUTE);
        assert_eq!(sizes(), (1, 1));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
