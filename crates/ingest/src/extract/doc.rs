//! DOC (Word 97 to 2003, and as plain paragraphs Word 6 and 95): the text of the main document and its notes, with
//! headings, lists and tables. By [MS-DOC].

mod fib;
mod lists;
mod runs;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use self::fib::{Fib, Piece};
use self::lists::Lists;
use self::runs::{Paragraphs, Spans};
use super::{ExtractCode, ExtractError, Limits, plain};
use crate::text::TextBuilder;

pub(super) fn read(path: &Path, limits: &Limits, out: &mut TextBuilder) -> Result<(), ExtractError> {
    let file = File::open(path).map_err(|_| ExtractCode::FileUnreadable)?;
    let mut compound = cfb::CompoundFile::open(file).map_err(|_| ExtractCode::DocxDamaged)?;
    let mut stream = |name: &str| -> Result<Vec<u8>, ExtractError> {
        let stream = compound.open_stream(name).map_err(|_| ExtractCode::DocxDamaged)?;
        let mut bytes = Vec::new();
        stream
            .take(limits.max_inflated_bytes + 1)
            .read_to_end(&mut bytes)
            .map_err(|_| ExtractCode::DocxDamaged)?;
        if bytes.len() as u64 > limits.max_inflated_bytes {
            return Err(ExtractCode::ExpandsTooMuch.into());
        }
        Ok(bytes)
    };
    let main = stream("/WordDocument")?;
    let fib = Fib::read(&main).ok_or(ExtractCode::DocxDamaged)?;
    if fib.is_encrypted {
        return Err(ExtractCode::DocxEncrypted.into());
    }
    if fib.is_old {
        let bytes = main.get(fib.old_text.clone()).ok_or(ExtractCode::DocxDamaged)?;
        return write_plain(&plain::decode(bytes)?, out);
    }
    let table = stream(if fib.in_first_table { "/1Table" } else { "/0Table" })?;
    let pieces = fib.pieces(&main, &table).ok_or(ExtractCode::DocxDamaged)?;
    let document = Document {
        paragraphs: Paragraphs::read(&main, fib.part(&table, fib::PARAGRAPHS)),
        deleted: Spans::deleted(&main, fib.part(&table, fib::CHARACTERS)),
        lists: Lists::read(fib.range(fib::LISTS), &table, fib.part(&table, fib::LIST_USES)),
    };
    document.write(&main, &pieces, &fib, out)
}

/// Word 6 and 95 mark no structure that would be worth reading: paragraphs, and cells by tabs.
fn write_plain(text: &str, out: &mut TextBuilder) -> Result<(), ExtractError> {
    let mut fields = Fields::default();
    for c in text.chars() {
        match c {
            c if fields.hides(c) => {}
            '\r' | '\u{c}' => out.paragraph(),
            '\u{7}' => out.push(" | ")?,
            '\u{b}' => out.line(),
            c if c >= ' ' || c == '\t' => out.push(c.encode_utf8(&mut [0; 4]))?,
            _ => {}
        }
    }
    Ok(())
}

/// A field has instructions, which are not shown, and mostly a result, which is.
#[derive(Default)]
struct Fields(Vec<bool>);

impl Fields {
    fn hides(&mut self, c: char) -> bool {
        match c {
            '\u{13}' if self.0.len() < 100 => self.0.push(true),
            '\u{14}' => {
                if let Some(in_instructions) = self.0.last_mut() {
                    *in_instructions = false;
                }
            }
            '\u{15}' => {
                self.0.pop();
            }
            _ => return self.0.contains(&true),
        }
        true
    }
}

struct Document {
    paragraphs: Paragraphs,
    deleted: Spans,
    lists: Lists,
}

/// What is being put together while characters come in.
#[derive(Default)]
struct State {
    paragraph: String,
    cells: Vec<String>,
    fields: Fields,
    after_list: bool,
    in_table: bool,
    notes_seen: usize,
}

impl Document {
    fn write(&self, main: &[u8], pieces: &[Piece], fib: &Fib, out: &mut TextBuilder) -> Result<(), ExtractError> {
        let mut state = State::default();
        let mut at = 0u32;
        let notes = fib.text_chars + fib.footnote_chars;
        for piece in pieces {
            for (fc, unit) in piece.characters(main) {
                // After the main text come the notes, then heads and comments.
                if at >= notes {
                    return self.end_paragraph(&mut state, u32::MAX, out);
                }
                if at == fib.text_chars {
                    self.end_paragraph(&mut state, fc, out)?;
                    state.notes_seen = 0;
                }
                at += 1;
                if !self.deleted.contains(fc) {
                    self.take(&mut state, fc, unit, at > fib.text_chars, out)?;
                }
            }
        }
        self.end_paragraph(&mut state, u32::MAX, out)
    }

    fn take(
        &self,
        state: &mut State,
        fc: u32,
        c: char,
        in_notes: bool,
        out: &mut TextBuilder,
    ) -> Result<(), ExtractError> {
        if state.fields.hides(c) {
            return Ok(());
        }
        match c {
            '\r' if state.in_table_cell(&self.paragraphs, fc) => state.paragraph.push(' '),
            '\r' | '\u{c}' => self.end_paragraph(state, fc, out)?,
            '\u{7}' => self.end_cell(state, fc, out)?,
            '\u{b}' => state.paragraph.push('\n'),
            '\u{1e}' => state.paragraph.push('-'),
            // A note's number, in the text and before the note.
            '\u{2}' => {
                state.notes_seen += 1;
                let mark = format!("[^{}]", state.notes_seen);
                state.paragraph.push_str(&mark);
                if in_notes {
                    state.paragraph.push(':');
                }
            }
            c if c >= ' ' || c == '\t' => state.paragraph.push(c),
            _ => {}
        }
        Ok(())
    }

    fn end_cell(&self, state: &mut State, fc: u32, out: &mut TextBuilder) -> Result<(), ExtractError> {
        let text = one_line(&std::mem::take(&mut state.paragraph));
        let ends_row = match self.paragraphs.at(fc) {
            Some(paragraph) => paragraph.ends_row,
            None => text.is_empty() && !state.cells.is_empty(),
        };
        if !ends_row {
            state.cells.push(text);
            return Ok(());
        }
        let row = std::mem::take(&mut state.cells).join(" | ");
        if row.trim_matches([' ', '|']).is_empty() {
            return Ok(());
        }
        if !state.in_table {
            out.paragraph();
        }
        state.in_table = true;
        state.after_list = false;
        out.line();
        out.push(&row)?;
        out.line();
        Ok(())
    }

    fn end_paragraph(&self, state: &mut State, fc: u32, out: &mut TextBuilder) -> Result<(), ExtractError> {
        let mut text = std::mem::take(&mut state.paragraph);
        for cell in std::mem::take(&mut state.cells) {
            text = format!("{cell} {text}");
        }
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        state.in_table = false;
        let about = self.paragraphs.at(fc).unwrap_or_default();
        if let Some(level) = about.heading {
            state.after_list = false;
            out.paragraph();
            out.push(&"#".repeat(level.min(6)))?;
            out.push(" ")?;
            return out.push(&one_line(text));
        }
        let marker = about.list.map(|(list, level)| self.lists.marker(list, level));
        if marker.is_some() && state.after_list {
            out.line();
        } else {
            out.paragraph();
        }
        state.after_list = marker.is_some();
        out.push(&marker.unwrap_or_default())?;
        out.push(text)
    }
}

impl State {
    /// Paragraphs inside a cell end as others do.
    fn in_table_cell(&self, paragraphs: &Paragraphs, fc: u32) -> bool {
        paragraphs.at(fc).is_some_and(|paragraph| paragraph.in_table)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
