//! The built-in base "cerebros-tiny": seeded random weights and a byte-level tokenizer, for trying the whole loop on a
//! fresh machine. Every byte of it follows from this file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Map, Value, json};

use super::{BaseError, BaseInfo, inspect_base};
use crate::chat::CHATML;

pub const TINY_BASE_NAME: &str = "cerebros-tiny";

const HIDDEN: usize = 128;
const LAYERS: usize = 4;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = HIDDEN / HEADS;
const INTERMEDIATE: usize = 384;
const CONTEXT: usize = 2048;

/// Ids 0 to 255 are the bytes themselves.
const SPECIAL_TOKENS: [&str; 4] = ["<|pad|>", "<|bos|>", "<|im_start|>", "<|im_end|>"];
const PAD: u32 = 256;
const BOS: u32 = 257;
const END_OF_TURN: u32 = 259;
const VOCAB: usize = 260;

const README: &str = "---
license: MIT OR Apache-2.0
library_name: transformers
---
# cerebros-tiny

A Llama-shaped causal language model with seeded random weights and a byte-level tokenizer. It has learned nothing: it is for
trying training and serving from end to end on any machine, not for answers.
";

/// Writes the tiny base into `dir`, or leaves it alone where it already stands complete. A half-written one is never seen:
/// the files are made beside `dir` and moved there at once.
pub fn write_tiny_base(dir: &Path) -> Result<BaseInfo, BaseError> {
    let files = files();
    if files
        .iter()
        .all(|(name, bytes)| fs::read(dir.join(name)).is_ok_and(|found| found == *bytes))
    {
        return inspect_base(dir);
    }
    install(dir, &files).map_err(|error| BaseError::Unwritable(dir.to_owned(), error))?;
    inspect_base(dir)
}

fn install(dir: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
    let parent = dir
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let mut staging_name = std::ffi::OsString::from(".");
    staging_name.push(dir.file_name().unwrap_or_default());
    staging_name.push(format!(".{}", std::process::id()));
    let staging = parent.join(staging_name);
    if staging.exists() {
        fs::remove_dir_all(&staging)?;
    }
    fs::create_dir(&staging)?;
    for (name, bytes) in files {
        let mut file = File::create(staging.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    File::open(&staging)?.sync_all()?;
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::rename(&staging, dir)?;
    File::open(parent)?.sync_all()
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", README.into()),
        ("config.json", pretty(config())),
        ("generation_config.json", pretty(generation_config())),
        ("model.safetensors", weights()),
        ("tokenizer.json", pretty(tokenizer())),
        ("tokenizer_config.json", pretty(tokenizer_config())),
    ]
}

fn pretty(mut value: Value) -> Vec<u8> {
    value.sort_all_objects();
    format!("{value:#}\n").into_bytes()
}

fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": BOS,
        "eos_token_id": END_OF_TURN,
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "initializer_range": 0.02,
        "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": CONTEXT,
        "mlp_bias": false,
        "model_type": "llama",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": KV_HEADS,
        "pad_token_id": PAD,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": false,
        "torch_dtype": "float32",
        "use_cache": true,
        "vocab_size": VOCAB,
    })
}

fn generation_config() -> Value {
    json!({ "bos_token_id": BOS, "eos_token_id": END_OF_TURN, "pad_token_id": PAD })
}

fn tokenizer_config() -> Value {
    json!({
        "add_bos_token": false,
        "bos_token": "<|bos|>",
        "chat_template": CHATML,
        "clean_up_tokenization_spaces": false,
        "eos_token": "<|im_end|>",
        "model_max_length": CONTEXT,
        "pad_token": "<|pad|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    })
}

fn tokenizer() -> Value {
    let vocab: Map<String, Value> = byte_characters()
        .into_iter()
        .map(String::from)
        .chain(SPECIAL_TOKENS.map(str::to_owned))
        .enumerate()
        .map(|(id, token)| (token, json!(id)))
        .collect();
    let added: Vec<Value> = SPECIAL_TOKENS
        .iter()
        .enumerate()
        .map(|(index, token)| {
            json!({
                "id": 256 + index, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        })
        .collect();
    let byte_level =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": [],
        },
    })
}

/// The printable stand-in of each byte in byte-level tokenizers: itself where it prints, else a character from U+0100 on.
pub(crate) fn byte_characters() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) {
            return byte as char;
        }
        let stand_in = char::from_u32(next).unwrap_or(char::REPLACEMENT_CHARACTER);
        next += 1;
        stand_in
    })
}

/// Standard deviations of the random weights. The small embedding lets an adapter's output steer the residual stream soon,
/// the wide head turns that into different logits: a short training on frozen random weights lowers the loss visibly.
fn deviation(name: &str) -> f32 {
    if name == super::weights::EMBEDDING {
        0.1
    } else if name == super::weights::HEAD {
        0.08
    } else if name.contains("o_proj") || name.contains("down_proj") {
        0.02
    } else {
        0.08
    }
}

fn weights() -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(0x7_1e57_ba5e);
    let shape = super::LlamaConfig {
        family: super::Family::Llama,
        hidden: HIDDEN,
        layers: LAYERS,
        heads: HEADS,
        kv_heads: KV_HEADS,
        head_dim: HEAD_DIM,
        intermediate: INTERMEDIATE,
        vocab: VOCAB,
        context_length: CONTEXT,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        tied_embeddings: false,
        eos_token_ids: Vec::new(),
        license: None,
        architecture: String::new(),
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = super::weights::expected_tensors(&shape)
        .into_iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let bytes = match shape.as_slice() {
                [_] => std::iter::repeat_n(1.0_f32, count).flat_map(f32::to_le_bytes).collect(),
                _ => uniform(&mut random, count, deviation(&name)),
            };
            (name, shape, bytes)
        })
        .collect();
    super::weights::to_safetensors(
        tensors
            .iter()
            .map(|(name, shape, bytes)| (name.as_str(), shape.clone(), bytes.as_slice())),
    )
}

/// Uniform rather than normal: exact arithmetic gives the same bytes on every machine.
fn uniform(random: &mut ChaCha8Rng, count: usize, deviation: f32) -> Vec<u8> {
    let half_width = deviation * 3.0_f32.sqrt();
    (0..count)
        .map(|_| (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0)
        .flat_map(|unit| (unit * half_width).to_le_bytes())
        .collect()
}
