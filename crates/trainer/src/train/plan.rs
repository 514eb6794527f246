//! What a run would do and need: counted by the code that the run counts with, and timed on the machine that would run it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};

use super::data::{Plan, Rows};
use super::device;
use super::failure::{Failure, Stop};
use super::memory::{self, Needs};
use super::watch::Interrupt;
use super::{job, run};
use crate::base::weights::projection_shape;
use crate::base::{LlamaConfig, inspect_base};
use crate::chat::{Chat, EncodedRow, Moment};
use crate::ops::bf16::{self, HalfMatrix};
use crate::ops::linear::FrozenLinear;
use crate::ops::nf4::Nf4Matrix;
use crate::ops::weight::Weight;
use crate::protocol::estimate::{Estimate, Fitting};
use crate::protocol::{Checkpointing, JobSpec, Method, Parameters, Precision, Projection, Quantization};

/// The shortest rows and smallest batches that are proposed.
const SHORTEST: usize = 64;
/// Of what a plain product of matrices reaches, as training was seen to. Products in bf16 are so quick that what lies
/// between them counts for more.
const fn efficiency(precision: Precision) -> f64 {
    match precision {
        Precision::Fp32 => 0.75,
        Precision::Bf16 => 0.4,
    }
}
/// What an operator costs however small it is.
const SECONDS_A_LAYER: f64 = 0.000_4;

pub fn estimate(job_dir: &Path, interrupt: &Interrupt) -> Result<Estimate, Stop> {
    let spec = job::read(job_dir)?;
    let parameters = &spec.parameters;
    let precision = run::precision(parameters, &inspect_base(&spec.base_dir)?);
    let config = LlamaConfig::read(&spec.base_dir)?;
    let chat = Chat::load(&spec.base_dir, &config, Moment::Fixed)?;
    let max_tokens = parameters.max_seq_length.min(config.context_length);
    let rows = Rows::of_job(&spec, &chat, max_tokens, interrupt)?;
    let plan = Plan::new(rows.train.len(), parameters);
    let (_, values) = run::initial_adapter(&spec, &config)?;
    let trainable_parameters: u64 = values.values().map(|values| values.len() as u64).sum();
    let needs = run::needs(&config, precision, parameters, &chat, &values, &rows, &plan);
    let available = memory::available_bytes();
    let (recompute, fits) = match needs.plan(parameters.gradient_checkpointing, available) {
        Ok(recompute) => (recompute, true),
        Err(_) => (parameters.gradient_checkpointing != Checkpointing::Off, false),
    };
    let sequences = rows
        .train
        .iter()
        .chain(&rows.validation)
        .flat_map(EncodedRow::sequences);
    let longest = sequences.map(|row| row.tokens.len());
    let longest = longest.max().unwrap_or(0);
    interrupt.check()?;
    let work = Work::of(&config, &rows, &plan, trainable_parameters as f64, recompute);
    let sequences = || rows.train.iter().flat_map(EncodedRow::sequences);
    Ok(Estimate {
        method: parameters.method,
        total_steps: plan.total_steps,
        train_rows: rows.train.len() as u64,
        validation_rows: rows.validation.len() as u64,
        train_tokens: sequences().map(|row| row.tokens.len() as u64).sum(),
        trainable_tokens: sequences().map(|row| row.trainable.len() as u64).sum(),
        truncated_rows: rows.truncated,
        dropped_rows: rows.dropped,
        duplicate_rows: duplicates(&rows),
        longest_row: longest as u64,
        max_tokens: max_tokens as u64,
        trainable_parameters,
        precision,
        device: device::name(precision),
        memory_bytes: needs.peak(recompute),
        available_bytes: available,
        recompute,
        fits,
        fitting: (!fits)
            .then(|| fitting(&spec, &config, &needs, longest, available))
            .flatten(),
        seconds: work.seconds(speed(&config, precision, parameters.quantization, &needs)? * efficiency(precision)),
    })
}

fn duplicates(rows: &Rows) -> u64 {
    let mut seen = HashSet::new();
    let all = rows.train.iter().chain(&rows.validation);
    let tokens = |row| {
        EncodedRow::sequences(row)
            .map(|row| row.tokens.as_slice())
            .collect::<Vec<_>>()
    };
    all.map(|row| u64::from(!seen.insert(tokens(row)))).sum()
}

/// The largest batch, then the longest rows, that fit. The rows of a step stay as many.
fn fitting(
    spec: &JobSpec,
    config: &LlamaConfig,
    needs: &Needs,
    longest: usize,
    available: Option<u64>,
) -> Option<Fitting> {
    let Parameters {
        batch_size,
        gradient_accumulation_steps,
        max_seq_length,
        method,
        gradient_checkpointing,
        ..
    } = spec.parameters;
    let sequences = match method {
        Method::Supervised | Method::Text => 1,
        Method::Dpo => 2,
    };
    let mut found = Fitting {
        batch_size,
        gradient_accumulation_steps,
        max_seq_length: max_seq_length.min(longest),
    };
    loop {
        if found.batch_size > 1 {
            found.batch_size /= 2;
            let steps = (batch_size * gradient_accumulation_steps).div_ceil(found.batch_size);
            found.gradient_accumulation_steps = steps.min(256);
        } else if found.max_seq_length / 2 >= SHORTEST {
            found.max_seq_length /= 2;
        } else {
            return None;
        }
        let tokens = (found.batch_size * sequences * found.max_seq_length) as u64;
        if Needs::new(config, needs.fixed, tokens)
            .plan(gradient_checkpointing, available)
            .is_ok()
        {
            return Some(found);
        }
    }
}

/// Floating-point operations of a run, and how often its layers are started.
struct Work {
    operations: f64,
    layers: f64,
}

impl Work {
    fn of(config: &LlamaConfig, rows: &Rows, plan: &Plan, adapter: f64, recompute: bool) -> Self {
        let size = |projection| projection_shape(config, projection).iter().product::<usize>();
        let linear = (Projection::ALL.into_iter().map(size).sum::<usize>() * config.layers) as f64;
        let head = (config.vocab * config.hidden) as f64;
        let attention = (config.query_width() * config.layers) as f64;
        // Forward once; backward once for the inputs, and once more forward where layers are computed again. Frozen weights
        // have no gradient.
        let passes = if recompute { 3.0 } else { 2.0 };
        let pairs = rows.train.iter().any(|row| row.rejected.is_some());
        let of_row = |row: &EncodedRow, passes: f64, learns: bool| {
            let (tokens, learned) = (row.used() as f64, row.trainable.len() as f64);
            // Pairs are weighed by a first look at their logits.
            let weighing = if learns && pairs { 2.0 * head * learned } else { 0.0 };
            let lora = if learns { 2.0 * adapter * tokens } else { 0.0 };
            // Attention looks back over half of the row, on average, twice; backward it takes twice as long.
            let looking = 2.0 * tokens * tokens * attention * if learns { passes + 1.0 } else { 1.0 };
            passes * 2.0 * (linear + adapter) * tokens
                + lora
                + weighing
                + looking
                + passes.min(2.0) * 2.0 * head * learned
        };
        let of_all = |rows: &[EncodedRow], passes: f64, learns: bool| -> f64 {
            let sequences = rows.iter().flat_map(EncodedRow::sequences);
            sequences.map(|row| of_row(row, passes, learns)).sum()
        };
        let train = of_all(&rows.train, passes, true);
        let validation = of_all(&rows.validation, 1.0, false);
        // Of the model as training finds it.
        let start = if pairs {
            of_all(&rows.train, 1.0, false) + validation
        } else {
            0.0
        };
        let epochs = (plan.total_steps / plan.steps_an_epoch.max(1)) as f64;
        let batches = rows.train.len().div_ceil(plan.batch_size) as f64 * epochs;
        let evaluations = rows.validation.len().div_ceil(plan.batch_size) as f64 * (epochs + 1.0);
        Self {
            operations: train * epochs + validation * (epochs + 1.0) + start,
            layers: (batches * (passes + 1.0) + evaluations) * config.layers as f64,
        }
    }

    fn seconds(&self, speed: f64) -> f64 {
        self.operations / speed + self.layers * SECONDS_A_LAYER
    }
}

/// Operations a second of a product of the size that the run's largest batch has.
fn speed(
    config: &LlamaConfig,
    precision: Precision,
    quantization: Quantization,
    needs: &Needs,
) -> Result<f64, Failure> {
    const LONG_ENOUGH: f64 = 0.1;
    let tokens = needs.tokens.clamp(16, 512) as usize;
    let (inner, outer) = (config.hidden.min(2048), config.intermediate.min(2048));
    let left = Tensor::ones((tokens, inner), DType::F32, &Device::Cpu)?;
    let weight = FrozenLinear {
        weight: Arc::new(match (quantization, precision) {
            (Quantization::Nf4, _) => {
                let mut packed = Nf4Matrix::empty(outer, inner, precision);
                packed.extend(&vec![1.0; inner * outer]);
                Weight::Packed(packed)
            }
            (Quantization::None, Precision::Fp32) => {
                Weight::Full(Tensor::ones((outer, inner), DType::F32, &Device::Cpu)?)
            }
            (Quantization::None, Precision::Bf16) => Weight::Half(HalfMatrix {
                values: vec![bf16::round(1.0); inner * outer],
                rows: outer,
                columns: inner,
            }),
        }),
    };
    left.apply_op1_no_bwd(&weight)?;
    let (start, mut products) = (Instant::now(), 0_u32);
    while start.elapsed().as_secs_f64() < LONG_ENOUGH {
        left.apply_op1_no_bwd(&weight)?;
        products += 1;
    }
    let operations = f64::from(products) * 2.0 * (tokens * inner * outer) as f64;
    Ok(operations / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken expectation fails the test")]

    use super::*;
    use crate::protocol::VERSION;

    #[test]
    fn what_is_proposed_fits_and_is_the_largest_that_does() {
        let dir = tempfile::tempdir().unwrap();
        crate::write_tiny_base(dir.path()).unwrap();
        let config = LlamaConfig::read(dir.path()).unwrap();
        let spec = JobSpec {
            version: VERSION,
            job_id: "job".into(),
            base_dir: dir.path().into(),
            dataset: "rows".into(),
            validation_dataset: None,
            initial_adapter: None,
            parameters: Parameters {
                batch_size: 16,
                max_seq_length: 2048,
                ..Parameters::default()
            },
        };
        let whole = Needs::new(&config, 50 << 20, 16 * 2048);
        let proposed = |available: u64| fitting(&spec, &config, &whole, 2048, Some(available));
        let half = proposed(whole.peak(true)).unwrap();
        assert_eq!(
            (half.batch_size, half.gradient_accumulation_steps, half.max_seq_length),
            (8, 2, 2048)
        );
        let short = proposed(100 << 20).unwrap();
        assert_eq!((short.batch_size, short.gradient_accumulation_steps), (1, 16));
        let needs = |found: Fitting| Needs::new(&config, whole.fixed, (found.batch_size * found.max_seq_length) as u64);
        assert!(needs(short).plan(Checkpointing::Auto, Some(100 << 20)).is_ok());
        assert_eq!(proposed(50 << 20), None, "the base alone is too large");
    }
}
