//! Row formats of training data: reading, validation, statistics. Pure and streaming; knows no product noun.

pub mod chat;
