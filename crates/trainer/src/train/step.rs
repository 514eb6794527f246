//! Forward and backward of one batch, layer by layer, and the optimizer's step.

use candle_core::{CustomOp1, Device, Result, Tensor, Var};

use super::optimizer::{Moments, Update};
use crate::chat::EncodedRow;
use crate::model::adapter::Adapter;
use crate::model::{DropoutPlan, Llama, Overlay, Sequences};
use crate::ops::cross_entropy::{CrossEntropy, cross_entropy};
use crate::ops::norm::RmsNorm;
use crate::ops::seed::Seed;
use crate::ops::with_values;

/// A model with an adapter whose tensors are variables.
pub struct Learner {
    pub llama: Llama,
    pub adapter: Adapter,
    /// The adapter's variables with their PEFT names, in its order.
    pub variables: Vec<(String, Var)>,
    /// Whether layers are computed again in the backward pass instead of kept.
    pub recompute: bool,
}

/// One gradient per variable.
pub type Gradients = Vec<Vec<f32>>;

/// How much the loss of each token counts in the gradient.
#[derive(Clone, Copy)]
pub enum Scale<'a> {
    /// The same for all.
    Even(f32),
    /// What follows from the losses of all.
    Each(&'a dyn Fn(&[f64]) -> Vec<f32>),
}

/// Rows laid end to end, each only as far as its last learned token.
struct Batch {
    tokens: Vec<u32>,
    lengths: Vec<usize>,
    /// Rows of the batch that predict a learned token, and those tokens.
    predicting: Vec<usize>,
    targets: Vec<u32>,
}

/// A layer's input, and its output where it was kept.
struct Trace {
    input: Tensor,
    output: Option<Tensor>,
}

impl Learner {
    pub fn new(llama: Llama, adapter: Adapter, recompute: bool) -> Result<Self> {
        let variables = adapter
            .tensors()
            .map(|(name, tensor)| Ok((name, Var::from_tensor(tensor)?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            llama,
            adapter,
            variables,
            recompute,
        })
    }

    pub fn zero_gradients(&self) -> Gradients {
        self.variables
            .iter()
            .map(|(_, variable)| vec![0.0; variable.elem_count()])
            .collect()
    }

    pub fn zero_moments(&self) -> Vec<Moments> {
        self.variables
            .iter()
            .map(|(_, variable)| Moments::zero(variable.elem_count()))
            .collect()
    }

    /// The loss of some rows under an adapter, or under the base alone, without gradients.
    pub fn evaluate_with(&self, adapter: Option<&Adapter>, rows: &[&EncodedRow]) -> Result<CrossEntropy> {
        let batch = Batch::new(rows);
        let sequences = Sequences::new(&self.llama.config, batch.lengths.iter().copied());
        let overlay = Overlay { adapter, dropout: None };
        let mut h = self.llama.embed(&batch.tokens)?;
        for layer in 0..self.llama.layers() {
            h = self.llama.block(layer, &h, overlay, &sequences)?.detach();
        }
        let x = self.llama.final_norm(&gather(&h, &batch.predicting)?)?;
        cross_entropy(&x, &self.llama.head, &batch.targets, None)
    }

    /// Adds the gradient of the rows' losses, each times its scale, to `gradients`; returns those losses.
    pub fn accumulate(
        &self,
        rows: &[&EncodedRow],
        scale: Scale,
        dropout: Option<DropoutPlan>,
        gradients: &mut Gradients,
    ) -> Result<CrossEntropy> {
        let batch = Batch::new(rows);
        let sequences = Sequences::new(&self.llama.config, batch.lengths.iter().copied());
        let overlay = Overlay {
            adapter: Some(&self.adapter),
            dropout,
        };
        let (traces, h) = self.forward(&batch, overlay, &sequences)?;
        let (mut loss, mut dh) = self.head(&h, &batch, scale)?;
        drop(h);
        let mut next = gradients.len();
        for (layer, trace) in traces.into_iter().enumerate().rev() {
            let output = match trace.output {
                Some(output) => output,
                None => self.llama.block(layer, &trace.input, overlay, &sequences)?,
            };
            let mut found = output.apply_op1(Seed(dh))?.backward()?;
            let tensors = self.adapter.blocks[layer]
                .iter()
                .flatten()
                .flat_map(|lora| [&lora.a, &lora.b]);
            let tensors: Vec<&Tensor> = tensors.collect();
            next -= tensors.len();
            for (tensor, total) in tensors.into_iter().zip(&mut gradients[next..]) {
                let gradient = found
                    .remove(tensor)
                    .ok_or_else(|| candle_core::Error::Msg("a gradient was lost".into()))?;
                with_values(&gradient, |gradient| {
                    total
                        .iter_mut()
                        .zip(gradient)
                        .for_each(|(total, gradient)| *total += gradient);
                    Ok(())
                })?;
            }
            if layer == 0 {
                break;
            }
            dh = found
                .remove(&trace.input)
                .ok_or_else(|| candle_core::Error::Msg("a gradient was lost".into()))?;
        }
        loss.gradient = None;
        Ok(loss)
    }

    /// One update of every variable.
    pub fn update(&self, update: Update, gradients: &Gradients, factor: f32, moments: &mut [Moments]) -> Result<()> {
        for (((_, variable), gradient), moments) in self.variables.iter().zip(gradients).zip(moments) {
            let mut values = with_values(variable, |values| Ok(values.to_vec()))?;
            update.apply(&mut values, moments, gradient, factor);
            variable.set(&Tensor::from_vec(values, variable.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }

    fn forward(&self, batch: &Batch, overlay: Overlay, sequences: &Sequences) -> Result<(Vec<Trace>, Tensor)> {
        let mut h = self.llama.embed(&batch.tokens)?;
        let mut traces = Vec::with_capacity(self.llama.layers());
        for layer in 0..self.llama.layers() {
            // Nothing below the first layer learns: no gradient needs to reach its input.
            let input = if layer == 0 {
                h
            } else {
                Var::from_tensor(&h)?.into_inner()
            };
            let output = self.llama.block(layer, &input, overlay, sequences)?;
            h = output.detach();
            traces.push(Trace {
                input,
                output: (!self.recompute).then_some(output),
            });
        }
        Ok((traces, h))
    }

    /// Loss, and its gradient with respect to the last layer's output.
    fn head(&self, h: &Tensor, batch: &Batch, scale: Scale) -> Result<(CrossEntropy, Tensor)> {
        let rows = gather(h, &batch.predicting)?;
        let norm: RmsNorm = self.llama.output_norm();
        let x = rows.apply_op1_no_bwd(&norm)?;
        let head = &self.llama.head;
        let scales = match scale {
            Scale::Even(scale) => vec![scale; batch.targets.len()],
            Scale::Each(of) => of(&cross_entropy(&x, head, &batch.targets, None)?.losses),
        };
        let mut loss = cross_entropy(&x, head, &batch.targets, Some(&scales))?;
        let gradient = loss.gradient.take().unwrap_or_default();
        let dx = Tensor::from_vec(gradient, x.shape(), &Device::Cpu)?;
        let d_rows = norm
            .bwd(&rows, &x, &dx)?
            .ok_or_else(|| candle_core::Error::Msg("a gradient was lost".into()))?;
        let dh = scatter(&d_rows, &batch.predicting, batch.tokens.len())?;
        Ok((loss, dh))
    }
}

impl Batch {
    fn new(rows: &[&EncodedRow]) -> Self {
        let mut batch = Self {
            tokens: Vec::new(),
            lengths: Vec::new(),
            predicting: Vec::new(),
            targets: Vec::new(),
        };
        for row in rows {
            let start = batch.tokens.len();
            let length = row.used();
            batch.tokens.extend_from_slice(&row.tokens[..length]);
            batch.lengths.push(length);
            batch
                .predicting
                .extend(row.trainable.iter().map(|position| start + position - 1));
            batch
                .targets
                .extend(row.trainable.iter().map(|position| row.tokens[*position]));
        }
        batch
    }
}

fn gather(h: &Tensor, rows: &[usize]) -> Result<Tensor> {
    let width = h.dims2()?.1;
    let chosen = with_values(h, |h| {
        Ok(rows
            .iter()
            .flat_map(|row| &h[row * width..(row + 1) * width])
            .copied()
            .collect())
    })?;
    Tensor::from_vec::<_, f32>(chosen, (rows.len(), width), &Device::Cpu)
}

/// The inverse of `gather`, zero elsewhere.
fn scatter(chosen: &Tensor, rows: &[usize], total: usize) -> Result<Tensor> {
    let width = chosen.dims2()?.1;
    let mut values = vec![0.0; total * width];
    with_values(chosen, |chosen| {
        for (row, part) in rows.iter().zip(chosen.chunks_exact(width)) {
            values[row * width..(row + 1) * width].copy_from_slice(part);
        }
        Ok(())
    })?;
    Tensor::from_vec(values, (total, width), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing step fails the test")]

    use super::*;
    use crate::model::adapter::{LoraConfig, fresh_values};
    use crate::protocol::Projection;

    fn learner(recompute: bool) -> Learner {
        let dir = tempfile::tempdir().unwrap();
        crate::write_tiny_base(&dir.path().join("tiny")).unwrap();
        let llama = Llama::load(&dir.path().join("tiny")).unwrap();
        let config = LoraConfig {
            rank: 2,
            alpha: 4.0,
            dropout: 0.0,
            targets: Projection::ALL.into_iter().collect(),
            rank_stabilized: false,
            base: "tiny".into(),
        };
        let mut values = fresh_values(&config, &llama.config, 1);
        for (_, values) in values.iter_mut().filter(|(name, _)| name.contains("lora_B")) {
            values
                .iter_mut()
                .enumerate()
                .for_each(|(index, value)| *value = (index % 7) as f32 * 0.01 - 0.02);
        }
        let adapter = Adapter::new(config, &llama.config, values, true).unwrap();
        Learner::new(llama, adapter, recompute).unwrap()
    }

    fn gradients(recompute: bool) -> (f64, Gradients) {
        let learner = learner(recompute);
        let row = EncodedRow {
            tokens: (60..90).collect(),
            trainable: (10..30).collect(),
            truncated: false,
            number: 0,
            rejected: None,
        };
        let other = EncodedRow {
            tokens: (30..40).collect(),
            trainable: vec![3, 4],
            truncated: false,
            number: 0,
            rejected: None,
        };
        let mut gradients = learner.zero_gradients();
        let dropout = Some(DropoutPlan {
            probability: 0.1,
            key: 5,
        });
        let loss = learner
            .accumulate(&[&row, &other], Scale::Even(1.0 / 22.0), dropout, &mut gradients)
            .unwrap();
        (loss.sum, gradients)
    }

    #[test]
    fn every_adapter_tensor_has_a_gradient_after_one_step() {
        let names = learner(false).variables.into_iter().map(|(name, _)| name);
        let (_, gradients) = gradients(false);
        assert_eq!(gradients.len(), 4 * 7 * 2);
        for (name, gradient) in names.zip(&gradients) {
            assert!(gradient.iter().any(|value| *value != 0.0), "{name} has none");
        }
    }

    #[test]
    fn rows_laid_end_to_end_do_not_see_each_other() {
        let learner = learner(false);
        let row = |tokens: std::ops::Range<u32>, trainable: std::ops::Range<usize>| EncodedRow {
            tokens: tokens.collect(),
            trainable: trainable.collect(),
            truncated: false,
            number: 0,
            rejected: None,
        };
        let rows = [row(60..90, 10..30), row(30..40, 3..5), row(97..170, 1..73)];
        let rows: Vec<&EncodedRow> = rows.iter().collect();
        let loss = |rows: &[&EncodedRow]| {
            let mut gradients = learner.zero_gradients();
            let loss = learner
                .accumulate(rows, Scale::Even(1.0 / 94.0), None, &mut gradients)
                .unwrap()
                .sum;
            (loss, gradients)
        };
        let (packed_loss, packed) = loss(&rows);
        let (mut alone_loss, mut alone) = (0.0, learner.zero_gradients());
        for row in &rows {
            alone_loss += learner
                .accumulate(&[row], Scale::Even(1.0 / 94.0), None, &mut alone)
                .unwrap()
                .sum;
        }
        assert!(
            (packed_loss - alone_loss).abs() / 94.0 < 1e-6,
            "{packed_loss} {alone_loss}"
        );
        let pairs = packed.iter().flatten().zip(alone.iter().flatten());
        let furthest = pairs.map(|(packed, alone)| (packed - alone).abs()).fold(0.0, f32::max);
        assert!(furthest < 1e-6, "{furthest}");
    }

    #[test]
    fn recomputing_layers_changes_nothing() {
        assert!(gradients(false) == gradients(true));
    }
}
