//! Frozen matrices, and the products with them that training and inference need.

use std::ops::Deref;

use candle_core::{Result, Tensor, bail};

use super::bf16::{HalfMatrix, Side, Term, product};
use super::nf4::Nf4Matrix;
use super::{View, owned, widened, with_storage, with_values};

/// `[rows, columns]`; a linear map's is `[out, in]`.
#[derive(Debug)]
pub enum Weight {
    /// fp32.
    Full(Tensor),
    /// Multiplied in bf16.
    Half(HalfMatrix),
    /// Kept as bf16 and multiplied in fp32.
    Widened(HalfMatrix),
    /// Unpacked for each product.
    Packed(Nf4Matrix),
}

/// A weight as it can be multiplied: itself, or what it was unpacked to.
pub enum Unpacked<'a> {
    Kept(&'a Weight),
    Made(Weight),
}

impl Deref for Unpacked<'_> {
    type Target = Weight;

    fn deref(&self) -> &Weight {
        match self {
            Self::Kept(weight) => weight,
            Self::Made(weight) => weight,
        }
    }
}

impl Weight {
    pub fn shape(&self) -> Result<(usize, usize)> {
        match self {
            Self::Full(weight) => weight.dims2(),
            Self::Half(weight) | Self::Widened(weight) => Ok((weight.rows, weight.columns)),
            Self::Packed(weight) => Ok(weight.shape()),
        }
    }

    pub(super) fn unpacked(&self) -> Result<Unpacked<'_>> {
        Ok(match self {
            Self::Packed(weight) => Unpacked::Made(weight.unpacked()?),
            ready => Unpacked::Kept(ready),
        })
    }

    /// As one side of a product in bf16, once it is unpacked.
    pub(super) fn side(&self) -> Option<Side<'_>> {
        match self {
            Self::Full(_) | Self::Widened(_) | Self::Packed(_) => None,
            Self::Half(weight) => Some(Side::half(weight)),
        }
    }

    /// `x · weightᵀ`, row-major.
    pub(super) fn apply(&self, x: View) -> Result<Vec<f32>> {
        self.multiply(x, true)
    }

    /// `dy · weight`, row-major.
    pub(super) fn gradient(&self, dy: View) -> Result<Vec<f32>> {
        self.multiply(dy, false)
    }

    fn multiply(&self, left: View, transposed: bool) -> Result<Vec<f32>> {
        let weight = self.unpacked()?;
        if let Some(right) = weight.side() {
            let right = if transposed { right.transposed() } else { right };
            return product(&[Term::of(Side::of(left)?, right)], 1.0);
        }
        let weight = match &*weight {
            Self::Full(weight) => weight,
            Self::Widened(weight) if transposed => return widened::product(left, weight),
            _ => bail!("a weight without a kernel"),
        };
        with_storage(weight, |weight, layout| {
            let weight = View::of(weight, layout)?;
            owned(left.product(if transposed { weight.transposed() } else { weight })?)
        })
    }

    /// Appends a row's values; nothing where there is no such row.
    pub fn extend_with_row(&self, row: usize, to: &mut Vec<f32>) -> Result<()> {
        match self {
            Self::Full(weight) => with_values(weight, |values| {
                let columns = weight.dims2()?.1;
                to.extend_from_slice(values.get(row * columns..(row + 1) * columns).unwrap_or_default());
                Ok(())
            }),
            Self::Half(weight) | Self::Widened(weight) => {
                to.extend(
                    weight
                        .row(row)
                        .iter()
                        .map(|bits| f32::from_bits(u32::from(*bits) << 16)),
                );
                Ok(())
            }
            Self::Packed(_) => bail!("rows of packed weights are not read"),
        }
    }
}
