//! Two models on the same prompts: how it begins, and the blind vote.

pub mod find;
pub mod new;
