//! One module per noun. Pages fetch, and own the state that the address holds.

pub mod agents;
pub mod batches;
mod by_id;
pub mod comparisons;
pub mod dashboard;
pub mod datasets;
pub mod deletions;
pub mod documents;
pub mod invitation;
pub mod landing;
pub mod legal;
pub mod missing;
pub mod models;
pub mod outbox;
pub mod settings;
pub mod shared;
pub mod shell;
pub mod studio;
pub mod training;
pub mod welcome;
