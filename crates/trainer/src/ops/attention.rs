//! Rotary positions and causal grouped-query attention in one op; scores are recomputed in the backward, never kept.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::bf16::{self, Side, Term};
use super::exp::exp;
use super::{View, add_scaled, dot, maximum, owned, slice, values, vectorized, with_values};
use crate::base::LlamaConfig;

/// Query rows whose scores are held at once.
const BLOCK: usize = 64;

/// How heads are laid out in a row of q, k and v.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    pub query: usize,
    pub key_value: usize,
    pub dim: usize,
}

impl Heads {
    pub fn of(config: &LlamaConfig) -> Self {
        Self {
            query: config.heads,
            key_value: config.kv_heads,
            dim: config.head_dim,
        }
    }

    fn scale(self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// The key-value head that serves a query head.
    fn group(self, head: usize) -> usize {
        head / (self.query / self.key_value)
    }
}

/// Cosines and sines of some positions, `[positions, dim / 2]` each.
#[derive(Debug)]
pub struct Rotation {
    cosines: Vec<f32>,
    sines: Vec<f32>,
    half: usize,
}

impl Rotation {
    pub fn new(config: &LlamaConfig, positions: impl IntoIterator<Item = usize>) -> Self {
        let half = config.head_dim / 2;
        let frequencies: Vec<f32> = (0..half).map(|index| frequency(config, index)).collect();
        let mut rotation = Self {
            cosines: Vec::new(),
            sines: Vec::new(),
            half,
        };
        for position in positions {
            for frequency in &frequencies {
                let (sine, cosine) = f64::from(position as f32 * frequency).sin_cos();
                rotation.cosines.push(cosine as f32);
                rotation.sines.push(sine as f32);
            }
        }
        rotation
    }

    /// Turns every head of every row; `direction` -1 turns back, which is the gradient.
    pub fn apply(&self, rows: &mut [f32], width: usize, direction: f32) {
        let half = self.half;
        let angles = self.cosines.chunks_exact(half).zip(self.sines.chunks_exact(half));
        for (row, (cosines, sines)) in rows.chunks_exact_mut(width).zip(angles) {
            for head in row.chunks_exact_mut(2 * half) {
                let (first, second) = head.split_at_mut(half);
                for (((first, second), cosine), sine) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                    let sine = direction * sine;
                    (*first, *second) = (*first * cosine - *second * sine, *second * cosine + *first * sine);
                }
            }
        }
    }
}

/// Radians per position of the pair `index`, in fp32 as the reference implementation has it.
fn frequency(config: &LlamaConfig, index: usize) -> f32 {
    let exponent = 2.0 * index as f64 / config.head_dim as f64;
    let plain = (1.0 / config.rope_theta.powf(exponent)) as f32;
    let Some(scaling) = config.rope_scaling else {
        return plain;
    };
    let wavelength = 2.0 * std::f64::consts::PI / f64::from(plain);
    let low = scaling.original_context / scaling.low_freq_factor;
    let high = scaling.original_context / scaling.high_freq_factor;
    if wavelength > low {
        return (f64::from(plain) / scaling.factor) as f32;
    }
    if wavelength < high {
        return plain;
    }
    let smooth = (scaling.original_context / wavelength - scaling.low_freq_factor)
        / (scaling.high_freq_factor - scaling.low_freq_factor);
    ((1.0 - smooth) * f64::from(plain) / scaling.factor + smooth * f64::from(plain)) as f32
}

/// Attention of q `[tokens, query heads · dim]`, k and v `[tokens, key-value heads · dim]`, unrotated. Each segment of the
/// rows is a sequence of its own.
pub struct Attention {
    pub heads: Heads,
    pub rotation: Arc<Rotation>,
    pub segments: Arc<[Range<usize>]>,
    /// Whether products are taken in bf16.
    pub half: bool,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = q_layout.shape().clone();
        let inputs = self.inputs(values(q, q_layout)?, values(k, k_layout)?, values(v, v_layout)?);
        let mut output = vec![0.0; shape.elem_count()];
        for part in self.parts(&inputs) {
            let scores = CpuStorage::F32(part.probabilities()?);
            let mixed = part.product(View::new(&scores, part.rows, part.keys), part.v)?;
            part.write_query(&mut output, &mixed);
        }
        Ok((CpuStorage::F32(output), shape))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let inputs = with_values(q, |q| with_values(k, |k| with_values(v, |v| Ok(self.inputs(q, k, v)))))?;
        let dy = CpuStorage::F32(with_values(dy, |dy| Ok(dy.to_vec()))?);
        let [dq, dk, dv] = with_values(y, |y| self.gradients(&inputs, y, &dy))?;
        Ok((
            Some(Tensor::from_vec(dq, q.shape(), q.device())?),
            Some(Tensor::from_vec(dk, k.shape(), k.device())?),
            Some(Tensor::from_vec(dv, v.shape(), v.device())?),
        ))
    }
}

/// Rotated q and k, and v.
struct Inputs {
    q: CpuStorage,
    k: CpuStorage,
    v: CpuStorage,
    tokens: usize,
}

/// One head's block of query rows with the keys it may see.
struct Part<'a> {
    q: View<'a>,
    k: View<'a>,
    v: View<'a>,
    rows: usize,
    keys: usize,
    /// Rows of the segment before the block.
    before: usize,
    heads: Heads,
    head: usize,
    /// First row of the block and of the segment, in the batch.
    row: usize,
    segment: usize,
    half: bool,
}

impl Attention {
    fn inputs(&self, q: &[f32], k: &[f32], v: &[f32]) -> Inputs {
        let (q_width, k_width) = (self.heads.query * self.heads.dim, self.heads.key_value * self.heads.dim);
        let (mut q, mut k) = (q.to_vec(), k.to_vec());
        let tokens = q.len() / q_width;
        self.rotation.apply(&mut q, q_width, 1.0);
        self.rotation.apply(&mut k, k_width, 1.0);
        Inputs {
            q: CpuStorage::F32(q),
            k: CpuStorage::F32(k),
            v: CpuStorage::F32(v.to_vec()),
            tokens,
        }
    }

    fn parts<'a>(&'a self, inputs: &'a Inputs) -> impl Iterator<Item = Part<'a>> {
        let heads = self.heads;
        let q = View::new(&inputs.q, inputs.tokens, heads.query * heads.dim);
        let k = View::new(&inputs.k, inputs.tokens, heads.key_value * heads.dim);
        let v = View::new(&inputs.v, inputs.tokens, heads.key_value * heads.dim);
        self.segments.iter().flat_map(move |segment| {
            (0..heads.query).flat_map(move |head| {
                segment.clone().step_by(BLOCK).map(move |row| {
                    let rows = BLOCK.min(segment.end - row);
                    let keys = row + rows - segment.start;
                    let (column, kv_column) = (head * heads.dim, heads.group(head) * heads.dim);
                    Part {
                        q: q.block(row, rows, column, heads.dim),
                        k: k.block(segment.start, keys, kv_column, heads.dim),
                        v: v.block(segment.start, keys, kv_column, heads.dim),
                        rows,
                        keys,
                        before: row - segment.start,
                        heads,
                        head,
                        row,
                        segment: segment.start,
                        half: self.half,
                    }
                })
            })
        })
    }

    fn gradients(&self, inputs: &Inputs, y: &[f32], dy: &CpuStorage) -> Result<[Vec<f32>; 3]> {
        let (q_width, k_width) = (self.heads.query * self.heads.dim, self.heads.key_value * self.heads.dim);
        let mut dq = vec![0.0; inputs.tokens * q_width];
        let mut dk = vec![0.0; inputs.tokens * k_width];
        let mut dv = vec![0.0; inputs.tokens * k_width];
        for part in self.parts(inputs) {
            let dy_part = View { storage: dy, ..part.q };
            let probabilities = CpuStorage::F32(part.probabilities()?);
            let p = View::new(&probabilities, part.rows, part.keys);
            part.add_key(&mut dv, &part.product(p.transposed(), dy_part)?);
            let mut d_scores = part.product(dy_part, part.v.transposed())?;
            let (probabilities, dy) = (slice(&probabilities)?, slice(dy)?);
            vectorized(
                #[inline(always)]
                || part.softmax_gradient(&mut d_scores, probabilities, y, dy),
            );
            let d_scores = CpuStorage::F32(d_scores);
            let d_scores = View::new(&d_scores, part.rows, part.keys);
            part.write_query(&mut dq, &part.product(d_scores, part.k)?);
            part.add_key(&mut dk, &part.product(d_scores.transposed(), part.q)?);
        }
        self.rotation.apply(&mut dq, q_width, -1.0);
        self.rotation.apply(&mut dk, k_width, -1.0);
        Ok([dq, dk, dv])
    }
}

impl Part<'_> {
    /// Row-major.
    fn product(&self, left: View, right: View) -> Result<Vec<f32>> {
        if self.half {
            bf16::product(&[Term::of(Side::of(left)?, Side::of(right)?)], 1.0)
        } else {
            owned(left.product(right)?)
        }
    }

    /// `[rows, keys]`, zero where a key lies after the query.
    fn probabilities(&self) -> Result<Vec<f32>> {
        let mut scores = self.product(self.q, self.k.transposed())?;
        vectorized(
            #[inline(always)]
            || {
                for (row, scores) in scores.chunks_exact_mut(self.keys).enumerate() {
                    let (seen, hidden) = scores.split_at_mut(self.before + row + 1);
                    softmax(seen, self.heads.scale());
                    hidden.fill(0.0);
                }
            },
        );
        Ok(scores)
    }

    /// Turns the gradient of the probabilities into that of the unscaled scores.
    #[inline(always)]
    fn softmax_gradient(&self, d: &mut [f32], p: &[f32], y: &[f32], dy: &[f32]) {
        let (width, dim) = (self.heads.query * self.heads.dim, self.heads.dim);
        let scale = self.heads.scale();
        for (row, (d, p)) in d.chunks_exact_mut(self.keys).zip(p.chunks_exact(self.keys)).enumerate() {
            let start = (self.row + row) * width + self.head * dim;
            let mean = dot(&y[start..start + dim], &dy[start..start + dim]);
            for (d, p) in d.iter_mut().zip(p) {
                *d = p * (*d - mean) * scale;
            }
        }
    }

    fn write_query(&self, target: &mut [f32], part: &[f32]) {
        let (width, dim) = (self.heads.query * self.heads.dim, self.heads.dim);
        for (row, part) in part.chunks_exact(dim).enumerate() {
            let start = (self.row + row) * width + self.head * dim;
            target[start..start + dim].copy_from_slice(part);
        }
    }

    fn add_key(&self, target: &mut [f32], part: &[f32]) {
        let (width, dim) = (self.heads.key_value * self.heads.dim, self.heads.dim);
        for (row, part) in part.chunks_exact(dim).enumerate() {
            let start = (self.segment + row) * width + self.heads.group(self.head) * dim;
            add_scaled(&mut target[start..start + dim], part, 1.0);
        }
    }
}

/// Softmax of `scale · scores`, in place.
#[inline(always)]
pub fn softmax(scores: &mut [f32], scale: f32) {
    let highest = maximum(scores);
    for score in scores.iter_mut() {
        *score = exp((*score - highest) * scale);
    }
    let inverse = 1.0 / lane_sum(scores);
    scores.iter_mut().for_each(|score| *score *= inverse);
}

#[inline(always)]
fn lane_sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for lane in 0..8 {
            lanes[lane] += chunk[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// The keys and values of the tokens so far, of one layer. Keys are rotated.
#[derive(Debug, Clone)]
pub struct KeyValues {
    keys: CpuStorage,
    values: CpuStorage,
}

impl Default for KeyValues {
    fn default() -> Self {
        Self {
            keys: CpuStorage::F32(Vec::new()),
            values: CpuStorage::F32(Vec::new()),
        }
    }
}

impl KeyValues {
    /// Appends k and v and attends from q; no gradient. `rotation` covers exactly the new positions.
    pub fn attend(&mut self, heads: Heads, rotation: &Rotation, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (q_width, k_width) = (heads.query * heads.dim, heads.key_value * heads.dim);
        let rows = q.dims2()?.0;
        let mut q_values = with_values(q, |q| Ok(q.to_vec()))?;
        let mut k_values = with_values(k, |k| Ok(k.to_vec()))?;
        rotation.apply(&mut q_values, q_width, 1.0);
        rotation.apply(&mut k_values, k_width, 1.0);
        append(&mut self.keys, &k_values)?;
        with_values(v, |v| append(&mut self.values, v))?;
        let keys = slice(&self.keys)?.len() / k_width;
        let mut output = vec![0.0; q_values.len()];
        let q_storage = CpuStorage::F32(q_values);
        for head in 0..heads.query {
            let (column, kv_column) = (head * heads.dim, heads.group(head) * heads.dim);
            let part = Part {
                q: View::new(&q_storage, rows, q_width).block(0, rows, column, heads.dim),
                k: View::new(&self.keys, keys, k_width).block(0, keys, kv_column, heads.dim),
                v: View::new(&self.values, keys, k_width).block(0, keys, kv_column, heads.dim),
                rows,
                keys,
                before: keys - rows,
                heads,
                head,
                row: 0,
                segment: 0,
                half: false,
            };
            let scores = CpuStorage::F32(part.probabilities()?);
            let mixed = part.product(View::new(&scores, rows, keys), part.v)?;
            part.write_query(&mut output, &mixed);
        }
        Tensor::from_vec(output, q.shape(), q.device())
    }
}

fn append(storage: &mut CpuStorage, more: &[f32]) -> Result<()> {
    match storage {
        CpuStorage::F32(values) => values.extend_from_slice(more),
        _ => candle_core::bail!("fp32 only"),
    }
    Ok(())
}
