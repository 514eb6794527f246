//! Which properties the characters and paragraphs at a place in the file have.

use super::fib::{size, u16_at, u32_at};

const PAGE: usize = 512;

/// What is known of a paragraph.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Paragraph {
    pub(super) heading: Option<usize>,
    /// Number of the list's use, and level from 0.
    pub(super) list: Option<(u16, usize)>,
    pub(super) in_table: bool,
    /// Its mark ends a table's row.
    pub(super) ends_row: bool,
}

pub(super) struct Paragraphs(Vec<(u32, u32, Paragraph)>);

impl Paragraphs {
    pub(super) fn read(main: &[u8], table: &[u8]) -> Self {
        let mut runs = Vec::new();
        for page in pages(main, table) {
            for (start, end, at) in runs_of(page, 13) {
                let properties = match page.get(at).copied() {
                    _ if at == 0 => None,
                    Some(0) => page
                        .get(at + 1)
                        .and_then(|&half| page.get(at + 2..at + 2 + usize::from(half) * 2)),
                    Some(half) => page.get(at + 1..at + usize::from(half) * 2),
                    None => None,
                };
                runs.push((start, end, properties.map(paragraph).unwrap_or_default()));
            }
        }
        runs.sort_by_key(|run| run.0);
        Self(runs)
    }

    pub(super) fn at(&self, fc: u32) -> Option<Paragraph> {
        found(&self.0, fc, |run| (run.0, run.1)).map(|run| run.2)
    }
}

/// Places whose characters have something in common.
pub(super) struct Spans(Vec<(u32, u32)>);

impl Spans {
    /// What tracked changes took out.
    pub(super) fn deleted(main: &[u8], table: &[u8]) -> Self {
        let mut spans = Vec::new();
        for page in pages(main, table) {
            for (start, end, at) in runs_of(page, 1) {
                let length = page.get(at).map_or(0, |&length| usize::from(length));
                let properties = page.get(at + 1..at + 1 + length).filter(|_| at > 0);
                let is_deleted = |(code, value): (u16, &[u8])| code == 0x0800 && value.first() == Some(&1);
                if properties.is_some_and(|properties| sprms(properties).any(is_deleted)) {
                    spans.push((start, end));
                }
            }
        }
        spans.sort_unstable();
        Self(spans)
    }

    pub(super) fn contains(&self, fc: u32) -> bool {
        found(&self.0, fc, |span| *span).is_some()
    }
}

fn found<T>(sorted: &[T], fc: u32, range: impl Fn(&T) -> (u32, u32)) -> Option<&T> {
    let after = sorted.partition_point(|item| range(item).0 <= fc);
    let item = sorted.get(after.checked_sub(1)?)?;
    (fc < range(item).1).then_some(item)
}

/// The pages of properties that a table points to.
fn pages<'m>(main: &'m [u8], table: &'m [u8]) -> impl Iterator<Item = &'m [u8]> {
    let count = table.len().saturating_sub(4) / 8;
    (0..count).filter_map(move |at| {
        let number = u32_at(table, (count + 1) * 4 + at * 4)? & 0x003f_ffff;
        let start = size(number) * PAGE;
        main.get(start..start + PAGE)
    })
}

/// The runs of a page: start, end and where its properties lie, 0 for none.
fn runs_of(page: &[u8], entry: usize) -> impl Iterator<Item = (u32, u32, usize)> {
    let count = usize::from(page[PAGE - 1]);
    (0..count).filter_map(move |at| {
        let word = page.get((count + 1) * 4 + at * entry)?;
        Some((u32_at(page, at * 4)?, u32_at(page, at * 4 + 4)?, usize::from(*word) * 2))
    })
}

fn paragraph(properties: &[u8]) -> Paragraph {
    let style = u16_at(properties, 0).unwrap_or(0);
    let mut paragraph = Paragraph {
        // These numbers are fixed, whatever the styles are called.
        heading: (1..=9).contains(&style).then(|| usize::from(style)),
        ..Paragraph::default()
    };
    let (mut list, mut level) = (0, 0);
    for (code, value) in sprms(properties.get(2..).unwrap_or_default()) {
        let first = value.first().copied().unwrap_or(0);
        match code {
            0x2416 => paragraph.in_table = first != 0,
            0x2417 => paragraph.ends_row = first != 0,
            0x460b => list = u16_at(value, 0).unwrap_or(0),
            0x260a => level = usize::from(first.min(8)),
            0x2640 if first < 9 => paragraph.heading = paragraph.heading.or(Some(usize::from(first) + 1)),
            _ => {}
        }
    }
    // These numbers take a paragraph out of a list.
    if paragraph.heading.is_none() && list != 0 && list < 0x7ff {
        paragraph.list = Some((list, level));
    }
    paragraph
}

/// Single properties: code and value.
fn sprms(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let code = u16_at(rest, 0)?;
        let (skip, length) = match code >> 13 {
            0 | 1 => (2, 1),
            2 | 4 | 5 => (2, 2),
            3 => (2, 4),
            7 => (2, 3),
            _ if code == 0xd608 => (4, usize::from(u16_at(rest, 2)?).checked_sub(1)?),
            _ => (3, usize::from(*rest.get(2)?)),
        };
        let value = rest.get(skip..skip + length)?;
        rest = &rest[skip + length..];
        Some((code, value))
    })
}
