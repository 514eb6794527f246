//! When to ask again.

use crate::Error;
use std::{collections::VecDeque, time::Duration};

/// A provider that wants to be left alone for longer is asked again by whoever asked, later.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// An unusable answer is paid for.
const MAX_UNUSABLE: u32 = 2;

/// The waits that are left for one question.
#[derive(Debug, Clone)]
pub struct Retry {
    waits: VecDeque<Duration>,
    unusable: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self::new(&[1, 2, 4, 8].map(Duration::from_secs))
    }
}

impl Retry {
    pub fn new(waits: &[Duration]) -> Self {
        Self {
            waits: waits.iter().copied().collect(),
            unusable: 0,
        }
    }

    /// How long to wait before the next attempt; `None`: give up.
    pub fn after(&mut self, error: &Error) -> Option<Duration> {
        self.after_with(error, rand::random_range(0.0..0.25))
    }

    /// With up to a quarter more than the schedule says, so that callers spread, and never less than the provider asks.
    fn after_with(&mut self, error: &Error, jitter: f64) -> Option<Duration> {
        if !error.is_retryable() || error.retry_after.is_some_and(|wait| wait > LONGEST_WAIT) {
            return None;
        }
        if error.was_answered() {
            self.unusable += 1;
            if self.unusable > MAX_UNUSABLE {
                return None;
            }
        }
        let wait = self.waits.pop_front()?;
        let wait = wait.max(error.retry_after.unwrap_or_default());
        Some(wait + wait.mul_f64(jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Category, Severity};

    fn seconds(wait: Option<Duration>) -> Option<f64> {
        wait.map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn waits_double_and_end() {
        let mut retry = Retry::default();
        let error = Error::network("reset");
        let waits: Vec<_> = (0..5).map(|_| seconds(retry.after_with(&error, 0.0))).collect();
        assert_eq!(waits, [Some(1.0), Some(2.0), Some(4.0), Some(8.0), None]);
        assert_eq!(seconds(Retry::default().after_with(&error, 0.2)), Some(1.2));
    }

    #[test]
    fn the_provider_says_when() {
        let limited = |seconds| Error {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Error::new(Category::RateLimit, Severity::Warning, "slow down")
        };
        assert_eq!(seconds(Retry::default().after_with(&limited(30), 0.0)), Some(30.0));
        assert_eq!(Retry::default().after_with(&limited(3600), 0.0), None);
        let waited = Retry::default().after(&limited(30));
        assert!(seconds(waited).is_some_and(|wait| (30.0..=37.5).contains(&wait)));
    }

    #[test]
    fn what_would_fail_again_is_not_tried_again() {
        for category in [Category::Authentication, Category::Permanent] {
            let error = Error::new(category, Severity::Critical, "no");
            assert_eq!(Retry::default().after(&error), None);
        }
    }

    #[test]
    fn unusable_answers_are_bought_three_times_at_most() {
        let error = Error {
            status: Some(200),
            ..Error::unusable("not the schema")
        };
        let mut retry = Retry::default();
        let waits: Vec<_> = (0..3).map(|_| retry.after(&error).is_some()).collect();
        assert_eq!(waits, [true, true, false]);
    }
}
