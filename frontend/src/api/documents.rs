//! Documents and their text.

use super::{Answer, get, list, order};
use cerebros_common::{
    documents::{
        Chunk, ChunkQuery, Document, DocumentMatch, DocumentQuery, DocumentSearchQuery, DocumentText,
        DocumentTextQuery, NewDocument,
    },
    ids::DocumentId,
    wire::{CursorPage, Page},
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

pub async fn search_document(id: DocumentId, query: DocumentSearchQuery) -> Answer<CursorPage<DocumentMatch>> {
    list(&format!("/documents/{id}/search"), &query).await
}

pub async fn list_chunks(id: DocumentId, query: ChunkQuery) -> Answer<CursorPage<Chunk>> {
    list(&format!("/documents/{id}/chunks"), &query).await
}

pub fn content_address(id: DocumentId) -> String {
    super::address(&format!("/documents/{id}/content"))
}
