//! Which language model a workspace uses, and what its provider last said of rate limits.

use crate::{Db, DbError, Scope, Write, convert};
use cerebros_common::{
    audit::{Action, Noun},
    events::EventKind,
    llm_settings::{DEFAULT_PARALLEL_CALLS, LlmProvider, LlmRateLimits, LlmSettingsUpdate, RateLevel, RateWindow},
};
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QuerySelect, sea_query::OnConflict};

/// As stored; before anything was stored, the embedded default at version 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub provider: LlmProvider,
    pub base_url: Option<String>,
    pub model: Option<String>,
    pub parallel_calls: u32,
    pub version: i64,
}

pub async fn find(scope: &Scope, db: &Db) -> Result<Stored, DbError> {
    let row = row::Entity::find_by_id(scope.workspace_id.0).one(db.read()).await?;
    stored(row)
}

/// Replaces the settings at `version`; `None` replaces whatever version there is.
pub async fn put(write: &mut Write, version: Option<i64>, new: &LlmSettingsUpdate) -> Result<Stored, DbError> {
    let workspace_id = write.workspace_id()?;
    let current = row::Entity::find_by_id(workspace_id.0)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let current = stored(current)?;
    if version.is_some_and(|version| version != current.version) {
        return Err(DbError::Stale {
            noun: "language model's settings",
            current: current.version,
        });
    }
    let row = row::Model {
        workspace_id: workspace_id.0,
        provider: convert::name(&new.provider)?,
        base_url: new.base_url.clone(),
        model: new.model.clone(),
        parallel_calls: i32::try_from(new.parallel_calls.unwrap_or(DEFAULT_PARALLEL_CALLS)).unwrap_or(i32::MAX),
        version: current.version + 1,
        updated_at: convert::now(),
    };
    let replace = OnConflict::column(row::Column::WorkspaceId)
        .update_columns([
            row::Column::Provider,
            row::Column::BaseUrl,
            row::Column::Model,
            row::Column::ParallelCalls,
            row::Column::Version,
            row::Column::UpdatedAt,
        ])
        // Two first changes at once: the later one is told.
        .action_and_where(row::Column::Version.lt(row.version))
        .to_owned();
    let written = row::Entity::insert(row::ActiveModel::from(row.clone()))
        .on_conflict(replace)
        .exec_without_returning(write.connection())
        .await?;
    if written == 0 {
        return Err(DbError::Stale {
            noun: "language model's settings",
            current: current.version + 1,
        });
    }
    if (current.provider, &current.base_url) != (new.provider, &new.base_url) {
        limits::Entity::delete_by_id(workspace_id.0)
            .exec(write.connection())
            .await?;
    }
    write.event(EventKind::LlmSettingsChanged, workspace_id, None);
    let fields = ["provider", "base_url", "model", "parallel_calls"];
    write.audit(Action::Updated, Noun::LlmSettings, workspace_id, &fields);
    stored(Some(row))
}

pub async fn find_rate_limits(scope: &Scope, db: &Db) -> Result<Option<LlmRateLimits>, DbError> {
    let found = limits::Entity::find_by_id(scope.workspace_id.0).one(db.read()).await?;
    Ok(found.map(|row| told(&row, Utc::now())))
}

/// Takes over what an answer told of rate limits, and says so where the level is another one now.
pub async fn note_rate_limits(
    write: &mut Write,
    requests: Option<RateWindow>,
    tokens: Option<RateWindow>,
) -> Result<(), DbError> {
    let workspace_id = write.workspace_id()?;
    let before = limits::Entity::find_by_id(workspace_id.0)
        .one(write.connection())
        .await?;
    let part = |window: Option<RateWindow>| {
        window.map(|window| {
            let (limit, remaining) = (convert::signed(window.limit), convert::signed(window.remaining));
            (limit, remaining, window.resets_at)
        })
    };
    let (requests, tokens) = (part(requests), part(tokens));
    let row = limits::Model {
        workspace_id: workspace_id.0,
        requests_limit: requests.map(|part| part.0),
        requests_remaining: requests.map(|part| part.1),
        requests_reset_at: requests.map(|part| part.2),
        tokens_limit: tokens.map(|part| part.0),
        tokens_remaining: tokens.map(|part| part.1),
        tokens_reset_at: tokens.map(|part| part.2),
        at: convert::now(),
    };
    let replace = OnConflict::column(limits::Column::WorkspaceId)
        .update_columns([
            limits::Column::RequestsLimit,
            limits::Column::RequestsRemaining,
            limits::Column::RequestsResetAt,
            limits::Column::TokensLimit,
            limits::Column::TokensRemaining,
            limits::Column::TokensResetAt,
            limits::Column::At,
        ])
        .to_owned();
    limits::Entity::insert(limits::ActiveModel::from(row.clone()))
        .on_conflict(replace)
        .exec_without_returning(write.connection())
        .await?;
    let now = row.at;
    let level = |row: &limits::Model| told(row, now).level;
    if before.as_ref().map_or(RateLevel::Ok, level) != level(&row) {
        write.event(EventKind::LlmSettingsChanged, workspace_id, None);
    }
    Ok(())
}

fn told(row: &limits::Model, now: DateTime<Utc>) -> LlmRateLimits {
    let window = |limit: Option<i64>, remaining: Option<i64>, resets_at: Option<DateTime<Utc>>| {
        Some(RateWindow {
            limit: convert::unsigned(limit?),
            remaining: convert::unsigned(remaining?),
            resets_at: resets_at?,
        })
    };
    let requests = window(row.requests_limit, row.requests_remaining, row.requests_reset_at);
    let tokens = window(row.tokens_limit, row.tokens_remaining, row.tokens_reset_at);
    let levels = [requests, tokens].into_iter().flatten().map(|window| window.level(now));
    LlmRateLimits {
        level: levels.max().unwrap_or(RateLevel::Ok),
        requests,
        tokens,
        at: row.at,
    }
}

fn stored(row: Option<row::Model>) -> Result<Stored, DbError> {
    let Some(row) = row else {
        return Ok(Stored {
            provider: LlmProvider::Extractive,
            base_url: None,
            model: None,
            parallel_calls: DEFAULT_PARALLEL_CALLS,
            version: 0,
        });
    };
    Ok(Stored {
        provider: convert::parse_name("provider", &row.provider)?,
        base_url: row.base_url,
        model: row.model,
        parallel_calls: u32::try_from(row.parallel_calls).unwrap_or(1),
        version: row.version,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "llm_settings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        pub provider: String,
        pub base_url: Option<String>,
        pub model: Option<String>,
        pub parallel_calls: i32,
        pub version: i64,
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod limits {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "llm_rate_limits")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        pub requests_limit: Option<i64>,
        pub requests_remaining: Option<i64>,
        pub requests_reset_at: Option<DateTimeUtc>,
        pub tokens_limit: Option<i64>,
        pub tokens_remaining: Option<i64>,
        pub tokens_reset_at: Option<DateTimeUtc>,
        pub at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
