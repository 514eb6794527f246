//! Datasets: the list, one of them, its versions.

mod diff;
pub mod find;
mod findings;
mod lengths;
pub mod list;
mod next_version;
mod rows;
mod split;
mod upload;
mod versions;
