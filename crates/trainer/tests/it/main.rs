//! The trainer's processes, driven from outside as the server drives them.
#![expect(clippy::unwrap_used, reason = "a broken expectation fails the test")]

mod base;
mod child;
mod embed;
mod export;
mod infer;
mod parity;
mod resume;
mod training;
