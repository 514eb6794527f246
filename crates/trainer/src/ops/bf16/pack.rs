//! Rounds to bf16, and lays both sides of a product out as the kernels read them.
//!
//! A tile of the left side is sixteen rows of thirty-two values along the contraction; one of the right side is sixteen
//! pairs along the contraction by sixteen columns. What lies outside the matrix is zero.

use super::kernel::{BLOCK, Kernel, Tile};
use super::{Piece, Plain, Rows, STEP, Side, vectorized};

const HALF: usize = BLOCK / 2;

/// The nearest bf16, ties to even; NaN stays NaN.
#[inline(always)]
pub fn round(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff_u32.wrapping_add((bits >> 16) & 1)) >> 16;
    let nan = (bits >> 16) | 0x40;
    let is_nan = bits & 0x7fff_ffff > 0x7f80_0000;
    (if is_nan { nan } else { rounded }) as u16
}

/// What matrices are made of.
pub trait Value: Copy {
    const ZERO: Self;
    fn half(self) -> u16;
}

impl Value for f32 {
    const ZERO: Self = 0.0;

    #[inline(always)]
    fn half(self) -> u16 {
        round(self)
    }
}

impl Value for u16 {
    const ZERO: Self = 0;

    #[inline(always)]
    fn half(self) -> u16 {
        self
    }
}

/// The rows of a block from `first` on: two tiles a step.
pub fn left(kernel: Kernel, tiles: &mut [Tile], pieces: &[Piece], first: usize) {
    sides(tiles, pieces, |part, piece| {
        let side = piece.term.left;
        if side.transposed {
            pairs_of(part, side, piece, first);
            part.iter_mut().for_each(|tile| kernel.transpose(tile));
        } else {
            lines_of(part, side, piece, first);
        }
    });
}

/// The columns of a block from `first` on: two tiles a step.
pub fn right(kernel: Kernel, tiles: &mut [Tile], pieces: &[Piece], first: usize) {
    sides(tiles, pieces, |part, piece| {
        let side = piece.term.right;
        if side.transposed {
            lines_of(part, side, piece, first);
            part.iter_mut().for_each(|tile| kernel.transpose(tile));
        } else {
            pairs_of(part, side, piece, first);
        }
    });
}

fn sides(mut tiles: &mut [Tile], pieces: &[Piece], mut pack: impl FnMut(&mut [Tile], &Piece)) {
    for piece in pieces {
        let (part, rest) = tiles.split_at_mut(2 * piece.steps());
        tiles = rest;
        pack(part, piece);
    }
}

fn lines_of(tiles: &mut [Tile], side: Side, piece: &Piece, first: usize) {
    match side.rows {
        Rows::Values(matrix) => lines(tiles, matrix, piece, first),
        Rows::Half(matrix) => lines(tiles, matrix, piece, first),
    }
}

fn pairs_of(tiles: &mut [Tile], side: Side, piece: &Piece, first: usize) {
    match side.rows {
        Rows::Values(matrix) => pairs(tiles, matrix, piece, first),
        Rows::Half(matrix) => pairs(tiles, matrix, piece, first),
    }
}

/// A block of rows along the contraction, as they stand.
fn lines<V: Value>(tiles: &mut [Tile], matrix: Plain<V>, piece: &Piece, first: usize) {
    vectorized(
        #[inline(always)]
        || {
            for row in 0..BLOCK {
                let (parts, rest) = matrix.part(first + row, piece.start, piece.end).as_chunks::<STEP>();
                let mut steps = tiles
                    .chunks_exact_mut(2)
                    .map(|pair| &mut pair[row / HALF].0[row % HALF]);
                for (out, part) in (&mut steps).zip(parts) {
                    *out = halves(part);
                }
                for out in steps {
                    *out = [0; STEP];
                }
                if !rest.is_empty() {
                    tiles[2 * parts.len() + row / HALF].0[row % HALF] = halves(&padded(rest));
                }
            }
        },
    );
}

/// A block of columns of rows that follow each other along the contraction: two rows at a time, value beside value.
fn pairs<V: Value>(tiles: &mut [Tile], matrix: Plain<V>, piece: &Piece, first: usize) {
    vectorized(
        #[inline(always)]
        || {
            for (step, tiles) in tiles.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                for pair in 0..HALF {
                    let row = piece.start + step * STEP + 2 * pair;
                    let [above, below] = [row, row + 1].map(
                        #[inline(always)]
                        |row| {
                            let end = if row < piece.end { first + BLOCK } else { 0 };
                            let part = matrix.part(row, first, end);
                            match part.first_chunk::<BLOCK>() {
                                Some(whole) => halves(whole),
                                None => halves(&padded(part)),
                            }
                        },
                    );
                    let [near, far] = tiles;
                    for index in 0..HALF {
                        near.0[pair][2 * index] = above[index];
                        near.0[pair][2 * index + 1] = below[index];
                        far.0[pair][2 * index] = above[HALF + index];
                        far.0[pair][2 * index + 1] = below[HALF + index];
                    }
                }
            }
        },
    );
}

#[inline(always)]
fn halves<V: Value>(values: &[V; STEP]) -> [u16; STEP] {
    let mut halves = [0; STEP];
    for (half, value) in halves.iter_mut().zip(values) {
        *half = value.half();
    }
    halves
}

#[inline(always)]
fn padded<V: Value>(part: &[V]) -> [V; STEP] {
    let mut padded = [V::ZERO; STEP];
    padded[..part.len()].copy_from_slice(part);
    padded
}
