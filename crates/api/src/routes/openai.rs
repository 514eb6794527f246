//! OpenAI's wire: unknown members are ignored, answers and errors have OpenAI's shapes.

use crate::{
    chat::{self, call::Call, question},
    conversations,
    error::{AppError, AppResult},
    extract::{self, Chatter, Editor, Viewer},
    fine_tuning::Teller,
    jobs::checkpoints,
    models::{self, Named},
    state::App,
};
use actix_web::{HttpRequest, HttpResponse, delete, get, http::header, post, web};
use cerebros_common::{
    agents::{Agent, AgentQuery, AgentStatus},
    bases::{Base, BaseStatus},
    chat::{ChatCompletion, ChatCompletionRequest, ModelObject, ModelObjectList},
    files::Deleted,
    models::{Model, ModelQuery},
    wire::{MAX_LIMIT, Paging},
};
use cerebros_db::{self as db, Scope};
use chrono::{DateTime, Utc};
use utoipa_actix_web::service_config::ServiceConfig;

pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_model_objects)
        .service(find_model_object)
        .service(delete_model_object)
        .service(create_chat_completion);
}

/// List what can answer
///
/// The newest 100 of each: `agent:<id>` for what agents serve, `ft:<base>:<label>:<id>` for trained models, `base:<id>`.
#[utoipa::path(
    tag = "openai",
    responses((status = 200, description = "OpenAI's model list", body = ModelObjectList)),
)]
#[get("/models")]
async fn list_model_objects(app: web::Data<App>, Viewer(scope): Viewer) -> AppResult {
    let live = AgentQuery {
        status: Some(AgentStatus::Ready),
        limit: Some(MAX_LIMIT),
        ..AgentQuery::default()
    };
    let agents = db::agents::list(&scope, &app.db, &live).await?.items;
    let mut data: Vec<ModelObject> = agents.iter().map(of_agent).collect();
    let newest = ModelQuery {
        limit: Some(MAX_LIMIT),
        ..ModelQuery::default()
    };
    let mut trained = db::models::list(&scope, &app.db, &newest).await?.items;
    trained.retain(|model| model.source_deleted_at.is_none());
    data.extend(of_models(&app, &scope, &trained).await?);
    let bases = db::bases::list(&scope, &app.db, Paging::new(None, Some(MAX_LIMIT))).await?;
    let ready = bases.items.iter().filter(|base| base.status == BaseStatus::Ready);
    data.extend(ready.map(of_base));
    Ok(HttpResponse::Ok().json(ModelObjectList {
        object: "list".to_owned(),
        data,
    }))
}

fn object(id: String, created: DateTime<Utc>, owned_by: &str) -> ModelObject {
    ModelObject {
        id,
        object: "model".to_owned(),
        created: created.timestamp(),
        owned_by: owned_by.to_owned(),
    }
}

fn of_agent(agent: &Agent) -> ModelObject {
    object(format!("agent:{}", agent.id), agent.created_at, "workspace")
}

fn of_base(base: &Base) -> ModelObject {
    object(models::base_name(base.id), base.created_at, "base")
}

async fn of_models(app: &App, scope: &Scope, trained: &[Model]) -> AppResult<Vec<ModelObject>> {
    let jobs: Vec<_> = trained.iter().map(|model| model.job_id).collect();
    let suffixes = db::jobs::suffixes(scope, &app.db, &jobs).await?;
    let workspace = db::workspaces::find(scope, &app.db).await?.name;
    let of_model = |model: &Model| {
        let label = suffixes.get(&model.job_id).unwrap_or(&workspace);
        let name = models::name(&model.base_name, label, model.id);
        object(name, model.created_at, "workspace")
    };
    Ok(trained.iter().map(of_model).collect())
}

/// Find what can answer
#[utoipa::path(
    tag = "openai",
    params(("model" = String, Path)),
    responses((status = 200, description = "The model", body = ModelObject)),
)]
#[get("/models/{model}")]
async fn find_model_object(app: web::Data<App>, Viewer(scope): Viewer, name: web::Path<String>) -> AppResult {
    let found = find_object(&app, &scope, &name).await?;
    Ok(HttpResponse::Ok().json(found.ok_or_else(|| models::unknown(&name))?))
}

/// `None` for what is there and does not answer.
async fn find_object(app: &App, scope: &Scope, name: &str) -> AppResult<Option<ModelObject>> {
    let not_found = models::not_found(name);
    Ok(match models::named(name).ok_or_else(|| models::unknown(name))? {
        Named::Agent(id) => {
            let agent = db::agents::find(scope, &app.db, id).await.map_err(not_found)?;
            agent.model_id.map(|_| of_agent(&agent))
        }
        Named::Base(id) => {
            let base = db::bases::find(scope, &app.db, id).await.map_err(not_found)?;
            (base.status == BaseStatus::Ready).then(|| of_base(&base))
        }
        Named::Model(id) => {
            let model = db::models::find(scope, &app.db, id).await.map_err(not_found)?.model;
            let answers = model.source_deleted_at.is_none();
            of_models(app, scope, &[model]).await?.pop().filter(|_| answers)
        }
        Named::Checkpoint(id, step) => {
            let job = db::jobs::find_labelled(scope, &app.db, id).await.map_err(not_found)?;
            let (_, written) = checkpoints::find(app, scope, id, step)
                .await
                .map_err(models::no_checkpoint)?;
            let model = Teller::new(app, scope).await?.model_name(&job);
            Some(object(models::checkpoint_name(&model, step), written, "workspace"))
        }
    })
}

/// Delete a trained model
///
/// Refused while an agent answers with it, and for bases and agents.
#[utoipa::path(
    tag = "openai",
    params(("model" = String, Path)),
    responses((status = 200, description = "Model and adapter are gone", body = Deleted)),
)]
#[delete("/models/{model}")]
async fn delete_model_object(app: web::Data<App>, Editor(scope): Editor, name: web::Path<String>) -> AppResult {
    let Some(Named::Model(id)) = models::named(&name) else {
        find_object(&app, &scope, &name).await?;
        return Err(
            AppError::conflict("Only trained models can be deleted here.").about("model", "not_a_trained_model")
        );
    };
    let found = db::models::find(&scope, &app.db, id).await;
    found.map_err(models::not_found(&name))?;
    models::delete(&app, &scope, id).await?;
    Ok(HttpResponse::Ok().json(Deleted {
        id: name.into_inner(),
        object: "model".to_owned(),
        deleted: true,
    }))
}

/// Complete a chat
///
/// With `stream`, server-sent `ChatCompletionChunk`s that end with `data: [DONE]`. With `documents`, the model reads
/// passages of the assistant's documents before it answers, and the answer cites them.
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
    let passages = chat::passages(&app, &scope, &request, &target).await?;
    conversations::check(&app, &scope, &request, &target).await?;
    let question = question::question(&request, &target, &scope, passages.as_deref().unwrap_or_default())?;
    let call = Call::begin(app.into_inner(), scope, &request.model, &target);
    let begun = call
        .asked
        .unless_gone(&http, call.ask(&target, question, passages, &request))
        .await?;
    if !request.stream.unwrap_or(false) {
        return Ok(HttpResponse::Ok().json(call.whole(begun, &http).await?));
    }
    let include_usage = request.stream_options.is_some_and(|options| options.include_usage);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .streaming(call.stream(begun, include_usage)))
}
