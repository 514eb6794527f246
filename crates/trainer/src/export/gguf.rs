//! A LoRA adapter as a GGUF file, as llama.cpp's own converter lays it out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::base::{Family, LlamaConfig, read_bounded};
use crate::model::adapter::{Adapter, AdapterError, Lora, LoraConfig, Side, Values, tensor_name};
use crate::ops::with_values;
use crate::protocol::Projection;
use crate::train::Stop;

const MAGIC: &[u8; 4] = b"GGUF";
const VERSION: u32 = 3;
/// Where the data and each tensor start: multiples of this.
const ALIGNMENT: usize = 32;
/// The format's numbers of the types that are used here.
const TYPE_FLOAT: u32 = 6;
const TYPE_STRING: u32 = 8;
const TENSOR_F32: u32 = 0;
/// Most bytes of a file that is read back.
const LIMIT: u64 = 4 << 30;

enum Entry {
    Float(f32),
    Text(String),
}

/// Rows and columns of a tensor with its values.
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

pub fn write(path: &Path, config: &LlamaConfig, adapter: &Adapter) -> Result<(), Stop> {
    // The reader scales by alpha / rank: another scale is folded into alpha.
    let alpha = adapter.config.scale() * adapter.config.rank as f32;
    let entries = [
        ("general.type", Entry::Text("adapter".into())),
        ("general.architecture", Entry::Text(architecture(config.family).into())),
        (
            "general.name",
            Entry::Text(format!("LoRA adapter for {}", adapter.config.base)),
        ),
        ("adapter.type", Entry::Text("lora".into())),
        ("adapter.lora.alpha", Entry::Float(alpha)),
    ];
    let mut tensors = BTreeMap::new();
    for (layer, block) in adapter.blocks.iter().enumerate() {
        for (projection, lora) in Projection::ALL.into_iter().zip(block) {
            if let Some(lora) = lora {
                let [a, b] = pair(lora, config, projection)?;
                tensors.insert(name(layer, projection, Side::A), a);
                tensors.insert(name(layer, projection, Side::B), b);
            }
        }
    }
    fs::write(path, encode(&entries, &tensors))?;
    fs::File::open(path)?.sync_all()?;
    Ok(())
}

fn pair(lora: &Lora, config: &LlamaConfig, projection: Projection) -> candle_core::Result<[Matrix; 2]> {
    let matrix = |tensor: &candle_core::Tensor| {
        let (rows, columns) = tensor.dims2()?;
        with_values(tensor, |values| {
            Ok(Matrix {
                rows,
                columns,
                values: values.to_vec(),
            })
        })
    };
    let (a, b) = (matrix(&lora.a)?, matrix(&lora.b)?);
    if turns_pairs(config, projection) {
        return Ok([a, reorder(b, config.head_dim, interleaved)]);
    }
    Ok([a, b])
}

/// Reads a file that [`write`] has written.
pub fn read(path: &Path, config: &LlamaConfig) -> Result<Adapter, Stop> {
    let bytes = read_bounded(path, LIMIT)?.unwrap_or_default();
    let (entries, mut tensors) = decode(&bytes).ok_or_else(|| damaged("it is cut off or of another kind"))?;
    let alpha = match entries.get("adapter.lora.alpha") {
        Some(Entry::Float(alpha)) => f64::from(*alpha),
        _ => return Err(damaged("it has no alpha").into()),
    };
    let is = |key: &str, wanted: &str| matches!(entries.get(key), Some(Entry::Text(text)) if text == wanted);
    if !is("general.type", "adapter")
        || !is("adapter.type", "lora")
        || !is("general.architecture", architecture(config.family))
    {
        return Err(damaged("it is no adapter of this architecture").into());
    }
    let mut values = Values::new();
    let mut lora = LoraConfig {
        rank: 0,
        alpha,
        dropout: 0.0,
        targets: [].into(),
        rank_stabilized: false,
        base: String::new(),
    };
    for layer in 0..config.layers {
        for projection in Projection::ALL {
            let found = [Side::A, Side::B].map(|side| tensors.remove(&name(layer, projection, side)));
            let [Some(a), Some(b)] = found else { continue };
            let b = if turns_pairs(config, projection) {
                reorder(b, config.head_dim, halved)
            } else {
                b
            };
            lora.rank = a.rows;
            lora.targets.insert(projection);
            values.insert(tensor_name(layer, projection, Side::A), a.values);
            values.insert(tensor_name(layer, projection, Side::B), b.values);
        }
    }
    Ok(Adapter::new(lora, config, values, false)?)
}

fn damaged(reason: &str) -> AdapterError {
    AdapterError::InvalidConfig(format!("adapter.gguf: {reason}"))
}

fn architecture(family: Family) -> &'static str {
    match family {
        Family::Llama | Family::Mistral => "llama",
        Family::Qwen2 => "qwen2",
        Family::Qwen3 => "qwen3",
    }
}

fn name(layer: usize, projection: Projection, side: Side) -> String {
    let module = match projection {
        Projection::QProj => "attn_q",
        Projection::KProj => "attn_k",
        Projection::VProj => "attn_v",
        Projection::OProj => "attn_output",
        Projection::GateProj => "ffn_gate",
        Projection::UpProj => "ffn_up",
        Projection::DownProj => "ffn_down",
    };
    let side = match side {
        Side::A => "lora_a",
        Side::B => "lora_b",
    };
    format!("blk.{layer}.{module}.weight.{side}")
}

/// Whether llama.cpp rotates neighbouring rows of a head where the safetensors have the halves of the head to rotate.
fn turns_pairs(config: &LlamaConfig, projection: Projection) -> bool {
    architecture(config.family) == "llama" && matches!(projection, Projection::QProj | Projection::KProj)
}

/// The row of a head with halves that comes to `place` where pairs are neighbours.
fn interleaved(place: usize, dim: usize) -> usize {
    place % 2 * (dim / 2) + place / 2
}

/// The inverse of [`interleaved`].
fn halved(place: usize, dim: usize) -> usize {
    place % (dim / 2) * 2 + place / (dim / 2)
}

/// Takes the rows of every head in another order.
fn reorder(matrix: Matrix, dim: usize, source: impl Fn(usize, usize) -> usize) -> Matrix {
    let heads = matrix.values.chunks_exact(dim * matrix.columns);
    let values = heads.flat_map(|head| {
        let rows = (0..dim).map(|place| source(place, dim) * matrix.columns);
        rows.flat_map(|start| &head[start..start + matrix.columns])
            .copied()
            .collect::<Vec<f32>>()
    });
    Matrix {
        values: values.collect(),
        ..matrix
    }
}

fn encode(entries: &[(&str, Entry)], tensors: &BTreeMap<String, Matrix>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((entries.len() as u64).to_le_bytes());
    for (key, entry) in entries {
        put_text(&mut bytes, key);
        match entry {
            Entry::Float(value) => {
                bytes.extend(TYPE_FLOAT.to_le_bytes());
                bytes.extend(value.to_le_bytes());
            }
            Entry::Text(text) => {
                bytes.extend(TYPE_STRING.to_le_bytes());
                put_text(&mut bytes, text);
            }
        }
    }
    let mut offset = 0;
    for (name, matrix) in tensors {
        put_text(&mut bytes, name);
        bytes.extend(2_u32.to_le_bytes());
        // The fastest dimension first.
        for size in [matrix.columns, matrix.rows] {
            bytes.extend((size as u64).to_le_bytes());
        }
        bytes.extend(TENSOR_F32.to_le_bytes());
        bytes.extend((offset as u64).to_le_bytes());
        offset += (matrix.values.len() * size_of::<f32>()).next_multiple_of(ALIGNMENT);
    }
    for matrix in tensors.values() {
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes.extend(matrix.values.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn short(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.array()?)).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = self.size()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

type Decoded = (BTreeMap<String, Entry>, BTreeMap<String, Matrix>);

/// `None` for anything but what [`encode`] makes.
fn decode(bytes: &[u8]) -> Option<Decoded> {
    let mut reader = Reader(bytes);
    if reader.array::<4>()? != *MAGIC || reader.short()? != VERSION {
        return None;
    }
    let (tensor_count, entry_count) = (reader.size()?, reader.size()?);
    let mut entries = BTreeMap::new();
    for _ in 0..entry_count {
        let key = reader.text()?;
        let entry = match reader.short()? {
            TYPE_FLOAT => Entry::Float(f32::from_le_bytes(reader.array()?)),
            TYPE_STRING => Entry::Text(reader.text()?),
            _ => return None,
        };
        entries.insert(key, entry);
    }
    let mut places = Vec::new();
    for _ in 0..tensor_count {
        let (name, dimensions) = (reader.text()?, reader.short()?);
        let (columns, rows) = (reader.size()?, reader.size()?);
        let (kind, offset) = (reader.short()?, reader.size()?);
        if (dimensions, kind) != (2, TENSOR_F32) {
            return None;
        }
        places.push((name, rows, columns, offset));
    }
    let data = (bytes.len() - reader.0.len()).next_multiple_of(ALIGNMENT);
    let mut tensors = BTreeMap::new();
    for (name, rows, columns, offset) in places {
        let length = rows.checked_mul(columns)?.checked_mul(size_of::<f32>())?;
        let start = data.checked_add(offset)?;
        let values = bytes.get(start..start.checked_add(length)?)?;
        let values = values.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk));
        let matrix = Matrix {
            rows,
            columns,
            values: values.collect(),
        };
        tensors.insert(name, matrix);
    }
    Some((entries, tensors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_heads_come_back_to_their_places() {
        let values: Vec<f32> = (0..24_u8).map(f32::from).collect();
        let matrix = Matrix {
            rows: 12,
            columns: 2,
            values: values.clone(),
        };
        let turned = reorder(matrix, 6, interleaved);
        // Rows 0, 3, 1, 4, 2, 5 of the first head.
        assert_eq!(turned.values[..8], [0.0, 1.0, 6.0, 7.0, 2.0, 3.0, 8.0, 9.0]);
        assert_eq!(reorder(turned, 6, halved).values, values);
    }
}
