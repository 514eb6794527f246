//! The text around quotations, read before it is needed.

use crate::api::{Answer, documents::find_text};
use cerebros_common::{
    documents::{DocumentText, DocumentTextQuery},
    examples::ExampleSource,
    ids::DocumentId,
};
use leptos::{prelude::*, task::spawn_local};
use std::collections::HashMap;

/// Characters shown on each side of the quote.
const AROUND: u64 = 500;
const KEPT: usize = 60;

type Place = (DocumentId, u64, u64);

#[derive(Clone, Copy)]
pub struct Passages {
    /// Documents' texts do not change.
    kept: StoredValue<HashMap<Place, DocumentText>>,
}

impl Passages {
    pub fn new() -> Self {
        Self {
            kept: StoredValue::new(HashMap::new()),
        }
    }

    pub async fn find(self, source: &ExampleSource) -> Answer<DocumentText> {
        let place = (source.document_id, source.start, source.end);
        if let Some(Some(text)) = self.kept.try_with_value(|kept| kept.get(&place).cloned()) {
            return Ok(text);
        }
        let offset = source.start.saturating_sub(AROUND);
        let query = DocumentTextQuery {
            offset: Some(offset),
            length: Some((source.end + AROUND - offset).min(100_000)),
        };
        let text = find_text(source.document_id, query).await?;
        self.kept.try_update_value(|kept| {
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert(place, text.clone());
        });
        Ok(text)
    }

    pub fn prefetch(self, source: Option<ExampleSource>) {
        if let Some(source) = source {
            // What fails is read again, and said, when it is shown.
            spawn_local(async move { drop(self.find(&source).await) });
        }
    }
}
