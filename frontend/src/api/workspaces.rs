//! Workspaces.

use super::{Answer, get, patch, post};
use cerebros_common::{
    ids::WorkspaceId,
    workspaces::{NewWorkspace, Workspace, WorkspacePatch},
};

pub async fn find_workspace(id: WorkspaceId) -> Answer<Workspace> {
    get(&format!("/workspaces/{id}")).await
}

pub async fn create_workspace(body: NewWorkspace) -> Answer<Workspace> {
    post("/workspaces", &body).await
}

pub async fn update_workspace(id: WorkspaceId, version: i64, body: WorkspacePatch) -> Answer<Workspace> {
    patch(&format!("/workspaces/{id}"), version, &body).await
}
