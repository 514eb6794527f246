//! Direct preference optimisation: the loss of pairs of answers, as TRL's sigmoid loss has it. An answer's log-probability is
//! summed over its learned tokens; what it is measured against is the model as training finds it.

use candle_core::Result;

use super::step::Learner;
use crate::chat::EncodedRow;
use crate::model::adapter::Adapter;

/// What a pair comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// `-ln σ(margin)`.
    pub loss: f64,
    /// Reward of the better answer over that of the worse one.
    pub margin: f64,
    /// What the loss falls by for each nat that the better answer gains.
    pub pull: f64,
}

/// Of the log-probabilities of the better and the worse answer, now and at the start.
pub fn judge(now: [f64; 2], start: [f64; 2], beta: f64) -> Judged {
    let margin = beta * ((now[0] - start[0]) - (now[1] - start[1]));
    Judged {
        loss: (-margin).max(0.0) + (-margin.abs()).exp().ln_1p(),
        margin,
        pull: beta / (1.0 + margin.exp()),
    }
}

/// The log-probabilities of the answers of pairs, from the losses of all their learned tokens.
pub fn log_probabilities(pairs: &[&EncodedRow], losses: &[f64]) -> Vec<[f64; 2]> {
    let mut losses = losses.iter();
    let mut of_next = |count: usize| -losses.by_ref().take(count).sum::<f64>();
    let of_pair = |pair: &&EncodedRow| {
        let worse = pair.rejected.as_ref().map_or(0, |worse| worse.trainable.len());
        [of_next(pair.trainable.len()), of_next(worse)]
    };
    pairs.iter().map(of_pair).collect()
}

/// The log-probabilities of pairs at the start: computed where a pair is first met, then kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Start(Vec<[f64; 2]>);

impl Start {
    pub fn unknown(pairs: usize) -> Self {
        Self(vec![[f64::NAN; 2]; pairs])
    }

    /// Of some of the `rows`; `adapter` is the one that training started with, none where that changed nothing.
    pub fn of(
        &mut self,
        learner: &Learner,
        adapter: Option<&Adapter>,
        rows: &[EncodedRow],
        batch: &[usize],
    ) -> Result<Vec<[f64; 2]>> {
        if batch.iter().any(|row| self.0[*row][0].is_nan()) {
            let pairs: Vec<&EncodedRow> = batch.iter().map(|row| &rows[*row]).collect();
            let sequences: Vec<&EncodedRow> = pairs.iter().flat_map(|pair| pair.sequences()).collect();
            let losses = learner.evaluate_with(adapter, &sequences)?.losses;
            for (row, found) in batch.iter().zip(log_probabilities(&pairs, &losses)) {
                self.0[*row] = found;
            }
        }
        Ok(batch.iter().map(|row| self.0[*row]).collect())
    }

    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0.as_flattened().iter().flat_map(|value| value.to_le_bytes())
    }

    /// The first `pairs` of what `bytes` wrote, and the rest; nothing where there are fewer.
    pub fn read(bytes: &[u8], pairs: usize) -> Option<(Self, &[u8])> {
        let (own, rest) = bytes.split_at_checked(pairs * 16)?;
        let values: Vec<f64> = own
            .as_chunks::<8>()
            .0
            .iter()
            .map(|chunk| f64::from_le_bytes(*chunk))
            .collect();
        Some((Self(values.as_chunks::<2>().0.to_vec()), rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_costs_what_the_logistic_function_says_however_far_apart_it_is() {
        let even = judge([-4.0, -9.0], [-4.0, -9.0], 0.1);
        assert_eq!((even.loss, even.margin, even.pull), (2.0_f64.ln(), 0.0, 0.05));
        let gained = judge([-2.0, -10.0], [-4.0, -9.0], 0.5);
        assert!((gained.margin - 1.5).abs() < 1e-15);
        assert!((gained.loss - (1.0 + (-1.5_f64).exp()).ln()).abs() < 1e-15);
        // The pull is the slope of the loss.
        let nudged = judge([-2.0 + 1e-6, -10.0], [-4.0, -9.0], 0.5);
        assert!(((gained.loss - nudged.loss) / 1e-6 - gained.pull).abs() < 1e-6);
        assert_eq!(judge([-5000.0, 0.0], [0.0, 0.0], 1.0).loss, 5000.0);
        assert_eq!(judge([0.0, -5000.0], [0.0, 0.0], 1.0).loss, 0.0);
    }

    #[test]
    fn what_was_known_is_read_as_it_was_written() {
        let known = Start(vec![[-1.5, -2.5], [f64::MIN_POSITIVE, -0.1]]);
        let bytes: Vec<u8> = known.bytes().chain([7]).collect();
        assert_eq!(Start::read(&bytes, 2), Some((known, [7].as_slice())));
        assert_eq!(Start::read(&bytes, 3), None);
    }
}
