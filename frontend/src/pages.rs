//! One module per noun. Pages fetch, and own the state that the address holds.

pub mod dashboard;
pub mod landing;
pub mod missing;
pub mod shell;
pub mod sign_in;
pub mod sign_up;
mod welcome;
