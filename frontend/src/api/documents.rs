//! Documents and their text.

use super::{Answer, get, list, order};
use cerebros_common::{
    documents::{Document, DocumentQuery, DocumentText, DocumentTextQuery},
    ids::DocumentId,
    wire::Page,
};

pub async fn list_documents(query: DocumentQuery) -> Answer<Page<Document>> {
    list("/documents", &query).await
}

pub async fn find_document(id: DocumentId) -> Answer<Document> {
    get(&format!("/documents/{id}")).await
}

pub async fn retry_document(id: DocumentId) -> Answer<Document> {
    order(&format!("/documents/{id}/retry")).await
}

pub async fn find_text(id: DocumentId, query: DocumentTextQuery) -> Answer<DocumentText> {
    list(&format!("/documents/{id}/text"), &query).await
}

pub fn content_address(id: DocumentId) -> String {
    super::address(&format!("/documents/{id}/content"))
}
