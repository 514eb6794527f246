//! What the screen says for words of the wire vocabulary that several pages show.

use crate::components::tag::Colour;
use cerebros_common::{
    llm_calls::{Purpose, Severity},
    llm_settings::LlmProvider,
    notifications::{Notification, NotificationKind, NotificationSubject},
    workspaces::Role,
};

pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Reviewer => "Reviewer",
        Role::Editor => "Editor",
        Role::Admin => "Admin",
        Role::Owner => "Owner",
    }
}

/// What somebody with this role may do.
pub fn role_text(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Sees everything in the workspace and chats with the assistants.",
        Role::Reviewer => "Approves and rejects examples, and does what viewers do.",
        Role::Editor => "Uploads, edits, trains and deletes, and does what reviewers do.",
        Role::Admin => "Manages members, API keys and the workspace, and does what editors do.",
        Role::Owner => "Hands the workspace over or deletes it, and does what admins do.",
    }
}

/// The page that a notification leads to.
pub fn target(notification: &Notification) -> String {
    let id = notification.subject_id;
    match notification.subject {
        NotificationSubject::Agent if notification.kind == NotificationKind::ExamplesReady => {
            format!("/assistants/{id}?tab=examples")
        }
        NotificationSubject::Agent => format!("/assistants/{id}"),
        NotificationSubject::Document if notification.kind == NotificationKind::DiagramsReady => {
            format!("/studio?document={id}")
        }
        NotificationSubject::Document => format!("/documents/{id}"),
        NotificationSubject::Batch => format!("/batches/{id}"),
        NotificationSubject::Dataset => format!("/datasets/{id}"),
        NotificationSubject::Job => format!("/training/{id}"),
        NotificationSubject::Workspace if notification.kind == NotificationKind::DeletionDone => {
            "/settings/data".to_owned()
        }
        NotificationSubject::Workspace => "/settings/members".to_owned(),
        NotificationSubject::Account if notification.kind == NotificationKind::NewSignIn => {
            "/settings/sessions".to_owned()
        }
        NotificationSubject::Account => "/settings/profile".to_owned(),
    }
}

pub fn llm_provider_name(provider: LlmProvider) -> &'static str {
    match provider {
        LlmProvider::Extractive => "None: taken from the text",
        LlmProvider::Openai => "OpenAI or compatible",
        LlmProvider::Anthropic => "Anthropic",
        LlmProvider::AzureOpenai => "Azure OpenAI",
    }
}

pub fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Example => "Examples",
        Purpose::Judge => "Judging",
        Purpose::Concepts => "Concepts",
        Purpose::Diagram => "Diagram",
        Purpose::Repair => "Repair of a diagram",
        Purpose::Test => "Test",
    }
}

pub fn severity_look(severity: Severity) -> (Colour, &'static str) {
    match severity {
        Severity::Warning => (Colour::Amber, "Passing"),
        Severity::Error => (Colour::Red, "Failed"),
        Severity::Critical => (Colour::Red, "Needs you"),
    }
}
