//! The learning rate, step by step.

use crate::protocol::{Parameters, RateSchedule};

/// Linear from zero over the warm-up steps, then as the job has it.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    peak: f64,
    warmup: u64,
    total: u64,
    after: RateSchedule,
}

impl Schedule {
    pub fn new(parameters: &Parameters, total: u64) -> Self {
        let warmup = (parameters.warmup_ratio * total as f64).ceil() as u64;
        Self {
            peak: parameters.learning_rate,
            warmup,
            total,
            after: parameters.schedule,
        }
    }

    /// The rate of a step, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        let progress = (step - self.warmup) as f64 / (self.total - self.warmup).max(1) as f64;
        let share = match self.after {
            RateSchedule::Constant => 1.0,
            RateSchedule::Linear => 1.0 - progress,
            RateSchedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        };
        self.peak * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: RateSchedule) -> Vec<f64> {
        let parameters = Parameters {
            learning_rate: 1.0,
            warmup_ratio: 0.2,
            schedule,
            ..Parameters::default()
        };
        let schedule = Schedule::new(&parameters, 10);
        (0..10).map(|step| schedule.rate(step)).collect()
    }

    #[test]
    fn the_rate_stays_or_falls_in_a_line_where_the_job_says_so() {
        assert_eq!(
            rates(RateSchedule::Constant),
            [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        );
        assert_eq!(
            rates(RateSchedule::Linear),
            [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
        );
    }

    #[test]
    fn the_rate_rises_then_falls_to_almost_nothing() {
        let rates = rates(RateSchedule::Cosine);
        assert_eq!(rates[..3], [0.0, 0.5, 1.0]);
        assert!(rates[2..].windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rates[9] < 0.05);
        assert!((rates[6] - 0.5).abs() < 1e-12);
    }
}
