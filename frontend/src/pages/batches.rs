//! Making examples of many passages: the order, and how it goes.

mod estimate;
pub mod find;
mod items;
pub mod new;
