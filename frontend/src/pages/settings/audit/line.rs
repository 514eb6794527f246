//! An entry of the audit log as a sentence.

use super::Names;
use crate::components::{icon::Icon, time::Ago};
use cerebros_common::audit::{Action, ActorKind, AuditEntry, Noun};
use leptos::prelude::*;

pub const ACTIONS: [Action; 25] = [
    Action::Created,
    Action::Updated,
    Action::Deleted,
    Action::Restored,
    Action::Reviewed,
    Action::Started,
    Action::Finished,
    Action::Failed,
    Action::Cancelled,
    Action::Resumed,
    Action::Retried,
    Action::SignedIn,
    Action::SignedOut,
    Action::Requested,
    Action::Confirmed,
    Action::Invited,
    Action::Accepted,
    Action::Declined,
    Action::Left,
    Action::Transferred,
    Action::Revoked,
    Action::Rotated,
    Action::Erased,
    Action::Exported,
    Action::Imported,
];

pub const NOUNS: [Noun; 36] = [
    Noun::Account,
    Noun::Password,
    Noun::EmailAddress,
    Noun::Avatar,
    Noun::Session,
    Noun::LinkToken,
    Noun::Notification,
    Noun::NotificationPreference,
    Noun::Workspace,
    Noun::Member,
    Noun::Invitation,
    Noun::ApiKey,
    Noun::ProviderKey,
    Noun::SecretKey,
    Noun::Agent,
    Noun::Document,
    Noun::Example,
    Noun::Dataset,
    Noun::Base,
    Noun::Job,
    Noun::Model,
    Noun::ModelExport,
    Noun::Comparison,
    Noun::Deletion,
    Noun::Upload,
    Noun::LlmSettings,
    Noun::Price,
    Noun::Template,
    Noun::Batch,
    Noun::Concept,
    Noun::Diagram,
    Noun::Share,
    Noun::Webhook,
    Noun::WebhookDelivery,
    Noun::Conversation,
    Noun::Training,
];

#[component]
pub fn Line(entry: AuditEntry, names: Signal<Names>) -> impl IntoView {
    let (kind, actor) = (entry.actor_kind, entry.actor_id);
    let who = move || match (kind, actor) {
        (ActorKind::System, _) | (_, None) => "The server".to_owned(),
        (kind, Some(id)) => names
            .with(|names| names.get(&id).cloned())
            .unwrap_or_else(|| match kind {
                ActorKind::ApiKey => "A revoked key".to_owned(),
                ActorKind::User | ActorKind::System => "A former member".to_owned(),
            }),
    };
    let icon = match kind {
        ActorKind::User => icondata::LuUser,
        ActorKind::ApiKey => icondata::LuKeyRound,
        ActorKind::System => icondata::LuServer,
    };
    let subject = entry.subject_id;
    view! {
        <li class="flex gap-4 px-4 py-3 text-sm">
            <span class="mt-0.5 text-muted">
                <Icon icon />
            </span>
            <div class="min-w-0 grow space-y-0.5">
                <p class="break-words">
                    <b class="font-medium">{who}</b>
                    " "
                    {what(entry.action, entry.noun)}
                    {(!entry.fields.is_empty()).then(|| format!(" ({})", entry.fields.join(", ")))}
                </p>
                <p class="flex flex-wrap gap-x-4 text-muted">
                    <Ago at=entry.at />
                    {match page(entry.noun) {
                        Some(page) if entry.action != Action::Deleted => {
                            view! {
                                <a href=format!("{page}/{subject}") class="font-mono break-all hover:underline">
                                    {subject.to_string()}
                                </a>
                            }
                                .into_any()
                        }
                        _ => view! { <span class="font-mono break-all">{subject.to_string()}</span> }.into_any(),
                    }}
                </p>
            </div>
        </li>
    }
}

fn what(action: Action, noun: Noun) -> String {
    match (action, noun) {
        (Action::SignedIn, _) => "signed in".to_owned(),
        (Action::SignedOut, _) => "signed out".to_owned(),
        (Action::Left, _) => "left the workspace".to_owned(),
        (Action::Reviewed, _) => "reviewed examples".to_owned(),
        (action, noun) => format!("{} {}", action_name(action).to_lowercase(), thing(noun)),
    }
}

pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::Created => "Created",
        Action::Updated => "Changed",
        Action::Deleted => "Deleted",
        Action::Restored => "Restored",
        Action::Reviewed => "Reviewed",
        Action::Started => "Started",
        Action::Finished => "Finished",
        Action::Failed => "Failed",
        Action::Cancelled => "Cancelled",
        Action::Paused => "Paused",
        Action::Resumed => "Resumed",
        Action::Retried => "Retried",
        Action::SignedIn => "Signed in",
        Action::SignedOut => "Signed out",
        Action::Requested => "Asked for",
        Action::Confirmed => "Confirmed",
        Action::Invited => "Invited",
        Action::Accepted => "Accepted",
        Action::Declined => "Declined",
        Action::Left => "Left",
        Action::Transferred => "Handed over",
        Action::Revoked => "Revoked",
        Action::Rotated => "Rotated",
        Action::Erased => "Erased",
        Action::Exported => "Exported",
        Action::Imported => "Imported",
    }
}

pub fn noun_name(noun: Noun) -> &'static str {
    match noun {
        Noun::Account => "Account",
        Noun::Password => "Password",
        Noun::EmailAddress => "E-mail address",
        Noun::Avatar => "Picture",
        Noun::Session => "Session",
        Noun::LinkToken => "Link by mail",
        Noun::Notification => "Notification",
        Noun::NotificationPreference => "Notification preference",
        Noun::Workspace => "Workspace",
        Noun::Member => "Member",
        Noun::Invitation => "Invitation",
        Noun::ApiKey => "API key",
        Noun::ProviderKey => "Provider key",
        Noun::SecretKey => "Secret key",
        Noun::Agent => "Assistant",
        Noun::Document => "Document",
        Noun::Example => "Example",
        Noun::Dataset => "Dataset",
        Noun::Base => "Base",
        Noun::Job => "Training job",
        Noun::Model => "Model",
        Noun::ModelExport => "Model export",
        Noun::Comparison => "Comparison",
        Noun::Deletion => "Deletion",
        Noun::Upload => "Upload",
        Noun::LlmSettings => "Language model setting",
        Noun::Price => "Model price",
        Noun::Template => "Prompt template",
        Noun::Batch => "Batch",
        Noun::Concept => "Concept",
        Noun::Diagram => "Diagram",
        Noun::Share => "Share link",
        Noun::Webhook => "Webhook",
        Noun::WebhookDelivery => "Webhook message",
        Noun::Conversation => "Conversation",
        Noun::Training => "Training in stages",
    }
}

/// With its article.
fn thing(noun: Noun) -> String {
    let name = noun_name(noun);
    let name = if noun == Noun::ApiKey {
        name.to_owned()
    } else {
        name.to_lowercase()
    };
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'A']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

/// Where things of this kind are shown.
fn page(noun: Noun) -> Option<&'static str> {
    match noun {
        Noun::Agent => Some("/assistants"),
        Noun::Document => Some("/documents"),
        Noun::Dataset => Some("/datasets"),
        Noun::Job => Some("/training"),
        Noun::Model => Some("/models"),
        _ => None,
    }
}
