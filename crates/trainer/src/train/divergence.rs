//! Losses that show that a run will not recover.

use super::checkpoint::Progress;
use super::failure::Failure;
use crate::protocol::FailureCode;

/// Steps in a row with a high loss after which a run is given up; also the first steps, whose mean is what later losses
/// are held against where no rows are kept for validation.
const STEPS: u64 = 10;

/// Notes the loss of a step, before its update; the failure where the run is lost.
pub fn check(progress: &mut Progress, loss: f64, grad_norm: f64, step: u64) -> Result<(), Failure> {
    let failure = |message| {
        Failure::new(
            FailureCode::Diverged,
            message,
            "Choose a smaller learning_rate or alpha, or a longer warm-up, and train again.",
        )
    };
    if !loss.is_finite() {
        return Err(failure(format!("The loss stopped being a number at step {step}.")));
    }
    if !grad_norm.is_finite() {
        return Err(failure(format!(
            "The gradients stopped being numbers at step {step}, at a loss of {loss:.4}."
        )));
    }
    if step == STEPS + 1 {
        progress.first_losses = progress.loss_sum / progress.loss_tokens.max(1) as f64;
    }
    let start = match progress.initial_validation {
        Some(validation) => validation.loss,
        None if step > STEPS => progress.first_losses,
        None => return Ok(()),
    };
    let is_high = loss > start * 1.5 && loss > start + 1.0;
    progress.high_losses = if is_high { progress.high_losses + 1 } else { 0 };
    if progress.high_losses >= STEPS {
        return Err(failure(format!(
            "Training diverged: at step {step} the loss is {loss:.2}, and it has been far above the {start:.2} of the \
             start for {STEPS} steps."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::run::Validation;

    fn reason(initial_validation: Option<f64>, losses: &[f64]) -> Option<String> {
        let mut progress = Progress {
            initial_validation: initial_validation.map(|loss| Validation {
                loss,
                accuracy: 0.0,
                margin: 0.0,
            }),
            ..Progress::default()
        };
        for (loss, step) in losses.iter().zip(1..) {
            if let Err(failure) = check(&mut progress, *loss, 1.0, step) {
                return Some(failure.message);
            }
            progress.loss_sum += loss;
            progress.loss_tokens += 1;
        }
        None
    }

    #[test]
    fn a_run_that_recovers_goes_on_and_one_that_does_not_is_given_up() {
        let high = [9.0; 9];
        let recovering = [[2.0; 10].as_slice(), &high, &[2.5], &high].concat();
        assert_eq!(reason(None, &recovering), None);
        assert_eq!(reason(Some(8.5), &[recovering.clone(), vec![9.0]].concat()), None);
        let lost = reason(None, &[recovering, vec![9.0]].concat()).unwrap_or_default();
        assert!(
            lost.starts_with("Training diverged: at step 30 the loss is 9.00, and it has been far above the 2.00"),
            "{lost}"
        );
        assert!(reason(Some(2.0), &[9.0; 10]).is_some());
        assert_eq!(
            reason(None, &[5.0, f64::NAN]).as_deref(),
            Some("The loss stopped being a number at step 2.")
        );
    }
}
