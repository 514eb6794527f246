//! Safetensors on disk: bounded headers, checked shapes, tensors streamed one by one as fp32.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::{BaseError, LlamaConfig, open_regular, read_bounded};
use crate::ops::bf16::{self, HalfMatrix};
use crate::ops::nf4::{self, Nf4Matrix};
use crate::ops::weight::Weight;
use crate::protocol::{Precision, Projection};

/// Longest header that is read; a model with 100,000 tensors needs about 12 MB.
const HEADER_LIMIT: u64 = 32 << 20;
const INDEX_LIMIT: u64 = 32 << 20;
const MAX_SHARDS: usize = 1000;
/// Bytes converted at a time.
const PIECE: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    F32,
    F16,
    Bf16,
}

impl Dtype {
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    const fn width(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// Where one tensor lies.
#[derive(Debug, Clone)]
pub struct Entry {
    file: PathBuf,
    /// From the start of the file.
    offset: u64,
    pub shape: Vec<usize>,
    dtype: String,
}

impl Entry {
    /// `name` is for the error.
    pub fn dtype(&self, name: &str) -> Result<Dtype, BaseError> {
        match self.dtype.as_str() {
            "F32" => Ok(Dtype::F32),
            "F16" => Ok(Dtype::F16),
            "BF16" => Ok(Dtype::Bf16),
            other => Err(BaseError::UnsupportedDtype {
                name: name.to_owned(),
                dtype: other.to_owned(),
            }),
        }
    }

    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The tensors of one or several safetensors files, by name. Only headers have been read.
#[derive(Debug)]
pub struct Weights {
    entries: BTreeMap<String, Entry>,
    /// In name order.
    pub files: Vec<PathBuf>,
    pub size_bytes: u64,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawEntry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl Weights {
    /// Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names.
    pub fn open_base(dir: &Path) -> Result<Self, BaseError> {
        let single = dir.join("model.safetensors");
        if open_regular(&single)?.is_some() {
            return Self::open(vec![single]);
        }
        let index_name = "model.safetensors.index.json";
        let Some(bytes) = read_bounded(&dir.join(index_name), INDEX_LIMIT)? else {
            return Err(BaseError::NoWeights(dir.to_owned()));
        };
        let corrupt = |reason: String| BaseError::CorruptWeights {
            file: index_name.into(),
            reason,
        };
        let index: Index = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
        let shards: BTreeSet<String> = index.weight_map.into_values().collect();
        if shards.is_empty() || shards.len() > MAX_SHARDS {
            return Err(corrupt(format!("it names {} files", shards.len())));
        }
        if let Some(name) = shards
            .iter()
            .find(|name| name.contains(['/', '\\', '\0']) || name.starts_with('.'))
        {
            return Err(corrupt(format!("it names a file outside the directory, {name:?}")));
        }
        Self::open(shards.into_iter().map(|name| dir.join(name)).collect())
    }

    pub fn open(files: Vec<PathBuf>) -> Result<Self, BaseError> {
        let mut weights = Self {
            entries: BTreeMap::new(),
            files,
            size_bytes: 0,
        };
        for file in weights.files.clone() {
            weights.size_bytes += read_header(&file, &mut weights.entries)?;
        }
        Ok(weights)
    }

    pub fn entry(&self, name: &str) -> Result<&Entry, BaseError> {
        self.entries
            .get(name)
            .ok_or_else(|| BaseError::MissingTensor(name.to_owned()))
    }

    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Checks that every tensor the forward pass needs is there, in a known type and with the right shape.
    pub fn check(&self, config: &LlamaConfig) -> Result<Dtype, BaseError> {
        for (name, expected) in expected_tensors(config) {
            let entry = self.entry(&name)?;
            entry.dtype(&name)?;
            if entry.shape != expected {
                return Err(BaseError::WrongShape {
                    name,
                    found: entry.shape.clone(),
                    expected,
                });
            }
        }
        self.entry(EMBEDDING)?.dtype(EMBEDDING)
    }

    /// Streams one tensor into memory as fp32.
    pub fn load(&self, name: &str) -> Result<Tensor, BaseError> {
        let entry = self.entry(name)?;
        let values = self.load_values(name)?;
        Ok(Tensor::from_vec(values, entry.shape.as_slice(), &Device::Cpu)?)
    }

    /// Streams one matrix into memory with four bits a value, packed piece by piece. Products with it are computed as
    /// `precision` has it.
    pub fn load_packed(&self, name: &str, precision: Precision) -> Result<Weight, BaseError> {
        let &[rows, columns] = self.entry(name)?.shape.as_slice() else {
            return Err(BaseError::MissingTensor(format!("the matrix {name}")));
        };
        // Pieces hold whole blocks.
        const { assert!((PIECE / size_of::<f32>()).is_multiple_of(nf4::BLOCK)) };
        let mut packed = Nf4Matrix::empty(rows, columns, precision);
        self.read(name, |piece| packed.extend(piece))?;
        Ok(Weight::Packed(packed))
    }

    /// Streams one matrix into memory as `precision` has it.
    pub fn load_matrix(&self, name: &str, precision: Precision) -> Result<Weight, BaseError> {
        match precision {
            Precision::Fp32 => self.load(name).map(Weight::Full),
            Precision::Bf16 => self.load_half(name).map(Weight::Half),
        }
    }

    /// Streams one matrix into memory, of as many bits as it has in its file; its products are those of fp32.
    pub fn load_stored(&self, name: &str) -> Result<Weight, BaseError> {
        match self.entry(name)?.dtype(name)? {
            Dtype::Bf16 => self.load_half(name).map(Weight::Widened),
            _ => self.load(name).map(Weight::Full),
        }
    }

    fn load_half(&self, name: &str) -> Result<HalfMatrix, BaseError> {
        let &[rows, columns] = self.entry(name)?.shape.as_slice() else {
            return Err(BaseError::MissingTensor(format!("the matrix {name}")));
        };
        let mut values = Vec::with_capacity(rows * columns);
        self.read(name, |piece| {
            values.extend(piece.iter().map(|value| bf16::round(*value)))
        })?;
        Ok(HalfMatrix { values, rows, columns })
    }

    pub fn load_values(&self, name: &str) -> Result<Vec<f32>, BaseError> {
        let mut values = Vec::with_capacity(self.entry(name)?.elements());
        self.read(name, |piece| values.extend_from_slice(piece))?;
        Ok(values)
    }

    /// Hands over a tensor's values, piece by piece.
    fn read(&self, name: &str, mut take: impl FnMut(&[f32])) -> Result<(), BaseError> {
        let entry = self.entry(name)?;
        let dtype = entry.dtype(name)?;
        let unreadable = |error| BaseError::Unreadable(entry.file.clone(), error);
        let mut file = open_regular(&entry.file)?.ok_or_else(|| BaseError::Absent(entry.file.clone()))?;
        file.seek(SeekFrom::Start(entry.offset)).map_err(unreadable)?;
        let mut values = Vec::with_capacity(PIECE / dtype.width());
        let mut left = entry.elements() * dtype.width();
        let mut piece = vec![0; left.min(PIECE)];
        while left > 0 {
            let piece = &mut piece[..left.min(PIECE)];
            file.read_exact(piece).map_err(unreadable)?;
            values.clear();
            decode(piece, dtype, &mut values);
            take(&values);
            left -= piece.len();
        }
        Ok(())
    }
}

pub const EMBEDDING: &str = "model.embed_tokens.weight";
pub const FINAL_NORM: &str = "model.norm.weight";
pub const HEAD: &str = "lm_head.weight";

pub fn layer_tensor(layer: usize, module: &str) -> String {
    format!("model.layers.{layer}.{module}.weight")
}

pub fn layer_bias(layer: usize, module: &str) -> String {
    format!("model.layers.{layer}.{module}.bias")
}

/// The projections that a family with biases has them on.
pub const BIASED: [Projection; 3] = [Projection::QProj, Projection::KProj, Projection::VProj];
/// The norms of the heads of q and k, in a family that has them.
pub const HEAD_NORMS: [&str; 2] = ["self_attn.q_norm", "self_attn.k_norm"];

/// `[out, in]` of a projection.
pub fn projection_shape(config: &LlamaConfig, projection: Projection) -> [usize; 2] {
    match projection {
        Projection::QProj => [config.query_width(), config.hidden],
        Projection::KProj | Projection::VProj => [config.kv_width(), config.hidden],
        Projection::OProj => [config.hidden, config.query_width()],
        Projection::GateProj | Projection::UpProj => [config.intermediate, config.hidden],
        Projection::DownProj => [config.hidden, config.intermediate],
    }
}

/// Every tensor of the model with its shape.
pub fn expected_tensors(config: &LlamaConfig) -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![
        (EMBEDDING.to_owned(), vec![config.vocab, config.hidden]),
        (FINAL_NORM.to_owned(), vec![config.hidden]),
    ];
    if !config.tied_embeddings {
        tensors.push((HEAD.to_owned(), vec![config.vocab, config.hidden]));
    }
    for layer in 0..config.layers {
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            tensors.push((layer_tensor(layer, norm), vec![config.hidden]));
        }
        for projection in Projection::ALL {
            tensors.push((
                layer_tensor(layer, projection.path()),
                projection_shape(config, projection).to_vec(),
            ));
        }
        if config.family.has_biases() {
            tensors.extend(BIASED.map(|projection| {
                let [out, _] = projection_shape(config, projection);
                (layer_bias(layer, projection.path()), vec![out])
            }));
        }
        if config.family.has_head_norms() {
            tensors.extend(HEAD_NORMS.map(|norm| (layer_tensor(layer, norm), vec![config.head_dim])));
        }
    }
    tensors
}

/// Adds the file's tensors to `entries`; returns the file's size.
fn read_header(path: &Path, entries: &mut BTreeMap<String, Entry>) -> Result<u64, BaseError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let corrupt = |reason: &str| BaseError::CorruptWeights {
        file: name.clone(),
        reason: reason.to_owned(),
    };
    let mut file = open_regular(path)?.ok_or_else(|| BaseError::MissingTensor(format!("the file {name}")))?;
    let size = file_size(&file, path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)
        .map_err(|_| corrupt("it is shorter than a header"))?;
    let length = u64::from_le_bytes(length);
    if length > HEADER_LIMIT || length + 8 > size {
        return Err(corrupt("its header claims more bytes than there can be"));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header)
        .map_err(|_| corrupt("its header is cut off"))?;
    let raw: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|_| corrupt("its header is not JSON"))?;
    for (tensor, value) in raw.into_iter().filter(|(tensor, _)| tensor != "__metadata__") {
        let raw: RawEntry = serde_json::from_value(value).map_err(|_| corrupt("its header is malformed"))?;
        let (start, end) = raw.data_offsets;
        let elements = raw
            .shape
            .iter()
            .try_fold(1_u64, |product, dim| product.checked_mul(*dim as u64));
        if start > end || end > size - 8 - length {
            return Err(corrupt("the file ends before its tensors do"));
        }
        let width = match raw.dtype.as_str() {
            "F32" => Some(4),
            "F16" | "BF16" => Some(2),
            _ => None,
        };
        if width.is_some_and(|width| elements.and_then(|count| count.checked_mul(width)) != Some(end - start)) {
            return Err(corrupt("a tensor's shape and bytes disagree"));
        }
        let entry = Entry {
            file: path.to_owned(),
            offset: 8 + length + start,
            shape: raw.shape,
            dtype: raw.dtype,
        };
        if entries.insert(tensor, entry).is_some() {
            return Err(corrupt("it repeats a tensor"));
        }
    }
    Ok(size)
}

fn file_size(file: &File, path: &Path) -> Result<u64, BaseError> {
    let metadata = file
        .metadata()
        .map_err(|error| BaseError::Unreadable(path.to_owned(), error))?;
    Ok(metadata.len())
}

fn decode(bytes: &[u8], dtype: Dtype, values: &mut Vec<f32>) {
    match dtype {
        Dtype::F32 => values.extend(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk))),
        Dtype::F16 => {
            values.extend(
                bytes
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|chunk| half::f16::from_le_bytes(*chunk).to_f32()),
            );
        }
        Dtype::Bf16 => {
            values.extend(
                bytes
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|chunk| half::bf16::from_le_bytes(*chunk).to_f32()),
            );
        }
    }
}

/// The bytes of a safetensors file of fp32 tensors (name, shape, little-endian values): the same input gives the same
/// bytes, whatever its order.
pub fn to_safetensors<'a>(tensors: impl Iterator<Item = (&'a str, Vec<usize>, &'a [u8])>) -> Vec<u8> {
    let mut sorted: Vec<_> = tensors.collect();
    sorted.sort_by_key(|(name, ..)| *name);
    let mut file = safetensors_header(sorted.iter().map(|(name, shape, _)| (*name, shape.as_slice())));
    file.reserve(sorted.iter().map(|(.., bytes)| bytes.len()).sum());
    for (.., bytes) in &sorted {
        file.extend_from_slice(bytes);
    }
    file
}

/// What a safetensors file of fp32 tensors (name, shape) starts with; their values must follow in the same order.
pub fn safetensors_header<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize])>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!({ "format": "pt" }));
    let mut offset = 0;
    for (name, shape) in tensors {
        let end = offset + shape.iter().product::<usize>() * size_of::<f32>();
        header.insert(
            name.to_owned(),
            serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [offset, end] }),
        );
        offset = end;
    }
    let mut header = serde_json::Value::Object(header);
    header.sort_all_objects();
    let mut header = header.to_string().into_bytes();
    // The data starts at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&header);
    bytes
}
