//! LoRA fine-tuning and inference of Llama, Mistral, Qwen2 and Qwen3 models on the CPU, in fp32 or with
//! a base in bf16, as processes of their own.
//!
//! [`protocol`] is what the parent process needs: the job file, the event lines, the inference requests. [`train_main`],
//! [`infer_main`] and [`export_main`] are the children's `main`s. Knows nothing of the product.

pub mod base;
mod chat;
mod export;
mod infer;
mod model;
mod ops;
pub mod protocol;
mod threads;
mod train;

pub use base::{BaseError, BaseInfo, inspect_base, write_tiny_base};
pub use export::export_main;
pub use infer::{InferError, infer_main, logits_of_text, passages};
pub use train::memory::available_bytes;
pub use train::{Failure, Stop, lengths_main, order, plan_main, train_main};
