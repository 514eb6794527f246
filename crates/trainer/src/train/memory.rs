//! What a run needs and what there is.

use std::fs;

use super::failure::Failure;
use crate::base::{LlamaConfig, weights};
use crate::ops::nf4;
use crate::protocol::{Checkpointing, FailureCode, Precision, Projection, Quantization};

/// Bytes that a run will need, apart from activations.
pub struct Needs {
    /// The base, the adapter with its optimizer state, the tokenizer, the rows.
    pub fixed: u64,
    /// Of the largest batch.
    pub tokens: u64,
    /// Of a batch when every layer's are kept until the backward pass.
    activations: u64,
    /// Of a batch when only what goes into each layer is kept.
    inputs: u64,
    layers: u64,
}

impl Needs {
    /// With so many tokens in the largest batch.
    pub fn new(config: &LlamaConfig, fixed: u64, tokens: u64) -> Self {
        let layers = config.layers as u64;
        Self {
            fixed,
            tokens,
            activations: tokens * activation_bytes_per_token(config),
            inputs: tokens * layers * config.hidden as u64 * size_of::<f32>() as u64,
            layers,
        }
    }

    /// Whether layers are recomputed in the backward pass: as was chosen, or where they must be to fit. An error where that
    /// does not fit. The losses are the same either way.
    pub fn plan(&self, choice: Checkpointing, available: Option<u64>) -> Result<bool, Failure> {
        let ways: &[bool] = match choice {
            Checkpointing::Auto => &[false, true],
            Checkpointing::On => &[true],
            Checkpointing::Off => &[false],
        };
        let Some(available) = available else {
            return Ok(ways[0]);
        };
        if let Some(way) = ways.iter().find(|way| self.peak(**way) < available / 10 * 9) {
            return Ok(*way);
        }
        let least = self.peak(choice != Checkpointing::Off);
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        Err(Failure::new(
            FailureCode::OutOfMemory,
            format!(
                "The run needs about {:.1} GB of memory and {:.1} GB are free.",
                gigabytes(least),
                gigabytes(available)
            ),
            match choice {
                Checkpointing::Off => {
                    "Leave gradient_checkpointing to `auto`, or choose a smaller base, batch_size or max_seq_length."
                }
                _ => "Choose a smaller base, batch_size or max_seq_length, quantization `nf4`, or free some memory.",
            },
        ))
    }

    /// Resident memory where layers are kept, or are computed again.
    pub fn peak(&self, recompute: bool) -> u64 {
        let of_a_layer = self.activations / self.layers.max(1);
        // The layer in work holds more than it keeps.
        let kept = if recompute { self.inputs } else { self.activations };
        self.fixed + kept + kept / 25 + of_a_layer * 13 / 10
    }
}

/// All tensors of the base: only matrices are ever narrow, and only the blocks' linear maps are packed.
pub fn base_bytes(config: &LlamaConfig, precision: Precision, quantization: Quantization) -> u64 {
    let width = |rank| match precision {
        Precision::Bf16 if rank == 2 => 2,
        _ => 4,
    };
    let tensors = weights::expected_tensors(config);
    let whole: u64 = tensors
        .iter()
        .map(|(_, shape)| shape.iter().product::<usize>() as u64 * width(shape.len()))
        .sum();
    if quantization == Quantization::None {
        return whole;
    }
    let sizes =
        Projection::ALL.map(|projection| weights::projection_shape(config, projection).iter().product::<usize>());
    let packed: usize = sizes.map(nf4::packed_bytes).iter().sum::<usize>() * config.layers;
    let plain = sizes.iter().sum::<usize>() as u64 * config.layers as u64 * width(2);
    // One map at a time is unpacked.
    let unpacked = sizes.into_iter().max().unwrap_or(0) as u64 * width(2);
    whole - plain + packed as u64 + unpacked
}

/// Of the program itself.
pub const OVERHEAD: u64 = 40 << 20;

/// Activations that a training pass keeps per token.
fn activation_bytes_per_token(config: &LlamaConfig) -> u64 {
    let heads = config.query_width() + config.kv_width();
    let extra = heads * usize::from(config.family.has_biases() || config.family.has_head_norms());
    let wide = 6 * config.hidden + 2 * heads + extra + 3 * config.intermediate;
    (wide * config.layers * size_of::<f32>()) as u64
}

/// Of the machine, or what the control group leaves where that is less.
pub fn available_bytes() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let machine = kilobytes(&meminfo, "MemAvailable:")?;
    let group = |file: &str| -> Option<u64> {
        fs::read_to_string(format!("/sys/fs/cgroup/{file}"))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    let left = group("memory.max")
        .zip(group("memory.current"))
        .map(|(most, used)| most.saturating_sub(used));
    Some(left.map_or(machine, |left| left.min(machine)))
}

/// Resident memory of this process.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status");
    status.ok().and_then(|status| kilobytes(&status, "VmRSS:")).unwrap_or(0)
}

fn kilobytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let number: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(number * 1024)
}
