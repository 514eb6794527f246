//! Datasets: the list, and one of them.

pub mod find;
mod findings;
pub mod list;
mod rows;
