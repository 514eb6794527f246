//! The few operations of a Llama block as candle custom ops, each with its own backward. What they share: 2-D row-major
//! fp32 tensors `[tokens, width]` on the CPU, and no gradient of any frozen weight. A weight that is kept in bf16 is multiplied
//! in bf16, together with its adapter; one of four bits a value is unpacked for each product.

pub mod attention;
pub mod bf16;
pub mod cross_entropy;
pub mod exp;
pub mod linear;
pub mod nf4;
pub mod norm;
pub mod seed;
pub mod swiglu;
#[cfg(test)]
mod tests;
pub mod weight;
mod widened;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The values of a contiguous fp32 storage.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout
        .contiguous_offsets()
        .ok_or_else(|| candle_core::Error::Msg("not contiguous".into()))?;
    match storage {
        CpuStorage::F32(values) => Ok(&values[start..end]),
        _ => bail!("fp32 only"),
    }
}

/// Runs `read` on the values of a contiguous fp32 tensor.
pub(crate) fn with_values<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    with_storage(tensor, |storage, layout| read(values(storage, layout)?))
}

fn with_storage<T>(tensor: &Tensor, read: impl FnOnce(&CpuStorage, &Layout) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(storage, layout),
        _ => bail!("CPU tensors only"),
    }
}

fn dims2(layout: &Layout) -> Result<(usize, usize)> {
    layout.shape().dims2()
}

/// A matrix inside a storage.
#[derive(Clone, Copy)]
struct View<'a> {
    storage: &'a CpuStorage,
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
    offset: usize,
}

impl<'a> View<'a> {
    /// All of a `[rows, columns]` storage whose rows are contiguous.
    fn of(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let (rows, columns) = dims2(layout)?;
        let &[row_stride, 1] = layout.stride() else {
            bail!("rows are not contiguous");
        };
        Ok(Self {
            row_stride,
            offset: layout.start_offset(),
            ..Self::new(storage, rows, columns)
        })
    }

    fn new(storage: &'a CpuStorage, rows: usize, columns: usize) -> Self {
        Self {
            storage,
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
            offset: 0,
        }
    }

    /// The block of `rows` x `columns` from (`row`, `column`) on.
    fn block(self, row: usize, rows: usize, column: usize, columns: usize) -> Self {
        let offset = self.offset + row * self.row_stride + column * self.column_stride;
        Self {
            rows,
            columns,
            offset,
            ..self
        }
    }

    fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// `self · right`, row-major.
    fn product(self, right: Self) -> Result<CpuStorage> {
        let mut product = vec![0.0; self.rows * right.columns];
        self.multiply(right, false, 1.0, &mut product)?;
        Ok(CpuStorage::F32(product))
    }

    /// `total += scale · self · right`, row-major.
    fn add_product(self, right: Self, scale: f32, total: &mut [f32]) -> Result<()> {
        self.multiply(right, true, scale, total)
    }

    /// candle's own product can neither add nor choose which side is packed.
    fn multiply(self, right: Self, add: bool, scale: f32, total: &mut [f32]) -> Result<()> {
        if self.columns != right.rows || total.len() != self.rows * right.columns {
            bail!("shapes do not match");
        }
        let width = right.columns;
        // gemm is faster when the side that it has to transpose comes first: x · weightᵀ as the transpose of weight · xᵀ.
        let swap = right.row_stride == 1 && right.column_stride != 1;
        let (left, right, total_row, total_column) = if swap {
            (right.transposed(), self.transposed(), 1, width)
        } else {
            (self, right, width, 1)
        };
        let threads = candle_core::utils::get_num_threads();
        let parallelism = match threads {
            1 => gemm::Parallelism::None,
            _ => gemm::Parallelism::Rayon(threads),
        };
        let (left_values, right_values) = (left.values()?, right.values()?);
        #[expect(
            unsafe_code,
            reason = "gemm takes pointers; `values` and the check above keep every element that it touches inside its slice"
        )]
        unsafe {
            gemm::gemm(
                left.rows,
                right.columns,
                left.columns,
                total.as_mut_ptr(),
                total_column as isize,
                total_row as isize,
                add,
                left_values.as_ptr(),
                left.column_stride as isize,
                left.row_stride as isize,
                right_values.as_ptr(),
                right.column_stride as isize,
                right.row_stride as isize,
                1.0_f32,
                scale,
                false,
                false,
                false,
                parallelism,
            );
        }
        Ok(())
    }

    /// From the first element to the last.
    fn values(&self) -> Result<&'a [f32]> {
        if self.rows == 0 || self.columns == 0 {
            return Ok(&[]);
        }
        let last = (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride;
        match slice(self.storage)?.get(self.offset..=self.offset + last) {
            Some(values) => Ok(values),
            None => bail!("a view outside its storage"),
        }
    }
}

/// The values of a storage that this crate has made.
fn owned(storage: CpuStorage) -> Result<Vec<f32>> {
    match storage {
        CpuStorage::F32(values) => Ok(values),
        _ => bail!("fp32 only"),
    }
}

fn slice(storage: &CpuStorage) -> Result<&[f32]> {
    match storage {
        CpuStorage::F32(values) => Ok(values),
        _ => bail!("fp32 only"),
    }
}

/// Runs loops with the widest vectors of the processor. The results are the same on every processor: only the order of
/// independent elements changes. A closure that is not marked `#[inline(always)]` may stay outside, and narrow.
fn vectorized<R>(loops: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(loops)
}

/// `total += scale * part`.
fn add_scaled(total: &mut [f32], part: &[f32], scale: f32) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += scale * part;
    }
}

/// In sixteen lanes, for speed; NaN is passed over.
#[inline(always)]
fn maximum(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for lane in 0..16 {
            lanes[lane] = lanes[lane].max(chunk[lane]);
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// A sum in eight lanes: fast, and the same on every run.
#[inline(always)]
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (left, left_rest) = left.as_chunks::<8>();
    let (right, right_rest) = right.as_chunks::<8>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..8 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    lanes.iter().sum::<f32>() + rest
}
