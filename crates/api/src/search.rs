//! From a question to the passages that answer it best: words to look for, matching chunks, the best stretch of each.

mod passage;
mod words;

use crate::{error::AppResult, examples, state::App};
use cerebros_common::{documents::DocumentKind, ids::AgentId, search::Passage};
use cerebros_db::{self as db, Scope, search::MatchingChunk};
use passage::Stretch;

/// Neighbours overlap and may hold the same passage, so more chunks are read than passages wanted.
const CHUNKS_PER_PASSAGE: u32 = 4;

/// The best passages for a question, best first, of documents of these kinds or, without any named, of all; none if it holds no word worth looking for.
pub async fn passages(
    app: &App,
    scope: &Scope,
    agent_id: Option<AgentId>,
    kinds: &[DocumentKind],
    question: &str,
    limit: u32,
) -> AppResult<Vec<Passage>> {
    let stems = words::stems(question);
    let chunks = db::search::chunks(scope, &app.db, agent_id, kinds, &stems, limit * CHUNKS_PER_PASSAGE).await?;
    let texts: Vec<&str> = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    let stretches = passage::best(&texts, &stems);
    let chosen = without_overlap(&chunks, stretches, limit as usize);
    let ids: Vec<_> = chosen.iter().map(|(chunk, _)| chunk.document_id).collect();
    let pages = db::document_texts::pages(scope, &app.db, &ids).await?;
    let passages = chosen.into_iter().map(|(chunk, stretch)| {
        let start = chunk.start + stretch.start as u64;
        let pages = pages.get(&chunk.document_id).map_or(&[][..], Vec::as_slice);
        Passage {
            document_id: chunk.document_id,
            document_name: chunk.document_name.clone(),
            chunk_id: chunk.chunk_id,
            start,
            end: start + (stretch.end - stretch.start) as u64,
            page: examples::page_at(pages, start),
            heading: heading_at(chunk, stretch.start),
            quote: stretch.text.clone(),
        }
    });
    Ok(passages.collect())
}

/// The best stretches, without those that share text with a better one.
fn without_overlap(chunks: &[MatchingChunk], stretches: Vec<Stretch>, limit: usize) -> Vec<(&MatchingChunk, Stretch)> {
    let mut chosen: Vec<(&MatchingChunk, Stretch)> = Vec::new();
    for stretch in stretches {
        let chunk = &chunks[stretch.text_index];
        let span = |chunk: &MatchingChunk, stretch: &Stretch| {
            (chunk.start + stretch.start as u64, chunk.start + stretch.end as u64)
        };
        let (start, end) = span(chunk, &stretch);
        let known = chosen.iter().any(|(other, chosen)| {
            let (other_start, other_end) = span(other, chosen);
            other.document_id == chunk.document_id && start < other_end && other_start < end
        });
        if !known {
            chosen.push((chunk, stretch));
        }
        if chosen.len() == limit {
            break;
        }
    }
    chosen
}

fn heading_at(chunk: &MatchingChunk, character: usize) -> Option<String> {
    let headings = cerebros_ingest::blocks::headings(&chunk.text);
    let before = headings.into_iter().rev().find(|heading| heading.start <= character);
    before.map(|heading| heading.text).or_else(|| chunk.heading.clone())
}
