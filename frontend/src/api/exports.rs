//! Archives of everything.

use cerebros_common::ids::WorkspaceId;

pub fn account_address() -> String {
    "/api/v1/account/export".to_owned()
}

pub fn workspace_address(id: WorkspaceId) -> String {
    super::address(&format!("/workspaces/{id}/export"))
}
