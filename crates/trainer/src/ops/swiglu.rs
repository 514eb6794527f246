//! The gated activation of Llama's MLP.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::exp::sigmoid;
use super::{values, vectorized, with_values};

/// `silu(gate) * up`.
pub struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (values(gate, gate_layout)?, values(up, up_layout)?);
        let mut y = vec![0.0; gate.len()];
        vectorized(
            #[inline(always)]
            || {
                for (y, (gate, up)) in y.iter_mut().zip(gate.iter().zip(up)) {
                    *y = gate * sigmoid(*gate) * up;
                }
            },
        );
        Ok((CpuStorage::F32(y), gate_layout.shape().clone()))
    }

    fn bwd(&self, gate: &Tensor, up: &Tensor, _: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (d_gate, d_up) = with_values(gate, |gate| {
            with_values(up, |up| {
                with_values(dy, |dy| {
                    Ok(vectorized(
                        #[inline(always)]
                        || gradients(gate, up, dy),
                    ))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(d_gate, gate.shape(), gate.device())?),
            Some(Tensor::from_vec(d_up, up.shape(), up.device())?),
        ))
    }
}

#[inline(always)]
fn gradients(gate: &[f32], up: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut d_gate = vec![0.0; gate.len()];
    let mut d_up = vec![0.0; gate.len()];
    let outputs = d_gate.iter_mut().zip(&mut d_up);
    for (((d_gate, d_up), (gate, up)), dy) in outputs.zip(gate.iter().zip(up)).zip(dy) {
        let open = sigmoid(*gate);
        *d_up = dy * gate * open;
        *d_gate = dy * up * open * (1.0 + gate * (1.0 - open));
    }
    (d_gate, d_up)
}
