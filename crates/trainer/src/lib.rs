//! LoRA fine-tuning and inference of Llama-family causal language models on the CPU, in fp32, as processes of their own.
//!
//! [`protocol`] is what the parent process needs: the job file, the event lines, the inference requests. [`train_main`]
//! and [`infer_main`] are the two children's `main`s. Knows nothing of the product; `unsafe` appears nowhere.

pub mod base;
pub mod protocol;

pub use base::{BaseError, BaseInfo, inspect_base, write_tiny_base};
