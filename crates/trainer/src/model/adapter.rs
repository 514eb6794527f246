//! A LoRA adapter and its PEFT directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::base::weights::{Weights, projection_shape, to_safetensors};
use crate::base::{BaseError, CONFIG_LIMIT, LlamaConfig, read_bounded};
use crate::ops::with_values;
use crate::protocol::Projection;

pub const CONFIG_FILE: &str = "adapter_config.json";
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// Why a directory is no adapter for a base. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    #[error("{0} is missing from the adapter's directory. Give a directory that PEFT or Cerebros has written.")]
    Absent(&'static str),
    #[error("adapter_config.json cannot be understood: {0}. Fetch the adapter again.")]
    InvalidConfig(String),
    #[error("The adapter uses {0}, which is not supported. Choose a plain LoRA adapter.")]
    Unsupported(String),
    #[error("The adapter does not fit the base: {0}. Choose the base that it was trained on.")]
    Mismatch(String),
    #[error("The adapter's weights cannot be read: {0}")]
    Weights(#[from] BaseError),
    #[error("The adapter cannot be built: {0}.")]
    Tensor(#[from] candle_core::Error),
}

#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    pub rank: usize,
    pub alpha: f64,
    pub dropout: f64,
    pub targets: BTreeSet<Projection>,
    pub rank_stabilized: bool,
    pub base: String,
}

impl LoraConfig {
    pub fn scale(&self) -> f32 {
        let divisor = if self.rank_stabilized {
            (self.rank as f64).sqrt()
        } else {
            self.rank as f64
        };
        (self.alpha / divisor) as f32
    }
}

/// The low-rank pair of one projection.
#[derive(Debug, Clone)]
pub struct Lora {
    /// `[rank, in]`
    pub a: Tensor,
    /// `[out, rank]`
    pub b: Tensor,
}

/// In the order of [`Projection::ALL`].
pub type BlockAdapter = [Option<Lora>; 7];

#[derive(Debug, Clone)]
pub struct Adapter {
    pub config: LoraConfig,
    pub blocks: Vec<BlockAdapter>,
}

/// The values of an adapter's tensors, by PEFT name.
pub type Values = BTreeMap<String, Vec<f32>>;

/// One of the pair, as PEFT names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

pub fn tensor_name(layer: usize, projection: Projection, side: Side) -> String {
    format!(
        "base_model.model.model.layers.{layer}.{}.lora_{side:?}.weight",
        projection.path()
    )
}

fn pair_shapes(llama: &LlamaConfig, projection: Projection, rank: usize) -> [[usize; 2]; 2] {
    let [out, input] = projection_shape(llama, projection);
    [[rank, input], [out, rank]]
}

/// A starts uniform in ±1/√in, as PEFT has it, B at zero: the adapter changes nothing at first.
pub fn fresh_values(config: &LoraConfig, llama: &LlamaConfig, seed: u64) -> Values {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Values::new();
    for layer in 0..llama.layers {
        for &projection in &config.targets {
            let [[rank, input], [out, _]] = pair_shapes(llama, projection, config.rank);
            let bound = 1.0 / (input as f32).sqrt();
            let a = (0..rank * input).map(|_| ((random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0) * bound);
            values.insert(tensor_name(layer, projection, Side::A), a.collect());
            values.insert(tensor_name(layer, projection, Side::B), vec![0.0; out * rank]);
        }
    }
    values
}

impl Adapter {
    /// Builds the adapter from its values; `trainable` makes every tensor a variable.
    pub fn new(
        config: LoraConfig,
        llama: &LlamaConfig,
        mut values: Values,
        trainable: bool,
    ) -> Result<Self, AdapterError> {
        let mut build = |name: String, shape: [usize; 2]| {
            let found = values
                .remove(&name)
                .filter(|values| values.len() == shape[0] * shape[1]);
            let found = found.ok_or_else(|| AdapterError::Mismatch(format!("{name} should be {shape:?}")))?;
            let tensor = Tensor::from_vec(found, &shape, &Device::Cpu)?;
            Ok::<_, AdapterError>(if trainable {
                Var::from_tensor(&tensor)?.into_inner()
            } else {
                tensor
            })
        };
        let mut blocks = Vec::with_capacity(llama.layers);
        for layer in 0..llama.layers {
            let mut block = BlockAdapter::default();
            for &projection in &config.targets {
                let [a, b] = pair_shapes(llama, projection, config.rank);
                block[projection as usize] = Some(Lora {
                    a: build(tensor_name(layer, projection, Side::A), a)?,
                    b: build(tensor_name(layer, projection, Side::B), b)?,
                });
            }
            blocks.push(block);
        }
        match values.into_keys().next() {
            Some(extra) => Err(AdapterError::Mismatch(format!("it has {extra}"))),
            None => Ok(Self { config, blocks }),
        }
    }

    /// Reads a PEFT directory for inference.
    pub fn load(dir: &Path, llama: &LlamaConfig) -> Result<Self, AdapterError> {
        let (config, values) = read_peft(dir)?;
        Self::new(config, llama, values, false)
    }

    /// Every tensor with its PEFT name: by layer, projection, A before B.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.blocks.iter().enumerate().flat_map(|(layer, block)| {
            Projection::ALL
                .into_iter()
                .zip(block)
                .filter_map(|(projection, lora)| Some((projection, lora.as_ref()?)))
                .flat_map(move |(projection, lora)| {
                    [
                        (tensor_name(layer, projection, Side::A), &lora.a),
                        (tensor_name(layer, projection, Side::B), &lora.b),
                    ]
                })
        })
    }

    /// The bytes of `adapter_model.safetensors`; equal values give equal bytes.
    pub fn weights_file(&self) -> candle_core::Result<Vec<u8>> {
        let tensors = self
            .tensors()
            .map(|(name, tensor)| Ok((name, tensor.dims().to_vec(), little_endian(tensor)?)))
            .collect::<candle_core::Result<Vec<_>>>()?;
        Ok(to_safetensors(tensors.iter().map(|(name, shape, bytes)| {
            (name.as_str(), shape.clone(), bytes.as_slice())
        })))
    }

    /// The bytes of `adapter_config.json`.
    pub fn config_file(&self) -> Vec<u8> {
        PeftConfig::of(&self.config).to_bytes()
    }
}

fn little_endian(tensor: &Tensor) -> candle_core::Result<Vec<u8>> {
    with_values(tensor, |values| {
        Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    })
}

/// The configuration and values of a PEFT directory.
pub fn read_peft(dir: &Path) -> Result<(LoraConfig, Values), AdapterError> {
    let bytes = read_bounded(&dir.join(CONFIG_FILE), CONFIG_LIMIT)?.ok_or(AdapterError::Absent(CONFIG_FILE))?;
    let path = dir.join(WEIGHTS_FILE);
    if !path.exists() {
        return Err(AdapterError::Absent(WEIGHTS_FILE));
    }
    let peft: PeftConfig =
        serde_json::from_slice(&bytes).map_err(|error| AdapterError::InvalidConfig(error.to_string()))?;
    let weights = Weights::open(vec![path])?;
    let mut targets = BTreeSet::new();
    let mut values = Values::new();
    for (name, _) in weights.entries() {
        let target = Projection::ALL
            .into_iter()
            .find(|projection| name.contains(&format!(".{}.lora_", projection.path())));
        targets.insert(target.ok_or_else(|| AdapterError::Unsupported(format!("the tensor {name}")))?);
        values.insert(name.to_owned(), weights.load_values(name)?);
    }
    Ok((peft.check(targets)?, values))
}

#[derive(Serialize, Deserialize)]
struct PeftConfig {
    #[serde(default)]
    alpha_pattern: serde_json::Map<String, serde_json::Value>,
    base_model_name_or_path: Option<String>,
    #[serde(default = "no_bias")]
    bias: String,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    inference_mode: bool,
    #[serde(default)]
    init_lora_weights: serde_json::Value,
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    peft_type: String,
    r: usize,
    #[serde(default)]
    rank_pattern: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    revision: Option<String>,
    #[serde(default)]
    target_modules: serde_json::Value,
    #[serde(default)]
    task_type: Option<String>,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    use_rslora: bool,
}

fn no_bias() -> String {
    "none".into()
}

impl PeftConfig {
    fn of(config: &LoraConfig) -> Self {
        let modules = config
            .targets
            .iter()
            .map(|target| target.path().rsplit('.').next().into());
        Self {
            alpha_pattern: serde_json::Map::new(),
            base_model_name_or_path: Some(config.base.clone()),
            bias: no_bias(),
            fan_in_fan_out: false,
            inference_mode: true,
            init_lora_weights: true.into(),
            lora_alpha: config.alpha,
            lora_dropout: config.dropout,
            modules_to_save: None,
            peft_type: "LORA".into(),
            r: config.rank,
            rank_pattern: serde_json::Map::new(),
            revision: None,
            target_modules: modules.collect::<Vec<serde_json::Value>>().into(),
            task_type: Some("CAUSAL_LM".into()),
            use_dora: false,
            use_rslora: config.rank_stabilized,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut value = serde_json::json!(self);
        // PEFT declares alpha as an integer and other loaders insist on it.
        if self.lora_alpha.fract() == 0.0 {
            value["lora_alpha"] = (self.lora_alpha as u64).into();
        }
        value.sort_all_objects();
        format!("{value:#}\n").into_bytes()
    }

    fn check(self, targets: BTreeSet<Projection>) -> Result<LoraConfig, AdapterError> {
        let unsupported = [
            (self.peft_type != "LORA", "another method than LoRA"),
            (self.bias != "none", "trained biases"),
            (self.fan_in_fan_out, "transposed weights"),
            (
                self.modules_to_save.is_some_and(|modules| !modules.is_empty()),
                "fully trained modules",
            ),
            (
                !self.rank_pattern.is_empty() || !self.alpha_pattern.is_empty(),
                "a rank or alpha per module",
            ),
            (self.use_dora, "DoRA"),
        ];
        if let Some((_, feature)) = unsupported.into_iter().find(|(found, _)| *found) {
            return Err(AdapterError::Unsupported(feature.into()));
        }
        if self.r == 0 || self.r > 4096 || !self.lora_alpha.is_finite() || targets.is_empty() {
            return Err(AdapterError::InvalidConfig(format!(
                "r is {}, lora_alpha {}",
                self.r, self.lora_alpha
            )));
        }
        Ok(LoraConfig {
            rank: self.r,
            alpha: self.lora_alpha,
            dropout: self.lora_dropout,
            targets,
            rank_stabilized: self.use_rslora,
            base: self.base_model_name_or_path.unwrap_or_default(),
        })
    }
}
