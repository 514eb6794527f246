//! Chunks: overlapping pieces of a document, cut where a reader would pause.

use serde::{Deserialize, Serialize};

use crate::blocks::{Block, Heading, Kind, blocks, heading};
use crate::extract::Page;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkOptions {
    /// No chunk is longer.
    pub max_chars: usize,
    /// Neighbours share at most this much and, unless single words are longer than that, at least half of it; less where
    /// a list, table or the like would not stay whole otherwise. Counts at most a quarter of `max_chars`.
    pub overlap_chars: usize,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self {
            max_chars: 4000,
            overlap_chars: 500,
        }
    }
}

/// `text` is exactly the characters `[start, end)` of the document's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// From 0.
    pub index: usize,
    pub start: usize,
    pub end: usize,
    /// The page on which the chunk starts, where the document has pages.
    pub page: Option<u32>,
    /// The headings under which the chunk starts, outermost first.
    pub headings: Vec<String>,
    pub text: String,
}

/// No heading of a path is longer, in characters.
const MAX_HEADING: usize = 200;

/// Cuts `text` between sections, lists, tables, code and paragraphs, which stay whole where they fit; what is longer than
/// a chunk is cut at lines, else sentences, else words, else anywhere. Every character that is not white space is in a
/// chunk; chunks are in order. Linear in the length of the text.
pub fn chunk(text: &str, pages: &[Page], options: &ChunkOptions) -> Vec<Chunk> {
    let max = options.max_chars.max(1);
    let most_overlap = options.overlap_chars.min(max / 4);
    let all = blocks(text);
    let units = units(text, &all);
    let mut path = Path::default();
    let mut headings = all.iter().filter_map(heading).peekable();
    // The first unit that starts after what chunks hold already.
    let mut ahead = 0;
    let mut page = 0;
    let mut chunks = Vec::new();
    let mut window: Vec<(usize, char)> = Vec::with_capacity(max + 1);
    // The end of the last chunk, in bytes and in characters.
    let mut covered = (0, 0);
    let (mut at_byte, mut at_char) = skip_space(text, 0, 0);
    while at_byte < text.len() {
        window.clear();
        window.extend(text[at_byte..].char_indices().take(max + 1));
        let is_last = window.len() <= max;
        let fresh = skip_space(text, covered.0, covered.1).1.max(at_char);
        while units.get(ahead).is_some_and(|unit| unit.start <= fresh) {
            ahead += 1;
        }
        let between = if is_last {
            None
        } else {
            between_units(&units, ahead, at_char, max)
        };
        let (cut, overlap) = match between {
            _ if is_last => (window.len(), 0),
            Some((end, room)) => (end - at_char, most_overlap.min(room)),
            None => (best_cut(&window, max), most_overlap),
        };
        let kept = cut
            - window[..cut]
                .iter()
                .rev()
                .take_while(|(_, c)| c.is_whitespace())
                .count();
        let byte_of = |char: usize| window.get(char).map_or(text.len(), |&(byte, _)| at_byte + byte);
        // Where white space fills the rest of the window, the overlap alone would come again.
        if at_char + kept <= covered.1 {
            (at_byte, at_char) = skip_space(text, covered.0, covered.1);
            continue;
        }
        covered = (byte_of(kept), at_char + kept);
        while let Some(next) = headings.next_if(|next| next.start <= at_char) {
            path.enter(next);
        }
        while page + 1 < pages.len() && pages[page + 1].start <= at_char {
            page += 1;
        }
        chunks.push(Chunk {
            index: chunks.len(),
            start: at_char,
            end: at_char + kept,
            page: pages.get(page).map(|page| page.number),
            headings: path.texts(),
            text: text[at_byte..byte_of(kept)].to_owned(),
        });
        if is_last {
            break;
        }
        let next = next_start(&window, kept, cut, overlap);
        (at_byte, at_char) = skip_space(text, byte_of(next), at_char + next);
    }
    chunks
}

/// The headings above a place.
#[derive(Default)]
struct Path(Vec<Heading>);

impl Path {
    fn enter(&mut self, heading: Heading) {
        self.0.retain(|above| above.level < heading.level);
        self.0.push(heading);
    }

    fn texts(&self) -> Vec<String> {
        let short = |heading: &Heading| heading.text.chars().take(MAX_HEADING).collect();
        self.0.iter().map(short).collect()
    }
}

/// What stays whole where it fits: a paragraph, list, table, record or piece of code, with what follows it and is none.
struct Unit {
    start: usize,
    end: usize,
    is_heading: bool,
    /// Headings, and introductions to a list or table, stay with what they lead to.
    leads: bool,
}

fn units(text: &str, blocks: &[Block<'_>]) -> Vec<Unit> {
    let runs: Vec<&[Block<'_>]> = blocks.chunk_by(|a, b| belong_together(text, a, b)).collect();
    let mut units = Vec::with_capacity(runs.len());
    for (at, run) in runs.iter().enumerate() {
        let last = &run[run.len() - 1];
        // Rules and the like are in no block.
        let rest_from = last.byte + last.text.len();
        let rest_to = runs.get(at + 1).map_or(text.len(), |next| next[0].byte);
        let rest = text[rest_from..rest_to].trim_end();
        let is_heading = matches!(last.kind, Kind::Heading(_));
        let follows = runs.get(at + 1).map(|next| next[0].kind);
        let introduces = last.kind == Kind::Paragraph
            && last.text.ends_with(':')
            && matches!(follows, Some(Kind::Item { .. } | Kind::Row | Kind::Code));
        units.push(Unit {
            start: run[0].start,
            end: last.end + rest.chars().count(),
            is_heading,
            leads: is_heading || introduces,
        });
    }
    units
}

fn belong_together(text: &str, a: &Block<'_>, b: &Block<'_>) -> bool {
    let parted = || text[a.byte + a.text.len()..b.byte].contains("\n\n");
    match (a.kind, b.kind) {
        (Kind::Item { .. }, Kind::Item { .. }) => true,
        (Kind::Row, Kind::Row) | (Kind::Field, Kind::Field) => !parted(),
        _ => false,
    }
}

/// The best end of a chunk that starts at `at` between two units, the later of which is `ahead` or one after it; with how
/// much of the next chunk is left for an overlap. `None`: what comes next fits into no chunk.
fn between_units(units: &[Unit], ahead: usize, at: usize, max: usize) -> Option<(usize, usize)> {
    let (mut last, mut section) = (None, None);
    for next in ahead.max(1)..units.len() {
        let before = &units[next - 1];
        if before.end > at + max {
            break;
        }
        if before.leads {
            continue;
        }
        last = Some(next);
        if units[next].is_heading && before.end > at + max / 2 {
            section = last;
        }
    }
    let next = section.or(last)?;
    let mut with_led = next;
    while units[with_led].leads && with_led + 1 < units.len() {
        with_led += 1;
    }
    let length = units[with_led].end - units[next].start;
    let end = units[next - 1].end;
    let stays_whole = length <= max;
    (stays_whole || end > at + max / 2).then_some((end, if stays_whole { max - length } else { max }))
}

fn skip_space(text: &str, byte: usize, char: usize) -> (usize, usize) {
    let mut skipped = 0;
    for (at, c) in text[byte..].char_indices() {
        if !c.is_whitespace() {
            return (byte + at, char + skipped);
        }
        skipped += 1;
    }
    (text.len(), char + skipped)
}

/// How good a place is to cut, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Anywhere,
    Word,
    Sentence,
    Line,
    Paragraph,
}

/// What a cut before `window[at]` would be.
fn cut_at(window: &[(usize, char)], at: usize) -> Cut {
    let char_at = |at: usize| window.get(at).map(|&(_, c)| c);
    let Some(before) = at.checked_sub(1).and_then(char_at) else {
        return Cut::Paragraph;
    };
    if before == '\n' {
        return match at.checked_sub(2).and_then(char_at) {
            Some('\n') => Cut::Paragraph,
            _ => Cut::Line,
        };
    }
    if matches!(before, '。' | '！' | '？') {
        return Cut::Sentence;
    }
    if !before.is_whitespace() {
        return Cut::Anywhere;
    }
    match at.checked_sub(2).and_then(char_at) {
        Some('.' | '!' | '?' | ':' | ';') => Cut::Sentence,
        _ => Cut::Word,
    }
}

/// The last of the best places in the second half of the window.
fn best_cut(window: &[(usize, char)], max: usize) -> usize {
    let mut best = (Cut::Anywhere, max);
    for at in (max / 2 + 1..=max).rev() {
        let cut = cut_at(window, at);
        if cut > best.0 && !(cut == Cut::Paragraph && follows_heading(window, at)) {
            best = (cut, at);
            if cut == Cut::Paragraph {
                break;
            }
        }
    }
    best.1
}

/// Whether the paragraph that ends at `at` is a heading, which belongs to what follows.
fn follows_heading(window: &[(usize, char)], at: usize) -> bool {
    let line = window[..at - 2].iter().rev().take(200).take_while(|(_, c)| *c != '\n');
    line.last().is_some_and(|&(_, first)| first == '#')
}

/// Where the next chunk starts: the best place in the first half of the overlap, which ends at `kept`.
fn next_start(window: &[(usize, char)], kept: usize, cut: usize, overlap: usize) -> usize {
    if overlap == 0 {
        return cut;
    }
    let earliest = kept - overlap.min(kept - 1);
    let mut best = (Cut::Anywhere, earliest);
    for at in earliest..=earliest + overlap / 2 {
        let cut = cut_at(window, at);
        // Of equals the earliest: the overlap stays as long as promised.
        if cut > best.0 && !window[at].1.is_whitespace() {
            best = (cut, at);
        }
    }
    best.1
}
