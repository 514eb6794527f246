//! Trying a template out on one chunk.

use crate::{
    batches::model::{self, Passage},
    error::{AppError, AppResult},
    llm::AskError,
    state::App,
};
use cerebros_common::{
    ids::BatchItemId,
    llm_calls::Category,
    templates::{TemplateKind, TemplateTest, TemplateTrial, TrialExample},
};
use cerebros_db::{self as db, Scope, examples::GeneratedExample};
use std::sync::Arc;
use uuid::Uuid;

/// Examples asked for.
const MOST: u32 = 3;

/// Asks the workspace's language model for examples of a chunk, and stores none of them.
///
/// # Errors
/// 409 without a language model, and when it refuses; 503 when it does not answer.
pub async fn try_out(
    app: &Arc<App>,
    scope: &Scope,
    kind: TemplateKind,
    test: &TemplateTest,
) -> AppResult<TemplateTrial> {
    let chunk = db::chunks::find(scope, &app.db, test.chunk_id).await?;
    let document = db::documents::find(scope, &app.db, chunk.document_id).await?;
    let instructions = match &test.instructions {
        Some(instructions) => instructions.clone(),
        None => db::templates::find(scope, &app.db, kind).await?.instructions,
    };
    let passage = Passage {
        key: format!("template test {}", BatchItemId(Uuid::now_v7())),
        subject_id: chunk.id.0,
        document_id: document.id,
        document_name: &document.name,
        chunk: &chunk,
        instructions: &instructions,
        most: MOST,
    };
    let cancel = app.shutdown.child_token();
    let made = model::ask(app, scope, &cancel, &passage).await.map_err(refusal)?;
    Ok(TemplateTrial {
        examples: made.examples.into_iter().map(shown).collect(),
        model: made.model,
        prompt_tokens: made.prompt_tokens,
        completion_tokens: made.completion_tokens,
        cost_micros: made.cost_micros,
    })
}

fn refusal(error: AskError) -> AppError {
    match error {
        AskError::NoModel => AppError::conflict(
            "This workspace uses no language model, so there is nothing to try. Choose one in the settings.",
        ),
        AskError::Failed { category, message, .. } => {
            let detail = format!("The language model gave no answer. {message}");
            match category {
                Category::Authentication | Category::Permanent => AppError::conflict(detail),
                Category::Transient | Category::RateLimit | Category::Network => AppError::unavailable(detail, 10),
            }
        }
        AskError::Interrupted => AppError::unavailable("The server is stopping. Try again in a moment.", 5),
        AskError::Internal(error) => error,
    }
}

fn shown(example: GeneratedExample) -> TrialExample {
    TrialExample {
        prompt: example.prompt,
        reasoning: example.reasoning,
        response: example.response,
        quote: example.quote,
        score: example.score,
        findings: example.findings,
        grounding: example.grounding,
    }
}
