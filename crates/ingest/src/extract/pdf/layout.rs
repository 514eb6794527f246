//! From words with boxes to paragraphs, headings, lists and table rows.
//!
//! All coordinates are PDF points with the origin at the top left.

mod furniture;
mod table;

use std::collections::HashMap;

use crate::extract::ExtractError;
use crate::text::TextBuilder;

#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) y0: f32,
    pub(super) y1: f32,
    pub(super) text: String,
}

/// Words on one baseline, as poppler grouped them or as a part of such a group.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Lines of one paragraph mostly share a block.
    pub(super) block: usize,
    pub(super) words: Vec<Word>,
}

#[derive(Debug)]
pub(super) struct PdfPage {
    pub(super) height: f32,
    pub(super) lines: Vec<Line>,
}

impl Line {
    pub(super) fn new(block: usize) -> Self {
        Self {
            block,
            words: Vec::new(),
        }
    }

    fn text(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        words.join(" ")
    }

    fn chars(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.text.chars().count() + 1)
            .sum::<usize>()
            .saturating_sub(1)
    }

    fn x0(&self) -> f32 {
        self.words.iter().map(|word| word.x0).fold(f32::MAX, f32::min)
    }

    fn x1(&self) -> f32 {
        self.words.iter().map(|word| word.x1).fold(f32::MIN, f32::max)
    }

    fn y0(&self) -> f32 {
        self.words.iter().map(|word| word.y0).fold(f32::MAX, f32::min)
    }

    fn y1(&self) -> f32 {
        self.words.iter().map(|word| word.y1).fold(f32::MIN, f32::max)
    }

    fn middle(&self) -> f32 {
        (self.y0() + self.y1()) / 2.0
    }

    /// The height of most of its characters: a bullet in another font must not make a heading.
    fn size(&self) -> f32 {
        let mut best = (0, 0.0);
        let mut sizes: HashMap<i32, usize> = HashMap::new();
        for word in &self.words {
            let size = word.y1 - word.y0;
            let chars = sizes.entry(key(size)).or_insert(0);
            *chars += word.text.chars().count();
            if *chars > best.0 {
                best = (*chars, size);
            }
        }
        best.1
    }

    fn bullet(&self) -> bool {
        let mut first = self.words.iter().flat_map(|word| word.text.chars());
        first.next().is_some_and(is_bullet)
    }
}

fn is_bullet(c: char) -> bool {
    matches!(
        c,
        '•' | '◦'
            | '▪'
            | '▫'
            | '●'
            | '○'
            | '■'
            | '□'
            | '‣'
            | '⁃'
            | '∙'
            | '·'
            | '\u{f0b7}'
            | '\u{f0a7}'
            | '➢'
            | '❖'
            | '✓'
    )
}

/// Sizes that differ by less than a quarter of a point are one.
fn key(size: f32) -> i32 {
    (size * 4.0).round() as i32
}

/// Writes the pages' text, one blank line between paragraphs.
pub(super) fn write(mut pages: Vec<PdfPage>, out: &mut TextBuilder) -> Result<(), ExtractError> {
    for page in &mut pages {
        page.lines.retain(|line| !line.words.is_empty());
    }
    furniture::remove(&mut pages);
    let sizes = Sizes::of(&pages);
    let vocabulary = vocabulary(&pages);
    for (number, page) in (1..).zip(pages) {
        out.begin_page(number);
        write_page(page, &sizes, &vocabulary, out)?;
    }
    Ok(())
}

/// Words that contain a hyphen inside a line: there the hyphen is part of the word.
fn vocabulary(pages: &[PdfPage]) -> std::collections::HashSet<String> {
    let words = pages.iter().flat_map(|page| &page.lines).flat_map(|line| &line.words);
    words
        .filter(|word| word.text.trim_matches('-').contains('-'))
        .map(|word| bare(&word.text))
        .collect()
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

struct Sizes {
    body: f32,
    /// Sizes that are clearly larger, largest first.
    headings: Vec<i32>,
}

impl Sizes {
    fn of(pages: &[PdfPage]) -> Self {
        let mut counts: HashMap<i32, usize> = HashMap::new();
        for line in pages.iter().flat_map(|page| &page.lines) {
            *counts.entry(key(line.size())).or_insert(0) += line.chars();
        }
        let body = counts
            .iter()
            .max_by_key(|&(&size, &chars)| (chars, -size))
            .map_or(40, |(&size, _)| size);
        let mut headings: Vec<i32> = counts
            .into_keys()
            .filter(|&size| size as f32 >= body as f32 * 1.12)
            .collect();
        headings.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            body: body as f32 / 4.0,
            headings,
        }
    }

    /// 1 for the largest of the document, at most 3; none for body text.
    fn level(&self, line: &Line) -> Option<usize> {
        let rank = self.headings.iter().position(|&size| size == key(line.size()))?;
        Some((rank + 1).min(3))
    }
}

fn write_page(
    page: PdfPage,
    sizes: &Sizes,
    vocabulary: &std::collections::HashSet<String>,
    out: &mut TextBuilder,
) -> Result<(), ExtractError> {
    let mut paragraph = Paragraph::default();
    for piece in table::split(page.lines, sizes.body) {
        match piece {
            table::Piece::Table(rows) => {
                paragraph.write(out)?;
                out.paragraph();
                for row in rows {
                    out.push(&row)?;
                    out.line();
                }
                out.paragraph();
            }
            table::Piece::Line(line) => {
                let level = heading_level(&line, sizes);
                if !paragraph.takes(&line, level, sizes) {
                    paragraph.write(out)?;
                    paragraph = Paragraph::start(&line, level, paragraph.last_was_item);
                }
                paragraph.add(&line, vocabulary);
            }
        }
    }
    paragraph.write(out)
}

fn heading_level(line: &Line, sizes: &Sizes) -> Option<usize> {
    let level = sizes.level(line)?;
    let text = line.text();
    let has_letters = text.chars().filter(|c| c.is_alphabetic()).count() >= 2;
    (has_letters && line.chars() <= 140 && !line.bullet()).then_some(level)
}

/// A paragraph, heading or list item as its lines come in.
#[derive(Default)]
struct Paragraph {
    text: String,
    level: Option<usize>,
    is_item: bool,
    last_was_item: bool,
    block: usize,
    bottom: f32,
    size: i32,
}

impl Paragraph {
    fn start(line: &Line, level: Option<usize>, last_was_item: bool) -> Self {
        Self {
            level,
            is_item: level.is_none() && (line.bullet() || starts_numbered(&line.text())),
            last_was_item,
            size: key(line.size()),
            ..Self::default()
        }
    }

    /// Whether `line` goes on with this paragraph.
    fn takes(&self, line: &Line, level: Option<usize>, sizes: &Sizes) -> bool {
        let gap = line.y0() - self.bottom;
        let near = gap < sizes.body.max(line.size()) * 0.75 && gap > -line.size();
        if self.text.is_empty() || level != self.level || !near {
            return false;
        }
        if level.is_some() {
            return self.size == key(line.size()) && !starts_numbered(&line.text());
        }
        self.block == line.block && !line.bullet() && !starts_numbered(&line.text()) && !ends_short(&self.text)
    }

    fn add(&mut self, line: &Line, vocabulary: &std::collections::HashSet<String>) {
        let text = line.text();
        if self.text.is_empty() {
            let text = match text.chars().next() {
                Some(first) if self.is_item && is_bullet(first) => {
                    format!("- {}", text[first.len_utf8()..].trim_start())
                }
                _ => text,
            };
            self.text = text;
        } else {
            join(&mut self.text, &text, vocabulary);
        }
        self.block = line.block;
        self.bottom = line.y1();
    }

    fn write(&mut self, out: &mut TextBuilder) -> Result<(), ExtractError> {
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
fn join(text: &mut String, next: &str, vocabulary: &std::collections::HashSet<String>) {
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
