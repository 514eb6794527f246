//! Two models on the same prompts: how it begins, the blind vote, and a judge's view.

pub mod find;
mod judge;
pub mod new;
