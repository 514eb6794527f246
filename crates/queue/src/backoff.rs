//! How long a failed task waits.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// The wait after the given attempt (from 1): 1, 2, 4, .. seconds, at most five minutes, of which a random half to whole
/// passes, so that tasks which failed together do not return together.
pub fn backoff(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let full = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
    full.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_within_its_jitter_and_stops_growing() {
        for attempt in 1..=9 {
            let full = Duration::from_secs(1 << (attempt - 1));
            let wait = backoff(attempt);
            assert!(wait >= full / 2 && wait <= full, "{attempt}: {wait:?}");
        }
        for attempt in [10, 100, u32::MAX] {
            let wait = backoff(attempt);
            assert!(wait >= LONGEST / 2 && wait <= LONGEST, "{attempt}: {wait:?}");
        }
    }

    #[test]
    fn tasks_that_failed_together_return_apart() {
        let waits: std::collections::HashSet<_> = (0..20).map(|_| backoff(5)).collect();
        assert!(waits.len() > 10);
    }
}
