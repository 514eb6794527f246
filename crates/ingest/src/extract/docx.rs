//! DOCX: the text of the main document part, with headings, lists and tables.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

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
        Some(xml) => heading_styles(&xml, limits)?,
        None => HashMap::new(),
    };
    let ordered = match part(&mut archive, "word/numbering.xml", limits)? {
        Some(xml) => ordered_lists(&xml, limits)?,
        None => HashMap::new(),
    };
    let document = part(&mut archive, "word/document.xml", limits)?.ok_or(ExtractCode::DocxDamaged)?;
    Body::new(&styles, &ordered, limits, out).read(&document)
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

/// Style id to heading level (1 to 6), by the style's outline level or its name.
fn heading_styles(xml: &str, limits: &Limits) -> Result<HashMap<String, usize>, ExtractError> {
    let mut levels = HashMap::new();
    let mut style = String::new();
    walk(xml, limits, |event| {
        let (Event::Start(start) | Event::Empty(start)) = event else {
            return Ok(());
        };
        match start.local_name().as_ref() {
            "style" => style = attribute(&start, "styleId").unwrap_or_default(),
            "name" => {
                let name = attribute(&start, "val").unwrap_or_default().to_lowercase();
                if name == "title" {
                    levels.insert(style.clone(), 1);
                } else if let Some(level) = name.strip_prefix("heading ").and_then(digit) {
                    levels.insert(style.clone(), level);
                }
            }
            "outlineLvl" => {
                if let Some(level) = attribute(&start, "val").as_deref().and_then(digit)
                    && level < 9
                {
                    levels.entry(style.clone()).or_insert((level + 1).min(6));
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(levels)
}

fn digit(text: &str) -> Option<usize> {
    text.trim().parse().ok().map(|level: usize| level.min(6))
}

/// Numbering id to whether its first level counts (1., 2., 3.) instead of having bullets.
fn ordered_lists(xml: &str, limits: &Limits) -> Result<HashMap<String, bool>, ExtractError> {
    let mut formats: HashMap<String, bool> = HashMap::new();
    let mut ordered = HashMap::new();
    let (mut abstract_id, mut number_id) = (String::new(), String::new());
    walk(xml, limits, |event| {
        let (Event::Start(start) | Event::Empty(start)) = event else {
            return Ok(());
        };
        match start.local_name().as_ref() {
            "abstractNum" => abstract_id = attribute(&start, "abstractNumId").unwrap_or_default(),
            "numFmt" => {
                let counts = attribute(&start, "val").is_some_and(|format| format != "bullet");
                formats.entry(abstract_id.clone()).or_insert(counts);
            }
            "num" => number_id = attribute(&start, "numId").unwrap_or_default(),
            "abstractNumId" => {
                let id = attribute(&start, "val").unwrap_or_default();
                let counts = formats.get(&id).copied().unwrap_or(false);
                ordered.insert(number_id.clone(), counts);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(ordered)
}

/// A paragraph as it is being read.
#[derive(Default)]
struct Paragraph {
    text: String,
    heading: Option<usize>,
    /// Numbering id and level.
    list: Option<(String, usize)>,
    style_is_list: Option<bool>,
}

struct Body<'a> {
    styles: &'a HashMap<String, usize>,
    ordered: &'a HashMap<String, bool>,
    limits: &'a Limits,
    out: &'a mut TextBuilder,
    paragraphs: Vec<Paragraph>,
    /// Cells of the rows being read, one entry a table nesting level.
    rows: Vec<Vec<String>>,
    counters: HashMap<(String, usize), usize>,
    in_text: bool,
    after_list: bool,
}

impl<'a> Body<'a> {
    fn new(
        styles: &'a HashMap<String, usize>,
        ordered: &'a HashMap<String, bool>,
        limits: &'a Limits,
        out: &'a mut TextBuilder,
    ) -> Self {
        Self {
            styles,
            ordered,
            limits,
            out,
            paragraphs: Vec::new(),
            rows: Vec::new(),
            counters: HashMap::new(),
            in_text: false,
            after_list: false,
        }
    }

    fn read(mut self, xml: &str) -> Result<(), ExtractError> {
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
                    if self.rows.is_empty() {
                        self.out.paragraph();
                    }
                    Ok(())
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
            "p" => self.paragraphs.push(Paragraph::default()),
            "t" => self.in_text = true,
            "tbl" => {
                self.rows.push(Vec::new());
                if self.rows.len() == 1 {
                    self.out.paragraph();
                }
            }
            "tr" => {
                if let Some(row) = self.rows.last_mut() {
                    row.clear();
                }
            }
            "tc" => {
                if let Some(row) = self.rows.last_mut() {
                    row.push(String::new());
                }
            }
            _ => self.empty(start),
        }
    }

    /// Elements that say something by standing there; Word writes them empty, others may not.
    fn empty(&mut self, start: &BytesStart<'_>) {
        let Some(paragraph) = self.paragraphs.last_mut() else {
            return;
        };
        match start.local_name().as_ref() {
            "tab" if !paragraph.text.is_empty() => paragraph.text.push('\t'),
            "br" | "cr" => paragraph.text.push('\n'),
            "noBreakHyphen" => paragraph.text.push('-'),
            "pStyle" => {
                let style = attribute(start, "val").unwrap_or_default();
                paragraph.heading = self.styles.get(&style).copied();
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

    fn end_paragraph(&mut self) -> Result<(), ExtractError> {
        let Some(paragraph) = self.paragraphs.pop() else {
            return Ok(());
        };
        let text = paragraph.text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(&text.split_whitespace().collect::<Vec<_>>().join(" "));
            return Ok(());
        }
        let marker = self.list_marker(&paragraph);
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
            (Some((id, level)), _) => (id.clone(), *level, self.ordered.get(id).copied().unwrap_or(false)),
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
        let cells = std::mem::take(row);
        let line = cells.join(" | ");
        if line.trim_matches([' ', '|']).is_empty() {
            return Ok(());
        }
        self.after_list = false;
        // A table inside a cell becomes text of that cell.
        if self.rows.len() > 1 {
            let outer = self.rows.len() - 2;
            if let Some(cell) = self.rows[outer].last_mut() {
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
