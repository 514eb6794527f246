//! What providers say about the requests and tokens that are left.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;
use std::time::Duration;

const WARNING_PERCENT: u64 = 25;
const CRITICAL_PERCENT: u64 = 10;
/// An allowance that fills up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub limit: u64,
    pub remaining: u64,
    pub resets_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    /// Less than a quarter is left.
    Warning,
    /// Less than a tenth is left.
    Critical,
}

/// The allowances of one key, as far as its provider tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    pub requests: Option<Window>,
    pub tokens: Option<Window>,
}

impl Window {
    pub fn level(&self, now: DateTime<Utc>) -> Level {
        if now >= self.resets_at || self.limit == 0 {
            return Level::Ok;
        }
        match self.remaining.saturating_mul(100) / self.limit {
            0..CRITICAL_PERCENT => Level::Critical,
            CRITICAL_PERCENT..WARNING_PERCENT => Level::Warning,
            _ => Level::Ok,
        }
    }

    /// Until the window's end where `cost` is not left.
    fn wait(&self, now: DateTime<Utc>, cost: u64) -> Duration {
        if self.remaining >= cost || cost > self.limit {
            return Duration::ZERO;
        }
        (self.resets_at - now).to_std().unwrap_or_default()
    }

    /// A part of the window where little is left in it.
    fn spread(&self, now: DateTime<Utc>, cost: u64) -> Duration {
        if self.level(now) < Level::Critical {
            return Duration::ZERO;
        }
        let left = (self.resets_at - now).to_std().unwrap_or_default();
        let turns = (self.remaining / cost.max(1)).max(1);
        left / u32::try_from(turns).unwrap_or(u32::MAX)
    }

    fn take(&mut self, cost: u64) {
        self.remaining = self.remaining.saturating_sub(cost);
    }
}

impl RateLimits {
    pub fn level(&self, now: DateTime<Utc>) -> Level {
        let windows = [self.requests, self.tokens];
        let levels = windows.iter().flatten().map(|window| window.level(now));
        levels.max().unwrap_or(Level::Ok)
    }

    /// How long a question of so many tokens would be refused.
    pub fn wait(&self, now: DateTime<Utc>, tokens: u64) -> Duration {
        let wait = |window: Option<Window>, cost| window.map_or(Duration::ZERO, |window| window.wait(now, cost));
        wait(self.requests, 1).max(wait(self.tokens, tokens))
    }

    /// How long to wait once before a question of so many tokens, so that what is left lasts until there is more.
    pub fn spread(&self, now: DateTime<Utc>, tokens: u64) -> Duration {
        let spread = |window: Option<Window>, cost| window.map_or(Duration::ZERO, |window| window.spread(now, cost));
        spread(self.requests, 1).max(spread(self.tokens, tokens))
    }

    /// Counts a question that is about to be sent, until the provider's next answer tells better.
    pub fn take(&mut self, tokens: u64) {
        if let Some(window) = &mut self.requests {
            window.take(1);
        }
        if let Some(window) = &mut self.tokens {
            window.take(tokens);
        }
    }

    /// Takes over what an answer tells; what it does not tell stays.
    pub fn update(&mut self, told: RateLimits) {
        self.requests = told.requests.or(self.requests);
        self.tokens = told.tokens.or(self.tokens);
    }

    pub(crate) fn of(headers: &HeaderMap, now: DateTime<Utc>) -> Self {
        let openai = |what: &str| {
            window(headers, now, |field| match field {
                "reset" => format!("x-ratelimit-reset-{what}"),
                field => format!("x-ratelimit-{field}-{what}"),
            })
        };
        let anthropic = |what: &str| window(headers, now, |field| format!("anthropic-ratelimit-{what}-{field}"));
        Self {
            requests: openai("requests").or_else(|| anthropic("requests")),
            tokens: openai("tokens").or_else(|| tightest(["tokens", "input-tokens", "output-tokens"].map(anthropic))),
        }
    }
}

/// Where several count, the one of which the smallest part is left.
fn tightest(windows: [Option<Window>; 3]) -> Option<Window> {
    let share = |window: &Window| window.remaining.saturating_mul(1_000) / window.limit.max(1);
    windows.into_iter().flatten().min_by_key(share)
}

fn window(headers: &HeaderMap, now: DateTime<Utc>, name: impl Fn(&str) -> String) -> Option<Window> {
    let text = |field: &str| headers.get(name(field)).and_then(|value| value.to_str().ok());
    let remaining = text("remaining")?.parse().ok()?;
    let limit = text("limit").and_then(|limit| limit.parse().ok()).unwrap_or(remaining);
    // Those that tell no end count by the minute.
    let resets_at = match text("reset") {
        Some(reset) => moment(reset, now)?,
        None => now + TimeDelta::minutes(1),
    };
    Some(Window {
        limit,
        remaining,
        resets_at,
    })
}

/// A time, seconds, or OpenAI's `6m0s`.
fn moment(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let wait = text.parse().ok().or_else(|| span(text))?;
    now.checked_add_signed(TimeDelta::from_std(Duration::try_from_secs_f64(wait).ok()?).ok()?)
}

/// Seconds of `1h2m3.5s` or `20ms`.
fn span(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..letters] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    Some(seconds)
}

/// `Retry-After` in seconds or as a date, or OpenAI's `retry-after-ms`.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let text = text("retry-after")?;
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn window(limit: u64, remaining: u64, seconds: i64) -> Window {
        Window {
            limit,
            remaining,
            resets_at: now() + TimeDelta::seconds(seconds),
        }
    }

    #[test]
    fn openai_headers_are_read() {
        let limits = RateLimits::of(
            &headers(&[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "1s"),
                ("x-ratelimit-limit-tokens", "150000"),
                ("x-ratelimit-remaining-tokens", "149984"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ]),
            now(),
        );
        assert_eq!(limits.requests, Some(window(60, 59, 1)));
        assert_eq!(limits.tokens, Some(window(150_000, 149_984, 360)));
        assert_eq!(span("1h2m3.5s"), Some(3723.5));
        assert_eq!(span("20ms"), Some(0.02));
        for bad in ["s", "5", "5x", "1.2.3s", "-1s"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }

    #[test]
    fn anthropic_headers_are_read() {
        let limits = RateLimits::of(
            &headers(&[
                ("anthropic-ratelimit-requests-limit", "50"),
                ("anthropic-ratelimit-requests-remaining", "49"),
                ("anthropic-ratelimit-requests-reset", "2026-11-21T12:00:30Z"),
                ("anthropic-ratelimit-input-tokens-limit", "1000"),
                ("anthropic-ratelimit-input-tokens-remaining", "900"),
                ("anthropic-ratelimit-input-tokens-reset", "2026-11-21T12:00:30Z"),
                ("anthropic-ratelimit-output-tokens-limit", "1000"),
                ("anthropic-ratelimit-output-tokens-remaining", "100"),
                ("anthropic-ratelimit-output-tokens-reset", "2026-11-21T12:00:10Z"),
            ]),
            now(),
        );
        assert_eq!(limits.requests, Some(window(50, 49, 30)));
        assert_eq!(limits.tokens, Some(window(1000, 100, 10)));
    }

    #[test]
    fn nonsense_is_passed_over() {
        let limits = RateLimits::of(
            &headers(&[
                ("x-ratelimit-remaining-requests", "-1"),
                ("x-ratelimit-remaining-tokens", "5"),
                ("x-ratelimit-reset-tokens", "99999999999999999999999h"),
            ]),
            now(),
        );
        assert_eq!(limits, RateLimits::default());
    }

    #[test]
    fn levels_and_waits_follow_what_is_left() {
        let level = |remaining| window(100, remaining, 30).level(now());
        assert_eq!(
            [25, 24, 10, 9, 0].map(level),
            [
                Level::Ok,
                Level::Warning,
                Level::Warning,
                Level::Critical,
                Level::Critical
            ]
        );
        assert_eq!(window(100, 0, 0).level(now()), Level::Ok);
        let limits = |requests, tokens| RateLimits { requests, tokens };
        let wait = |requests, tokens, cost| limits(requests, tokens).wait(now(), cost).as_secs();
        assert_eq!(wait(Some(window(100, 1, 30)), None, 1), 0);
        assert_eq!(wait(Some(window(100, 0, 30)), None, 1), 30);
        assert_eq!(wait(Some(window(100, 0, 0)), None, 1), 0);
        assert_eq!(wait(None, Some(window(1000, 400, 20)), 500), 20);
        assert_eq!(wait(None, Some(window(1000, 400, 20)), 300), 0);
        assert_eq!(wait(None, Some(window(1000, 0, 20)), 5000), 0, "it will never fit");
        let spread = |requests, tokens, cost| limits(requests, tokens).spread(now(), cost).as_secs();
        assert_eq!(spread(Some(window(100, 50, 30)), None, 1), 0);
        assert_eq!(spread(Some(window(100, 5, 30)), None, 1), 6);
        assert_eq!(spread(Some(window(100, 5, 30)), Some(window(1000, 90, 30)), 45), 15);
        let mut limits = RateLimits {
            requests: Some(window(2, 2, 30)),
            tokens: None,
        };
        limits.take(10);
        limits.take(10);
        assert_eq!(limits.wait(now(), 10).as_secs(), 30);
        limits.update(RateLimits {
            requests: Some(window(2, 2, 60)),
            tokens: None,
        });
        assert_eq!(limits.wait(now(), 10).as_secs(), 0);
    }

    #[test]
    fn retry_after_is_read_in_each_form() {
        let read = |name, value| retry_after(&headers(&[(name, value)]), now());
        assert_eq!(read("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(read("retry-after-ms", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(
            read("retry-after", "Sat, 21 Nov 2026 12:00:09 GMT"),
            Some(Duration::from_secs(9))
        );
        assert_eq!(read("retry-after", "soon"), None);
        assert_eq!(read("retry-after", "-3"), None);
    }
}
