//! Paragraphs, headings and list items, put together from lines.

use std::collections::HashSet;

use super::{Line, Sizes, bare, is_bullet, key};
use crate::extract::ExtractError;
use crate::text::TextBuilder;

/// What stands around a line in its column.
pub(super) struct Place<'l> {
    pub(super) before: Option<&'l Line>,
    pub(super) after: Option<&'l Line>,
    /// It is the first of its column.
    pub(super) starts_part: bool,
}

/// A paragraph, heading or list item as its lines come in.
#[derive(Default)]
pub(super) struct Paragraph {
    text: String,
    level: Option<usize>,
    is_item: bool,
    last_was_item: bool,
    block: usize,
    middle: f32,
    size: i32,
}

impl Paragraph {
    pub(super) fn take(
        &mut self,
        line: &Line,
        place: &Place<'_>,
        sizes: &Sizes,
        vocabulary: &HashSet<String>,
        out: &mut TextBuilder,
    ) -> Result<(), ExtractError> {
        let level = self.heading_level(line, place, sizes);
        if !self.goes_on_with(line, level, place, sizes) {
            self.write(out)?;
            *self = Self {
                level,
                is_item: level.is_none() && (line.bullet() || starts_numbered(&line.text())),
                last_was_item: self.last_was_item,
                size: key(line.size()),
                ..Self::default()
            };
        }
        self.add(line, vocabulary);
        Ok(())
    }

    fn heading_level(&self, line: &Line, place: &Place<'_>, sizes: &Sizes) -> Option<usize> {
        let level = sizes.level(line)?;
        let text = line.text();
        let has_letters = text.chars().filter(|c| c.is_alphabetic()).count() >= 2;
        let is_code = text.contains(['\\', '{', '}', '@']);
        // Words in a higher font inside running text.
        let set_off = place.starts_part
            || self.level.is_some() && self.size == key(line.size())
            || place
                .before
                .is_none_or(|before| line.middle() - before.middle() > sizes.body.max(line.size()) * 1.3);
        let runs_on = place
            .after
            .is_some_and(|after| sizes.level(after).is_none() && after.text().starts_with(char::is_lowercase));
        (has_letters && !is_code && set_off && !runs_on && line.chars() <= 140 && !line.bullet()).then_some(level)
    }

    fn goes_on_with(&self, line: &Line, level: Option<usize>, place: &Place<'_>, sizes: &Sizes) -> bool {
        if self.text.is_empty() || level != self.level {
            return false;
        }
        let text = line.text();
        let begins = line.bullet() || starts_numbered(&text);
        // Neither the end of a sentence nor the start of one: also from column to column.
        let runs_on = text.starts_with(char::is_lowercase) && !self.text.ends_with(['.', '!', '?', ':', ';']);
        if place.starts_part {
            return level.is_none() && runs_on && !begins;
        }
        let pitch = line.middle() - self.middle;
        if pitch > sizes.body.max(line.size()) * 1.75 || pitch < -line.size() {
            return false;
        }
        if level.is_some() {
            return self.size == key(line.size()) && !starts_numbered(&text);
        }
        let flows = self.block == line.block || runs_on;
        flows && !begins && !ends_short(&self.text) && !is_set_in(line, place, sizes)
    }

    fn add(&mut self, line: &Line, vocabulary: &HashSet<String>) {
        let text = line.text();
        if self.text.is_empty() {
            self.text = match text.chars().next() {
                Some(first) if self.is_item && is_bullet(first) => {
                    format!("- {}", text[first.len_utf8()..].trim_start())
                }
                _ => text,
            };
        } else {
            join(&mut self.text, &text, vocabulary);
        }
        self.block = line.block;
        self.middle = line.middle();
    }

    pub(super) fn write(&mut self, out: &mut TextBuilder) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return Ok(());
        }
        if self.is_item && self.last_was_item {
            out.line();
        } else {
            out.paragraph();
        }
        self.last_was_item = self.is_item;
        if let Some(level) = self.level {
            out.push(&"#".repeat(level))?;
            out.push(" ")?;
        }
        out.push(&text)
    }
}

/// A first line that is set in between two that are not: no space parts such paragraphs.
fn is_set_in(line: &Line, place: &Place<'_>, sizes: &Sizes) -> bool {
    let (Some(before), Some(after)) = (place.before, place.after) else {
        return false;
    };
    let by = line.x0() - before.x0();
    by > sizes.body * 0.7 && by < sizes.body * 4.0 && (after.x0() - before.x0()).abs() < sizes.body * 0.3
}

/// `Label:` alone on a line does not flow into the next one.
fn ends_short(text: &str) -> bool {
    text.ends_with(':') && text.len() < 60
}

/// `1. `, `2) `, `a) `.
fn starts_numbered(text: &str) -> bool {
    let Some((marker, rest)) = text.split_once(' ') else {
        return false;
    };
    let Some(number) = marker.strip_suffix(['.', ')']) else {
        return false;
    };
    let is_number = !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit());
    let is_letter = number.len() == 1 && marker.ends_with(')') && number.bytes().all(|b| b.is_ascii_lowercase());
    (is_number || is_letter) && !rest.is_empty()
}

/// Joins a line to the one before it; a hyphen at the line's end goes unless the word is known to have it.
fn join(text: &mut String, next: &str, vocabulary: &HashSet<String>) {
    let breaks_word = text.ends_with('-')
        && text.chars().rev().nth(1).is_some_and(char::is_alphabetic)
        && next.starts_with(char::is_lowercase);
    if breaks_word {
        let tail = text.rsplit(' ').next().unwrap_or_default();
        let head = next.split(' ').next().unwrap_or_default();
        if !vocabulary.contains(&bare(&format!("{tail}{head}"))) {
            text.pop();
        }
    } else if !text.ends_with('-') || text.ends_with(" -") {
        text.push(' ');
    }
    text.push_str(next);
}
