//! Whose rows a function may touch.

use cerebros_common::ids::{ApiKeyId, UserId, WorkspaceId};

/// One workspace, and who acts in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    pub workspace_id: WorkspaceId,
    pub actor: Actor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    User(UserId),
    ApiKey(ApiKeyId, UserId),
    /// A background task.
    System,
}

impl Actor {
    /// The person who acts, or whose key acts.
    pub fn user_id(self) -> Option<UserId> {
        match self {
            Self::User(id) | Self::ApiKey(_, id) => Some(id),
            Self::System => None,
        }
    }
}

impl Scope {
    /// The scope of a background task that works for a workspace.
    pub fn system(workspace_id: WorkspaceId) -> Self {
        Self {
            workspace_id,
            actor: Actor::System,
        }
    }
}
