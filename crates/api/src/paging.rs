//! Cursors of lists that grow under the reader.

use crate::error::{AppError, AppResult};
use cerebros_common::wire::DEFAULT_LIMIT;
use std::str::FromStr;

/// Reads a cursor that an earlier answer gave.
///
/// # Errors
/// 400 on `cursor` for anything else.
pub fn cursor<T: FromStr>(cursor: Option<&str>) -> AppResult<Option<T>> {
    let parse = |text: &str| {
        let message = "must be the `next_cursor` of an earlier answer";
        text.parse().map_err(|_| AppError::field("cursor", "type", message))
    };
    cursor.map(parse).transpose()
}

pub fn limit(limit: Option<u32>) -> u32 {
    limit.unwrap_or(DEFAULT_LIMIT)
}
