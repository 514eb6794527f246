//! The extractive generator: questions about a text whose answers are quotations of it. No language model.

use serde::{Deserialize, Serialize};

use crate::Chunk;

/// An example that was found in the text. `quote` is what stands at the characters `[start, end)` of the document, white
/// space aside ([`verify_span`](crate::verify_span) holds), and `response` contains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub prompt: String,
    pub reasoning: String,
    pub response: String,
    pub quote: String,
    /// [`Chunk::index`] of the first chunk that holds the whole quotation.
    pub chunk_index: usize,
    pub start: usize,
    pub end: usize,
}

/// Makes examples of a document's chunks. The same chunks always give the same examples, in the order of the text.
pub fn generate(document_title: &str, chunks: &[Chunk]) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for chunk in chunks {
        let mut heading = None;
        for block in crate::blocks::blocks(&chunk.text) {
            match block.kind {
                crate::blocks::Kind::Heading(_) => {
                    heading = Some(crate::blocks::heading_text(block.text))
                }
                crate::blocks::Kind::Paragraph => {
                    let Some(heading) = heading.take() else {
                        continue;
                    };
                    let quote = block.text.split_whitespace().collect::<Vec<_>>().join(" ");
                    drafts.push(Draft {
                        prompt: format!("What does \"{document_title}\" say about {heading}?"),
                        reasoning: format!("The paragraph under the heading \"{heading}\" answers this; it is quoted word for word."),
                        response: quote.clone(),
                        quote,
                        chunk_index: chunk.index,
                        start: chunk.start + block.start,
                        end: chunk.start + block.end,
                    });
                }
                _ => {}
            }
        }
    }
    drafts
}
