//! Footnotes and endnotes: each becomes one line of text.

use std::collections::HashMap;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::{Limits, attribute, walk};
use crate::extract::ExtractError;

/// Adds the notes of one part by kind and id. Those that draw separators are no notes.
pub(super) fn read(
    xml: &str,
    kind: &'static str,
    limits: &Limits,
    notes: &mut HashMap<(&'static str, String), String>,
) -> Result<(), ExtractError> {
    let (mut id, mut text, mut in_text) = (None, String::new(), false);
    walk(xml, limits, |event| {
        match event {
            Event::Start(start) => match start.local_name().as_ref() {
                name if name == kind => {
                    id = attribute(&start, "id").filter(|_| attribute(&start, "type").is_none());
                    text.clear();
                }
                "t" => in_text = true,
                "p" => text.push(' '),
                _ => {}
            },
            Event::Empty(start) if matches!(start.local_name().as_ref(), "tab" | "br") => text.push(' '),
            Event::End(end) => match end.local_name().as_ref() {
                name if name == kind => {
                    let note = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    if let Some(id) = id.take().filter(|_| !note.is_empty()) {
                        notes.insert((kind, id), note);
                    }
                }
                "t" => in_text = false,
                _ => {}
            },
            Event::Text(content) if in_text => text.push_str(&content),
            Event::CData(content) if in_text => text.push_str(&content),
            Event::GeneralRef(name) if in_text => match name.resolve_char_ref() {
                Ok(Some(c)) => text.push(c),
                _ => text.push_str(resolve_predefined_entity(&name).unwrap_or_default()),
            },
            _ => {}
        }
        Ok(())
    })
}
