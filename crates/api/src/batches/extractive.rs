//! Examples built from a chunk itself.

use crate::examples::{heading_at, page_at};
use cerebros_common::{
    documents::DocumentPage,
    examples::{ExampleFinding, ExampleOrigin, FindingKind, Grounding},
};
use cerebros_db::{batches::ItemWork, examples::GeneratedExample};
use cerebros_ingest::{
    Draft,
    quality::{self, Candidate},
};

/// Up to `per_chunk` examples, from all over the chunk.
pub fn make(work: &ItemWork, pages: &[DocumentPage]) -> Vec<GeneratedExample> {
    let chunk = &work.chunk;
    let start = chunk.start as usize;
    let input = cerebros_ingest::Chunk {
        index: 0,
        start,
        end: chunk.end as usize,
        page: chunk.page,
        headings: chunk.headings.clone(),
        text: chunk.text.clone(),
    };
    let drafts = cerebros_ingest::generate(&work.document_name, &[input]);
    let headings = cerebros_ingest::blocks::headings(&chunk.text);
    let quoted = |draft: &Draft| {
        let (from, to) = (draft.start - start, draft.end - start);
        cerebros_ingest::verify_span(&chunk.text, from, to, &draft.quote)
    };
    thin(drafts, work.per_chunk as usize)
        .into_iter()
        .filter(quoted)
        .map(|draft| {
            let (score, findings) = assess(&Candidate {
                prompt: &draft.prompt,
                reasoning: &draft.reasoning,
                response: &draft.response,
                quote: Some(&draft.quote),
                source: Some(&chunk.text),
            });
            GeneratedExample {
                chunk_id: chunk.id,
                page: page_at(pages, draft.start as u64),
                heading: heading_at(&headings, draft.start - start).or_else(|| chunk.heading.clone()),
                prompt: draft.prompt,
                reasoning: draft.reasoning,
                response: draft.response,
                start: draft.start as u64,
                end: draft.end as u64,
                quote: draft.quote,
                origin: ExampleOrigin::Extractive,
                score,
                findings,
                grounding: Grounding::Grounded,
                duplicate_of: None,
                model: None,
                batch_id: None,
            }
        })
        .collect()
}

/// `most` of a list, evenly.
fn thin<T>(list: Vec<T>, most: usize) -> Vec<T> {
    let length = list.len().max(1);
    let kept = |at: &usize| at * most / length != (at + 1) * most / length;
    let every = length <= most;
    let numbered = list.into_iter().enumerate();
    numbered
        .filter(|(at, _)| every || kept(at))
        .map(|(_, item)| item)
        .collect()
}

/// Score and findings by the rules.
pub fn assess(candidate: &Candidate) -> (u8, Vec<ExampleFinding>) {
    let assessment = quality::assess(candidate);
    let findings = assessment.findings.into_iter().map(|finding| ExampleFinding {
        kind: match finding.kind {
            quality::FindingKind::Schema => FindingKind::Schema,
            quality::FindingKind::Grounding => FindingKind::Grounding,
            quality::FindingKind::Length => FindingKind::Length,
            quality::FindingKind::Leakage => FindingKind::Leakage,
        },
        points: finding.points,
        message: finding.message,
    });
    (assessment.score, findings.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_thinned_evenly() {
        assert_eq!(thin(vec![1, 2, 3], 5), [1, 2, 3]);
        assert_eq!(thin((0..10).collect(), 5), [1, 3, 5, 7, 9]);
        assert_eq!(thin((0..12).collect::<Vec<_>>(), 5).len(), 5);
        assert!(thin(Vec::<u8>::new(), 5).is_empty());
    }
}
