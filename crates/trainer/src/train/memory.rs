//! What a run needs and what there is.

use std::fs;

use super::failure::Failure;
use crate::base::LlamaConfig;
use crate::protocol::FailureCode;

/// Bytes that a run will need, apart from activations.
pub struct Needs {
    /// The base, the adapter with its optimizer state, the head's chunk of logits, attention scratch.
    pub fixed: u64,
    /// Of a batch when every layer's are kept until the backward pass.
    pub activations: u64,
    pub layers: u64,
}

impl Needs {
    /// Whether layers must be recomputed in the backward pass to fit; an error when even that does not fit. The losses are
    /// the same either way.
    pub fn plan(&self) -> Result<bool, Failure> {
        let Some(available) = available_bytes() else {
            return Ok(false);
        };
        if self.fixed + self.activations < available / 10 * 9 {
            return Ok(false);
        }
        // The inputs of all layers and everything of one.
        let least = self.fixed + self.activations / self.layers.max(1) + self.activations / 8;
        if least < available / 10 * 9 {
            return Ok(true);
        }
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        Err(Failure::new(
            FailureCode::OutOfMemory,
            format!(
                "The run needs about {:.1} GB of memory and {:.1} GB are free.",
                gigabytes(least),
                gigabytes(available)
            ),
            "Choose a smaller base, batch_size or max_seq_length, or free some memory.",
        ))
    }
}

/// Activations that a training pass keeps per token.
pub fn activation_bytes_per_token(config: &LlamaConfig) -> u64 {
    let heads = config.query_width() + config.kv_width();
    let extra = heads * usize::from(config.family.has_biases() || config.family.has_head_norms());
    let wide = 6 * config.hidden + 2 * heads + extra + 3 * config.intermediate;
    (wide * config.layers * size_of::<f32>()) as u64
}

/// Of the machine, or what the control group leaves where that is less.
fn available_bytes() -> Option<u64> {
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
