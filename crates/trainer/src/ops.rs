//! The few operations of a Llama block as candle custom ops, each with its own backward. What they share: 2-D row-major
//! fp32 tensors `[tokens, width]` on the CPU, and no gradient of any frozen weight.

pub mod attention;
pub mod cross_entropy;
pub mod exp;
pub mod linear;
pub mod norm;
pub mod seed;
pub mod swiglu;
#[cfg(test)]
mod tests;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, Layout, Result, Shape, Storage, Tensor, bail};

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
    /// All of a contiguous `[rows, columns]` storage.
    fn of(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let (rows, columns) = dims2(layout)?;
        if !layout.is_contiguous() {
            bail!("not contiguous");
        }
        Ok(Self {
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

    fn layout(&self) -> Layout {
        Layout::new(
            Shape::from((self.rows, self.columns)),
            vec![self.row_stride, self.column_stride],
            self.offset,
        )
    }

    /// `self · right`, row-major.
    fn product(self, right: Self) -> Result<CpuStorage> {
        let size = (1, self.rows, right.columns, self.columns);
        self.storage
            .matmul(right.storage, size, &self.layout(), &right.layout())
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

/// `total += scale * part`.
fn add_scaled(total: &mut [f32], part: &[f32], scale: f32) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += scale * part;
    }
}

/// A sum in eight lanes: fast, and the same on every run.
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
