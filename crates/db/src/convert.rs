//! Between stored columns and wire values.

use crate::DbError;
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The stored text of a fieldless enum: its wire name.
pub fn name<T: Serialize>(value: &T) -> Result<String, DbError> {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => Ok(text),
        Ok(other) => Err(DbError::Corrupt("name", other.to_string())),
        Err(error) => Err(DbError::Corrupt("name", error.to_string())),
    }
}

pub fn parse_name<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, DbError> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| DbError::Corrupt(what, error.to_string()))
}

pub fn json<T: Serialize>(what: &'static str, value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::Corrupt(what, error.to_string()))
}

pub fn parse_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::Corrupt(what, error.to_string()))
}

/// Those that are there, in their order.
pub fn present<const N: usize>(fields: [Option<&'static str>; N]) -> Vec<&'static str> {
    fields.into_iter().flatten().collect()
}

/// The present, as exactly as PostgreSQL stores it: what is answered at once equals what is read later.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Stored counts and sizes are never negative.
pub fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Text for a `like` with the escape character `\`.
pub fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
