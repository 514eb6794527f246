//! Files in parts.

use super::{Answer, delete, get, list, post};
use cerebros_common::{
    ids::{AgentId, UploadId},
    uploads::{NewUpload, PartAddress, PartAddresses, PartNumbers, Upload, UploadEnd, UploadQuery},
    wire::Page,
};
use gloo_net::http::Method;

pub async fn list_uploads(agent_id: Option<AgentId>) -> Answer<Vec<Upload>> {
    let query = UploadQuery {
        agent_id,
        page: None,
        limit: Some(100),
    };
    let page: Page<Upload> = list("/uploads", &query).await?;
    Ok(page.items)
}

/// Asked again with the same key, it is the same upload.
pub async fn create_upload(new: &NewUpload, key: &str) -> Answer<Upload> {
    let request = super::request(Method::POST, "/uploads", None)
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", key);
    super::decode(&super::answer(request.body(super::encode(new)?)).await?)
}

pub async fn find_upload(id: UploadId) -> Answer<Upload> {
    get(&format!("/uploads/{id}")).await
}

pub async fn part_addresses(id: UploadId, parts: Vec<u32>) -> Answer<Vec<PartAddress>> {
    let found: PartAddresses = post(&format!("/uploads/{id}/urls"), &PartNumbers { parts }).await?;
    Ok(found.items)
}

pub async fn complete_upload(id: UploadId) -> Answer<Upload> {
    post(&format!("/uploads/{id}/complete"), &UploadEnd::default()).await
}

pub async fn delete_upload(id: UploadId) -> Answer<()> {
    delete(&format!("/uploads/{id}"), None).await
}
