//! CSV as records that read alone: each row is a paragraph of `header: value` lines.

use super::{ExtractCode, ExtractError};
use crate::text::TextBuilder;

pub(super) fn read(text: &str, out: &mut TextBuilder) -> Result<(), ExtractError> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(invalid)?.clone();
    let mut row = ::csv::StringRecord::new();
    let mut rows = 0usize;
    while reader.read_record(&mut row).map_err(invalid)? {
        rows += 1;
        out.paragraph();
        for (column, value) in row.iter().enumerate() {
            if value.trim().is_empty() {
                continue;
            }
            match headers.get(column).map(str::trim) {
                Some(header) if !header.is_empty() => out.push(header)?,
                _ => out.push(&format!("column {}", column + 1))?,
            }
            out.push(": ")?;
            push_on_one_line(value, out)?;
            out.line();
        }
    }
    // A single line is data, not a header without rows.
    if rows == 0 {
        for header in &headers {
            push_on_one_line(header, out)?;
            out.line();
        }
    }
    Ok(())
}

/// A record stays readable line by line: breaks inside a cell become spaces.
fn push_on_one_line(value: &str, out: &mut TextBuilder) -> Result<(), ExtractError> {
    for (index, part) in value.split_whitespace().enumerate() {
        if index > 0 {
            out.push(" ")?;
        }
        out.push(part)?;
    }
    Ok(())
}

/// The candidate that occurs most often outside quotes in the first line.
fn delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in text.trim_start().bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                for (candidate, count) in &mut counts {
                    *count += usize::from(byte == *candidate);
                }
            }
        }
    }
    // On a tie the earlier candidate wins.
    counts
        .into_iter()
        .rev()
        .max_by_key(|&(_, count)| count)
        .map_or(b',', |(byte, _)| byte)
}

fn invalid(error: ::csv::Error) -> ExtractError {
    match error.position() {
        Some(position) => ExtractError::new(
            ExtractCode::CsvInvalid,
            format!(
                "This CSV file cannot be read at line {}. Save it again as CSV with UTF-8 encoding.",
                position.line()
            ),
        ),
        None => ExtractCode::CsvInvalid.into(),
    }
}
