//! Rounds to bf16, and lays both sides of a product out as the kernels read them.
//!
//! A tile of the left side is sixteen rows of thirty-two values along the contraction; one of the right side is sixteen
//! pairs along the contraction by sixteen columns. What lies outside the matrix is zero.

use std::iter;

use super::kernel::{BLOCK, Kernel, Tile};
use super::{COLUMNS, Piece, Plain, Rows, STEP, STEPS, Side, vectorized};

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

/// The most values of a row that are packed at once.
const LONGEST: usize = if COLUMNS > STEPS * STEP { COLUMNS } else { STEPS * STEP };

/// What matrices are made of.
pub trait Value: Copy {
    /// In bf16: as they stand, or rounded into `room`.
    fn halves<'a>(kernel: Kernel, values: &'a [Self], room: &'a mut [u16; LONGEST]) -> &'a [u16];
}

impl Value for f32 {
    fn halves<'a>(kernel: Kernel, values: &'a [Self], room: &'a mut [u16; LONGEST]) -> &'a [u16] {
        let room = &mut room[..values.len()];
        kernel.round(values, room);
        room
    }
}

impl Value for u16 {
    #[inline(always)]
    fn halves<'a>(_: Kernel, values: &'a [Self], _: &'a mut [u16; LONGEST]) -> &'a [u16] {
        values
    }
}

/// The rows from `first` on, block by block: two tiles a step. `steps` is that of all pieces together.
pub fn left(kernel: Kernel, tiles: &mut [Tile], pieces: &[Piece], steps: usize, first: usize) {
    pack(kernel, tiles, pieces, steps, first, |piece| (piece.term.left, false));
}

/// The columns from `first` on, as [`left`].
pub fn right(kernel: Kernel, tiles: &mut [Tile], pieces: &[Piece], steps: usize, first: usize) {
    pack(kernel, tiles, pieces, steps, first, |piece| (piece.term.right, true));
}

/// What `side` gives of each piece, and whether it is laid out in pairs.
fn pack<'a>(
    kernel: Kernel,
    tiles: &mut [Tile],
    pieces: &[Piece<'a>],
    steps: usize,
    first: usize,
    side: impl Fn(&Piece<'a>) -> (Side<'a>, bool),
) {
    let mut start = 0;
    for piece in pieces {
        let (side, paired) = side(piece);
        let end = start + 2 * piece.steps();
        let stands = match side.transposed == paired {
            true => lines_of,
            false => pairs_of,
        };
        stands(kernel, tiles, Place { steps, start, end }, side, piece, first);
        if side.transposed {
            for block in tiles.chunks_exact_mut(2 * steps) {
                block[start..end].iter_mut().for_each(|tile| kernel.transpose(tile));
            }
        }
        start = end;
    }
}

/// Where a piece's tiles are in each block.
#[derive(Clone, Copy)]
struct Place {
    /// Of a block, each of two tiles.
    steps: usize,
    start: usize,
    end: usize,
}

fn lines_of(kernel: Kernel, tiles: &mut [Tile], place: Place, side: Side, piece: &Piece, first: usize) {
    match side.rows {
        Rows::Values(matrix) => lines(kernel, tiles, place, matrix, piece, first),
        Rows::Half(matrix) => lines(kernel, tiles, place, matrix, piece, first),
    }
}

fn pairs_of(kernel: Kernel, tiles: &mut [Tile], place: Place, side: Side, piece: &Piece, first: usize) {
    match side.rows {
        Rows::Values(matrix) => pairs(kernel, tiles, place, matrix, piece, first),
        Rows::Half(matrix) => pairs(kernel, tiles, place, matrix, piece, first),
    }
}

/// Blocks of rows along the contraction, as they stand.
fn lines<V: Value>(kernel: Kernel, tiles: &mut [Tile], place: Place, matrix: Plain<V>, piece: &Piece, first: usize) {
    let mut room = [0; LONGEST];
    vectorized(
        #[inline(always)]
        || {
            for (block, tiles) in tiles.chunks_exact_mut(2 * place.steps).enumerate() {
                let tiles = &mut tiles[place.start..place.end];
                for row in 0..BLOCK {
                    let line = matrix.part(first + block * BLOCK + row, piece.start, piece.end);
                    let (parts, rest) = V::halves(kernel, line, &mut room).as_chunks::<STEP>();
                    let mut steps = tiles
                        .chunks_exact_mut(2)
                        .map(|pair| &mut pair[row / HALF].0[row % HALF]);
                    for (out, part) in (&mut steps).zip(parts) {
                        *out = *part;
                    }
                    for out in steps {
                        *out = [0; STEP];
                    }
                    if !rest.is_empty() {
                        tiles[2 * parts.len() + row / HALF].0[row % HALF] = padded(rest);
                    }
                }
            }
        },
    );
}

/// Blocks of columns of rows that follow each other along the contraction: two rows at a time, value beside value. All
/// blocks of two rows are laid out before the next two, because rows lie far apart in memory.
fn pairs<V: Value>(kernel: Kernel, tiles: &mut [Tile], place: Place, matrix: Plain<V>, piece: &Piece, first: usize) {
    let mut rooms = [[0; LONGEST]; 2];
    let wide = tiles.len() / (2 * place.steps) * BLOCK;
    for row in (piece.start..piece.end.next_multiple_of(STEP)).step_by(2) {
        let (step, pair) = ((row - piece.start) / STEP, (row - piece.start) % STEP / 2);
        let [room, other] = &mut rooms;
        let [above, below] = [(row, room), (row + 1, other)].map(|(row, room)| {
            let end = if row < piece.end { first + wide } else { 0 };
            V::halves(kernel, matrix.part(row, first, end), room)
        });
        let blocks = tiles
            .chunks_exact_mut(2 * place.steps)
            .map(|tiles| &mut tiles[place.start..place.end].as_chunks_mut::<2>().0[step])
            .map(|[near, far]| [&mut near.0[pair], &mut far.0[pair]]);
        if above.len() == wide && below.len() == wide {
            kernel.pair(above.as_chunks::<BLOCK>().0, below.as_chunks::<BLOCK>().0, blocks);
        } else {
            for (block, out) in blocks.enumerate() {
                let [above, below] = [above, below].map(|row| padded(row.get(block * BLOCK..).unwrap_or_default()));
                kernel.pair(&[above], &[below], iter::once(out));
            }
        }
    }
}

/// The first values, followed by zeros where there are fewer than a block has.
#[inline(always)]
fn padded(part: &[u16]) -> [u16; BLOCK] {
    let mut padded = [0; BLOCK];
    let part = &part[..part.len().min(BLOCK)];
    padded[..part.len()].copy_from_slice(part);
    padded
}
