//! XML as readable text: an element with nothing but text is a `name: text` line, mixed content a paragraph.

use std::borrow::Cow;

use encoding_rs::Encoding;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::{ExtractCode, ExtractError, Limits, plain};
use crate::text::TextBuilder;

/// Decodes by byte order mark, then UTF-8, then the encoding that the XML declaration names.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ExtractError> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    let declared = head
        .split_once("encoding=")
        .and_then(|(_, rest)| rest.get(1..)?.split(['"', '\'']).next())
        .and_then(|label| Encoding::for_label(label.as_bytes()));
    plain::decode_as(bytes, declared)
}

#[derive(Default)]
struct Element {
    name: String,
    parts: Vec<Part>,
    has_text: bool,
}

enum Part {
    Text(String),
    /// A child with nothing but text.
    Leaf(String, String),
    /// Finished lines of a child with children.
    Lines(Vec<String>),
}

pub(super) fn read(text: &str, limits: &Limits, out: &mut TextBuilder) -> Result<(), ExtractError> {
    let mut reader = Reader::from_str(text);
    let mut stack = vec![Element::default()];
    loop {
        let event = reader
            .read_event()
            .map_err(|_| invalid(text, reader.error_position()))?;
        match event {
            Event::Start(start) => {
                if stack.len() > limits.max_depth {
                    return Err(ExtractCode::NestedTooDeep.into());
                }
                stack.push(open(&start));
            }
            Event::Empty(start) => close(&mut stack, open(&start)),
            Event::End(_) => {
                let element = stack.pop().unwrap_or_default();
                close(&mut stack, element);
            }
            Event::Text(content) => add_text(&mut stack, &content),
            Event::CData(content) => add_text(&mut stack, &content),
            Event::GeneralRef(name) => {
                let resolved = match name.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    _ => resolve_predefined_entity(&name).map_or_else(|| format!("&{};", &*name), str::to_owned),
                };
                add_text(&mut stack, &resolved);
            }
            Event::DocType(declaration) if declaration.contains("<!ENTITY") => {
                return Err(ExtractCode::XmlEntities.into());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if stack.len() != 1 {
        return Err(invalid(text, text.len() as u64));
    }
    let root = stack.pop().unwrap_or_default();
    for line in lines_of(root) {
        match line.as_str() {
            "" => out.paragraph(),
            line => {
                out.push(line)?;
                out.line();
            }
        }
    }
    Ok(())
}

fn open(start: &BytesStart<'_>) -> Element {
    let parts = start
        .attributes()
        .flatten()
        .filter(|attribute| {
            let name = attribute.key.as_ref();
            !name.starts_with("xmlns") && !name.starts_with("xsi:")
        })
        .map(|attribute| {
            let name = attribute.key.local_name().as_ref().to_owned();
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_or_else(|_| String::new(), Cow::into_owned);
            Part::Leaf(name, value)
        })
        .collect();
    Element {
        name: start.local_name().as_ref().to_owned(),
        parts,
        has_text: false,
    }
}

fn add_text(stack: &mut [Element], content: &str) {
    let Some(element) = stack.last_mut() else {
        return;
    };
    element.has_text |= !content.trim().is_empty();
    match element.parts.last_mut() {
        Some(Part::Text(text)) => text.push_str(content),
        _ => element.parts.push(Part::Text(content.to_owned())),
    }
}

fn close(stack: &mut [Element], element: Element) {
    let Some(parent) = stack.last_mut() else {
        return;
    };
    let only_text = element.parts.iter().all(|part| matches!(part, Part::Text(_)));
    let part = if only_text {
        let Element { name, parts, .. } = element;
        Part::Leaf(name, joined(parts))
    } else {
        Part::Lines(lines_of(element))
    };
    parent.parts.push(part);
}

/// The element's lines; an empty string is a paragraph break.
fn lines_of(element: Element) -> Vec<String> {
    if element.has_text {
        return vec![String::new(), joined(element.parts), String::new()];
    }
    let mut lines = Vec::new();
    for part in element.parts {
        match part {
            Part::Text(_) => {}
            Part::Leaf(_, value) if value.trim().is_empty() => {}
            Part::Leaf(name, value) => lines.push(format!("{name}: {}", one_line(&value))),
            Part::Lines(mut inner) => {
                lines.push(String::new());
                lines.append(&mut inner);
                lines.push(String::new());
            }
        }
    }
    lines
}

/// Mixed content in reading order, on one line.
fn joined(parts: Vec<Part>) -> String {
    let mut all = String::new();
    for part in parts {
        match part {
            Part::Text(text) | Part::Leaf(_, text) => all.push_str(&text),
            Part::Lines(lines) => {
                for line in lines {
                    all.push(' ');
                    all.push_str(&line);
                }
            }
        }
    }
    one_line(&all)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn invalid(text: &str, position: u64) -> ExtractError {
    let position = usize::try_from(position).map_or(text.len(), |at| at.min(text.len()));
    let line = 1 + text.as_bytes()[..position].iter().filter(|&&b| b == b'\n').count();
    ExtractError::new(
        ExtractCode::XmlInvalid,
        format!(
            "This XML file is not well formed at line {line}. Check it with the program that made it and export it again."
        ),
    )
}
