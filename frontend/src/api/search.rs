//! Search over documents.

use super::{Answer, list};
use cerebros_common::search::{SearchQuery, SearchResult};

pub async fn search(query: SearchQuery) -> Answer<SearchResult> {
    list("/search", &query).await
}
