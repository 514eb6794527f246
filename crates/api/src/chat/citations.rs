//! What an assistant's documents say about a question, and where an answer names it.

use crate::{error::AppResult, search, state::App};
use cerebros_common::{
    chat::{Annotation, ChatMessage, ChatRole, Citation, UrlCitation, marks},
    documents::DocumentKind,
    ids::AgentId,
    search::Passage,
};
use cerebros_db::Scope;
use cerebros_trainer::protocol;

/// More would seldom fit, and seldom help.
const PASSAGES: u32 = 6;
/// Somebody's mail is never quoted to those who ask.
const KINDS: [DocumentKind; 2] = [DocumentKind::WorkProduct, DocumentKind::Reference];

/// The best passages for the last question.
pub async fn look_up(app: &App, scope: &Scope, agent_id: AgentId, messages: &[ChatMessage]) -> AppResult<Vec<Passage>> {
    let asked = messages.iter().rfind(|message| message.role == ChatRole::User);
    let Some(question) = asked.map(|message| message.text()) else {
        return Ok(Vec::new());
    };
    search::passages(app, scope, Some(agent_id), &KINDS, &question, PASSAGES).await
}

/// As the model reads it.
pub fn as_read(passage: &Passage) -> protocol::infer::Passage {
    let mut title = passage.document_name.clone();
    if let Some(heading) = &passage.heading {
        title.push_str(&format!(", {heading}"));
    }
    if let Some(page) = passage.page {
        title.push_str(&format!(", page {page}"));
    }
    protocol::infer::Passage {
        title,
        text: passage.quote.clone(),
    }
}

/// The first passages, numbered as the model has seen them.
pub fn numbered(passages: Vec<Passage>, used: usize) -> Vec<Citation> {
    let cited = (1..).zip(passages.into_iter().take(used));
    cited.map(|(number, passage)| Citation { number, passage }).collect()
}

/// Each mark in the text that stands for a passage.
pub fn annotations(text: &str, citations: &[Citation], origin: &str) -> Vec<Annotation> {
    let marks = marks(text, citations).into_iter();
    let annotations = marks.map(|(place, Citation { passage, .. })| Annotation {
        kind: "url_citation".to_owned(),
        url_citation: UrlCitation {
            start_index: place.start as u64,
            end_index: place.end as u64,
            title: passage.document_name.clone(),
            url: format!(
                "{origin}/documents/{}?at={}-{}",
                passage.document_id, passage.start, passage.end
            ),
        },
    });
    annotations.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cerebros_common::ids::{ChunkId, DocumentId};

    #[test]
    fn marks_of_known_passages_are_found_by_character() {
        let passage = |name: &str| Passage {
            document_id: DocumentId(uuid::Uuid::nil()),
            document_name: name.to_owned(),
            chunk_id: ChunkId(uuid::Uuid::nil()),
            start: 3,
            end: 9,
            page: None,
            heading: None,
            quote: String::new(),
        };
        let citations = numbered(vec![passage("a"), passage("b"), passage("c")], 2);
        let text = "Öffnet um neun [2], [1][3] [01] [] [x] [2";
        let found = annotations(text, &citations, "http://localhost");
        let places: Vec<_> = found
            .iter()
            .map(|found| {
                let at = &found.url_citation;
                (at.start_index, at.end_index, at.title.as_str())
            })
            .collect();
        assert_eq!(places, [(15, 18, "b"), (20, 23, "a")]);
        let wanted = "http://localhost/documents/00000000-0000-0000-0000-000000000000?at=3-9";
        assert_eq!(found[0].url_citation.url, wanted);
    }
}
