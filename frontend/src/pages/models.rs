//! Models: the list, and one of them.

mod card;
mod exports;
pub mod find;
mod lineage;
pub mod list;
mod quality;
