//! From words with boxes to paragraphs, headings, lists and table rows.
//!
//! All coordinates are PDF points with the origin at the top left.

mod furniture;
mod order;
mod paragraph;
mod table;

use std::collections::HashMap;

use self::paragraph::{Paragraph, Place};
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
            // Some fonts have boxes much lower than their letters: those are about half as wide as they are high.
            body: (body as f32 / 4.0).max(letter_width(pages) * 2.0),
            headings,
        }
    }

    /// 1 for the largest of the document, at most 3; none for body text.
    fn level(&self, line: &Line) -> Option<usize> {
        let rank = self.headings.iter().position(|&size| size == key(line.size()))?;
        Some((rank + 1).min(3))
    }
}

/// What half of the Latin letters are at most as wide as.
fn letter_width(pages: &[PdfPage]) -> f32 {
    let words = pages.iter().flat_map(|page| &page.lines).flat_map(|line| &line.words);
    let is_plain = |word: &&Word| word.text.len() > 2 && word.text.bytes().all(|b| b.is_ascii_alphabetic());
    let mut widths: Vec<f32> = words
        .filter(is_plain)
        .take(20_000)
        .map(|word| (word.x1 - word.x0) / word.text.len() as f32)
        .collect();
    widths.sort_unstable_by(f32::total_cmp);
    widths.get(widths.len() / 2).copied().unwrap_or(0.0)
}

fn write_page(
    page: PdfPage,
    sizes: &Sizes,
    vocabulary: &std::collections::HashSet<String>,
    out: &mut TextBuilder,
) -> Result<(), ExtractError> {
    let mut paragraph = Paragraph::default();
    for part in order::parts(page.lines) {
        let pieces = table::split(part, sizes.body);
        for (at, piece) in pieces.iter().enumerate() {
            let line = match piece {
                table::Piece::Table(rows) => {
                    paragraph.write(out)?;
                    write_table(rows, out)?;
                    continue;
                }
                table::Piece::Line(line) => line,
            };
            let neighbour = |at: Option<usize>| match at.and_then(|at| pieces.get(at)) {
                Some(table::Piece::Line(line)) => Some(line),
                _ => None,
            };
            let place = Place {
                before: neighbour(at.checked_sub(1)),
                after: neighbour(Some(at + 1)),
                starts_part: at == 0,
            };
            paragraph.take(line, &place, sizes, vocabulary, out)?;
        }
    }
    paragraph.write(out)
}

fn write_table(rows: &[String], out: &mut TextBuilder) -> Result<(), ExtractError> {
    out.paragraph();
    for row in rows {
        out.push(row)?;
        out.line();
    }
    out.paragraph();
    Ok(())
}
