//! From logits to the next token.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::protocol::Generate;

pub struct Sampler {
    temperature: f64,
    top_p: f64,
    frequency_penalty: f64,
    presence_penalty: f64,
    /// How often each token was chosen.
    chosen: HashMap<u32, u32>,
    random: ChaCha8Rng,
}

impl Sampler {
    /// For the answer number `choice` to a request.
    pub fn new(request: &Generate, choice: usize) -> Self {
        let clock = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_nanos() as u64)
        };
        let seed = request.seed.unwrap_or_else(clock);
        Self {
            temperature: request.temperature,
            top_p: request.top_p,
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            chosen: HashMap::new(),
            random: ChaCha8Rng::seed_from_u64(seed.wrapping_add(choice as u64)),
        }
    }

    /// The next token; what is at minus infinity is never chosen.
    pub fn choose(&mut self, logits: &mut [f32]) -> u32 {
        for (id, count) in &self.chosen {
            let penalty = self.frequency_penalty * f64::from(*count) + self.presence_penalty;
            logits[*id as usize] -= penalty as f32;
        }
        let id = self.draw(logits);
        if self.frequency_penalty != 0.0 || self.presence_penalty != 0.0 {
            *self.chosen.entry(id).or_default() += 1;
        }
        id
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let by_logit = |left: &usize, right: &usize| logits[*right].total_cmp(&logits[*left]).then(left.cmp(right));
        let highest = (0..logits.len()).min_by(by_logit).unwrap_or(0);
        if self.temperature == 0.0 {
            return highest as u32;
        }
        let weight = |id: usize| (f64::from(logits[id] - logits[highest]) / self.temperature).exp();
        let mut ids: Vec<usize> = (0..logits.len()).collect();
        let mut wanted: f64 = ids.iter().map(|id| weight(*id)).sum();
        if self.top_p < 1.0 {
            ids.sort_unstable_by(by_logit);
            let nucleus = wanted * self.top_p;
            let mut sum = 0.0;
            let reached = ids.iter().position(|id| {
                sum += weight(*id);
                sum >= nucleus
            });
            ids.truncate(reached.map_or(ids.len(), |index| index + 1));
            wanted = sum;
        }
        let unit = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut left = unit * wanted;
        for &id in &ids {
            left -= weight(id);
            if left < 0.0 {
                return id as u32;
            }
        }
        highest as u32
    }
}

/// The natural logarithms of the probabilities: of `id`, and of the `count` likeliest tokens.
pub fn log_probabilities(logits: &[f32], id: u32, count: usize) -> (f32, Vec<(u32, f32)>) {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - highest).exp()).sum();
    let normalizer = f64::from(highest) + sum.ln();
    let of = |id: usize| (f64::from(logits[id]) - normalizer) as f32;
    let mut ids: Vec<usize> = (0..logits.len()).collect();
    let by_logit = |left: &usize, right: &usize| logits[*right].total_cmp(&logits[*left]).then(left.cmp(right));
    if count > 0 && count < ids.len() {
        ids.select_nth_unstable_by(count - 1, by_logit);
    }
    ids.truncate(count);
    ids.sort_unstable_by(by_logit);
    (of(id as usize), ids.into_iter().map(|id| (id as u32, of(id))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(temperature: f64, top_p: f64) -> Sampler {
        Sampler {
            temperature,
            top_p,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            chosen: HashMap::new(),
            random: ChaCha8Rng::seed_from_u64(1),
        }
    }

    #[test]
    fn sampling_follows_temperature_and_nucleus() {
        let mut logits = [0.0, 2.0, 1.0, -3.0];
        assert_eq!(sampler(0.0, 1.0).choose(&mut logits), 1);
        let mut counts = [0_u32; 4];
        let mut plain = sampler(1.0, 1.0);
        (0..20_000).for_each(|_| counts[plain.choose(&mut logits) as usize] += 1);
        let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        for (count, logit) in counts.iter().zip(logits) {
            let expected = f64::from(logit).exp() / total;
            assert!((f64::from(*count) / 20_000.0 - expected).abs() < 0.015);
        }
        let mut nucleus = sampler(1.0, 0.7);
        assert!((0..2000).all(|_| [1, 2].contains(&nucleus.choose(&mut logits))));
        let mut cold = sampler(0.05, 1.0);
        assert!((0..2000).all(|_| cold.choose(&mut logits) == 1));
    }

    #[test]
    fn what_was_said_often_becomes_less_likely() {
        let mut sampler = sampler(0.0, 1.0);
        (sampler.frequency_penalty, sampler.presence_penalty) = (0.4, 0.3);
        let said: Vec<u32> = (0..5).map(|_| sampler.choose(&mut [0.0, 2.0, 1.0, -3.0])).collect();
        // 2.0, then 1.3 and 0.9 against 1.0, which itself falls to 0.3.
        assert_eq!(said, [1, 1, 2, 1, 1]);
    }

    #[test]
    fn log_probabilities_are_those_of_a_softmax() {
        let logits = [0.0, 2.0, 1.0, f32::NEG_INFINITY];
        let (chosen, top) = log_probabilities(&logits, 0, 2);
        let sum = 1.0 + 2f32.exp() + 1f32.exp();
        assert!((chosen + sum.ln()).abs() < 1e-5);
        assert_eq!(top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2]);
        assert!((top[0].1 - (2.0 - sum.ln())).abs() < 1e-5);
        assert_eq!(log_probabilities(&logits, 1, 0).1, []);
    }
}
