//! Row formats of training data: detection, conversion, validation, statistics. Pure and streaming; knows no product noun.

pub mod chat;
pub mod format;
mod rows;
mod validate;

pub use validate::{AcceptedRow, Code, Finding, Options, Repair, Report, Severity, Spread, Statistics, validate};
