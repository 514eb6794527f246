//! DOCX: the text of the main document part, with headings, lists and tables.

mod notes;
mod styles;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use self::styles::{Numbering, Styles};
use super::{ExtractCode, ExtractError, Limits};
use crate::sniff::zip_names;
use crate::text::TextBuilder;

const MAX_PARTS: usize = 10_000;

pub(super) fn read(path: &Path, limits: &Limits, out: &mut TextBuilder) -> Result<(), ExtractError> {
    let mut file = BufReader::new(File::open(path).map_err(|_| ExtractCode::FileUnreadable)?);
    // The archive reader allocates per entry, so the count is checked before it sees the file.
    match zip_names(&mut file, MAX_PARTS + 1) {
        Ok(names) if names.len() > MAX_PARTS => return Err(ExtractCode::ExpandsTooMuch.into()),
        Ok(names) if names.iter().any(|name| name == "EncryptedPackage") => {
            return Err(ExtractCode::DocxEncrypted.into());
        }
        Ok(_) => {}
        Err(_) => return Err(ExtractCode::DocxDamaged.into()),
    }
    let mut archive = ZipArchive::new(file).map_err(|_| ExtractCode::DocxDamaged)?;
    let styles = match part(&mut archive, "word/styles.xml", limits)? {
        Some(xml) => styles::styles(&xml, limits)?,
        None => Styles::default(),
    };
    let numbering = match part(&mut archive, "word/numbering.xml", limits)? {
        Some(xml) => styles::numbering(&xml, limits)?,
        None => Numbering::default(),
    };
    let mut notes = HashMap::new();
    for (name, kind) in [("word/footnotes.xml", "footnote"), ("word/endnotes.xml", "endnote")] {
        if let Some(xml) = part(&mut archive, name, limits)? {
            notes::read(&xml, kind, limits, &mut notes)?;
        }
    }
    let document = part(&mut archive, "word/document.xml", limits)?.ok_or(ExtractCode::DocxDamaged)?;
    Body::new(&styles, &numbering, &notes, limits, out).read(&document)
}

/// One part of the package, inflated under the limit whatever the archive claims about its size.
fn part(
    archive: &mut ZipArchive<BufReader<File>>,
    name: &str,
    limits: &Limits,
) -> Result<Option<String>, ExtractError> {
    let entry = match archive.by_name(name) {
        Ok(entry) => entry,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(_) => return Err(ExtractCode::DocxDamaged.into()),
    };
    if entry.encrypted() {
        return Err(ExtractCode::DocxEncrypted.into());
    }
    // Real documents deflate to a tenth or so; a bomb reaches a thousandth.
    let by_ratio = entry.compressed_size().saturating_mul(200).max(1 << 20);
    let allowed = by_ratio.min(limits.max_inflated_bytes);
    let mut xml = Vec::new();
    entry
        .take(allowed + 1)
        .read_to_end(&mut xml)
        .map_err(|_| ExtractCode::DocxDamaged)?;
    if xml.len() as u64 > allowed {
        return Err(ExtractCode::ExpandsTooMuch.into());
    }
    match super::xml::decode(&xml)? {
        std::borrow::Cow::Borrowed(text) => Ok(Some(text.to_owned())),
        std::borrow::Cow::Owned(text) => Ok(Some(text)),
    }
}

/// The value of `w:val`, or of another attribute in the same namespace.
fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    start
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name)
        .map(|attribute| attribute.value.to_string())
}

/// Calls `on_event` for each event, with the depth bounded and `mc:Fallback` and deleted text left out.
fn walk(
    xml: &str,
    limits: &Limits,
    mut on_event: impl FnMut(Event<'_>) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let mut reader = Reader::from_str(xml);
    let (mut depth, mut skipped_from) = (0usize, None);
    loop {
        let event = reader.read_event().map_err(|_| ExtractCode::DocxDamaged)?;
        match &event {
            Event::Start(start) => {
                depth += 1;
                // Word nests text boxes and tables, each a dozen levels.
                if depth > limits.max_depth * 4 {
                    return Err(ExtractCode::NestedTooDeep.into());
                }
                let name = start.local_name();
                if skipped_from.is_none() && matches!(name.as_ref(), "Fallback" | "del" | "moveFrom" | "instrText") {
                    skipped_from = Some(depth);
                }
            }
            Event::End(_) => {
                let ends_skip = skipped_from == Some(depth);
                depth = depth.saturating_sub(1);
                if ends_skip {
                    skipped_from = None;
                    continue;
                }
            }
            Event::DocType(_) => return Err(ExtractCode::XmlEntities.into()),
            Event::Eof if depth == 0 => return Ok(()),
            Event::Eof => return Err(ExtractCode::DocxDamaged.into()),
            _ => {}
        }
        if skipped_from.is_none() {
            on_event(event)?;
        }
    }
}

fn digit(text: &str) -> Option<usize> {
    text.trim().parse().ok().map(|level: usize| level.min(6))
}

/// A paragraph as it is being read.
#[derive(Default)]
struct Paragraph {
    text: String,
    heading: Option<usize>,
    /// Numbering id and level.
    list: Option<(String, usize)>,
    style_is_list: Option<bool>,
    /// Its end was deleted: it goes on in the next one.
    goes_on: bool,
    /// Notes that it refers to.
    notes: Vec<(String, usize)>,
}

struct Body<'a> {
    styles: &'a Styles,
    numbering: &'a Numbering,
    /// The notes' texts by kind and id.
    notes: &'a HashMap<(&'static str, String), String>,
    limits: &'a Limits,
    out: &'a mut TextBuilder,
    paragraphs: Vec<Paragraph>,
    /// Cells of the rows being read, one entry a table nesting level; none once a row is found to be deleted.
    rows: Vec<Option<Vec<String>>>,
    counters: HashMap<(String, usize), usize>,
    in_text: bool,
    after_list: bool,
    /// What a paragraph left to the next one.
    left_over: Option<Paragraph>,
    notes_seen: usize,
    /// Notes that wait for the end of the table that refers to them.
    waiting: Vec<(String, usize)>,
}

impl<'a> Body<'a> {
    fn new(
        styles: &'a Styles,
        numbering: &'a Numbering,
        notes: &'a HashMap<(&'static str, String), String>,
        limits: &'a Limits,
        out: &'a mut TextBuilder,
    ) -> Self {
        Self {
            styles,
            numbering,
            notes,
            limits,
            out,
            paragraphs: Vec::new(),
            rows: Vec::new(),
            counters: HashMap::new(),
            in_text: false,
            after_list: false,
            left_over: None,
            notes_seen: 0,
            waiting: Vec::new(),
        }
    }

    fn read(mut self, xml: &str) -> Result<(), ExtractError> {
        self.read_events(xml)?;
        match self.left_over.take() {
            Some(paragraph) => self.write_paragraph(&paragraph),
            None => Ok(()),
        }
    }

    fn read_events(&mut self, xml: &str) -> Result<(), ExtractError> {
        walk(xml, self.limits, |event| match event {
            Event::Start(start) => {
                self.start(&start);
                Ok(())
            }
            Event::Empty(start) => {
                self.empty(&start);
                Ok(())
            }
            Event::End(end) => match end.local_name().as_ref() {
                "t" => {
                    self.in_text = false;
                    Ok(())
                }
                "p" => self.end_paragraph(),
                "tr" => self.end_row(),
                "tbl" => {
                    self.rows.pop();
                    if !self.rows.is_empty() {
                        return Ok(());
                    }
                    self.out.paragraph();
                    let notes = std::mem::take(&mut self.waiting);
                    self.write_notes(notes)
                }
                _ => Ok(()),
            },
            Event::Text(text) if self.in_text => {
                self.push(&text);
                Ok(())
            }
            Event::CData(text) if self.in_text => {
                self.push(&text);
                Ok(())
            }
            Event::GeneralRef(name) if self.in_text => {
                match name.resolve_char_ref() {
                    Ok(Some(c)) => self.push(c.encode_utf8(&mut [0; 4])),
                    _ => self.push(resolve_predefined_entity(&name).unwrap_or_default()),
                }
                Ok(())
            }
            _ => Ok(()),
        })
    }

    fn push(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) {
        match start.local_name().as_ref() {
            "p" => {
                let text = self.left_over.take().unwrap_or_default();
                self.paragraphs.push(Paragraph {
                    text: text.text,
                    notes: text.notes,
                    ..Paragraph::default()
                });
            }
            "t" => self.in_text = true,
            "tbl" => {
                self.rows.push(Some(Vec::new()));
                if self.rows.len() == 1 {
                    self.out.paragraph();
                }
            }
            "tr" => {
                if let Some(row) = self.rows.last_mut() {
                    *row = Some(Vec::new());
                }
            }
            "tc" => {
                if let Some(Some(row)) = self.rows.last_mut() {
                    row.push(String::new());
                }
            }
            _ => self.empty(start),
        }
    }

    /// Elements that say something by standing there; Word writes them empty, others may not.
    fn empty(&mut self, start: &BytesStart<'_>) {
        let Some(paragraph) = self.paragraphs.last_mut() else {
            // A mark on a row, whose paragraphs are still to come.
            if start.local_name().as_ref() == "del"
                && let Some(row) = self.rows.last_mut()
            {
                *row = None;
            }
            return;
        };
        match start.local_name().as_ref() {
            "tab" if !paragraph.text.is_empty() => paragraph.text.push('\t'),
            "br" | "cr" => paragraph.text.push('\n'),
            "noBreakHyphen" => paragraph.text.push('-'),
            "pStyle" => {
                let style = attribute(start, "val").unwrap_or_default();
                paragraph.heading = self.styles.heading(&style);
                paragraph.list = self.styles.list(&style);
                let name = style.to_lowercase().replace([' ', '_', '-'], "");
                if name.starts_with("listbullet") {
                    paragraph.style_is_list = Some(false);
                } else if name.starts_with("listnumber") {
                    paragraph.style_is_list = Some(true);
                }
            }
            "outlineLvl" => {
                if let Some(level) = attribute(start, "val").as_deref().and_then(digit) {
                    paragraph.heading = Some((level + 1).min(6));
                }
            }
            "del" => paragraph.goes_on = true,
            "footnoteReference" => self.note("footnote", start),
            "endnoteReference" => self.note("endnote", start),
            "numId" => {
                let id = attribute(start, "val").unwrap_or_default();
                let level = paragraph.list.take().map_or(0, |(_, level)| level);
                // Id 0 takes a paragraph out of its style's list.
                paragraph.list = (id != "0").then_some((id, level));
            }
            "ilvl" => {
                let level = attribute(start, "val").as_deref().and_then(digit).unwrap_or(0);
                let id = paragraph.list.take().map_or_else(String::new, |(id, _)| id);
                paragraph.list = Some((id, level));
            }
            _ => {}
        }
    }

    fn note(&mut self, kind: &'static str, start: &BytesStart<'_>) {
        let id = attribute(start, "id").unwrap_or_default();
        let text = self.notes.get(&(kind, id));
        if let (Some(paragraph), Some(text)) = (self.paragraphs.last_mut(), text) {
            self.notes_seen += 1;
            paragraph.text.push_str(&format!("[^{}]", self.notes_seen));
            paragraph.notes.push((text.clone(), self.notes_seen));
        }
    }

    fn write_notes(&mut self, notes: Vec<(String, usize)>) -> Result<(), ExtractError> {
        for (text, number) in notes {
            self.after_list = false;
            self.out.paragraph();
            self.out.push(&format!("[^{number}]: {text}"))?;
        }
        self.out.paragraph();
        Ok(())
    }

    fn end_paragraph(&mut self) -> Result<(), ExtractError> {
        let Some(mut paragraph) = self.paragraphs.pop() else {
            return Ok(());
        };
        if paragraph.goes_on && self.rows.is_empty() {
            self.left_over = Some(paragraph);
            return Ok(());
        }
        let notes = std::mem::take(&mut paragraph.notes);
        if !self.rows.is_empty() {
            self.waiting.extend(notes);
            return self.end_cell_paragraph(&paragraph);
        }
        self.write_paragraph(&paragraph)?;
        if notes.is_empty() {
            Ok(())
        } else {
            self.write_notes(notes)
        }
    }

    fn end_cell_paragraph(&mut self, paragraph: &Paragraph) -> Result<(), ExtractError> {
        let text = paragraph.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let cell = self.rows.last_mut().and_then(|row| row.as_mut()?.last_mut());
        if let Some(cell) = cell.filter(|_| !text.is_empty()) {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(&text);
        }
        Ok(())
    }

    fn write_paragraph(&mut self, paragraph: &Paragraph) -> Result<(), ExtractError> {
        let text = paragraph.text.trim();
        if text.is_empty() {
            return Ok(());
        }
        let marker = self.list_marker(paragraph);
        // The items of one list stand line under line.
        if marker.is_some() && self.after_list {
            self.out.line();
        } else {
            self.out.paragraph();
        }
        self.after_list = marker.is_some();
        if let Some(level) = paragraph.heading {
            self.counters.clear();
            self.out.push(&"#".repeat(level.max(1)))?;
            self.out.push(" ")?;
            return self.out.push(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if let Some(marker) = &marker {
            self.out.push(marker)?;
        }
        self.out.push(text)
    }

    fn list_marker(&mut self, paragraph: &Paragraph) -> Option<String> {
        if paragraph.heading.is_some() {
            return None;
        }
        let (id, level, counts) = match (&paragraph.list, paragraph.style_is_list) {
            (Some((id, level)), _) => (id.clone(), *level, self.numbering.counts(id, *level)),
            (None, Some(counts)) => (String::new(), 0, counts),
            (None, None) => return None,
        };
        let indent = "  ".repeat(level);
        if !counts {
            return Some(format!("{indent}- "));
        }
        if !self.after_list {
            self.counters.retain(|(other, _), _| *other == id && !id.is_empty());
        }
        let number = self.counters.entry((id.clone(), level)).or_insert(0);
        *number += 1;
        let number = *number;
        self.counters
            .retain(|(other, deeper), _| *other != id || *deeper <= level);
        Some(format!("{indent}{number}. "))
    }

    fn end_row(&mut self) -> Result<(), ExtractError> {
        let Some(row) = self.rows.last_mut() else {
            return Ok(());
        };
        let cells = row.take().unwrap_or_default();
        let line = cells.join(" | ");
        if line.trim_matches([' ', '|']).is_empty() {
            return Ok(());
        }
        self.after_list = false;
        // A table inside a cell becomes text of that cell.
        if self.rows.len() > 1 {
            let outer = self.rows.len() - 2;
            if let Some(cell) = self.rows[outer].as_mut().and_then(|row| row.last_mut()) {
                if !cell.is_empty() {
                    cell.push_str("; ");
                }
                cell.push_str(&line.replace(" | ", ", "));
            }
            return Ok(());
        }
        self.out.line();
        self.out.push(&line)?;
        self.out.line();
        Ok(())
    }
}
