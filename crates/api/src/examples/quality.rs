//! What is thought of an example, and whether its quotation stands where it should.

use super::byte_offsets;
use crate::{error::AppResult, state::App};
use cerebros_common::{
    examples::{ExampleFinding, FindingKind, Grounding, VerifiedExamples},
    ids::{ChunkId, DocumentId, ExampleId},
};
use cerebros_db::{
    self as db, Scope,
    documents::WholeDocument,
    examples::{Assessed, Judged, Quoted, StoredQuote},
};
use cerebros_ingest::{
    quality::{self, Candidate},
    verify_span,
};
use std::collections::HashMap;

/// Examples that are looked at together.
const AT_ONCE: usize = 1_000;

/// Assesses an example by rules alone. Near duplicates and a judging model are not its matter.
pub fn assess(judged: &Judged) -> Assessed {
    let passage = judged.quoted.map(|quoted| quoted.passage);
    let assessment = quality::assess(&Candidate {
        prompt: judged.prompt,
        reasoning: judged.reasoning,
        response: judged.response,
        quote: judged.quoted.map(|quoted| quoted.quote),
        source: passage,
    });
    let mut findings: Vec<ExampleFinding> = assessment.findings.into_iter().map(wire).collect();
    let grounding = match judged.quoted {
        None => Grounding::None,
        Some(Quoted { quote, .. }) if quote.trim().is_empty() => Grounding::None,
        Some(Quoted {
            quote,
            passage,
            start,
            end,
        }) if verify_span(passage, start, end, quote) => Grounding::Grounded,
        Some(_) => Grounding::Ungrounded,
    };
    let elsewhere = passage.zip(judged.quoted).is_some_and(|(passage, quoted)| {
        grounding == Grounding::Ungrounded && cerebros_ingest::locate(passage, quoted.quote).is_some()
    });
    if elsewhere {
        findings.push(ExampleFinding {
            kind: FindingKind::Grounding,
            points: 40,
            message: "The quotation does not stand at its place in the document.".to_owned(),
        });
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.points));
    }
    Assessed {
        score: quality::score(findings.iter().map(|finding| finding.points)),
        findings,
        grounding,
    }
}

fn wire(finding: quality::Finding) -> ExampleFinding {
    ExampleFinding {
        kind: match finding.kind {
            quality::FindingKind::Schema => FindingKind::Schema,
            quality::FindingKind::Grounding => FindingKind::Grounding,
            quality::FindingKind::Length => FindingKind::Length,
            quality::FindingKind::Leakage => FindingKind::Leakage,
        },
        points: finding.points,
        message: finding.message,
    }
}

/// Checks the quotations of a document's examples against its stored text, and sets marks right that are wrong.
pub async fn verify(app: &App, scope: &Scope, document_id: DocumentId) -> AppResult<VerifiedExamples> {
    let whole = db::documents::find_whole(scope, &app.db, document_id).await?;
    let mut stored = Vec::new();
    loop {
        let after = stored.last().map(|quote: &StoredQuote| quote.example.id);
        let more = db::examples::quotes_of(scope, &app.db, document_id, after, AT_ONCE as u64).await?;
        let last = more.len() < AT_ONCE;
        stored.extend(more);
        if last {
            break;
        }
    }
    let checked = stored.len() as u64;
    let found = tokio::task::spawn_blocking(move || look(&whole, stored)).await;
    let found = found.map_err(crate::error::AppError::internal)?;
    let grounded = found
        .iter()
        .filter(|one| one.assessed.grounding == Grounding::Grounded)
        .count();
    let wrong: Vec<(ExampleId, i64, Assessed)> = found
        .into_iter()
        .filter(|one| one.was != one.assessed.grounding)
        .map(|one| (one.id, one.version, one.assessed))
        .collect();
    let mut changed = 0;
    if !wrong.is_empty() {
        let mut write = app.db.write(scope).await?;
        changed = db::examples::reassess(&mut write, document_id, wrong).await?;
        write.commit().await?;
    }
    Ok(VerifiedExamples {
        checked,
        grounded: grounded as u64,
        changed,
    })
}

struct Looked {
    id: ExampleId,
    version: i64,
    was: Grounding,
    assessed: Assessed,
}

/// Assesses examples against the document's text itself, not its chunks.
fn look(whole: &WholeDocument, stored: Vec<StoredQuote>) -> Vec<Looked> {
    let chunks: HashMap<ChunkId, (usize, usize)> = whole
        .chunks
        .iter()
        .map(|chunk| (chunk.id, (chunk.start as usize, chunk.end as usize)))
        .collect();
    let bytes = byte_offsets(&whole.text, chunks.values().flat_map(|&(start, end)| [start, end]));
    let passage_of = |id: ChunkId| {
        let (start, end) = *chunks.get(&id)?;
        let text = whole.text.get(*bytes.get(&start)?..*bytes.get(&end)?)?;
        Some((start, text))
    };
    let look = |one: StoredQuote| {
        let (offset, passage) = passage_of(one.chunk_id).unwrap_or_default();
        let assessed = assess(&Judged {
            prompt: &one.example.prompt,
            reasoning: &one.example.reasoning,
            response: &one.example.response,
            quoted: Some(Quoted {
                quote: &one.quote,
                passage,
                start: (one.start as usize).saturating_sub(offset),
                end: (one.end as usize).saturating_sub(offset),
            }),
        });
        Looked {
            id: one.example.id,
            version: one.example.version,
            was: one.example.grounding,
            assessed,
        }
    };
    stored.into_iter().map(look).collect()
}
