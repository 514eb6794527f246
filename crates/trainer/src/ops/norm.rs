//! RMS norm with a frozen weight.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{dims2, dot, values, vectorized, with_values};

/// `x / rms(x) * weight`, row by row.
pub struct RmsNorm {
    /// `[width]`
    pub weight: Tensor,
    pub eps: f32,
}

impl RmsNorm {
    #[inline(always)]
    fn inverse_rms(&self, row: &[f32]) -> f32 {
        1.0 / (dot(row, row) / row.len() as f32 + self.eps).sqrt()
    }
}

impl CustomOp1 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = dims2(layout)?;
        let x = values(storage, layout)?;
        let y = with_values(&self.weight, |weight| {
            let mut y = vec![0.0; x.len()];
            vectorized(
                #[inline(always)]
                || {
                    for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                        let inverse = self.inverse_rms(x);
                        for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
                            *y = x * inverse * weight;
                        }
                    }
                },
            );
            Ok(y)
        })?;
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (_, width) = x.dims2()?;
        let dx = with_values(x, |x| {
            with_values(dy, |dy| {
                with_values(&self.weight, |weight| {
                    Ok(vectorized(
                        #[inline(always)]
                        || self.gradient(x, dy, weight, width),
                    ))
                })
            })
        })?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

impl RmsNorm {
    #[inline(always)]
    fn gradient(&self, x: &[f32], dy: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
        let mut dx = vec![0.0; x.len()];
        let mut weighted = vec![0.0; width];
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for (dx, (x, dy)) in dx.chunks_exact_mut(width).zip(rows) {
            for ((weighted, dy), weight) in weighted.iter_mut().zip(dy).zip(weight) {
                *weighted = dy * weight;
            }
            let inverse = self.inverse_rms(x);
            let along = dot(&weighted, x) * inverse * inverse * inverse / width as f32;
            for ((dx, weighted), x) in dx.iter_mut().zip(&weighted).zip(x) {
                *dx = weighted * inverse - x * along;
            }
        }
        dx
    }
}
