//! The OpenAPI document: collected from the routes, then given the errors that every operation shares.

use crate::{respond, routes};
use actix_web::App;
use cerebros_common::{
    agents::AgentSort,
    api_keys::KeyScope,
    chat::WireError,
    errors::{ErrorCode, Problem},
    files::FileOrder,
    legal::LegalPage,
    workspaces::Role,
};
use utoipa::{
    OpenApi as _, ToSchema as _,
    openapi::{
        Components, ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_actix_web::AppExt;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Cerebros",
        description = "Turn your own documents into reviewed training examples, datasets, fine-tuned models and an \
                       assistant that answers with them.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        contact(),
    ),
    components(schemas(AgentSort, FileOrder, LegalPage, Problem, WireError)),
    tags(
        (name = "server", description = "What a server tells everybody about itself"),
        (name = "auth", description = "Sign up, in and out; links by mail"),
        (name = "account", description = "What is yours alone"),
        (name = "sessions", description = "Browsers in which you are signed in"),
        (name = "workspaces", description = "Where rows belong"),
        (name = "members", description = "Who belongs to a workspace, and with which role"),
        (name = "invitations", description = "Asking somebody to join"),
        (name = "account", description = "Your own profile, picture and preferences"),
        (name = "notifications", description = "What happened and concerns you"),
        (name = "legal", description = "Texts of the operator"),
        (name = "api_keys", description = "Keys for scripts"),
        (name = "audit", description = "Who did what, when, to what"),
        (name = "provider_keys", description = "Keys for other people's services"),
        (name = "webhooks", description = "Addresses that are told what has happened"),
        (name = "llm", description = "Language models: settings, prices, calls and what they cost"),
        (name = "deletions", description = "Deleting for good, with a receipt"),
        (name = "exports", description = "Archives to take away"),
        (name = "agents", description = "What you make from documents; assistants on screen"),
        (name = "documents", description = "Uploads, their text and chunks"),
        (name = "uploads", description = "Files in parts, which go on after whatever interrupts them"),
        (name = "search", description = "Passages by words"),
        (name = "examples", description = "Prompt, reasoning, response: reviewed by people"),
        (name = "concepts", description = "What documents speak of"),
        (name = "diagrams", description = "Mermaid diagrams: written, drawn, shared"),
        (name = "studies", description = "How far a document's concepts and diagrams are"),
        (name = "conversations", description = "What you and assistants said to each other"),
        (name = "templates", description = "What a language model is asked to write examples by"),
        (name = "batches", description = "Examples made of many chunks"),
        (name = "datasets", description = "Validated chat rows"),
        (name = "bases", description = "Models that training starts from"),
        (name = "jobs", description = "LoRA training"),
        (name = "models", description = "Trained adapters"),
        (name = "comparisons", description = "Two models on the same prompts, and which answers are better"),
        (name = "dashboard", description = "Figures from recorded calls"),
        (name = "events", description = "Live changes"),
        (name = "openai", description = "OpenAI's wire: point the stock SDKs here"),
    ),
)]
struct Base;

/// The document as it is committed and served.
pub fn document() -> OpenApi {
    let (_, mut document) = App::new()
        .into_utoipa_app()
        .openapi(Base::openapi())
        .configure(routes::configure)
        .split_for_parts();
    let components = document.components.get_or_insert_with(Components::new);
    add_security(components);
    add_errors(components);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_mut(item) {
            operation.security = Some(access(method, operation).requirements());
            reference_errors(method, path, operation);
        }
    }
    document
}

/// Which methods each documented path takes.
pub struct Routes(Vec<(Vec<String>, Vec<&'static str>)>);

impl Routes {
    pub fn new(document: &mut OpenApi) -> Self {
        let routes = document.paths.paths.iter_mut().map(|(path, item)| {
            let methods = operations_mut(item).into_iter().map(|(method, _)| method).collect();
            (path.split('/').map(str::to_owned).collect(), methods)
        });
        Self(routes.collect())
    }

    pub fn methods_of(&self, path: &str) -> Vec<&'static str> {
        let segments: Vec<&str> = path.split('/').collect();
        let matching = self.0.iter().filter(|(pattern, _)| {
            pattern.len() == segments.len()
                && pattern
                    .iter()
                    .zip(&segments)
                    .all(|(pattern, segment)| pattern.starts_with('{') || pattern == segment)
        });
        matching.flat_map(|(_, methods)| methods.iter().copied()).collect()
    }
}

fn operations_mut(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
    .collect()
}

/// Who may use an operation. The extractors enforce it; a test compares both for every role and scope.
enum Access {
    Open,
    /// Whoever is signed in in a browser; no key.
    SignedIn,
    /// Members with at least the role, and their keys with the scope.
    Member(Role, KeyScope),
}

fn access(method: &str, operation: &Operation) -> Access {
    use Access::{Member, Open, SignedIn};
    match operation.operation_id.as_deref().unwrap_or_default() {
        "find_server" | "list_outbox" => Open,
        "sign_up" | "sign_in" | "request_magic_link" | "request_password_reset" => Open,
        "redeem_magic_link" | "redeem_password_reset" | "redeem_verification" | "redeem_email_change" => Open,
        "sign_out" | "find_session" | "request_verification" => SignedIn,
        "change_password" | "create_email_change" | "delete_email_change" => SignedIn,
        "list_sessions" | "delete_session" | "delete_other_sessions" => SignedIn,
        "look_at_invitation" | "find_legal_page" => Open,
        "list_workspaces" | "create_workspace" | "accept_invitation" => SignedIn,
        "find_account" | "update_account" | "put_avatar" | "delete_avatar" | "find_avatar" => SignedIn,
        "list_notification_preferences" | "update_notification_preferences" => SignedIn,
        "list_notifications" | "count_unread_notifications" | "read_notification" | "read_all_notifications" => {
            SignedIn
        }
        "update_workspace" | "update_member" => Member(Role::Admin, KeyScope::Admin),
        "list_invitations" | "create_invitation" | "delete_invitation" | "resend_invitation" => {
            Member(Role::Admin, KeyScope::Admin)
        }
        "delete_member" => Member(Role::Viewer, KeyScope::Admin),
        "make_owner" => Member(Role::Owner, KeyScope::Admin),
        "list_api_keys" | "create_api_key" | "rotate_api_key" | "delete_api_key" => {
            Member(Role::Admin, KeyScope::Admin)
        }
        "export_account" => SignedIn,
        "export_workspace" => Member(Role::Owner, KeyScope::Admin),
        "put_llm_settings" | "test_llm_settings" | "list_llm_models" | "put_price" | "delete_price" => {
            Member(Role::Admin, KeyScope::Admin)
        }
        "list_audit" | "list_provider_keys" | "put_provider_key" | "delete_provider_key" => {
            Member(Role::Admin, KeyScope::Admin)
        }
        "list_webhooks" | "create_webhook" | "update_webhook" | "rotate_webhook" | "test_webhook"
        | "delete_webhook" => Member(Role::Admin, KeyScope::Admin),
        "list_webhook_deliveries" | "retry_webhook_delivery" => Member(Role::Admin, KeyScope::Admin),
        "find_receipt" => Open,
        "vote_on_round" | "review_examples" | "claim_examples" | "release_examples" | "judge_example"
        | "undo_example" => Member(Role::Reviewer, KeyScope::Write),
        "find_shared_diagram" | "find_shared_picture" => Open,
        // Its address is signed.
        "put_part" => Open,
        "create_base" | "delete_base" => Member(Role::Editor, KeyScope::Train),
        "create_job"
        | "estimate_job"
        | "measure_dataset_lengths"
        | "cancel_job"
        | "pause_job"
        | "resume_job"
        | "retry_job" => Member(Role::Editor, KeyScope::Train),
        "create_training" | "cancel_training" => Member(Role::Editor, KeyScope::Train),
        "create_fine_tuning_job" | "cancel_fine_tuning_job" | "pause_fine_tuning_job" | "resume_fine_tuning_job" => {
            Member(Role::Editor, KeyScope::Train)
        }
        "create_chat_completion" | "create_embedding" => Member(Role::Viewer, KeyScope::Chat),
        "create_conversation" | "update_conversation" | "delete_conversation" => Member(Role::Viewer, KeyScope::Write),
        _ if method == "GET" => Member(Role::Viewer, KeyScope::Read),
        _ => Member(Role::Editor, KeyScope::Write),
    }
}

impl Access {
    fn requirements(&self) -> Vec<SecurityRequirement> {
        match self {
            Self::Open => vec![SecurityRequirement::default()],
            Self::SignedIn => vec![SecurityRequirement::new::<_, [&str; 0], &str>("session", [])],
            Self::Member(role, scope) => vec![
                SecurityRequirement::new("session", [role.name()]),
                SecurityRequirement::new("api_key", [role.name(), scope.name()]),
            ],
        }
    }
}

fn add_security(components: &mut Components) {
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::auth::SESSION_COOKIE)));
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    components.add_security_scheme("session", cookie);
    components.add_security_scheme("api_key", bearer);
}

fn add_errors(components: &mut Components) {
    for code in ErrorCode::ALL {
        let status = code.status().to_string();
        let native = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(Problem::name())))
            .build();
        let wire = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(WireError::name())))
            .build();
        let native = ResponseBuilder::new()
            .description(describe(code.status()))
            .content("application/problem+json", native);
        let wire = ResponseBuilder::new()
            .description(describe(code.status()))
            .content("application/json", wire);
        components
            .responses
            .insert(format!("Problem{status}"), RefOr::T(native.build()));
        components
            .responses
            .insert(format!("WireError{status}"), RefOr::T(wire.build()));
    }
}

fn describe(status: u16) -> &'static str {
    ErrorCode::ALL
        .iter()
        .find(|code| code.status() == status)
        .map_or("An error", |code| code.title())
}

fn reference_errors(method: &str, path: &str, operation: &mut Operation) {
    let takes = |name: &str| {
        let mut parameters = operation.parameters.iter().flatten();
        parameters.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
    };
    let has_body = operation.request_body.is_some();
    let mut statuses = vec![400, 401, 403, 404, 429, 500, 503];
    if has_body {
        statuses.extend([413, 415]);
    }
    if method != "GET" {
        statuses.extend([409, 507]);
    } else if path.contains("{id}/") {
        // A part of something that may not be there yet, or not any more.
        statuses.push(409);
    }
    if takes("If-Match") {
        statuses.extend([412, 428]);
    }
    if has_body {
        statuses.push(408);
    }
    if takes("Idempotency-Key") {
        statuses.push(422);
    }
    if takes("If-None-Match") {
        let unchanged = ResponseBuilder::new().description("Nothing changed since the `ETag` that you have");
        operation
            .responses
            .responses
            .insert("304".to_owned(), RefOr::T(unchanged.build()));
    }
    let prefix = if respond::is_wire(path) { "WireError" } else { "Problem" };
    for status in statuses {
        let reference: RefOr<Response> = RefOr::Ref(Ref::from_response_name(format!("{prefix}{status}")));
        operation
            .responses
            .responses
            .entry(status.to_string())
            .or_insert(reference);
    }
}
