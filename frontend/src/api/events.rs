//! The stream of events.

/// Where the stream is, from after an event that was seen.
pub fn address(after: Option<i64>) -> String {
    super::address(&after.map_or_else(|| "/events".to_owned(), |seq| format!("/events?after={seq}")))
}
