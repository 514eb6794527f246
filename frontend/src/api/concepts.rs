//! Concepts of documents.

use super::{Answer, delete, list, patch, post, send};
use cerebros_common::{
    concepts::{Concept, ConceptFinding, ConceptMerge, ConceptPatch, ConceptQuery, ConceptSearch, NewConcept},
    ids::{ConceptId, DocumentId},
    wire::Page,
};
use gloo_net::http::Method;

pub async fn list_concepts(query: ConceptQuery) -> Answer<Page<Concept>> {
    list("/concepts", &query).await
}

pub async fn create_concept(body: NewConcept) -> Answer<Concept> {
    post("/concepts", &body).await
}

pub async fn find_document_concepts(document_id: DocumentId) -> Answer<ConceptFinding> {
    post("/concepts/find", &ConceptSearch { document_id }).await
}

pub async fn update_concept(id: ConceptId, version: i64, body: ConceptPatch) -> Answer<Concept> {
    patch(&format!("/concepts/{id}"), version, &body).await
}

pub async fn delete_concept(id: ConceptId, version: i64) -> Answer<()> {
    delete(&format!("/concepts/{id}"), Some(version)).await
}

pub async fn merge_concept(id: ConceptId, version: i64, into_id: ConceptId) -> Answer<Concept> {
    let body = ConceptMerge { into_id };
    send(Method::POST, &format!("/concepts/{id}/merge"), Some(version), &body).await
}
