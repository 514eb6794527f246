//! Making examples of a document's text, and what is thought of them.

pub mod duplicates;
pub mod quality;

use crate::{documents::extraction::scope_of, error::AppError, llm, state::App};
use cerebros_common::{documents::DocumentPage, examples::ExampleOrigin, ids::DocumentId};
use cerebros_db::{
    self as db, DbError, Scope, Write,
    documents::WholeDocument,
    examples::{GeneratedExample, Judged, Quoted},
};
use cerebros_ingest::{Chunk, Draft, blocks::Heading};
use cerebros_queue::{Enqueue, Lease, QueueError, Task, TaskError, enqueue};
use quality::assess;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};

#[derive(Debug, Serialize, Deserialize)]
pub struct GenerateExamples {
    pub document_id: DocumentId,
}

impl Task for GenerateExamples {
    const NAME: &'static str = "generate_examples";
    const QUEUE: &'static str = "generation";
    const MAX_ATTEMPTS: u32 = 8;
}

/// Chunks of a document that examples are made of unasked: some two million characters.
const MOST_CHUNKS: usize = 500;

/// Asks for the examples of a document, in the transaction that stores its text.
pub async fn enqueue_generation(write: &Write, scope: &Scope, document_id: DocumentId) -> Result<(), QueueError> {
    let options = Enqueue {
        workspace_id: Some(scope.workspace_id.0),
        dedup_key: Some(document_id.to_string()),
        ..Enqueue::default()
    };
    enqueue(write.connection(), &GenerateExamples { document_id }, options).await?;
    Ok(())
}

/// Makes and stores the examples of a document. One that is gone, or has some already, stays as it is; so does one of a
/// workspace with a language model: there a person starts a batch, and nothing is spent unasked.
pub async fn run(app: Arc<App>, task: GenerateExamples, lease: Lease) -> Result<(), TaskError> {
    let scope = scope_of(lease.workspace_id())?;
    if llm::chosen(&app, &scope).await?.is_some() {
        return Ok(());
    }
    let generated = match db::documents::find_whole(&scope, &app.db, task.document_id).await {
        Ok(whole) => tokio::task::spawn_blocking(move || generate(start_of(whole)))
            .await
            .map_err(|_| TaskError::retry("Making examples failed"))?,
        Err(DbError::NotFound(_)) => Vec::new(),
        Err(error) => return Err(AppError::from(error).into()),
    };
    if lease.cancellation().is_cancelled() {
        return Err(TaskError::Interrupted);
    }
    let mut write = app.db.write(&scope).await.map_err(AppError::from)?;
    let agent_id = db::examples::insert_generated(&mut write, task.document_id, generated)
        .await
        .map_err(AppError::from)?;
    if let Some(agent_id) = agent_id {
        duplicates::enqueue_grouping(&write, &scope, agent_id).await?;
    }
    lease.complete(write.connection()).await?;
    write.commit().await.map_err(AppError::from)?;
    Ok(())
}

/// Of a long document the start alone: memory stays bounded, and nobody reviews more. A batch goes over all of it.
fn start_of(mut whole: WholeDocument) -> WholeDocument {
    whole.chunks.truncate(MOST_CHUNKS);
    let end = whole.chunks.last().map_or(0, |chunk| chunk.end);
    let byte = usize::try_from(end)
        .ok()
        .and_then(|end| whole.text.char_indices().nth(end));
    if let Some((byte, _)) = byte {
        whole.text.truncate(byte);
        whole.text.shrink_to_fit();
    }
    whole
}

/// Drafts whose quotation really stands where they say, checked against the stored text.
fn generate(whole: WholeDocument) -> Vec<GeneratedExample> {
    let chunks: Vec<Chunk> = whole
        .chunks
        .iter()
        .map(|chunk| Chunk {
            index: chunk.index as usize,
            start: chunk.start as usize,
            end: chunk.end as usize,
            page: chunk.page,
            headings: chunk.headings.clone(),
            text: chunk.text.clone(),
        })
        .collect();
    let drafts = cerebros_ingest::generate(&whole.document.name, &chunks);
    let bytes = byte_offsets(&whole.text, drafts.iter().flat_map(|draft| [draft.start, draft.end]));
    let headings = cerebros_ingest::blocks::headings(&whole.text);
    drafts
        .into_iter()
        .filter_map(|draft| {
            let chunk = whole.chunks.get(draft.chunk_index)?;
            if !is_quoted(&whole.text, &bytes, &draft) {
                tracing::error!(document.id = %whole.document.id, "a generated example misquotes its document");
                return None;
            }
            let quoted = Quoted {
                quote: &draft.quote,
                passage: &chunk.text,
                start: draft.start.saturating_sub(chunk.start as usize),
                end: draft.end.saturating_sub(chunk.start as usize),
            };
            let assessed = assess(&Judged {
                prompt: &draft.prompt,
                reasoning: &draft.reasoning,
                response: &draft.response,
                quoted: Some(quoted),
            });
            Some(GeneratedExample {
                chunk_id: chunk.id,
                page: page_at(&whole.pages, draft.start as u64),
                heading: heading_at(&headings, draft.start),
                prompt: draft.prompt,
                reasoning: draft.reasoning,
                response: draft.response,
                start: draft.start as u64,
                end: draft.end as u64,
                quote: draft.quote,
                origin: ExampleOrigin::Extractive,
                score: assessed.score,
                findings: assessed.findings,
                grounding: assessed.grounding,
                duplicate_of: None,
                model: None,
                batch_id: None,
            })
        })
        .collect()
}

fn is_quoted(text: &str, bytes: &HashMap<usize, usize>, draft: &Draft) -> bool {
    let span = bytes.get(&draft.start).zip(bytes.get(&draft.end));
    let stretch = span.and_then(|(&start, &end)| text.get(start..end));
    stretch.is_some_and(|stretch| cerebros_ingest::verify_span(stretch, 0, draft.end - draft.start, &draft.quote))
}

/// Where the given characters start, in bytes, found in one pass.
fn byte_offsets(text: &str, characters: impl Iterator<Item = usize>) -> HashMap<usize, usize> {
    let mut wanted: Vec<usize> = characters.collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut wanted = wanted.into_iter().peekable();
    let ends = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
    let found = ends
        .enumerate()
        .filter(|(character, _)| wanted.next_if_eq(character).is_some());
    found.collect()
}

/// The number of the page on which a character stands.
pub fn page_at(pages: &[DocumentPage], character: u64) -> Option<u32> {
    let after = pages.partition_point(|page| page.start <= character);
    after.checked_sub(1).map(|at| pages[at].number)
}

/// The heading under which a character stands.
pub fn heading_at(headings: &[Heading], character: usize) -> Option<String> {
    let after = headings.partition_point(|heading| heading.start <= character);
    after.checked_sub(1).map(|at| headings[at].text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_found_in_bytes() {
        let found = byte_offsets("aäb€", [4, 0, 2, 2, 9].into_iter());
        assert_eq!(found, HashMap::from([(0, 0), (2, 3), (4, 7)]));
    }

    #[test]
    fn a_character_stands_on_the_last_page_that_starts_before_it() {
        let page = |number, start, end| DocumentPage { number, start, end };
        let pages = [page(1, 0, 5), page(2, 6, 6), page(3, 6, 10)];
        assert_eq!(
            [0, 5, 6, 99].map(|at| page_at(&pages, at)),
            [Some(1), Some(1), Some(3), Some(3)]
        );
        assert_eq!(page_at(&[], 3), None);
    }
}
