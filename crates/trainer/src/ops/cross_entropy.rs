//! The language-model head with cross-entropy, over the rows that carry loss only, in chunks: the logits of a whole batch
//! never stand in memory, and the gradient comes out of the same pass.

use candle_core::{CpuStorage, Result, Tensor};

use super::exp::exp;
use super::weight::Weight;
use super::{View, maximum, vectorized, with_storage};

/// Logits held at once.
pub const CHUNK: usize = 12 << 20;

#[derive(Debug, Default)]
pub struct CrossEntropy {
    /// Nats, over all rows.
    pub sum: f64,
    /// Of each row.
    pub losses: Vec<f64>,
    /// Rows whose target has the highest logit.
    pub correct: usize,
    /// Of the sum of each row's loss times its scale, with respect to the input, where asked for.
    pub gradient: Option<Vec<f32>>,
}

/// `x` is `[rows, hidden]`, `head` `[vocabulary, hidden]`; one target per row, and one scale where the gradient is asked
/// for.
pub fn cross_entropy(x: &Tensor, head: &Weight, targets: &[u32], scales: Option<&[f32]>) -> Result<CrossEntropy> {
    let (vocabulary, hidden) = head.shape()?;
    let step = (CHUNK / vocabulary).clamp(1, targets.len().max(1));
    let mut total = CrossEntropy {
        losses: Vec::with_capacity(targets.len()),
        gradient: scales.map(|_| Vec::with_capacity(x.elem_count())),
        ..Default::default()
    };
    with_storage(x, |x, x_layout| {
        let x = View::of(x, x_layout)?;
        for (index, targets) in targets.chunks(step).enumerate() {
            let rows = x.block(index * step, targets.len(), 0, hidden);
            let mut logits = head.apply(rows)?;
            vectorized(
                #[inline(always)]
                || {
                    for (place, (row, target)) in logits.chunks_exact_mut(vocabulary).zip(targets).enumerate() {
                        let scale = scales.map(|scales| scales[index * step + place]);
                        total.add_row(row, *target as usize, scale);
                    }
                },
            );
            if let Some(gradient) = &mut total.gradient {
                let logits = CpuStorage::F32(logits);
                gradient.extend(head.gradient(View::new(&logits, targets.len(), vocabulary))?);
            }
        }
        Ok(())
    })?;
    Ok(total)
}

impl CrossEntropy {
    /// Adds one row's loss; with a scale, turns its logits into their gradient.
    #[inline(always)]
    fn add_row(&mut self, logits: &mut [f32], target: usize, scale: Option<f32>) {
        let highest = maximum(logits);
        let at_target = logits[target];
        if at_target == highest {
            self.correct += 1;
        }
        let mut sum = 0.0_f64;
        for chunk in logits.chunks_mut(4096) {
            let mut lanes = [0.0_f32; 8];
            let (eights, rest) = chunk.as_chunks_mut::<8>();
            for eight in eights {
                for lane in 0..8 {
                    eight[lane] = exp(eight[lane] - highest);
                    lanes[lane] += eight[lane];
                }
            }
            for value in rest {
                *value = exp(*value - highest);
                lanes[0] += *value;
            }
            sum += f64::from(lanes.iter().sum::<f32>());
        }
        let loss = sum.ln() + f64::from(highest) - f64::from(at_target);
        self.sum += loss;
        self.losses.push(loss);
        if let Some(scale) = scale {
            let factor = (f64::from(scale) / sum) as f32;
            logits.iter_mut().for_each(|value| *value *= factor);
            logits[target] -= scale;
        }
    }
}
