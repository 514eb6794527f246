//! Showing a document's text with its structure, and searching in it.

use crate::{error::AppResult, state::App};
use cerebros_common::{
    documents::{BlockKind, DocumentMatch, DocumentPage, DocumentText, TextBlock},
    ids::DocumentId,
    wire::CursorPage,
};
use cerebros_db::{self as db, Scope};
use cerebros_ingest::blocks::{Block, Kind, blocks_of_stretch};

/// So much text around a stretch is looked at to tell its structure.
const CONTEXT: u64 = 2_000;
/// Characters that are carried over from one part of a search to the next: no match is longer, white space aside.
const CARRIED: u64 = 2_000;
const EXCERPT: usize = 60;
const CHUNKS_AT_ONCE: u64 = 100;
/// Chunks that one search looks at.
const MOST_CHUNKS: u64 = 500;

/// Up to `length` characters from `offset` on.
pub async fn text(app: &App, scope: &Scope, id: DocumentId, offset: u64, length: u64) -> AppResult<DocumentText> {
    let from = offset.saturating_sub(CONTEXT);
    let wanted = (offset - from).saturating_add(length).saturating_add(CONTEXT);
    let stretch = db::document_texts::stretch(scope, &app.db, id, from, wanted).await?;
    let offset = offset.min(stretch.total);
    let end = offset.saturating_add(length).min(stretch.total);
    let blocks = blocks_between(&stretch, offset, end);
    let (lead, length) = (offset - stretch.offset, end - offset);
    let text = stretch.text.chars().skip(lead as usize).take(length as usize).collect();
    let mut pages = stretch.pages;
    pages.retain(|page| page.start < end && page.end > offset);
    Ok(DocumentText {
        text,
        offset,
        total: stretch.total,
        pages,
        blocks,
    })
}

fn blocks_between(stretch: &db::document_texts::Stretch, offset: u64, end: u64) -> Vec<TextBlock> {
    let code: Vec<(usize, usize)> = stretch
        .code
        .iter()
        .map(|&(start, end)| (start as usize, end as usize))
        .collect();
    // What is left of a line would pass for one.
    let lead = (offset - stretch.offset) as usize;
    let cut = stretch.text.chars().take(lead).position(|c| c == '\n');
    let skipped = cut.filter(|_| stretch.offset > 0).map_or(0, |at| at + 1);
    let byte = stretch
        .text
        .char_indices()
        .nth(skipped)
        .map_or(stretch.text.len(), |(byte, _)| byte);
    blocks_of_stretch(&stretch.text[byte..], stretch.offset as usize + skipped, &code)
        .iter()
        .map(wire)
        .filter(|block| block.start < end && block.end > offset)
        .collect()
}

fn wire(block: &Block<'_>) -> TextBlock {
    let (kind, level) = match block.kind {
        Kind::Heading(level) => (BlockKind::Heading, level),
        Kind::Paragraph => (BlockKind::Paragraph, 0),
        Kind::Item { .. } => (
            BlockKind::Item,
            u8::try_from(block.indent / 2).unwrap_or(u8::MAX).min(8),
        ),
        Kind::Row => (BlockKind::Row, 0),
        Kind::Field => (BlockKind::Field, 0),
        Kind::Code => (BlockKind::Code, 0),
    };
    TextBlock {
        kind,
        level,
        start: block.start as u64,
        end: block.end as u64,
    }
}

/// Up to `limit` matches that start at the character `from` or later. Looks at so many chunks and no more; the cursor goes on.
pub async fn search(
    app: &App,
    scope: &Scope,
    id: DocumentId,
    words: &str,
    from: u64,
    limit: usize,
) -> AppResult<CursorPage<DocumentMatch>> {
    let total = db::document_texts::stretch(scope, &app.db, id, 0, 0).await?;
    let (mut from, mut items) = (from, Vec::new());
    for _ in 0..MOST_CHUNKS / CHUNKS_AT_ONCE {
        let chunks = db::chunks::texts_after(scope, &app.db, id, from, CHUNKS_AT_ONCE).await?;
        if chunks.is_empty() {
            return Ok(CursorPage {
                items,
                next_cursor: None,
            });
        }
        let text = joined(&chunks);
        let (found, next) = matches_in(&text, words, from, limit - items.len(), &total.pages);
        items.extend(found);
        let reads_on = text.end < total.total && chunks.len() as u64 == CHUNKS_AT_ONCE;
        if items.len() < limit && !reads_on {
            return Ok(CursorPage {
                items,
                next_cursor: None,
            });
        }
        // Chunks so short that all is carried over would never end.
        from = if next > from || items.len() == limit {
            next
        } else {
            text.end
        };
        if items.len() == limit {
            break;
        }
    }
    Ok(CursorPage {
        items,
        next_cursor: Some(from.to_string()),
    })
}

/// Neighbouring chunks as one text.
struct Joined {
    text: String,
    start: u64,
    end: u64,
}

fn joined(chunks: &[(u64, String)]) -> Joined {
    let start = chunks.first().map_or(0, |(start, _)| *start);
    let (mut text, mut end) = (String::new(), start);
    for (at, body) in chunks {
        // Between chunks there was nothing but white space.
        for _ in end..*at {
            text.push('\n');
        }
        let shared = end.saturating_sub(*at) as usize;
        text.extend(body.chars().skip(shared));
        end = end.max(at + body.chars().count() as u64);
    }
    Joined { text, start, end }
}

/// The matches from `from` on, and where the search goes on.
fn matches_in(
    joined: &Joined,
    words: &str,
    from: u64,
    limit: usize,
    pages: &[DocumentPage],
) -> (Vec<DocumentMatch>, u64) {
    let skipped = from.saturating_sub(joined.start) as usize;
    let byte = joined
        .text
        .char_indices()
        .nth(skipped)
        .map_or(joined.text.len(), |(byte, _)| byte);
    let searched = &joined.text[byte..];
    let offset = joined.start + skipped as u64;
    let found = cerebros_ingest::find(searched, words, limit);
    let chars: Vec<char> = if found.is_empty() {
        Vec::new()
    } else {
        joined.text.chars().collect()
    };
    let matches: Vec<DocumentMatch> = found
        .into_iter()
        .map(|(start, end)| {
            let (start, end) = (start + skipped, end + skipped);
            let before = start.saturating_sub(EXCERPT);
            let after = (end + EXCERPT).min(chars.len());
            DocumentMatch {
                start: joined.start + start as u64,
                end: joined.start + end as u64,
                page: crate::examples::page_at(pages, joined.start + start as u64),
                excerpt: chars[before..after].iter().collect(),
                excerpt_start: joined.start + before as u64,
            }
        })
        .collect();
    let next = match matches.last() {
        Some(last) if matches.len() == limit => last.end,
        last => joined
            .end
            .saturating_sub(CARRIED)
            .max(offset)
            .max(last.map_or(0, |last| last.end)),
    };
    (matches, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_across_chunks_are_found_once() {
        let chunks = [
            (3, "one two".to_owned()),
            (7, "two three".to_owned()),
            (18, "four two".to_owned()),
        ];
        let text = joined(&chunks);
        assert_eq!(
            (text.text.as_str(), text.start, text.end),
            ("one two three\n\nfour two", 3, 26)
        );
        let spans = |from, limit, words| {
            let (found, next) = matches_in(&text, words, from, limit, &[]);
            (
                found.iter().map(|found| (found.start, found.end)).collect::<Vec<_>>(),
                next,
            )
        };
        assert_eq!(spans(0, 9, "two"), (vec![(7, 10), (23, 26)], 26));
        assert_eq!(spans(0, 1, "two"), (vec![(7, 10)], 10));
        assert_eq!(spans(10, 9, "two").0, [(23, 26)]);
        assert_eq!(spans(0, 9, "three four").0, [(11, 22)]);
        assert_eq!(spans(0, 9, "nine"), (vec![], 3));
    }
}
