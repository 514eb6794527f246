//! Row formats of training data: reading, validation, statistics. Pure and streaming; knows no product noun.

pub mod chat;
mod validate;

pub use validate::{AcceptedRow, Code, Finding, Limits, Report, Severity, Spread, Statistics, validate};
