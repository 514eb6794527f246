//! AdamW with its state in the open, so that a resumed run continues exactly.

/// One tensor's moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl Moments {
    pub fn zero(length: usize) -> Self {
        Self {
            first: vec![0.0; length],
            second: vec![0.0; length],
        }
    }
}

const BETA_FIRST: f64 = 0.9;
const BETA_SECOND: f64 = 0.999;
const EPSILON: f32 = 1e-8;

/// One update as `torch.optim.AdamW` computes it.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    rate: f64,
    decay: f64,
    correction_first: f64,
    correction_second: f64,
}

impl Update {
    /// `step` counts from 1.
    pub fn new(rate: f64, decay: f64, step: u64) -> Self {
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        Self {
            rate,
            decay,
            correction_first: 1.0 - BETA_FIRST.powi(step),
            correction_second: 1.0 - BETA_SECOND.powi(step),
        }
    }

    /// `factor` scales the gradient on the way in: clipping.
    pub fn apply(&self, values: &mut [f32], moments: &mut Moments, gradient: &[f32], factor: f32) {
        let keep = (1.0 - self.rate * self.decay) as f32;
        let step_size = (self.rate / self.correction_first) as f32;
        let root = self.correction_second.sqrt() as f32;
        let (new_first, new_second) = ((1.0 - BETA_FIRST) as f32, (1.0 - BETA_SECOND) as f32);
        let state = moments.first.iter_mut().zip(&mut moments.second);
        for ((value, (first, second)), gradient) in values.iter_mut().zip(state).zip(gradient) {
            let gradient = gradient * factor;
            *first += new_first * (gradient - *first);
            *second = *second * BETA_SECOND as f32 + new_second * gradient * gradient;
            *value = *value * keep - step_size * *first / (second.sqrt() / root + EPSILON);
        }
    }
}

/// The global norm of all gradients.
pub fn global_norm(gradients: &[Vec<f32>]) -> f64 {
    let square = |gradient: &Vec<f32>| {
        gradient
            .iter()
            .map(|value| f64::from(*value) * f64::from(*value))
            .sum::<f64>()
    };
    gradients.iter().map(square).sum::<f64>().sqrt()
}

/// What to multiply gradients by so that their norm is at most `limit`.
pub fn clip_factor(norm: f64, limit: f64) -> f32 {
    (limit / (norm + 1e-6)).min(1.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_update_moves_each_value_by_the_rate_against_its_gradient() {
        let mut values = [1.0, 1.0, 1.0];
        let mut moments = Moments::zero(3);
        Update::new(0.1, 0.5, 1).apply(&mut values, &mut moments, &[3.0, -0.002, 0.0], 1.0);
        // The decay alone takes 5 %.
        for (value, expected) in values.iter().zip([0.85, 1.05, 0.95]) {
            assert!((value - expected).abs() < 1e-5, "{value} {expected}");
        }
        assert!((moments.first[0] - 0.3).abs() < 1e-6 && (moments.second[0] - 0.009).abs() < 1e-6);
    }

    #[test]
    fn clipping_scales_only_what_is_too_long() {
        let norm = global_norm(&[vec![3.0], vec![0.0, 4.0]]);
        assert_eq!(norm, 5.0);
        assert!((clip_factor(norm, 1.0) - 0.2).abs() < 1e-6);
        assert_eq!(clip_factor(norm, 10.0), 1.0);
    }
}
