//! Models: the list, and one of them.

pub mod find;
pub mod list;
