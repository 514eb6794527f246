//! JSON as indented `key: value` lines, in the file's own order, streamed: no tree is ever built.

use std::cell::RefCell;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{ExtractCode, ExtractError, Limits};
use crate::text::TextBuilder;

pub(super) fn read(text: &str, limits: &Limits, out: &mut TextBuilder) -> Result<(), ExtractError> {
    if depth(text) > limits.max_depth {
        return Err(ExtractCode::NestedTooDeep.into());
    }
    let writer = RefCell::new(Writer { out, failed: None });
    let mut deserializer = serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
    let result = Node {
        writer: &writer,
        indent: 0,
        place: Place::Start,
    }
    .deserialize(&mut deserializer)
    .and_then(|()| deserializer.end());
    if let Some(error) = writer.into_inner().failed {
        return Err(error);
    }
    result.map_err(|error| {
        ExtractError::new(
            ExtractCode::JsonInvalid,
            format!(
                "This JSON file is not valid at line {}, column {}. Check it with the program that made it and export it again.",
                error.line(),
                error.column()
            ),
        )
    })
}

/// The deepest nesting, without recursion.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

struct Writer<'o> {
    out: &'o mut TextBuilder,
    failed: Option<ExtractError>,
}

/// Where a value stands, which decides what is written before it.
#[derive(Clone, Copy)]
enum Place {
    Start,
    AfterKey,
    Item,
}

struct Node<'w, 'o> {
    writer: &'w RefCell<Writer<'o>>,
    indent: usize,
    place: Place,
}

impl Node<'_, '_> {
    fn push<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        let mut writer = self.writer.borrow_mut();
        let result = writer.out.push(text);
        result.map_err(|error| {
            writer.failed = Some(error);
            E::custom("stopped")
        })
    }

    fn begin_line<E: serde::de::Error>(&self) -> Result<(), E> {
        self.writer.borrow_mut().out.line();
        self.push(&"  ".repeat(self.indent))
    }

    fn scalar<E: serde::de::Error>(&self, value: &str) -> Result<(), E> {
        match self.place {
            Place::Start => {}
            Place::AfterKey => self.push(" ")?,
            Place::Item => {
                self.begin_line()?;
                self.push("- ")?;
            }
        }
        self.push(value)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(if value { "yes" } else { "no" })
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar("none")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let indent = match self.place {
            Place::Start => 0,
            Place::AfterKey | Place::Item => self.indent + 1,
        };
        while seq
            .next_element_seed(Node {
                writer: self.writer,
                indent,
                place: Place::Item,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let indent = match self.place {
            // The objects of the outermost list are records: paragraphs of their own.
            Place::Item if self.indent == 0 => {
                self.writer.borrow_mut().out.paragraph();
                0
            }
            Place::Start => 0,
            Place::AfterKey | Place::Item => self.indent + 1,
        };
        let mut first = true;
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            let child = Node {
                writer: self.writer,
                indent,
                place: Place::AfterKey,
            };
            match self.place {
                // The items of an inner list start with a dash, as scalars do.
                Place::Item if self.indent > 0 && first => {
                    self.begin_line()?;
                    self.push("- ")?;
                }
                _ => child.begin_line()?,
            }
            first = false;
            self.push(&key)?;
            self.push(":")?;
            map.next_value_seed(child)?;
        }
        Ok(())
    }
}
