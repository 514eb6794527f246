//! Models: the list, and one of them.

mod exports;
pub mod find;
pub mod list;
