//! Two models answer the same prompts, as a background task; what they say is stored as it comes.

pub mod judge;

use crate::{
    chat::{self, Target},
    documents::extraction::scope_of,
    error::{AppError, AppResult},
    idempotency::{Answer, Turn},
    jobs::database,
    models,
    state::App,
};
use cerebros_common::{
    chat::ChatCompletionRequest,
    comparisons::{Comparison, Contender, MAX_ANSWER_TOKENS, NewComparison},
    errors::ErrorCode,
    ids::ComparisonId,
};
use cerebros_db::{
    self as db, DbError, Scope, Write,
    calls::{NewCall, Outcome},
    comparisons::rounds,
};
use cerebros_queue::{Burial, Enqueue, HookError, Lease, Task, TaskError, enqueue};
use cerebros_trainer::protocol::{InferRequest, InferResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two writes of an answer on its way.
const FLUSH_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Serialize, Deserialize)]
pub struct CompareModels {
    comparison_id: ComparisonId,
}

impl Task for CompareModels {
    const NAME: &'static str = "compare_models";
    const QUEUE: &'static str = "comparisons";
    const MAX_ATTEMPTS: u32 = 5;
}

/// Notes a comparison and queues its answers.
pub async fn create(turn: Turn, new: NewComparison) -> AppResult {
    let work = async |write: &mut Write| {
        let made = db::comparisons::insert(write, new.model_id, new.against_id, &new.prompts).await?;
        let options = Enqueue {
            workspace_id: Some(write.workspace_id()?.0),
            ..Enqueue::default()
        };
        let task = CompareModels { comparison_id: made.id };
        enqueue(write.connection(), &task, options).await?;
        Answer::created(format!("/api/v1/comparisons/{}", made.id), made)
    };
    turn.run(work).await
}

pub async fn run(app: Arc<App>, task: CompareModels, lease: Lease) -> Result<(), TaskError> {
    let scope = scope_of(lease.workspace_id())?;
    let comparison = match db::comparisons::find(&scope, &app.db, task.comparison_id).await {
        Ok(comparison) if comparison.finished_at.is_none() => comparison,
        Ok(_) | Err(DbError::NotFound(_)) => return Ok(()),
        Err(error) => return Err(database(error)),
    };
    let run = Run { app, scope, lease };
    let error = match run.answer_all(&comparison).await {
        Ok(()) => None,
        Err(Fault::Task(error)) => return Err(error),
        Err(Fault::Gone) => return Ok(()),
        Err(Fault::Refused(message)) => Some(message),
    };
    let mut write = run.app.db.write(&run.scope).await.map_err(database)?;
    let finished = db::comparisons::finish(&mut write, comparison.id, error.as_deref()).await;
    finished.map_err(database)?;
    run.lease.complete(write.connection()).await?;
    write.commit().await.map_err(database)
}

/// Says on the comparison that the server gave up.
pub async fn bury(app: Arc<App>, task: CompareModels, burial: Burial) -> Result<(), HookError> {
    let Some(workspace_id) = burial.workspace_id() else {
        return Ok(());
    };
    let mut write = app.db.write(&Scope::system(workspace_id.into())).await?;
    let message = format!(
        "{}. Delete this comparison and make it again; if it stays, look at the server's memory and log.",
        burial.message().trim_end_matches('.')
    );
    db::comparisons::finish(&mut write, task.comparison_id, Some(&message)).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}

/// Why answers stop.
enum Fault {
    Task(TaskError),
    /// The comparison was deleted.
    Gone,
    /// For the person.
    Refused(String),
}

impl From<TaskError> for Fault {
    fn from(error: TaskError) -> Self {
        Self::Task(error)
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound(_) => Self::Gone,
            error => Self::Task(database(error)),
        }
    }
}

impl From<AppError> for Fault {
    fn from(error: AppError) -> Self {
        match error.code {
            ErrorCode::NotFound => Self::Gone,
            ErrorCode::Internal | ErrorCode::Unavailable | ErrorCode::TooManyRequests => Self::Task(error.into()),
            _ => Self::Refused(error.detail),
        }
    }
}

struct Run {
    app: Arc<App>,
    scope: Scope,
    lease: Lease,
}

impl Run {
    async fn answer_all(&self, comparison: &Comparison) -> Result<(), Fault> {
        let (app, scope) = (&self.app, &self.scope);
        let stored = db::models::find(scope, &app.db, comparison.model_id).await?;
        let against = match comparison.against_id {
            Some(id) => id.to_string(),
            None => models::base_name(stored.model.base_id),
        };
        let model = chat::resolve(app, scope, &comparison.model_id.to_string()).await?;
        let against = chat::resolve(app, scope, &against).await?;
        for round in rounds::open(scope, &app.db, comparison.id).await? {
            let answers = round.unanswered.iter().map(|who| {
                let target = match who {
                    Contender::Model => &model,
                    Contender::Against => &against,
                };
                self.answer(&round, *who, target)
            });
            futures_util::future::try_join_all(answers).await?;
        }
        Ok(())
    }

    /// Asks one of the two, and stores what comes on the way.
    async fn answer(&self, round: &rounds::Open, who: Contender, target: &Target) -> Result<(), Fault> {
        let begun = Instant::now();
        let request: ChatCompletionRequest = serde_json::from_value(json!({
            "model": "", "messages": [{"role": "user", "content": round.prompt}],
            "max_tokens": MAX_ANSWER_TOKENS, "temperature": 0.0,
        }))
        .map_err(AppError::internal)?;
        let question = chat::question::question(&request, target, &self.scope, &[])?;
        let mut answer = self
            .app
            .inference
            .ask(&InferRequest::Generate(Box::new(question)))
            .await?;
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        let (mut text, mut is_new) = (String::new(), false);
        let (prompt_tokens, completion_tokens) = loop {
            tokio::select! {
                piece = answer.next() => match piece? {
                    InferResponse::Token { text: more, .. } => {
                        text.push_str(&more);
                        is_new = true;
                    }
                    InferResponse::Done { prompt_tokens, completion_tokens, .. } => break (prompt_tokens, completion_tokens),
                    other => return Err(AppError::internal(anyhow::anyhow!("unexpected answer {other:?}")).into()),
                },
                _ = flush.tick(), if is_new => {
                    self.store(round, who, &text, false).await?;
                    is_new = false;
                }
                () = self.lease.cancellation().cancelled() => return Err(TaskError::Interrupted.into()),
            }
        };
        let call = NewCall {
            agent_id: None,
            model_id: target.model_id,
            outcome: Outcome::Answered,
            prompt_tokens: prompt_tokens as u64,
            completion_tokens: completion_tokens as u64,
            duration: begun.elapsed(),
        };
        db::calls::insert(&self.scope, &self.app.db, &call).await?;
        self.store(round, who, &text, true).await
    }

    async fn store(&self, round: &rounds::Open, who: Contender, text: &str, finished: bool) -> Result<(), Fault> {
        let mut write = self.app.db.write(&self.scope).await?;
        rounds::set_answer(&mut write, round.id, who, text, finished).await?;
        self.lease.fence(write.connection()).await.map_err(TaskError::from)?;
        write.commit().await?;
        Ok(())
    }
}
