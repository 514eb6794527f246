//! RMS norm with a frozen weight.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{dims2, dot, values, with_values};

/// `x / rms(x) * weight`, row by row.
pub struct RmsNorm {
    /// `[width]`
    pub weight: Tensor,
    pub eps: f32,
}

impl RmsNorm {
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
            let mut y = Vec::with_capacity(x.len());
            for row in x.chunks_exact(width) {
                let inverse = self.inverse_rms(row);
                y.extend(row.iter().zip(weight).map(|(x, weight)| x * inverse * weight));
            }
            Ok(y)
        })?;
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (_, width) = x.dims2()?;
        let dx = with_values(x, |x| {
            with_values(dy, |dy| {
                with_values(&self.weight, |weight| Ok(self.gradient(x, dy, weight, width)))
            })
        })?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

impl RmsNorm {
    fn gradient(&self, x: &[f32], dy: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
        let mut dx = Vec::with_capacity(x.len());
        let mut weighted = vec![0.0; width];
        for (x, dy) in x.chunks_exact(width).zip(dy.chunks_exact(width)) {
            for ((weighted, dy), weight) in weighted.iter_mut().zip(dy).zip(weight) {
                *weighted = dy * weight;
            }
            let inverse = self.inverse_rms(x);
            let along = dot(&weighted, x) * inverse * inverse * inverse / width as f32;
            dx.extend(
                weighted
                    .iter()
                    .zip(x)
                    .map(|(weighted, x)| weighted * inverse - x * along),
            );
        }
        dx
    }
}
