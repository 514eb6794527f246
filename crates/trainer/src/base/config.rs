//! `config.json` of a Llama, Mistral, Qwen2 or Qwen3 model, checked.

use std::path::Path;

use serde::Deserialize;

use super::{BaseError, CONFIG_LIMIT, read_bounded};

/// Bounds that keep a hostile config.json from asking for absurd allocations.
const MAX_DIMENSION: usize = 1 << 20;

/// What sets a family apart from Llama.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Llama,
    /// Llama whose attention looks back only so far.
    Mistral,
    /// Llama with biases on q, k and v.
    Qwen2,
    /// Llama that normalizes every head of q and k.
    Qwen3,
}

impl Family {
    fn of(model_type: &str) -> Option<Self> {
        match model_type {
            "llama" => Some(Self::Llama),
            "mistral" => Some(Self::Mistral),
            "qwen2" => Some(Self::Qwen2),
            "qwen3" => Some(Self::Qwen3),
            _ => None,
        }
    }

    pub fn has_biases(self) -> bool {
        self == Self::Qwen2
    }

    pub fn has_head_norms(self) -> bool {
        self == Self::Qwen3
    }
}

/// The shape of a model of one of these families; every field has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    pub family: Family,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub intermediate: usize,
    pub vocab: usize,
    /// At most the window that attention looks back over, where there is one: inside it the window hides nothing.
    pub context_length: usize,
    pub rms_norm_eps: f32,
    pub rope_theta: f64,
    pub rope_scaling: Option<RopeScaling>,
    pub tied_embeddings: bool,
    pub eos_token_ids: Vec<u32>,
    /// `license`, where config.json states one.
    pub license: Option<String>,
    pub architecture: String,
}

/// Llama 3's frequency scaling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RopeScaling {
    pub factor: f64,
    pub low_freq_factor: f64,
    pub high_freq_factor: f64,
    pub original_context: f64,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    architectures: Vec<String>,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    /// Null means none.
    #[serde(default = "default_window")]
    sliding_window: Option<usize>,
    #[serde(default)]
    use_sliding_window: bool,
    #[serde(default = "default_eps")]
    rms_norm_eps: f64,
    rope_theta: Option<f64>,
    rope_scaling: Option<RawRope>,
    /// Where transformers 5 writes `rope_theta` and the scaling.
    rope_parameters: Option<RawRope>,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    hidden_act: Option<String>,
    quantization_config: Option<serde_json::Value>,
    eos_token_id: Option<TokenIds>,
    license: Option<String>,
}

#[derive(Deserialize)]
struct RawRope {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
}

/// One id or several, as generation settings write it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum TokenIds {
    One(u32),
    Many(Vec<u32>),
}

impl TokenIds {
    pub(crate) fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

/// What transformers takes where config.json is silent.
fn default_window() -> Option<usize> {
    Some(4096)
}

fn default_eps() -> f64 {
    1e-6
}

impl LlamaConfig {
    pub fn read(dir: &Path) -> Result<Self, BaseError> {
        let bytes =
            read_bounded(&dir.join("config.json"), CONFIG_LIMIT)?.ok_or_else(|| BaseError::NoConfig(dir.to_owned()))?;
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| BaseError::InvalidConfig(error.to_string()))?;
        let architecture = architecture_of(&value);
        let model_type = value
            .get("model_type")
            .and_then(|name| name.as_str())
            .unwrap_or_default();
        let Some(family) = Family::of(model_type) else {
            return Err(BaseError::UnsupportedArchitecture(architecture));
        };
        let raw: Raw = serde_json::from_value(value).map_err(|error| BaseError::InvalidConfig(error.to_string()))?;
        raw.check(family, architecture)
    }

    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }
}

fn architecture_of(value: &serde_json::Value) -> String {
    let named = value.pointer("/architectures/0").or_else(|| value.get("model_type"));
    named
        .and_then(|name| name.as_str())
        .unwrap_or("(unnamed)")
        .chars()
        .take(80)
        .collect()
}

impl Raw {
    /// How far attention looks back, where that is limited.
    fn window(&self, family: Family) -> Option<usize> {
        match family {
            Family::Llama => None,
            Family::Mistral => self.sliding_window,
            Family::Qwen2 | Family::Qwen3 => self.sliding_window.filter(|_| self.use_sliding_window),
        }
    }

    fn check(self, family: Family, architecture: String) -> Result<LlamaConfig, BaseError> {
        let invalid = |reason: String| Err(BaseError::InvalidConfig(reason));
        if self.attention_bias || self.mlp_bias {
            return Err(BaseError::UnsupportedFeature("biases in its projections".into()));
        }
        if self.quantization_config.is_some() {
            return Err(BaseError::UnsupportedFeature("quantized weights".into()));
        }
        if let Some(act) = self.hidden_act.as_ref().filter(|act| *act != "silu") {
            return Err(BaseError::UnsupportedFeature(format!("the activation {act}")));
        }
        let kv_heads = self.num_key_value_heads.unwrap_or(self.num_attention_heads);
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", kv_heads),
            ("intermediate_size", self.intermediate_size),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("head_dim", self.head_dim.unwrap_or(1)),
            ("sliding_window", self.window(family).unwrap_or(1)),
        ];
        for (name, size) in sizes {
            let in_tokens = ["max_position_embeddings", "sliding_window"].contains(&name);
            if size == 0 || size > 16 * MAX_DIMENSION || (!in_tokens && size > MAX_DIMENSION) {
                return invalid(format!("{name} is {size}"));
            }
        }
        if self.num_hidden_layers > 1024 {
            return invalid(format!("num_hidden_layers is {}", self.num_hidden_layers));
        }
        let head_dim = match self.head_dim {
            Some(dim) => dim,
            None if self.hidden_size.is_multiple_of(self.num_attention_heads) => {
                self.hidden_size / self.num_attention_heads
            }
            None => return invalid("hidden_size is no multiple of num_attention_heads".into()),
        };
        if head_dim % 2 == 1 || head_dim > 1024 {
            return invalid(format!("head_dim is {head_dim}"));
        }
        if !self.num_attention_heads.is_multiple_of(kv_heads) {
            return invalid("num_attention_heads is no multiple of num_key_value_heads".into());
        }
        if !(self.rms_norm_eps > 0.0 && self.rms_norm_eps < 1.0) {
            return invalid(format!("rms_norm_eps is {}", self.rms_norm_eps));
        }
        let window = self.window(family).unwrap_or(usize::MAX);
        let rope = self.rope_parameters.or(self.rope_scaling);
        let rope_theta = self
            .rope_theta
            .or(rope.as_ref().and_then(|rope| rope.rope_theta))
            .unwrap_or(10_000.0);
        if !(rope_theta >= 1.0 && rope_theta.is_finite()) {
            return invalid(format!("rope_theta is {rope_theta}"));
        }
        Ok(LlamaConfig {
            family,
            hidden: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            kv_heads,
            head_dim,
            intermediate: self.intermediate_size,
            vocab: self.vocab_size,
            context_length: self.max_position_embeddings.min(window),
            rms_norm_eps: self.rms_norm_eps as f32,
            rope_theta,
            rope_scaling: rope.map(RawRope::check).transpose()?.flatten(),
            tied_embeddings: self.tie_word_embeddings,
            eos_token_ids: self.eos_token_id.map(TokenIds::into_vec).unwrap_or_default(),
            license: self.license,
            architecture: self.architectures.into_iter().next().unwrap_or(architecture),
        })
    }
}

impl RawRope {
    fn check(self) -> Result<Option<RopeScaling>, BaseError> {
        match self.rope_type.as_deref() {
            None | Some("default") => Ok(None),
            Some("llama3") => {
                let invalid = || BaseError::InvalidConfig("the llama3 rope scaling is incomplete".into());
                let positive = |value: Option<f64>| value.filter(|value| *value > 0.0 && value.is_finite());
                let scaling = RopeScaling {
                    factor: positive(self.factor).ok_or_else(invalid)?,
                    low_freq_factor: positive(self.low_freq_factor).ok_or_else(invalid)?,
                    high_freq_factor: positive(self.high_freq_factor).ok_or_else(invalid)?,
                    original_context: positive(self.original_max_position_embeddings).ok_or_else(invalid)?,
                };
                if scaling.high_freq_factor <= scaling.low_freq_factor {
                    return Err(invalid());
                }
                Ok(Some(scaling))
            }
            Some(other) => Err(BaseError::UnsupportedFeature(format!("the rope scaling \"{other}\""))),
        }
    }
}
