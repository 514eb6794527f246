//! Wire clients of language model providers: one question, one checked answer, and what to do when there is none.
//!
//! A [`Client`] sends a [`Chat`] once. [`Retry`] tells whether and when to send it again, and [`RateLimits`] how long to
//! wait before the provider would refuse. Whoever asks keeps the books, so that every attempt can be recorded.

mod client;
mod error;
mod rate;
mod reach;
mod retry;
mod schema;

pub use client::{Answer, Chat, Client, Deadlines, Dialect, Endpoint, Model, Usage};
pub use error::{Category, Error, Severity};
pub use rate::{Level, RateLimits, Window};
pub use reach::{Reach, refusal};
pub use retry::Retry;
