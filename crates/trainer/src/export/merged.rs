//! A whole model with the adapter added to its weights, in Hugging Face layout.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use candle_core::Tensor;

use crate::base::weights::{Weights, expected_tensors, layer_tensor, safetensors_header};
use crate::base::{BaseError, CONFIG_LIMIT, LlamaConfig, read_bounded};
use crate::model::adapter::Adapter;
use crate::ops::with_values;
use crate::protocol::Projection;
use crate::train::Stop;
use crate::train::watch::Interrupt;

/// What a model needs besides its weights and config.json, where the base has it.
const COMPANIONS: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "generation_config.json",
];

/// Writes the weights tensor by tensor: only one is in memory at a time. They stay fp32, so that the sum is exact.
pub fn write(
    base: &Path,
    config: &LlamaConfig,
    adapter: &Adapter,
    out: &Path,
    interrupt: &Interrupt,
) -> Result<(), Stop> {
    let weights = Weights::open_base(base)?;
    let mut tensors = expected_tensors(config);
    tensors.sort();
    let sized = tensors.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()));
    let mut file = BufWriter::new(File::create(out.join("model.safetensors"))?);
    file.write_all(&safetensors_header(sized))?;
    for (name, _) in &tensors {
        interrupt.check()?;
        let tensor = weights.load(name)?;
        let tensor = match lora_of(adapter, name) {
            Some(change) => (tensor + change?)?,
            None => tensor,
        };
        with_values(&tensor, |values| {
            for value in values {
                file.write_all(&value.to_le_bytes())?;
            }
            Ok(())
        })?;
    }
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_all()?;
    write_config(base, out)?;
    for name in COMPANIONS {
        if base.join(name).is_file() {
            fs::copy(base.join(name), out.join(name))?;
        }
    }
    Ok(())
}

/// `scale · b · a` of the projection whose weight has this name.
fn lora_of(adapter: &Adapter, name: &str) -> Option<candle_core::Result<Tensor>> {
    let mut places = adapter.blocks.iter().enumerate().flat_map(|(layer, block)| {
        let loras = Projection::ALL.into_iter().zip(block);
        loras.filter_map(move |(projection, lora)| Some((layer_tensor(layer, projection.path()), lora.as_ref()?)))
    });
    let (_, lora) = places.find(|(place, _)| place == name)?;
    let scale = f64::from(adapter.config.scale());
    Some(lora.b.matmul(&lora.a).and_then(|product| product.affine(scale, 0.0)))
}

/// The base's own, which then says that the weights are fp32.
fn write_config(base: &Path, out: &Path) -> Result<(), Stop> {
    let bytes =
        read_bounded(&base.join("config.json"), CONFIG_LIMIT)?.ok_or_else(|| BaseError::NoConfig(base.to_owned()))?;
    let mut config: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| BaseError::InvalidConfig(error.to_string()))?;
    // transformers 5 reads the first, earlier ones the second.
    for name in ["dtype", "torch_dtype"] {
        config[name] = "float32".into();
    }
    fs::write(out.join("config.json"), format!("{config:#}\n"))?;
    Ok(())
}
