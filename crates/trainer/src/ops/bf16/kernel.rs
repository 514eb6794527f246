//! The innermost products, in the processor's own instructions where it has them: tiles (AMX), bf16 dot products
//! (AVX-512), or plain loops.

use std::sync::OnceLock;

use super::pack::round;
use super::vectorized;

/// Rows and columns of the block that a kernel computes.
pub const BLOCK: usize = 32;

/// Sixteen rows of 64 bytes, as bits of bf16.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Tile(pub [[u16; 32]; 16]);

impl Tile {
    pub const ZERO: Self = Self([[0; 32]; 16]);
}

/// What a kernel computes.
#[repr(C, align(64))]
pub struct Sums(pub [[f32; BLOCK]; BLOCK]);

/// Where a product is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Tiles of AMX.
    Tiles,
    /// bf16 dot products of AVX-512.
    Dots,
    Portable,
}

impl Kernel {
    pub fn fastest() -> Self {
        static FOUND: OnceLock<Kernel> = OnceLock::new();
        let all = [Self::Tiles, Self::Dots, Self::Portable];
        *FOUND.get_or_init(|| all.into_iter().find(|kernel| kernel.exists()).unwrap_or(Self::Portable))
    }

    /// Whether this processor has it and the system lets us use it.
    pub fn exists(self) -> bool {
        match self {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Self::Tiles => x86::tiles_exist() && x86::dots_exist(),
            #[cfg(target_arch = "x86_64")]
            Self::Dots => x86::dots_exist(),
            Self::Portable => true,
            #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
            _ => false,
        }
    }

    /// Multiplies the left block with each of the right ones: `done` gets each right block's number and the sums.
    pub fn run(self, left: &[Tile], right: &[Tile], mut done: impl FnMut(usize, &Sums)) {
        let mut sums = Sums([[0.0; BLOCK]; BLOCK]);
        let blocks = right.chunks_exact(left.len()).enumerate();
        match self {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Self::Tiles => {
                let _tiles = x86::Configured::new();
                for (index, right) in blocks {
                    x86::tiles(left, right, &mut sums);
                    done(index, &sums);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Dots => {
                for (index, right) in blocks {
                    x86::dots(left, right, &mut sums);
                    done(index, &sums);
                }
            }
            _ => {
                for (index, right) in blocks {
                    portable(left, right, &mut sums);
                    done(index, &sums);
                }
            }
        }
    }

    /// Rounds to bf16, value by value.
    pub fn round(self, values: &[f32], to: &mut [u16]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Tiles | Self::Dots => x86::round(values, to),
            _ => vectorized(
                #[inline(always)]
                || {
                    for (to, value) in to.iter_mut().zip(values) {
                        *to = round(*value);
                    }
                },
            ),
        }
    }

    /// Lays the blocks of two rows out value beside value: the first half of each block, and its second.
    #[inline(always)]
    pub fn pair<'a>(
        self,
        above: &[[u16; BLOCK]],
        below: &[[u16; BLOCK]],
        to: impl Iterator<Item = [&'a mut [u16; 32]; 2]>,
    ) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Tiles | Self::Dots => x86::pair(above, below, to),
            _ => {
                for (([near, far], above), below) in to.zip(above).zip(below) {
                    for index in 0..BLOCK / 2 {
                        near[2 * index] = above[index];
                        near[2 * index + 1] = below[index];
                        far[2 * index] = above[BLOCK / 2 + index];
                        far[2 * index + 1] = below[BLOCK / 2 + index];
                    }
                }
            }
        }
    }

    /// Swaps rows and columns of a tile, whose values stay in pairs.
    pub fn transpose(self, tile: &mut Tile) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Tiles | Self::Dots => x86::transpose(tile),
            _ => {
                let from = *tile;
                for (row, out) in tile.0.iter_mut().enumerate() {
                    for (column, from) in from.0.iter().enumerate() {
                        out[2 * column] = from[2 * row];
                        out[2 * column + 1] = from[2 * row + 1];
                    }
                }
            }
        }
    }
}

fn portable(left: &[Tile], right: &[Tile], sums: &mut Sums) {
    const ROWS: usize = 4;
    let value = |bits: u16| f32::from_bits(u32::from(bits) << 16);
    vectorized(
        #[inline(always)]
        || {
            for (group, out) in sums.0.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
                let mut totals = [[0.0_f32; BLOCK]; ROWS];
                let (tile, first) = (group * ROWS / 16, group * ROWS % 16);
                let steps = left.as_chunks::<2>().0.iter().zip(right.as_chunks::<2>().0);
                for (left, [near, far]) in steps {
                    for pair in 0..16 {
                        let (mut even, mut odd) = ([0.0; BLOCK], [0.0; BLOCK]);
                        for column in 0..16 {
                            even[column] = value(near.0[pair][2 * column]);
                            odd[column] = value(near.0[pair][2 * column + 1]);
                            even[16 + column] = value(far.0[pair][2 * column]);
                            odd[16 + column] = value(far.0[pair][2 * column + 1]);
                        }
                        for (row, totals) in totals.iter_mut().enumerate() {
                            let row = &left[tile].0[first + row];
                            let (a, b) = (value(row[2 * pair]), value(row[2 * pair + 1]));
                            for (total, (even, odd)) in totals.iter_mut().zip(even.iter().zip(&odd)) {
                                *total += a * even + b * odd;
                            }
                        }
                    }
                }
                *out = totals;
            }
        },
    );
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "Rust has no stable functions for tiles, and those for AVX-512 take pointers. Every pointer here comes from a \
              slice or an array whose length is checked or part of its type, and every instruction is run only after \
              `exists` has found it"
)]
mod x86 {
    use std::arch::asm;
    use std::arch::x86_64::{
        __cpuid_count, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512,
        _mm512_permutex2var_epi16, _mm512_permutex2var_epi32, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_setzero_ps,
        _mm512_storeu_ps, _mm512_storeu_si512,
    };

    use super::{BLOCK, Sums, Tile};

    pub fn dots_exist() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16")
    }

    /// Linux gives tiles to a process that asks for them.
    #[cfg(target_os = "linux")]
    pub fn tiles_exist() -> bool {
        const ARCH_PRCTL: i64 = 158;
        const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
        const TILE_DATA: i64 = 18;
        let (tile, bf16) = (1 << 24, 1 << 22);
        if __cpuid_count(7, 0).edx & (tile | bf16) != tile | bf16 {
            return false;
        }
        let refused: i64;
        // SAFETY: the call takes two numbers and changes nothing but what this process may use.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => refused,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") TILE_DATA,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        refused == 0
    }

    /// Eight tiles of sixteen rows of 64 bytes, on this thread, until it is dropped.
    pub struct Configured;

    impl Configured {
        pub fn new() -> Self {
            #[repr(C, align(64))]
            struct Layout([u8; 64]);
            let mut layout = Layout([0; 64]);
            layout.0[0] = 1;
            for tile in 0..8 {
                layout.0[16 + 2 * tile] = 64;
                layout.0[48 + tile] = 16;
            }
            // SAFETY: the instruction reads the 64 bytes of `layout`.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const layout, options(nostack, readonly)) };
            Self
        }
    }

    impl Drop for Configured {
        fn drop(&mut self) {
            // SAFETY: no tile is in use any more.
            unsafe { asm!("tilerelease", options(nostack, nomem)) };
        }
    }

    /// Two tiles of each side a step. The thread's tiles are configured.
    pub fn tiles(left: &[Tile], right: &[Tile], sums: &mut Sums) {
        let steps = left.len() / 2;
        if steps == 0 || right.len() != left.len() {
            sums.0 = [[0.0; BLOCK]; BLOCK];
            return;
        }
        // SAFETY: `steps` pairs of tiles of 1 KiB are read from each side, and four tiles written, which `Sums` is.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{left} + {row}]",
                "tileloadd tmm6, [{right} + {row}]",
                "tileloadd tmm5, [{left} + {row} + 1024]",
                "tileloadd tmm7, [{right} + {row} + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {left}, 2048",
                "add {right}, 2048",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {wide}], tmm0",
                "tilestored [{sums} + {wide} + 64], tmm1",
                "tilestored [{sums} + {wide} + 2048], tmm2",
                "tilestored [{sums} + {wide} + 2112], tmm3",
                left = inout(reg) left.as_ptr() => _,
                right = inout(reg) right.as_ptr() => _,
                steps = inout(reg) steps => _,
                sums = in(reg) sums.0.as_mut_ptr(),
                row = in(reg) size_of::<[u16; 32]>(),
                wide = in(reg) size_of::<[f32; BLOCK]>(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    pub fn dots(left: &[Tile], right: &[Tile], sums: &mut Sums) {
        // SAFETY: `Kernel::exists` has found the instructions.
        unsafe { dots_of_rows(left, right, sums) }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn dots_of_rows(left: &[Tile], right: &[Tile], sums: &mut Sums) {
        const ROWS: usize = 8;
        for (group, out) in sums.0.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
            let (tile, first) = (group * ROWS / 16, group * ROWS % 16);
            let mut totals = [[_mm512_setzero_ps(); 2]; ROWS];
            let steps = left.as_chunks::<2>().0.iter().zip(right.as_chunks::<2>().0);
            for (left, [near, far]) in steps {
                for pair in 0..16 {
                    let (near, far) = (half(&near.0[pair]), half(&far.0[pair]));
                    for (row, totals) in totals.iter_mut().enumerate() {
                        let row = &left[tile].0[first + row];
                        let both = i32::from(row[2 * pair] as i16) & 0xffff | i32::from(row[2 * pair + 1] as i16) << 16;
                        let both = as_half(_mm512_set1_epi32(both));
                        totals[0] = _mm512_dpbf16_ps(totals[0], both, near);
                        totals[1] = _mm512_dpbf16_ps(totals[1], both, far);
                    }
                }
            }
            for (out, totals) in out.iter_mut().zip(totals) {
                let (near, far) = out.split_at_mut(16);
                // SAFETY: both are sixteen values long.
                unsafe {
                    _mm512_storeu_ps(near.as_mut_ptr(), totals[0]);
                    _mm512_storeu_ps(far.as_mut_ptr(), totals[1]);
                }
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    fn load(row: &[u16; 32]) -> __m512i {
        // SAFETY: a row is 64 bytes.
        unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn half(row: &[u16; 32]) -> __m512bh {
        as_half(load(row))
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    fn as_half(bits: __m512i) -> __m512bh {
        // SAFETY: both are 512 bits of anything.
        unsafe { std::mem::transmute(bits) }
    }

    pub fn round(values: &[f32], to: &mut [u16]) {
        // SAFETY: `Kernel::exists` has found the instructions.
        unsafe { narrow(values, to) }
    }

    /// Values too small to be normal become zero.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn narrow(values: &[f32], to: &mut [u16]) {
        let (parts, rest) = values.as_chunks::<32>();
        let (outs, out_rest) = to.as_chunks_mut::<32>();
        for (out, part) in outs.iter_mut().zip(parts) {
            // SAFETY: a part is two times sixteen values, and `out` is as many of 16 bits.
            unsafe {
                let (near, far) = (_mm512_loadu_ps(part.as_ptr()), _mm512_loadu_ps(part.as_ptr().add(16)));
                let both: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(far, near));
                _mm512_storeu_si512(out.as_mut_ptr().cast(), both);
            }
        }
        for (out, value) in out_rest.iter_mut().zip(rest) {
            *out = super::round(*value);
        }
    }

    #[inline(always)]
    pub fn pair<'a>(above: &[[u16; BLOCK]], below: &[[u16; BLOCK]], to: impl Iterator<Item = [&'a mut [u16; 32]; 2]>) {
        // SAFETY: `Kernel::exists` has found the instructions.
        unsafe { interleave(above, below, to) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn interleave<'a>(
        above: &[[u16; BLOCK]],
        below: &[[u16; BLOCK]],
        to: impl Iterator<Item = [&'a mut [u16; 32]; 2]>,
    ) {
        let low = load(&std::array::from_fn(|place| (place / 2 + place % 2 * 32) as u16));
        let high = load(&std::array::from_fn(|place| (16 + place / 2 + place % 2 * 32) as u16));
        for (([near, far], above), below) in to.zip(above).zip(below) {
            let (above, below) = (load(above), load(below));
            // SAFETY: each is 64 bytes.
            unsafe {
                let first = _mm512_permutex2var_epi16(above, low, below);
                let second = _mm512_permutex2var_epi16(above, high, below);
                _mm512_storeu_si512(near.as_mut_ptr().cast(), first);
                _mm512_storeu_si512(far.as_mut_ptr().cast(), second);
            }
        }
    }

    pub fn transpose(tile: &mut Tile) {
        // SAFETY: `Kernel::exists` has found the instructions.
        unsafe { shuffle(tile) }
    }

    /// Four times, each row is dealt out with the one half a tile further on.
    #[target_feature(enable = "avx512f")]
    fn shuffle(tile: &mut Tile) {
        let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        let mut rows = tile.0.each_ref().map(|row| load(row));
        for _ in 0..4 {
            let from = rows;
            for index in 0..8 {
                rows[2 * index] = _mm512_permutex2var_epi32(from[index], low, from[index + 8]);
                rows[2 * index + 1] = _mm512_permutex2var_epi32(from[index], high, from[index + 8]);
            }
        }
        for (out, row) in tile.0.iter_mut().zip(rows) {
            // SAFETY: a row is 64 bytes.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), row) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::bf16::round;

    fn tiles(count: usize, salt: usize) -> Vec<Tile> {
        let value = |place: usize| ((place * 37 + salt * 101 + 13) as f32 * 0.618_034).fract() - 0.5;
        let tile = |tile: usize| {
            Tile(std::array::from_fn(|row| {
                std::array::from_fn(|column| round(value((tile * 16 + row) * 32 + column)))
            }))
        };
        (0..count).map(tile).collect()
    }

    #[test]
    fn every_kernel_that_this_processor_has_sums_the_same_products() {
        let exact = |bits: u16| f64::from(f32::from_bits(u32::from(bits) << 16));
        for steps in [1, 3, 18] {
            let (left, right) = (tiles(2 * steps, 1), tiles(4 * steps, 2));
            for kernel in [Kernel::Tiles, Kernel::Dots, Kernel::Portable] {
                if !kernel.exists() {
                    continue;
                }
                let mut blocks = 0;
                kernel.run(&left, &right, |block, sums| {
                    blocks += 1;
                    for (row, sums) in sums.0.iter().enumerate() {
                        for (column, sum) in sums.iter().enumerate() {
                            let product = |place: usize| {
                                let (step, inner) = (place / 32, place % 32);
                                let left = left[2 * step + row / 16].0[row % 16][inner];
                                let right = &right[2 * (block * steps + step) + column / 16].0[inner / 2];
                                exact(left) * exact(right[2 * (column % 16) + inner % 2])
                            };
                            let expected: f64 = (0..32 * steps).map(product).sum();
                            let error = (f64::from(*sum) - expected).abs();
                            assert!(error < 1e-4, "{kernel:?}, {row}, {column}: {sum} {expected}");
                        }
                    }
                });
                assert_eq!(blocks, 2);
            }
        }
    }

    #[test]
    fn every_kernel_rounds_alike() {
        let special = [
            0.0,
            -0.0,
            1.0 + 1.0 / 256.0,
            1.0 + 3.0 / 256.0,
            f32::MAX,
            f32::NEG_INFINITY,
            f32::NAN,
        ];
        let values: Vec<f32> = (0..70)
            .map(|place| (place as f32 * 0.618_034).fract() - 0.5)
            .chain(special)
            .cycle()
            .take(200)
            .collect();
        let expected: Vec<u16> = values.iter().copied().map(round).collect();
        for kernel in [Kernel::Tiles, Kernel::Dots, Kernel::Portable] {
            if !kernel.exists() {
                continue;
            }
            let mut rounded = vec![0; values.len()];
            kernel.round(&values, &mut rounded);
            assert_eq!(rounded, expected, "{kernel:?}");
        }
    }

    #[test]
    fn every_kernel_transposes_alike() {
        let tile = tiles(1, 3)[0];
        for kernel in [Kernel::Tiles, Kernel::Dots, Kernel::Portable] {
            if !kernel.exists() {
                continue;
            }
            let mut turned = tile;
            kernel.transpose(&mut turned);
            assert_eq!(turned.0[3][10..12], tile.0[5][6..8]);
            kernel.transpose(&mut turned);
            assert_eq!(turned.0, tile.0);
        }
    }
}
