//! Matrices of four bits a value, as bitsandbytes' NF4 has them: blocks of 64 values share their largest magnitude, kept in
//! fp32 (no double quantisation), and each value is the nearest of sixteen levels, the quantiles of a normal distribution.

use candle_core::{Device, Result, Tensor};

use super::bf16::{HalfMatrix, in_parallel, round};
use super::vectorized;
use super::weight::Weight;
use crate::protocol::Precision;

pub const BLOCK: usize = 64;
/// Values that a thread unpacks at a time.
const STRETCH: usize = 256 * BLOCK;

const LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Row by row, in blocks that run on over the ends of rows.
#[derive(Debug)]
pub struct Nf4Matrix {
    rows: usize,
    columns: usize,
    /// What products with it are computed in.
    precision: Precision,
    /// Two levels a byte, the first in the upper half.
    levels: Vec<u8>,
    /// Of each block.
    largest: Vec<f32>,
}

impl Nf4Matrix {
    pub fn empty(rows: usize, columns: usize, precision: Precision) -> Self {
        Self {
            rows,
            columns,
            precision,
            levels: Vec::with_capacity((rows * columns).div_ceil(2)),
            largest: Vec::with_capacity((rows * columns).div_ceil(BLOCK)),
        }
    }

    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// Adds the next values: whole blocks, but for the last ones.
    pub fn extend(&mut self, values: &[f32]) {
        vectorized(
            #[inline(always)]
            || {
                for block in values.chunks(BLOCK) {
                    let largest = block.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                    self.largest.push(largest);
                    let mut nearest = [0; BLOCK];
                    for (nearest, value) in nearest.iter_mut().zip(block) {
                        *nearest = level(*value / largest);
                    }
                    let count = block.len().div_ceil(2);
                    self.levels.extend(
                        nearest.as_chunks::<2>().0[..count]
                            .iter()
                            .map(|[first, second]| first << 4 | second),
                    );
                }
            },
        );
    }

    /// As it is multiplied.
    pub fn unpacked(&self) -> Result<Weight> {
        Ok(match self.precision {
            Precision::Fp32 => {
                let values = self.values(|value| value);
                Weight::Full(Tensor::from_vec(values, (self.rows, self.columns), &Device::Cpu)?)
            }
            Precision::Bf16 => Weight::Half(HalfMatrix {
                values: self.values(round),
                rows: self.rows,
                columns: self.columns,
            }),
        })
    }

    fn values<V: Copy + Default + Send>(&self, of: impl Fn(f32) -> V + Sync + Send) -> Vec<V> {
        let mut values = vec![V::default(); self.rows * self.columns];
        in_parallel(&mut values, STRETCH, |stretch, values| {
            let first = stretch * STRETCH / BLOCK;
            let levels = self.levels[first * BLOCK / 2..].chunks(BLOCK / 2);
            let blocks = values.chunks_mut(BLOCK).zip(levels).zip(&self.largest[first..]);
            for ((values, levels), largest) in blocks {
                let known = LEVELS.map(|level| of(level * largest));
                for (pair, levels) in values.chunks_mut(2).zip(levels) {
                    for (value, level) in pair.iter_mut().zip([levels >> 4, levels & 15]) {
                        *value = known[usize::from(level)];
                    }
                }
            }
        });
        values
    }
}

/// What a matrix of so many values takes.
pub const fn packed_bytes(values: usize) -> usize {
    values.div_ceil(2) + values.div_ceil(BLOCK) * size_of::<f32>()
}

/// The nearest level; the lower one of two that are as near.
#[inline(always)]
fn level(value: f32) -> u8 {
    let (mut nearest, mut least) = (7, value.abs());
    for (index, level) in LEVELS.iter().enumerate() {
        let distance = (value - level).abs();
        if distance < least || distance == least && index < nearest {
            (nearest, least) = (index, distance);
        }
    }
    nearest as u8
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

    use super::*;

    #[derive(serde::Deserialize)]
    struct Fixture {
        values: Vec<Vec<f32>>,
        levels: Vec<u8>,
        largest: Vec<f32>,
        unpacked: Vec<f32>,
    }

    /// `make_nf4.py` made the numbers.
    #[test]
    fn values_are_packed_and_unpacked_as_bitsandbytes_does() {
        let fixture: Fixture = serde_json::from_str(include_str!("../../tests/fixtures/nf4.json")).unwrap();
        let mut matrix = Nf4Matrix::empty(fixture.values.len(), fixture.values[0].len(), Precision::Fp32);
        matrix.extend(&fixture.values.concat());
        assert_eq!(matrix.levels, fixture.levels);
        assert_eq!(matrix.largest, fixture.largest);
        assert_eq!(matrix.values(|value| value), fixture.unpacked);
        assert_eq!(
            packed_bytes(fixture.unpacked.len()),
            matrix.levels.len() + 4 * matrix.largest.len()
        );
        let rounded: Vec<u16> = fixture.unpacked.into_iter().map(round).collect();
        assert_eq!(matrix.values(round), rounded);
    }

    #[test]
    fn blocks_of_zeros_and_odd_ends_come_back() {
        let mut matrix = Nf4Matrix::empty(3, 23, Precision::Fp32);
        let values: Vec<f32> = (0..69).map(|index| if index < 64 { 0.0 } else { -2.0 }).collect();
        matrix.extend(&values);
        assert_eq!(matrix.values(|value| value), values);
    }
}
