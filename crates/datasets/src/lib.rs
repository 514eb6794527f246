//! Row formats of training data: detection, conversion, validation, statistics. Pure and streaming; knows no product noun.

pub mod chat;
pub mod format;
pub mod near;
mod rows;
mod split;
mod validate;

pub use split::Split;
pub use validate::{
    AcceptedRow, Code, CountTokens, Finding, MOST_DIFFERENT, Options, Repair, Report, Severity, Spread, Statistics,
    validate,
};
