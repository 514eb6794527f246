//! Questions to language models. A row stands before its question leaves, and holds the answer before anybody uses it.

mod list;

pub use list::{list, usage};

use crate::{Db, DbError, Scope, Write, convert, documents};
use cerebros_common::{
    ids::{DocumentId, LlmCallId},
    llm_calls::{CallError, CallOutcome, Category, Purpose, Severity, Usage},
    llm_settings::LlmProvider,
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Statement,
    sea_query::{Expr, OnConflict},
};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// How often a question may be asked again that was under way when the server stopped.
const MAX_INTERRUPTIONS: i32 = 1;
const EXPIRED_AT_ONCE: u64 = 500;

/// What is asked, and by which name the answer is found again.
#[derive(Debug, Clone)]
pub struct Question {
    pub key: String,
    pub purpose: Purpose,
    pub subject_id: Uuid,
    pub document_id: Option<DocumentId>,
    pub provider: LlmProvider,
    pub model: String,
}

/// An answer that reached the server.
#[derive(Debug, Clone)]
pub struct Stored {
    pub id: LlmCallId,
    pub text: String,
    pub value: Option<Value>,
    pub model: String,
    pub usage: Usage,
    pub cost_micros: Option<i64>,
}

/// An attempt that may leave now.
#[derive(Debug, Clone)]
pub struct Begun {
    pub id: LlmCallId,
    number: i32,
    /// The same for the same question until an answer comes, usable or not.
    pub idempotency_key: String,
}

#[derive(Debug)]
pub enum Begin {
    Send(Begun),
    /// The server stopped while it was asked, and again while it was asked again.
    Interrupted(CallError),
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Ended {
    Answered {
        text: String,
        value: Option<Value>,
        model: String,
    },
    Failed {
        error: CallError,
        status: Option<u16>,
        /// An answer came that cannot be used: asking again is another question.
        answered: bool,
        maybe_paid: bool,
    },
}

/// What an attempt took.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    pub usage: Usage,
    /// `None`: the model has no price.
    pub cost_micros: Option<i64>,
    pub latency: Duration,
    /// Since the first attempt.
    pub total: Duration,
}

pub async fn find_stored(scope: &Scope, db: &Db, key: &str) -> Result<Option<Stored>, DbError> {
    let found = named(scope, key).one(db.read()).await?;
    found.and_then(|row| stored(row).transpose()).transpose()
}

/// Notes an attempt that is about to leave.
pub async fn begin(write: &mut Write, question: &Question) -> Result<Begin, DbError> {
    let scope = write.scope()?;
    insert(write, question).await?;
    let row = named(&scope, &question.key)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("call"))?;
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::CallId.eq(row.id))
        .all(write.connection())
        .await?;
    let open = convert::name(&CallOutcome::InFlight)?;
    let interrupted = attempts.iter().any(|attempt| attempt.outcome == open);
    let number = i32::try_from(attempts.len()).unwrap_or(i32::MAX).saturating_add(1);
    let (id, interruptions, question_number) = (row.id, row.interruptions, row.question);
    let mut row = row.into_active_model();
    if interrupted {
        close_interrupted(write, id).await?;
        row.maybe_paid_twice = Set(true);
        row.interruptions = Set(interruptions + 1);
        if interruptions >= MAX_INTERRUPTIONS {
            let error = interrupted_twice();
            row.interruptions = Set(0);
            row.outcome = Set(convert::name(&CallOutcome::Failed)?);
            set_error(&mut row, Some(&error))?;
            row.update(write.connection()).await?;
            return Ok(Begin::Interrupted(error));
        }
    }
    row.outcome = Set(open.clone());
    row.provider = Set(convert::name(&question.provider)?);
    row.model = Set(question.model.clone());
    row.update(write.connection()).await?;
    let attempt = attempt::ActiveModel {
        call_id: Set(id),
        number: Set(number),
        outcome: Set(open),
        prompt_tokens: Set(0),
        completion_tokens: Set(0),
        at: Set(convert::now()),
        ..Default::default()
    };
    attempt::Entity::insert(attempt)
        .exec_without_returning(write.connection())
        .await?;
    Ok(Begin::Send(Begun {
        id: LlmCallId(id),
        number,
        idempotency_key: format!("{id}-{question_number}"),
    }))
}

/// Notes how an attempt ended. Of several answers the first one stays; of a document that is gone none does.
pub async fn finish(
    write: &mut Write,
    begun: &Begun,
    document_id: Option<DocumentId>,
    spent: Spent,
    ended: &Ended,
) -> Result<(), DbError> {
    let scope = write.scope()?;
    // Before the call, as deletions do it.
    let forgotten = match document_id {
        Some(id) => !documents::lock_all(write, &[id]).await?,
        None => false,
    };
    let found = row::Entity::find_by_id(begun.id.0)
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .lock_exclusive()
        .one(write.connection())
        .await?;
    // The workspace may be gone.
    let Some(call) = found else { return Ok(()) };
    finish_attempt(write, begun, spent, ended).await?;
    let has_answer = call.answer.is_some();
    let question = call.question;
    let mut row = row::ActiveModel {
        prompt_tokens: Set(call
            .prompt_tokens
            .saturating_add(convert::signed(spent.usage.prompt_tokens))),
        completion_tokens: Set(call
            .completion_tokens
            .saturating_add(convert::signed(spent.usage.completion_tokens))),
        latency_ms: Set(Some(millis(spent.total))),
        interruptions: Set(0),
        ..call.clone().into_active_model()
    };
    if let Some(cost) = spent.cost_micros {
        row.cost_micros = Set(Some(call.cost_micros.unwrap_or(0).saturating_add(cost)));
    }
    match ended {
        Ended::Answered { text, value, model } if !has_answer => {
            row.outcome = Set(convert::name(&CallOutcome::Answered)?);
            row.answer = Set((!forgotten).then(|| text.clone()));
            row.answer_value = Set(value.as_ref().filter(|_| !forgotten).map(Value::to_string));
            row.answer_model = Set(Some(model.clone()));
            set_error(&mut row, None)?;
        }
        Ended::Failed {
            error,
            answered,
            maybe_paid,
            ..
        } if !has_answer => {
            row.outcome = Set(convert::name(&CallOutcome::Failed)?);
            row.maybe_paid_twice = Set(call.maybe_paid_twice || *maybe_paid);
            row.question = Set(question + i32::from(*answered));
            set_error(&mut row, Some(error))?;
        }
        Ended::Answered { .. } | Ended::Failed { .. } => row.maybe_paid_twice = Set(true),
    }
    row.update(write.connection()).await?;
    Ok(())
}

async fn finish_attempt(write: &Write, begun: &Begun, spent: Spent, ended: &Ended) -> Result<(), DbError> {
    let (outcome, error, status) = match ended {
        Ended::Answered { .. } => (CallOutcome::Answered, None, None),
        Ended::Failed { error, status, .. } => (CallOutcome::Failed, Some(error), *status),
    };
    attempt::Entity::update_many()
        .set(attempt::ActiveModel {
            outcome: Set(convert::name(&outcome)?),
            status: Set(status.map(i32::from)),
            error_category: Set(error.map(|error| convert::name(&error.category)).transpose()?),
            error_severity: Set(error.map(|error| convert::name(&error.severity)).transpose()?),
            error_message: Set(error.map(|error| error.message.clone())),
            prompt_tokens: Set(convert::signed(spent.usage.prompt_tokens)),
            completion_tokens: Set(convert::signed(spent.usage.completion_tokens)),
            latency_ms: Set(Some(millis(spent.latency))),
            ..Default::default()
        })
        .filter(attempt::Column::CallId.eq(begun.id.0))
        .filter(attempt::Column::Number.eq(begun.number))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Erases what answers and errors say of a document, the documents of an agent, the comparisons of a model, or another
/// subject; the figures stay.
pub async fn forget(write: &Write, subject: Uuid) -> Result<(), DbError> {
    let of_subject = "workspace_id = $1 and (document_id = $2 or subject_id = $2 \
                      or document_id in (select id from documents where agent_id = $2) \
                      or subject_id in (select id from comparisons where model_id = $2 or against_id = $2))";
    let erase_calls = "update llm_calls set answer = null, answer_value = null, error_message = null where";
    let erase_attempts =
        "update llm_attempts set error_message = null where call_id in (select id from llm_calls where";
    for sql in [
        format!("{erase_attempts} {of_subject})"),
        format!("{erase_calls} {of_subject}"),
    ] {
        let values = [write.workspace_id()?.0.into(), subject.into()];
        let backend = write.connection().get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        write.connection().execute_raw(statement).await?;
    }
    Ok(())
}

/// Erases answers that nobody will ask for again, and gives up what was under way when a server stopped.
pub async fn expire_unscoped(db: &Db, answers: DateTime<Utc>, in_flight: DateTime<Utc>) -> Result<(), DbError> {
    let write = db.write_unscoped().await?;
    row::Entity::update_many()
        .col_expr(row::Column::Answer, Expr::value(None::<String>))
        .col_expr(row::Column::AnswerValue, Expr::value(None::<String>))
        .filter(row::Column::Answer.is_not_null())
        .filter(row::Column::CreatedAt.lt(answers))
        .exec(write.connection())
        .await?;
    let error = interrupted_once();
    let open = attempt::Entity::find()
        .filter(attempt::Column::Outcome.eq(convert::name(&CallOutcome::InFlight)?))
        .filter(attempt::Column::At.lt(in_flight))
        .limit(EXPIRED_AT_ONCE)
        .all(write.connection())
        .await?;
    let stuck = row::Entity::find()
        .filter(row::Column::Id.is_in(open.iter().map(|attempt| attempt.call_id)))
        .all(write.connection())
        .await?;
    for row in stuck {
        let id = row.id;
        let mut row = row.into_active_model();
        row.outcome = Set(convert::name(&CallOutcome::Failed)?);
        row.maybe_paid_twice = Set(true);
        set_error(&mut row, Some(&error))?;
        row.update(write.connection()).await?;
        close_interrupted(&write, id).await?;
    }
    write.commit().await
}

async fn insert(write: &Write, question: &Question) -> Result<(), DbError> {
    let row = row::ActiveModel {
        id: Set(Uuid::now_v7()),
        workspace_id: Set(write.workspace_id()?.0),
        key: Set(question.key.clone()),
        purpose: Set(convert::name(&question.purpose)?),
        subject_id: Set(question.subject_id),
        document_id: Set(question.document_id.map(|id| id.0)),
        provider: Set(convert::name(&question.provider)?),
        model: Set(question.model.clone()),
        outcome: Set(convert::name(&CallOutcome::InFlight)?),
        prompt_tokens: Set(0),
        completion_tokens: Set(0),
        maybe_paid_twice: Set(false),
        interruptions: Set(0),
        question: Set(1),
        created_at: Set(convert::now()),
        ..Default::default()
    };
    let there = OnConflict::columns([row::Column::WorkspaceId, row::Column::Key])
        .do_nothing()
        .to_owned();
    row::Entity::insert(row)
        .on_conflict(there)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

/// The server stopped while they were under way.
async fn close_interrupted(write: &Write, call: Uuid) -> Result<(), DbError> {
    let error = interrupted_once();
    attempt::Entity::update_many()
        .set(attempt::ActiveModel {
            outcome: Set(convert::name(&CallOutcome::Failed)?),
            error_category: Set(Some(convert::name(&error.category)?)),
            error_severity: Set(Some(convert::name(&error.severity)?)),
            error_message: Set(Some(error.message)),
            ..Default::default()
        })
        .filter(attempt::Column::CallId.eq(call))
        .filter(attempt::Column::Outcome.eq(convert::name(&CallOutcome::InFlight)?))
        .exec(write.connection())
        .await?;
    Ok(())
}

fn interrupted_once() -> CallError {
    CallError {
        category: Category::Network,
        severity: Severity::Warning,
        message: "The server stopped before the answer came. It may have been paid for.".to_owned(),
    }
}

fn interrupted_twice() -> CallError {
    CallError {
        category: Category::Permanent,
        severity: Severity::Error,
        message: "The server stopped twice while this was asked, and it may have been paid for both times. Try again \
                  to ask once more."
            .to_owned(),
    }
}

fn named(scope: &Scope, key: &str) -> sea_orm::Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::Key.eq(key))
}

fn set_error(row: &mut row::ActiveModel, error: Option<&CallError>) -> Result<(), DbError> {
    row.error_category = Set(error.map(|error| convert::name(&error.category)).transpose()?);
    row.error_severity = Set(error.map(|error| convert::name(&error.severity)).transpose()?);
    row.error_message = Set(error.map(|error| error.message.clone()));
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn stored(row: row::Model) -> Result<Option<Stored>, DbError> {
    let usage = tokens(row.prompt_tokens, row.completion_tokens);
    let Some(text) = row.answer else { return Ok(None) };
    let value = row.answer_value.as_deref();
    Ok(Some(Stored {
        id: LlmCallId(row.id),
        text,
        value: value.map(|value| convert::parse_json("answer", value)).transpose()?,
        model: row.answer_model.unwrap_or(row.model),
        usage,
        cost_micros: row.cost_micros,
    }))
}

fn tokens(prompt: i64, completion: i64) -> Usage {
    Usage {
        prompt_tokens: convert::unsigned(prompt),
        completion_tokens: convert::unsigned(completion),
    }
}

/// `message` is `None` where it was erased.
fn call_error(
    category: Option<&str>,
    severity: Option<&str>,
    message: Option<String>,
) -> Result<Option<CallError>, DbError> {
    let Some((category, severity)) = category.zip(severity) else {
        return Ok(None);
    };
    Ok(Some(CallError {
        category: convert::parse_name("category", category)?,
        severity: convert::parse_name("severity", severity)?,
        message: message.unwrap_or_default(),
    }))
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "llm_calls")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub key: String,
        pub purpose: String,
        pub subject_id: Uuid,
        pub document_id: Option<Uuid>,
        pub provider: String,
        pub model: String,
        pub outcome: String,
        pub prompt_tokens: i64,
        pub completion_tokens: i64,
        pub cost_micros: Option<i64>,
        pub latency_ms: Option<i64>,
        pub maybe_paid_twice: bool,
        pub interruptions: i32,
        pub question: i32,
        pub error_category: Option<String>,
        pub error_severity: Option<String>,
        pub error_message: Option<String>,
        pub answer: Option<String>,
        pub answer_value: Option<String>,
        pub answer_model: Option<String>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod attempt {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "llm_attempts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub call_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub outcome: String,
        pub status: Option<i32>,
        pub error_category: Option<String>,
        pub error_severity: Option<String>,
        pub error_message: Option<String>,
        pub prompt_tokens: i64,
        pub completion_tokens: i64,
        pub latency_ms: Option<i64>,
        pub at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
