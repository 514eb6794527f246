//! A model of the Llama kind with frozen weights, and the low-rank adapter that may lie over it. Pure functions of tensors.

pub mod adapter;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use crate::base::weights::{self, Weights};
use crate::base::{BaseError, LlamaConfig};
use crate::ops::attention::{Attention, Heads, KeyValues, Rotation};
use crate::ops::linear::{AddBias, Dropout, FrozenLinear, LoraLinear};
use crate::ops::norm::RmsNorm;
use crate::ops::swiglu::SwiGlu;
use crate::ops::weight::Weight;
use crate::protocol::{Precision, Projection, Quantization};
use adapter::{Adapter, BlockAdapter};

#[derive(Debug)]
pub struct Llama {
    pub config: LlamaConfig,
    precision: Precision,
    /// `[vocabulary, hidden]`
    embedding: Arc<Weight>,
    blocks: Vec<Block>,
    norm: Tensor,
    /// `[vocabulary, hidden]`
    pub head: Arc<Weight>,
}

#[derive(Debug)]
struct Block {
    input_norm: Tensor,
    post_attention_norm: Tensor,
    /// In the order of [`Projection::ALL`], `[out, in]` each.
    projections: [Arc<Weight>; 7],
    /// Of q, k and v, `[out]` each.
    biases: Option<[Tensor; 3]>,
    /// Of the heads of q and of k, `[head_dim]` each.
    head_norms: Option<[Tensor; 2]>,
}

/// What lies over a block's frozen weights in one pass.
#[derive(Clone, Copy)]
pub struct Overlay<'a> {
    pub adapter: Option<&'a Adapter>,
    pub dropout: Option<DropoutPlan>,
}

/// Dropout of a whole pass; every projection gets its own key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropoutPlan {
    pub probability: f32,
    pub key: u64,
}

impl Llama {
    /// Reads the weights, tensor by tensor, as exact as they are in their files; all products are those of fp32.
    pub fn load(dir: &Path) -> std::result::Result<Self, BaseError> {
        Self::load_by(dir, Precision::Fp32, |weights, name, _| weights.load_stored(name))
    }

    /// Reads the weights, tensor by tensor; the matrices as `precision` has it, but the blocks' linear maps packed where
    /// `quantization` says so.
    pub fn load_as(
        dir: &Path,
        precision: Precision,
        quantization: Quantization,
    ) -> std::result::Result<Self, BaseError> {
        Self::load_by(dir, precision, |weights, name, in_block| match quantization {
            Quantization::Nf4 if in_block => weights.load_packed(name, precision),
            _ => weights.load_matrix(name, precision),
        })
    }

    /// `matrix` reads one by its name, and hears whether it is a block's.
    fn load_by(
        dir: &Path,
        precision: Precision,
        matrix: impl Fn(&Weights, &str, bool) -> std::result::Result<Weight, BaseError>,
    ) -> std::result::Result<Self, BaseError> {
        let config = LlamaConfig::read(dir)?;
        let weights = Weights::open_base(dir)?;
        weights.check(&config)?;
        let embedding = Arc::new(matrix(&weights, weights::EMBEDDING, false)?);
        let head = if config.tied_embeddings {
            embedding.clone()
        } else {
            Arc::new(matrix(&weights, weights::HEAD, false)?)
        };
        let blocks = (0..config.layers)
            .map(|layer| Block::load(&weights, &config, layer, |name| matrix(&weights, name, true)))
            .collect::<std::result::Result<_, _>>()?;
        let norm = weights.load(weights::FINAL_NORM)?;
        Ok(Self {
            config,
            precision,
            embedding,
            blocks,
            norm,
            head,
        })
    }

    pub fn layers(&self) -> usize {
        self.blocks.len()
    }

    /// `[tokens, hidden]`; ids must lie inside the vocabulary.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        let hidden = self.config.hidden;
        let mut rows = Vec::with_capacity(tokens.len() * hidden);
        for &token in tokens {
            let length = rows.len();
            self.embedding.extend_with_row(token as usize, &mut rows)?;
            if rows.len() == length {
                candle_core::bail!("token {token} is outside the vocabulary");
            }
        }
        Tensor::from_vec(rows, (tokens.len(), hidden), &Device::Cpu)
    }

    /// One block over whole sequences; tracks gradients where `h` or the adapter are variables.
    pub fn block(&self, layer: usize, h: &Tensor, overlay: Overlay, sequences: &Sequences) -> Result<Tensor> {
        self.block_with(layer, h, overlay, |q, k, v| {
            q.apply_op3(
                k,
                v,
                Attention {
                    heads: Heads::of(&self.config),
                    rotation: sequences.rotation.clone(),
                    segments: sequences.segments.clone(),
                    half: self.precision == Precision::Bf16,
                },
            )
        })
    }

    /// All blocks over the next tokens of one sequence, at `position` on.
    pub fn extend(
        &self,
        tokens: &[u32],
        position: usize,
        adapter: Option<&Adapter>,
        cache: &mut [KeyValues],
    ) -> Result<Tensor> {
        let rotation = Rotation::new(&self.config, position..position + tokens.len());
        let heads = Heads::of(&self.config);
        let overlay = Overlay { adapter, dropout: None };
        let mut h = self.embed(tokens)?;
        for (layer, cache) in cache.iter_mut().enumerate() {
            h = self.block_with(layer, &h, overlay, |q, k, v| cache.attend(heads, &rotation, q, k, v))?;
        }
        Ok(h)
    }

    fn block_with(
        &self,
        layer: usize,
        h: &Tensor,
        overlay: Overlay,
        attend: impl FnOnce(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let block = &self.blocks[layer];
        let project = |x: &Tensor, projection| block.project(x, projection, overlay, layer);
        let x = h.apply_op1(self.rms_norm(&block.input_norm))?;
        let q = project(&x, Projection::QProj)?;
        let k = project(&x, Projection::KProj)?;
        let v = project(&x, Projection::VProj)?;
        let (q, k) = match &block.head_norms {
            Some([q_norm, k_norm]) => (self.head_norm(&q, q_norm)?, self.head_norm(&k, k_norm)?),
            None => (q, k),
        };
        let h = (h + project(&attend(&q, &k, &v)?, Projection::OProj)?)?;
        let x = h.apply_op1(self.rms_norm(&block.post_attention_norm))?;
        let gate = project(&x, Projection::GateProj)?;
        let up = project(&x, Projection::UpProj)?;
        let inner = gate.apply_op2(&up, SwiGlu)?;
        h + project(&inner, Projection::DownProj)?
    }

    /// The norm before the head.
    pub fn final_norm(&self, h: &Tensor) -> Result<Tensor> {
        h.apply_op1(self.output_norm())
    }

    pub fn output_norm(&self) -> RmsNorm {
        self.rms_norm(&self.norm)
    }

    /// Logits of the rows of `h`, `[rows, vocabulary]`.
    pub fn logits(&self, h: &Tensor) -> Result<Tensor> {
        self.final_norm(h)?.apply_op1(FrozenLinear {
            weight: self.head.clone(),
        })
    }

    /// Each head by itself.
    fn head_norm(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let heads = x.reshape(((), self.config.head_dim))?;
        heads.apply_op1(self.rms_norm(weight))?.reshape(x.shape())
    }

    fn rms_norm(&self, weight: &Tensor) -> RmsNorm {
        RmsNorm {
            weight: weight.clone(),
            eps: self.config.rms_norm_eps,
        }
    }
}

impl Block {
    fn load(
        weights: &Weights,
        config: &LlamaConfig,
        layer: usize,
        matrix: impl Fn(&str) -> std::result::Result<Weight, BaseError>,
    ) -> std::result::Result<Self, BaseError> {
        let tensor = |module: &str| weights.load(&weights::layer_tensor(layer, module));
        let [q, k, v, o, gate, up, down] = Projection::ALL.map(|projection| {
            let weight = match matrix(&weights::layer_tensor(layer, projection.path()))? {
                Weight::Full(weight) => Weight::Full(spread_rows(weight)?),
                narrow => narrow,
            };
            Ok::<_, BaseError>(Arc::new(weight))
        });
        let biases = if config.family.has_biases() {
            let [q, k, v] =
                weights::BIASED.map(|projection| weights.load(&weights::layer_bias(layer, projection.path())));
            Some([q?, k?, v?])
        } else {
            None
        };
        let head_norms = if config.family.has_head_norms() {
            let [q, k] = weights::HEAD_NORMS.map(tensor);
            Some([q?, k?])
        } else {
            None
        };
        Ok(Self {
            input_norm: tensor("input_layernorm")?,
            post_attention_norm: tensor("post_attention_layernorm")?,
            projections: [q?, k?, v?, o?, gate?, up?, down?],
            biases,
            head_norms,
        })
    }

    fn project(&self, x: &Tensor, projection: Projection, overlay: Overlay, layer: usize) -> Result<Tensor> {
        let weight = self.projections[projection as usize].clone();
        let adapted = overlay.adapter.and_then(|adapter| {
            let block: &BlockAdapter = &adapter.blocks[layer];
            block[projection as usize]
                .as_ref()
                .map(|lora| (adapter.config.scale(), lora))
        });
        let y = match adapted {
            Some((scale, lora)) => {
                let dropout = overlay.dropout.map(|plan| plan.of(layer, projection));
                x.apply_op3(&lora.a, &lora.b, LoraLinear::new(weight, scale, dropout))?
            }
            None => x.apply_op1(FrozenLinear { weight })?,
        };
        // q, k and v come first in both orders.
        match self.biases.as_ref().and_then(|biases| biases.get(projection as usize)) {
            Some(bias) => y.apply_op1(AddBias { bias: bias.clone() }),
            None => Ok(y),
        }
    }
}

/// The same matrix with space between its rows where they would start at the same few places of the processor's cache,
/// which slows products down by a third.
fn spread_rows(weight: Tensor) -> Result<Tensor> {
    let columns = weight.dims2()?.1;
    if columns % 512 == 0 {
        weight.pad_with_zeros(1, 0, 32)?.narrow(1, 0, columns)
    } else {
        Ok(weight)
    }
}

impl DropoutPlan {
    fn of(self, layer: usize, projection: Projection) -> Dropout {
        let place = (layer * Projection::ALL.len() + projection as usize + 1) as u64;
        // An odd multiplier spreads neighbouring places over the key space.
        Dropout {
            probability: self.probability,
            key: self.key ^ place.wrapping_mul(0xd134_2543_de82_ef95),
        }
    }
}

/// Several sequences laid end to end: no padding, and attention stays inside each.
#[derive(Debug, Clone)]
pub struct Sequences {
    segments: Arc<[Range<usize>]>,
    rotation: Arc<Rotation>,
}

impl Sequences {
    pub fn new(config: &LlamaConfig, lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut start = 0;
        let segments: Arc<[Range<usize>]> = lengths
            .into_iter()
            .map(|length| {
                start += length;
                start - length..start
            })
            .collect();
        let positions = segments.iter().flat_map(|segment| 0..segment.len());
        Self {
            rotation: Arc::new(Rotation::new(config, positions)),
            segments,
        }
    }
}
