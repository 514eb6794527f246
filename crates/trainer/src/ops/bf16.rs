//! Products of matrices rounded to bf16, with their sums in fp32: half the bytes of fp32 and, where the processor has
//! instructions for it, many times the speed. Each sum is taken in one fixed order, however many threads share the work.

mod kernel;
mod pack;

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::{Result, bail};
use rayon::prelude::*;

use super::{View, vectorized};
use kernel::{BLOCK, Sums};
pub use kernel::{Kernel, Tile};
pub use pack::round;

/// Columns of the right side that are packed at once.
const COLUMNS: usize = 8 * BLOCK;
/// Tiles that a sum goes along before it is added to the product.
const STEPS: usize = 48;
/// Values of a row in a tile.
const STEP: usize = 32;

/// A frozen matrix, row by row, as bits of bf16.
#[derive(Debug)]
pub struct HalfMatrix {
    pub values: Vec<u16>,
    pub rows: usize,
    pub columns: usize,
}

impl HalfMatrix {
    /// Empty where there is no such row.
    pub fn row(&self, row: usize) -> &[u16] {
        let columns = self.columns;
        self.values.get(row * columns..(row + 1) * columns).unwrap_or_default()
    }
}

/// Rows whose values lie side by side.
#[derive(Clone, Copy)]
struct Plain<'a, V> {
    values: &'a [V],
    stride: usize,
    rows: usize,
    columns: usize,
}

impl<'a, V> Plain<'a, V> {
    /// The values of a row from `start` to `end`, or fewer where it ends before.
    #[inline(always)]
    fn part(self, row: usize, start: usize, end: usize) -> &'a [V] {
        let end = end.min(self.columns);
        if row < self.rows && start < end {
            &self.values[row * self.stride..][start..end]
        } else {
            &[]
        }
    }
}

#[derive(Clone, Copy)]
enum Rows<'a> {
    Values(Plain<'a, f32>),
    Half(Plain<'a, u16>),
}

/// One side of a product: rows as they stand, or as columns.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    rows: Rows<'a>,
    transposed: bool,
}

/// One product of a sum of products.
#[derive(Clone, Copy)]
pub struct Term<'a> {
    left: Side<'a>,
    right: Side<'a>,
}

impl<'a> Term<'a> {
    /// `left · right`.
    pub fn of(left: Side<'a>, right: Side<'a>) -> Self {
        Self { left, right }
    }
}

impl<'a> Side<'a> {
    pub fn half(matrix: &'a HalfMatrix) -> Self {
        let &HalfMatrix {
            ref values,
            rows,
            columns,
        } = matrix;
        Self {
            rows: Rows::Half(Plain {
                values,
                stride: columns,
                rows,
                columns,
            }),
            transposed: false,
        }
    }

    pub(super) fn of(view: View<'a>) -> Result<Self> {
        let transposed = view.column_stride != 1;
        let rows = if transposed { view.transposed() } else { view };
        if rows.column_stride != 1 {
            bail!("rows are not contiguous");
        }
        Ok(Self {
            rows: Rows::Values(Plain {
                values: rows.values()?,
                stride: rows.row_stride,
                rows: rows.rows,
                columns: rows.columns,
            }),
            transposed,
        })
    }

    pub fn transposed(self) -> Self {
        Self {
            transposed: !self.transposed,
            ..self
        }
    }

    fn shape(self) -> (usize, usize) {
        let (rows, columns) = match self.rows {
            Rows::Values(matrix) => (matrix.rows, matrix.columns),
            Rows::Half(matrix) => (matrix.rows, matrix.columns),
        };
        if self.transposed {
            (columns, rows)
        } else {
            (rows, columns)
        }
    }
}

/// A part of a term's contraction.
#[derive(Clone, Copy)]
struct Piece<'a> {
    term: Term<'a>,
    start: usize,
    end: usize,
}

impl Piece<'_> {
    fn steps(&self) -> usize {
        (self.end - self.start).div_ceil(STEP)
    }
}

/// `scale` times the sum of the products, row-major.
pub fn product(terms: &[Term], scale: f32) -> Result<Vec<f32>> {
    product_by(Kernel::fastest(), terms, scale)
}

fn product_by(kernel: Kernel, terms: &[Term], scale: f32) -> Result<Vec<f32>> {
    let (rows, columns) = shape(terms)?;
    let mut groups = groups(terms);
    groups.retain(|pieces| pieces.iter().any(|piece| piece.steps() > 0));
    if rows * columns == 0 || groups.is_empty() {
        return Ok(vec![0.0; rows * columns]);
    }
    let mut total = Vec::with_capacity(rows * columns);
    let room = &mut total.spare_capacity_mut()[..rows * columns];
    let mut scratch = SCRATCH.take();
    // Packed by one thread at a time.
    let blocks = (COLUMNS / BLOCK).div_ceil(rayon::current_num_threads());
    for (turn, pieces) in groups.iter().enumerate() {
        let steps: usize = pieces.iter().map(Piece::steps).sum();
        let left = tiles(&mut scratch.0, 2 * steps * rows.div_ceil(BLOCK));
        in_parallel(left, blocks * 2 * steps, |part, tiles| {
            pack::left(kernel, tiles, pieces, steps, part * blocks * BLOCK);
        });
        let left = &*left;
        for first in (0..columns).step_by(COLUMNS) {
            let wide = COLUMNS.min(columns - first);
            let right = tiles(&mut scratch.1, 2 * steps * wide.div_ceil(BLOCK));
            in_parallel(right, blocks * 2 * steps, |part, tiles| {
                pack::right(kernel, tiles, pieces, steps, first + part * blocks * BLOCK);
            });
            let right = &*right;
            in_parallel(room, BLOCK * columns, |block, rows| {
                let left = &left[block * 2 * steps..(block + 1) * 2 * steps];
                kernel.run(left, right, |index, sums| {
                    let start = first + index * BLOCK;
                    let end = columns.min(start + BLOCK);
                    if turn == 0 {
                        put(
                            sums,
                            rows,
                            columns,
                            start..end,
                            #[inline(always)]
                            |room, sum| {
                                room.write(scale * sum);
                            },
                        );
                    } else {
                        put(
                            sums,
                            rows,
                            columns,
                            start..end,
                            #[inline(always)]
                            |room, sum| {
                                #[expect(unsafe_code, reason = "zeros would be written for nothing")]
                                // SAFETY: the blocks of the first turn cover all rows and columns.
                                let total = unsafe { room.assume_init_mut() };
                                *total += scale * sum;
                            },
                        );
                    }
                });
            });
        }
    }
    SCRATCH.set(scratch);
    #[expect(unsafe_code, reason = "zeros would be written for nothing")]
    // SAFETY: as above.
    unsafe {
        total.set_len(rows * columns);
    }
    Ok(total)
}

thread_local! {
    /// Room for the packed sides, kept from product to product.
    static SCRATCH: RefCell<(Vec<Tile>, Vec<Tile>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

fn tiles(tiles: &mut Vec<Tile>, count: usize) -> &mut [Tile] {
    if tiles.len() < count {
        tiles.resize(count, Tile::ZERO);
    }
    &mut tiles[..count]
}

fn shape(terms: &[Term]) -> Result<(usize, usize)> {
    let mut shapes = terms.iter().map(|term| {
        let ((rows, inner), (other, columns)) = (term.left.shape(), term.right.shape());
        (inner == other).then_some((rows, columns))
    });
    let first = shapes.next().flatten();
    match first {
        Some(shape) if shapes.all(|other| other == first) => Ok(shape),
        _ => bail!("shapes do not match"),
    }
}

/// The pieces that are summed before anything is written.
fn groups<'a>(terms: &[Term<'a>]) -> Vec<Vec<Piece<'a>>> {
    let mut groups: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut steps = 0;
    for term in terms {
        let inner = term.left.shape().1;
        for start in (0..inner).step_by(STEPS * STEP) {
            let piece = Piece {
                term: *term,
                start,
                end: inner.min(start + STEPS * STEP),
            };
            // A short rest goes along with what came before it.
            if steps > 0 && steps + piece.steps() > STEPS + 2 {
                groups.push(Vec::new());
                steps = 0;
            }
            steps += piece.steps();
            groups.last_mut().into_iter().for_each(|group| group.push(piece));
        }
    }
    groups
}

/// Puts a block's sums into these columns of as many rows as there are.
fn put(
    sums: &Sums,
    rows: &mut [MaybeUninit<f32>],
    columns: usize,
    of: Range<usize>,
    each: impl Fn(&mut MaybeUninit<f32>, f32),
) {
    vectorized(
        #[inline(always)]
        || {
            for (row, sums) in rows.chunks_exact_mut(columns).zip(&sums.0) {
                for (room, sum) in row[of.clone()].iter_mut().zip(sums) {
                    each(room, *sum);
                }
            }
        },
    );
}

/// Runs `work` on each chunk, with its number, on all threads.
pub(super) fn in_parallel<T: Send>(values: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    if rayon::current_num_threads() == 1 {
        for (index, chunk) in values.chunks_mut(size).enumerate() {
            work(index, chunk);
        }
    } else {
        let chunks = values.par_chunks_mut(size).enumerate();
        chunks.for_each(|(index, chunk)| work(index, chunk));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing product fails the test")]

    use candle_core::CpuStorage;

    use super::*;

    fn values(count: usize, salt: usize) -> Vec<f32> {
        (0..count)
            .map(|index| ((index * 37 + salt * 101 + 13) as f32 * 0.618_034).fract() - 0.5)
            .collect()
    }

    fn rounded(value: f32) -> f64 {
        f64::from(f32::from_bits(u32::from(round(value)) << 16))
    }

    /// `[rows, columns]`, also where the storage holds it the other way round.
    fn stored(rows: usize, columns: usize, transposed: bool, salt: usize) -> (CpuStorage, Vec<f32>) {
        let values = values(rows * columns, salt);
        let kept = (0..rows * columns).map(|place| match transposed {
            true => values[place % rows * columns + place / rows],
            false => values[place],
        });
        (CpuStorage::F32(kept.collect()), values)
    }

    fn side(storage: &CpuStorage, rows: usize, columns: usize, transposed: bool) -> Side<'_> {
        if transposed {
            Side::of(View::new(storage, columns, rows).transposed()).unwrap()
        } else {
            Side::of(View::new(storage, rows, columns)).unwrap()
        }
    }

    /// The sum of two products, the second with as many steps as an adapter has ranks, against sums in f64.
    fn check(kernel: Kernel, rows: usize, inner: usize, columns: usize, transposed: [bool; 2]) {
        let rank = 5;
        let (left, left_values) = stored(rows, inner, transposed[0], 1);
        let (right, right_values) = stored(inner, columns, transposed[1], 2);
        let (narrow, narrow_values) = stored(rows, rank, false, 3);
        let (short, short_values) = stored(rank, columns, true, 4);
        let terms = [
            Term {
                left: side(&left, rows, inner, transposed[0]),
                right: side(&right, inner, columns, transposed[1]),
            },
            Term {
                left: side(&narrow, rows, rank, false),
                right: side(&short, rank, columns, true),
            },
        ];
        let found = product_by(kernel, &terms, 0.5).unwrap();
        assert_eq!(found.len(), rows * columns);
        for (place, found) in found.into_iter().enumerate() {
            let (row, column) = (place / columns, place % columns);
            let sum = |left: &[f32], right: &[f32], inner: usize| -> f64 {
                let product = |k: usize| rounded(left[row * inner + k]) * rounded(right[k * columns + column]);
                (0..inner).map(product).sum()
            };
            let expected = 0.5 * (sum(&left_values, &right_values, inner) + sum(&narrow_values, &short_values, rank));
            let error = (f64::from(found) - expected).abs();
            assert!(
                error < 2e-4,
                "{kernel:?} {rows} {inner} {columns} {transposed:?}: {found} {expected}"
            );
        }
    }

    #[test]
    fn products_of_odd_shapes_are_right_whichever_side_is_transposed() {
        for kernel in [Kernel::Tiles, Kernel::Dots, Kernel::Portable] {
            if !kernel.exists() {
                continue;
            }
            for (rows, inner, columns) in [(1, 1, 1), (33, 70, 31), (16, 1537, 5), (65, 64, 300), (7, 1700, 33)] {
                for transposed in [[false, false], [false, true], [true, false], [true, true]] {
                    check(kernel, rows, inner, columns, transposed);
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (left, _) = stored(200, 1600, false, 1);
        let (right, _) = stored(1600, 300, true, 2);
        let term = Term {
            left: side(&left, 200, 1600, false),
            right: side(&right, 1600, 300, true),
        };
        let by = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| product(&[term], 1.0).unwrap())
        };
        assert!(by(1) == by(3));
    }

    #[test]
    fn rounding_is_to_the_nearest_even_and_keeps_what_is_no_number() {
        let back = |value: f32| f32::from_bits(u32::from(round(value)) << 16);
        assert_eq!(back(1.0 + 1.0 / 256.0), 1.0);
        assert_eq!(back(1.0 + 3.0 / 256.0), 1.0 + 1.0 / 64.0);
        assert_eq!(back(f32::NEG_INFINITY), f32::NEG_INFINITY);
        assert!(back(f32::from_bits(0x7fff_ffff)).is_nan() && back(-f32::NAN).is_nan());
    }

    #[test]
    fn shapes_that_do_not_match_are_refused() {
        let (left, _) = stored(2, 3, false, 1);
        let left = side(&left, 2, 3, false);
        assert!(product(&[Term { left, right: left }], 1.0).is_err());
    }
}
