//! Bytes to text, text to chunks, chunks to examples. Pure: no async, no network, no database.
//!
//! Every offset in this crate, and in everything built on it, counts **Unicode scalar values** (Rust `char`s, Python code
//! points) of the extracted text, in half-open ranges `[start, end)`. Bytes never leave a function as an offset.
//!
//! The extracted text is light Markdown whatever it came from: headings start with `#`, list items with `- ` or `1. `,
//! table cells are separated by ` | `. So one reader of structure ([`blocks`]) serves every format.
//!
//! Untrusted files belong into a child process: [`child::extract_main`] is that child, [`child::read_outcome`] and
//! [`child::outcome_of_exit`] are its parent's side.

pub mod blocks;
pub mod child;
mod chunk;
mod concepts;
mod extract;
mod find;
mod format;
mod generate;
pub mod maps;
pub mod quality;
mod reading;
mod sniff;
mod span;
mod text;
mod tokens;

pub use chunk::{Chunk, ChunkOptions, chunk};
pub use concepts::{ConceptDraft, Depth, concepts};
pub use extract::{ExtractCode, ExtractError, Extracted, Limits, Page, extract};
pub use find::find;
pub use format::Format;
pub use generate::{Draft, generate};
pub use reading::{Piece, Reading, Tokens, reading};
pub use sniff::{SniffCode, SniffError, sniff, sniff_path};
pub use span::{locate, verify_span};
pub use tokens::tokens;
