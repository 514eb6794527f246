//! OpenAI's wire: unknown members are ignored, answers and errors have OpenAI's shapes.

use crate::{
    chat::{self, Call},
    error::AppResult,
    extract::{self, Chatter, Viewer},
    state::App,
};
use actix_web::{HttpRequest, HttpResponse, get, http::header, post, web};
use cerebros_common::{
    agents::{AgentQuery, AgentStatus},
    bases::BaseStatus,
    chat::{ChatCompletion, ChatCompletionRequest, ModelObject, ModelObjectList},
    models::ModelQuery,
    wire::{MAX_LIMIT, Paging},
};
use cerebros_db as db;
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list_model_objects).service(create_chat_completion);
}

/// List what can answer
///
/// The newest 100 of each: `agent:<id>` for what agents serve, models by id, `base:<id>`.
#[utoipa::path(
    tag = "openai",
    responses((status = 200, description = "OpenAI's model list", body = ModelObjectList)),
)]
#[get("/models")]
async fn list_model_objects(app: web::Data<App>, Viewer(scope): Viewer) -> AppResult {
    let object = |id: String, created: i64, owned_by: &str| ModelObject {
        id,
        object: "model".to_owned(),
        created,
        owned_by: owned_by.to_owned(),
    };
    let mut data = Vec::new();
    let live = AgentQuery {
        status: Some(AgentStatus::Ready),
        limit: Some(MAX_LIMIT),
        ..AgentQuery::default()
    };
    for agent in db::agents::list(&scope, &app.db, &live).await?.items {
        data.push(object(
            format!("agent:{}", agent.id),
            agent.created_at.timestamp(),
            "workspace",
        ));
    }
    let newest = ModelQuery {
        limit: Some(MAX_LIMIT),
        ..ModelQuery::default()
    };
    for model in db::models::list(&scope, &app.db, &newest).await?.items {
        if model.source_deleted_at.is_none() {
            data.push(object(model.id.to_string(), model.created_at.timestamp(), "workspace"));
        }
    }
    for base in db::bases::list(&scope, &app.db, Paging::new(None, Some(MAX_LIMIT)))
        .await?
        .items
    {
        if base.status == BaseStatus::Ready {
            data.push(object(format!("base:{}", base.id), base.created_at.timestamp(), "base"));
        }
    }
    Ok(HttpResponse::Ok().json(ModelObjectList {
        object: "list".to_owned(),
        data,
    }))
}

/// Complete a chat
///
/// With `stream`, server-sent `ChatCompletionChunk`s that end with `data: [DONE]`.
#[utoipa::path(
    tag = "openai",
    request_body = ChatCompletionRequest,
    responses((status = 200, description = "The answer", content(
        (ChatCompletion = "application/json"),
        (cerebros_common::chat::ChatCompletionChunk = "text/event-stream"),
    ))),
)]
#[post("/chat/completions")]
async fn create_chat_completion(
    app: web::Data<App>,
    http: HttpRequest,
    Chatter(scope): Chatter,
    payload: web::Payload,
) -> AppResult {
    let bytes = extract::read_json_body(&http, payload.into_inner()).await?;
    let request: ChatCompletionRequest = extract::parse_json(&bytes)?;
    let target = chat::resolve(&app, &scope, &request.model).await?;
    let question = chat::question(&request, &target)?;
    let call = Call::begin(app.into_inner(), scope, &request.model, &target);
    let (answer, first) = call.ask(question).await?;
    if !request.stream.unwrap_or(false) {
        return Ok(HttpResponse::Ok().json(call.whole(answer, first).await?));
    }
    let include_usage = request.stream_options.is_some_and(|options| options.include_usage);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(call.stream(answer, first, include_usage)))
}
