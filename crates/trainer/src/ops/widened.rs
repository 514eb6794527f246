//! Products in fp32 with a matrix that is kept as bf16: half the bytes to read, and no value is rounded.

use candle_core::{CpuStorage, Result, bail};

use super::bf16::{self, HalfMatrix, Kernel, Side, Term, in_parallel};
use super::{View, owned, slice, vectorized};

/// Up to so many rows are multiplied value by value: the matrix is read once for each few of them, and never unpacked.
const FEW: usize = 16;
/// Rows that one reading of the matrix serves.
const TOGETHER: usize = 4;
/// Rows of the matrix that one thread takes at a time, or that are unpacked at once.
const PANEL: usize = 256;

/// `x · weightᵀ`, row-major; the same sums whatever the number of threads.
pub fn product(x: View, weight: &HalfMatrix) -> Result<Vec<f32>> {
    if x.columns != weight.columns {
        bail!("shapes do not match");
    }
    if x.rows <= FEW {
        few(x, weight)
    } else if Kernel::fastest() == Kernel::Tiles {
        in_thirds(x, weight)
    } else {
        unpacked(x, weight)
    }
}

fn rows_of(x: View<'_>) -> Result<impl Iterator<Item = &[f32]>> {
    let values = slice(x.storage)?;
    Ok((0..x.rows).map(move |row| &values[x.offset + row * x.row_stride..][..x.columns]))
}

fn few(x: View, weight: &HalfMatrix) -> Result<Vec<f32>> {
    let rows: Vec<&[f32]> = rows_of(x)?.collect();
    let mut product = vec![0.0; x.rows * weight.rows];
    for (group, rows) in rows.chunks(TOGETHER).enumerate() {
        // Output by output, so that each thread writes what lies together.
        let mut found = vec![0.0; rows.len() * weight.rows];
        in_parallel(&mut found, rows.len() * PANEL, |panel, found| {
            for (index, found) in found.chunks_exact_mut(rows.len()).enumerate() {
                dots(weight.row(panel * PANEL + index), rows, found);
            }
        });
        for (index, row) in product
            .chunks_exact_mut(weight.rows)
            .skip(group * TOGETHER)
            .take(rows.len())
            .enumerate()
        {
            for (output, value) in row.iter_mut().enumerate() {
                *value = found[output * rows.len() + index];
            }
        }
    }
    Ok(product)
}

/// The dot product of each row with the matrix's.
fn dots(weight: &[u16], rows: &[&[f32]], found: &mut [f32]) {
    match rows {
        [a] => found.copy_from_slice(&together(weight, [a])),
        [a, b] => found.copy_from_slice(&together(weight, [a, b])),
        [a, b, c] => found.copy_from_slice(&together(weight, [a, b, c])),
        [a, b, c, d] => found.copy_from_slice(&together(weight, [a, b, c, d])),
        _ => {}
    }
}

fn together<const N: usize>(weight: &[u16], rows: [&[f32]; N]) -> [f32; N] {
    const LANES: usize = 32;
    vectorized(
        #[inline(always)]
        || {
            let mut lanes = [[0.0_f32; LANES]; N];
            let (parts, rest) = weight.as_chunks::<LANES>();
            let rows = rows.map(
                #[inline(always)]
                |row| row.as_chunks::<LANES>(),
            );
            for (place, part) in parts.iter().enumerate() {
                let mut wide = [0.0; LANES];
                for lane in 0..LANES {
                    wide[lane] = widened(part[lane]);
                }
                for (lanes, (row, _)) in lanes.iter_mut().zip(&rows) {
                    let row = &row[place];
                    for lane in 0..LANES {
                        lanes[lane] += wide[lane] * row[lane];
                    }
                }
            }
            let mut sums = [0.0; N];
            for (sum, (lanes, (_, row))) in sums.iter_mut().zip(lanes.iter().zip(&rows)) {
                let rest: f32 = rest
                    .iter()
                    .zip(*row)
                    .map(|(weight, value)| widened(*weight) * value)
                    .sum();
                *sum = lanes.iter().sum::<f32>() + rest;
            }
            sums
        },
    )
}

#[inline(always)]
fn widened(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Each value as the sum of three of bf16, which together have all of its bits: three times as many rows.
fn in_thirds(x: View, weight: &HalfMatrix) -> Result<Vec<f32>> {
    let size = x.rows * x.columns;
    let mut thirds = Vec::with_capacity(3 * size);
    rows_of(x)?.for_each(|row| thirds.extend_from_slice(row));
    thirds.resize(3 * size, 0.0);
    let (high, others) = thirds.split_at_mut(size);
    let (middle, low) = others.split_at_mut(size);
    vectorized(
        #[inline(always)]
        || {
            for ((high, middle), low) in high.iter_mut().zip(middle).zip(low) {
                let whole = *high;
                *high = widened(bf16::round(whole));
                *middle = widened(bf16::round(whole - *high));
                *low = whole - *high - *middle;
            }
        },
    );
    let thirds = CpuStorage::F32(thirds);
    let side = Side::of(View::new(&thirds, 3 * x.rows, x.columns))?;
    let mut products = bf16::product(&[Term::of(side, Side::half(weight).transposed())], 1.0)?;
    let (high, others) = products.split_at_mut(x.rows * weight.rows);
    let (middle, low) = others.split_at(high.len());
    vectorized(
        #[inline(always)]
        || {
            for (high, (middle, low)) in high.iter_mut().zip(middle.iter().zip(low)) {
                *high += middle + low;
            }
        },
    );
    products.truncate(x.rows * weight.rows);
    Ok(products)
}

fn unpacked(x: View, weight: &HalfMatrix) -> Result<Vec<f32>> {
    let mut product = vec![0.0; x.rows * weight.rows];
    for first in (0..weight.rows).step_by(PANEL) {
        let rows = PANEL.min(weight.rows - first);
        let panel = &weight.values[first * weight.columns..][..rows * weight.columns];
        let panel = CpuStorage::F32(panel.iter().copied().map(widened).collect());
        let part = owned(x.product(View::new(&panel, rows, weight.columns).transposed())?)?;
        for (row, part) in product.chunks_exact_mut(weight.rows).zip(part.chunks_exact(rows)) {
            row[first..first + rows].copy_from_slice(part);
        }
    }
    Ok(product)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing product fails the test")]

    use super::*;

    /// Against sums in f64 of the same values, none of them rounded.
    #[test]
    fn products_are_as_exact_as_in_fp32() {
        let value = |index: usize, salt: usize| ((index * 37 + salt) as f32 * 0.618_034).fract() - 0.5;
        for (rows, inner, outputs) in [(1, 576, 70), (3, 33, 300), (4, 64, 5), (16, 100, 257), (40, 1600, 300)] {
            let weight = HalfMatrix {
                values: (0..outputs * inner).map(|index| bf16::round(value(index, 1))).collect(),
                rows: outputs,
                columns: inner,
            };
            let x = CpuStorage::F32((0..rows * inner).map(|index| value(index, 2)).collect());
            let x = View::new(&x, rows, inner);
            let ways = [
                product(x, &weight).unwrap(),
                few(x, &weight).unwrap(),
                unpacked(x, &weight).unwrap(),
            ];
            let thirds = Kernel::Tiles.exists().then(|| in_thirds(x, &weight).unwrap());
            for found in ways.into_iter().chain(thirds) {
                assert_eq!(found.len(), rows * outputs);
                for (place, found) in found.into_iter().enumerate() {
                    let (row, output) = (place / outputs, place % outputs);
                    let products = (0..inner)
                        .map(|k| f64::from(value(row * inner + k, 2)) * f64::from(widened(weight.row(output)[k])));
                    let expected: f64 = products.clone().sum();
                    let size: f64 = products.map(f64::abs).sum();
                    let error = (f64::from(found) - expected).abs();
                    assert!(error < 1e-6 * size, "{rows} {inner} {outputs}: {found} {expected}");
                }
            }
        }
    }
}
