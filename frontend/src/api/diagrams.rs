//! Diagrams.

use super::{Answer, address, delete, get, list, order, patch, post, with_query};
use cerebros_common::{
    diagrams::{
        Diagram, DiagramCheck, DiagramPatch, DiagramQuery, DiagramShare, DiagramSource, DrawRequest, Drawing,
        NewDiagram, PictureQuery, SharedDiagram,
    },
    ids::DiagramId,
    wire::Page,
};

pub async fn list_diagrams(query: DiagramQuery) -> Answer<Page<Diagram>> {
    list("/diagrams", &query).await
}

pub async fn find_diagram(id: DiagramId) -> Answer<Diagram> {
    get(&format!("/diagrams/{id}")).await
}

pub async fn create_diagram(body: NewDiagram) -> Answer<Diagram> {
    post("/diagrams", &body).await
}

pub async fn draw_diagrams(body: DrawRequest) -> Answer<Drawing> {
    post("/diagrams/draw", &body).await
}

pub async fn check_diagram(source: String) -> Answer<DiagramCheck> {
    post("/diagrams/check", &DiagramSource { source }).await
}

pub async fn update_diagram(id: DiagramId, version: i64, body: DiagramPatch) -> Answer<Diagram> {
    patch(&format!("/diagrams/{id}"), version, &body).await
}

pub async fn delete_diagram(id: DiagramId, version: i64) -> Answer<()> {
    delete(&format!("/diagrams/{id}"), Some(version)).await
}

pub async fn retry_diagram(id: DiagramId) -> Answer<Diagram> {
    order(&format!("/diagrams/{id}/retry")).await
}

pub async fn share_diagram(id: DiagramId) -> Answer<DiagramShare> {
    order(&format!("/diagrams/{id}/share")).await
}

pub async fn unshare_diagram(id: DiagramId) -> Answer<()> {
    delete(&format!("/diagrams/{id}/share"), None).await
}

pub async fn find_shared(token: String) -> Answer<SharedDiagram> {
    get(&format!("/shared/{token}")).await
}

/// Where the browser finds the picture of a diagram.
pub fn picture_address(diagram: &Diagram, download: bool) -> String {
    let query = PictureQuery {
        download: download.then_some(true),
        version: Some(diagram.version),
        // `address` names it.
        workspace_id: None,
    };
    address(&with_query(&format!("/diagrams/{}/svg", diagram.id), &query))
}

pub fn shared_picture_address(token: &str) -> String {
    format!("/api/v1/shared/{token}/svg")
}
