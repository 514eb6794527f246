//! Linear maps with a frozen weight, with and without a low-rank adapter. candle's own product would compute and keep a
//! gradient as large as the weight.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::bf16::{self, Side, Term};
use super::weight::Weight;
use super::{View, add_scaled, owned, values, with_storage, with_values};

/// `x · weightᵀ`.
pub struct FrozenLinear {
    /// `[out, in]`
    pub weight: Arc<Weight>,
}

impl CustomOp1 for FrozenLinear {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = View::of(x, layout)?;
        let shape = Shape::from((x.rows, self.weight.shape()?.0));
        Ok((CpuStorage::F32(self.weight.apply(x)?), shape))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_storage(dy, |dy, layout| self.weight.gradient(View::of(dy, layout)?))?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

/// `x + bias`, row by row, with a frozen bias: candle's own sum would compute the bias's gradient.
pub struct AddBias {
    /// `[width]`
    pub bias: Tensor,
}

impl CustomOp1 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut y = values(x, layout)?.to_vec();
        with_values(&self.bias, |bias| {
            y.chunks_exact_mut(bias.len())
                .for_each(|row| add_scaled(row, bias, 1.0));
            Ok(())
        })?;
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(dy.clone()))
    }
}

/// `x · weightᵀ + scale · (dropout(x) · aᵀ) · bᵀ` of the arguments x `[tokens, in]`, a `[rank, in]`, b `[out, rank]`.
pub struct LoraLinear {
    /// `[out, in]`
    weight: Arc<Weight>,
    scale: f32,
    dropout: Option<Dropout>,
    /// `dropout(x) · aᵀ`, which the backward needs again; times `scale` where the weight is in bf16.
    inner: OnceLock<CpuStorage>,
}

/// Drops each element with `probability` and scales the rest up; the same key drops the same elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    pub probability: f32,
    pub key: u64,
}

impl Dropout {
    fn apply(self, values: &mut [f32]) {
        let keep = 1.0 / (1.0 - self.probability);
        for (index, value) in values.iter_mut().enumerate() {
            let unit = (mix(self.key, index as u64) >> 40) as f32 / (1 << 24) as f32;
            *value *= if unit < self.probability { 0.0 } else { keep };
        }
    }
}

/// SplitMix64: 64 well-mixed bits of the key's `index`-th place.
fn mix(key: u64, index: u64) -> u64 {
    let mut bits = key.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl LoraLinear {
    /// `weight` is `[out, in]`.
    pub fn new(weight: Arc<Weight>, scale: f32, dropout: Option<Dropout>) -> Self {
        Self {
            weight,
            scale,
            dropout,
            inner: OnceLock::new(),
        }
    }

    /// The adapter's input: a copy only where something is dropped.
    fn dropped(&self, x: View) -> Option<CpuStorage> {
        let dropout = self.dropout?;
        let CpuStorage::F32(values) = x.storage else {
            return None;
        };
        let mut values = values[x.offset..x.offset + x.rows * x.columns].to_vec();
        dropout.apply(&mut values);
        Some(CpuStorage::F32(values))
    }
}

impl CustomOp3 for LoraLinear {
    fn name(&self) -> &'static str {
        "lora-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, a, b) = (View::of(x, x_layout)?, View::of(a, a_layout)?, View::of(b, b_layout)?);
        let dropped = self.dropped(x);
        let input = dropped
            .as_ref()
            .map_or(x, |dropped| View::new(dropped, x.rows, x.columns));
        let weight = self.weight.unpacked()?;
        let y = match weight.side() {
            Some(weight) => self.half_forward(weight, x, input, a, b)?,
            None => {
                let mut y = weight.apply(x)?;
                let inner = input.product(a.transposed())?;
                let inner = self.inner.get_or_init(|| inner);
                View::new(inner, x.rows, a.rows).add_product(b.transposed(), self.scale, &mut y)?;
                y
            }
        };
        Ok((CpuStorage::F32(y), Shape::from((x.rows, b.rows))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let wanted = x.track_op();
        let weight = self.weight.unpacked()?;
        let (dx, da, db) = with_storage(x, |x, x_layout| {
            with_storage(a, |a, a_layout| {
                with_storage(b, |b, b_layout| {
                    with_storage(dy, |dy, dy_layout| {
                        let x = View::of(x, x_layout)?;
                        let (a, b) = (View::of(a, a_layout)?, View::of(b, b_layout)?);
                        let dy = View::of(dy, dy_layout)?;
                        match weight.side() {
                            Some(weight) => self.half_gradients(weight, x, a, b, dy, wanted),
                            None => self.gradients(&weight, x, a, b, dy, wanted),
                        }
                    })
                })
            })
        })?;
        let dx = dx.map(|dx| Tensor::from_vec(dx, x.shape(), x.device())).transpose()?;
        Ok((
            dx,
            Some(Tensor::from_vec(da, a.shape(), a.device())?),
            Some(Tensor::from_vec(db, b.shape(), b.device())?),
        ))
    }
}

/// Gradients of x (where asked for), a and b.
type Gradients = (Option<Vec<f32>>, Vec<f32>, Vec<f32>);

impl LoraLinear {
    /// That of x only where it is `wanted`.
    fn gradients(&self, weight: &Weight, x: View, a: View, b: View, dy: View, wanted: bool) -> Result<Gradients> {
        let rank = a.rows;
        let frozen = wanted.then(|| weight.gradient(dy)).transpose()?;
        let dropped = self.dropped(x);
        let input = dropped
            .as_ref()
            .map_or(x, |dropped| View::new(dropped, x.rows, x.columns));
        let inner = self.inner()?;
        let mut d_inner = vec![0.0; x.rows * rank];
        dy.add_product(b, self.scale, &mut d_inner)?;
        let d_inner = CpuStorage::F32(d_inner);
        let d_inner = View::new(&d_inner, x.rows, rank);
        let da = owned(d_inner.transposed().product(input)?)?;
        let mut db = vec![0.0; b.rows * rank];
        dy.transposed()
            .add_product(View::new(inner, x.rows, rank), self.scale, &mut db)?;
        let dx = match (frozen, self.dropout) {
            (Some(mut dx), None) => {
                d_inner.add_product(a, 1.0, &mut dx)?;
                Some(dx)
            }
            (Some(mut dx), Some(dropout)) => {
                let mut through_adapter = owned(d_inner.product(a)?)?;
                dropout.apply(&mut through_adapter);
                add_scaled(&mut dx, &through_adapter, 1.0);
                Some(dx)
            }
            (None, _) => None,
        };
        Ok((dx, da, db))
    }

    fn inner(&self) -> Result<&CpuStorage> {
        match self.inner.get() {
            Some(inner) => Ok(inner),
            None => bail!("backward before forward"),
        }
    }

    /// The frozen product and the adapter's in one sum. `input` is what dropout left of x.
    fn half_forward(&self, weight: Side, x: View, input: View, a: View, b: View) -> Result<Vec<f32>> {
        let inner = bf16::product(&[Term::of(Side::of(input)?, Side::of(a.transposed())?)], self.scale)?;
        let inner = self.inner.get_or_init(|| CpuStorage::F32(inner));
        let inner = View::new(inner, x.rows, a.rows);
        let frozen = Term::of(Side::of(x)?, weight.transposed());
        let adapter = Term::of(Side::of(inner)?, Side::of(b.transposed())?);
        bf16::product(&[frozen, adapter], 1.0)
    }

    /// As [`Self::gradients`].
    fn half_gradients(&self, weight: Side, x: View, a: View, b: View, dy: View, wanted: bool) -> Result<Gradients> {
        let rank = a.rows;
        let dropped = self.dropped(x);
        let input = dropped
            .as_ref()
            .map_or(x, |dropped| View::new(dropped, x.rows, x.columns));
        let inner = View::new(self.inner()?, x.rows, rank);
        let d_inner = bf16::product(&[Term::of(Side::of(dy)?, Side::of(b)?)], self.scale)?;
        let d_inner = CpuStorage::F32(d_inner);
        let d_inner = View::new(&d_inner, x.rows, rank);
        let da = bf16::product(&[Term::of(Side::of(d_inner.transposed())?, Side::of(input)?)], 1.0)?;
        // The long side is easier to lay out on the right.
        let db = bf16::product(&[Term::of(Side::of(inner.transposed())?, Side::of(dy)?)], 1.0)?;
        let db = (0..b.rows * rank).map(|place| db[place % rank * b.rows + place / rank]);
        let db = db.collect();
        if !wanted {
            return Ok((None, da, db));
        }
        let frozen = Term::of(Side::of(dy)?, weight);
        let adapter = Term::of(Side::of(d_inner)?, Side::of(a)?);
        let dx = match self.dropout {
            None => bf16::product(&[frozen, adapter], 1.0)?,
            Some(dropout) => {
                let mut dx = bf16::product(&[frozen], 1.0)?;
                let mut through_adapter = bf16::product(&[adapter], 1.0)?;
                dropout.apply(&mut through_adapter);
                add_scaled(&mut dx, &through_adapter, 1.0);
                dx
            }
        };
        Ok((Some(dx), da, db))
    }
}
