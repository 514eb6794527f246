//! CSV as records that read alone: each row is a paragraph of `header: value` lines.

use super::{ExtractCode, ExtractError};
use crate::text::TextBuilder;

pub(super) fn read(text: &str, out: &mut TextBuilder) -> Result<(), ExtractError> {
    let delimiter = delimiter(text);
    let text = match text.strip_prefix("sep=") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rows)| rows),
        None => text,
    };
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
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

/// The candidate by which most of the first lines have equally many cells, and those the most. A line `sep=;` says it.
fn delimiter(text: &str) -> u8 {
    const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
    if let Some(said) = text.strip_prefix("sep=").and_then(|rest| rest.bytes().next()) {
        return said;
    }
    let mut lines: Vec<[usize; 4]> = vec![[0; 4]];
    let mut quoted = false;
    for byte in text.trim_start().bytes().take(1 << 18) {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted && lines.len() == LINES_SNIFFED => break,
            b'\n' if !quoted => lines.push([0; 4]),
            _ if quoted => {}
            _ => {
                if let (Some(at), Some(line)) = (CANDIDATES.iter().position(|c| *c == byte), lines.last_mut()) {
                    line[at] += 1;
                }
            }
        }
    }
    let fit = |at: usize| {
        let first = lines[0][at];
        let alike = lines.iter().filter(|line| line[at] == first).count();
        (first > 0, alike * 10 / lines.len(), first)
    };
    // On a tie the earlier candidate wins.
    let best = (0..CANDIDATES.len()).rev().max_by_key(|&at| fit(at));
    best.map_or(b',', |at| CANDIDATES[at])
}

const LINES_SNIFFED: usize = 20;

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
