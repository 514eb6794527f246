//! Counts over the accepted rows, in bounded memory.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    pub messages: u64,
    /// Of content and reasoning, without what a chat template adds.
    pub tokens: u64,
    /// Of the assistant messages that are trained on.
    pub assistant_tokens: u64,
    /// Absent where no row was accepted.
    pub tokens_per_row: Option<Spread>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub min: u64,
    pub mean: f64,
    /// Exact below 512, at most 0.4 % low above, as is `p95`.
    pub p50: u64,
    pub p95: u64,
    pub max: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) messages: u64,
    pub(super) tokens: u64,
    pub(super) assistant_tokens: u64,
}

impl Counted {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            tokens: self.tokens + other.tokens,
            assistant_tokens: self.assistant_tokens + other.assistant_tokens,
        }
    }
}

/// Values below 2 to this power have a bucket each; above, each power of two is cut into half as many.
const EXACT_BITS: u32 = 9;

#[derive(Debug, Default)]
pub(super) struct Collector {
    sums: Counted,
    rows: u64,
    min: u64,
    max: u64,
    buckets: Vec<u64>,
}

impl Collector {
    pub(super) fn add(&mut self, row: &Counted) {
        self.min = if self.rows == 0 {
            row.tokens
        } else {
            self.min.min(row.tokens)
        };
        self.max = self.max.max(row.tokens);
        self.rows += 1;
        self.sums.messages += row.messages;
        self.sums.tokens += row.tokens;
        self.sums.assistant_tokens += row.assistant_tokens;
        let bucket = bucket(row.tokens);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
    }

    pub(super) fn finish(self) -> Statistics {
        let spread = (self.rows > 0).then(|| Spread {
            min: self.min,
            mean: self.sums.tokens as f64 / self.rows as f64,
            p50: self.percentile(50),
            p95: self.percentile(95),
            max: self.max,
        });
        Statistics {
            messages: self.sums.messages,
            tokens: self.sums.tokens,
            assistant_tokens: self.sums.assistant_tokens,
            tokens_per_row: spread,
        }
    }

    /// The smallest value that at least `percent` of the rows do not pass.
    fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.rows * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return floor(bucket).clamp(self.min, self.max);
            }
        }
        self.max
    }
}

fn bucket(value: u64) -> usize {
    let bits = 64 - value.leading_zeros();
    let shift = bits.saturating_sub(EXACT_BITS);
    let half = 1usize << (EXACT_BITS - 1);
    shift as usize * half + (value >> shift) as usize
}

/// The smallest value in a bucket.
fn floor(bucket: usize) -> u64 {
    let half = 1usize << (EXACT_BITS - 1);
    let shift = (bucket / half).saturating_sub(1);
    ((bucket - shift * half) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_ordered_and_fine() {
        let mut last = 0;
        for value in (0..5000).chain((13..64).map(|bits| (1u64 << bits) + 12_345 % (1 << bits))) {
            let bucket = bucket(value);
            assert!(bucket >= last, "{value}");
            last = bucket;
            let floor = floor(bucket);
            assert!(floor <= value && value - floor <= value / 256, "{value} {floor}");
            assert!(value >= 512 || floor == value);
        }
        assert!(bucket(u64::MAX) < 15_000);
    }

    #[test]
    fn percentiles_agree_with_sorting() {
        let values: Vec<u64> = (0..1000u64).map(|i| i * i * 7919 % 400).collect();
        let mut collector = Collector::default();
        for &tokens in &values {
            collector.add(&Counted {
                messages: 2,
                tokens,
                assistant_tokens: tokens / 2,
            });
        }
        let statistics = collector.finish();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let sum: u64 = values.iter().sum();
        assert_eq!(
            statistics.tokens_per_row,
            Some(Spread {
                min: sorted[0],
                mean: sum as f64 / 1000.0,
                p50: sorted[499],
                p95: sorted[949],
                max: sorted[999],
            })
        );
        assert_eq!((statistics.messages, statistics.tokens), (2000, sum));
        assert_eq!(Collector::default().finish().tokens_per_row, None);
    }
}
