//! Diagrams: what the parser says of a source, pictures, and drawing in the background.

pub mod ask;
mod child;
pub mod draw;
mod sanitise;

pub use child::diagram_main;

use crate::{
    child as process,
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    diagrams::{DiagramCheck, MAX_SOURCE},
    ids::DiagramId,
};
use cerebros_db::{self as db, Scope};
use cerebros_ingest::child::Exit;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::Semaphore;

const DEADLINE: Duration = Duration::from_secs(15);
const WAIT_FOR_A_TURN: Duration = Duration::from_secs(20);
static TURNS: Semaphore = Semaphore::const_new(2);
const MAX_SVG: u64 = 4 * 1024 * 1024;

/// What the child found in a source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    pub check: DiagramCheck,
    /// The picture, cleaned. A source may be right and still too much to draw.
    pub svg: Option<String>,
}

/// Parses and draws a source in a child process with limits of its own.
///
/// # Errors
/// 503 while too many wait.
pub async fn inspect(app: &App, source: &str) -> AppResult<Verdict> {
    if source.chars().count() > MAX_SOURCE {
        return Ok(refused(&format!("is longer than {MAX_SOURCE} characters")));
    }
    let _turn = tokio::time::timeout(WAIT_FOR_A_TURN, TURNS.acquire())
        .await
        .map_err(|_| AppError::unavailable("Many diagrams are being drawn right now. Try again in a moment.", 5))?;
    let parent = app.config.work_dir().join("diagrams");
    tokio::fs::create_dir_all(&parent).await.map_err(AppError::io)?;
    let directory = tempfile::tempdir_in(parent).map_err(AppError::io)?;
    let (input, output) = (directory.path().join("source"), directory.path().join("verdict.json"));
    tokio::fs::write(&input, source).await.map_err(AppError::io)?;
    let mut command = process::command(&app.config, "diagram");
    command.arg(&input).arg(&output);
    match process::run(command, DEADLINE).await.map_err(AppError::io)? {
        Exit::Code(0) => {
            let bytes = tokio::fs::read(&output).await.map_err(AppError::io)?;
            let mut verdict: Verdict = serde_json::from_slice(&bytes).map_err(AppError::internal)?;
            verdict.svg = verdict.svg.filter(|svg| svg.len() as u64 <= MAX_SVG);
            Ok(verdict)
        }
        Exit::TimedOut | Exit::Signal(_) => Ok(refused("is too large or too deeply nested to be read")),
        Exit::Code(code) => Err(AppError::internal(anyhow::anyhow!(
            "the diagram child ended with {code}"
        ))),
    }
}

fn refused(why: &str) -> Verdict {
    Verdict {
        check: DiagramCheck {
            ok: false,
            diagram_type: None,
            line: None,
            column: None,
            message: Some(format!("The source {why}.")),
        },
        svg: None,
    }
}

/// The verdict on a source that is to be stored.
///
/// # Errors
/// 400 on `source` with the parser's line and message.
pub async fn verified(app: &App, source: &str) -> AppResult<Verdict> {
    let verdict = inspect(app, source).await?;
    if verdict.check.ok {
        return Ok(verdict);
    }
    Err(AppError::field("source", "syntax", complaint(&verdict.check)))
}

/// What is wrong with a source, in one sentence that names the line.
pub fn complaint(check: &DiagramCheck) -> String {
    let message = check.message.as_deref().unwrap_or("cannot be read");
    match (check.line, check.column) {
        (Some(line), Some(column)) => format!("Line {line}, column {column}: {message}"),
        (Some(line), None) => format!("Line {line}: {message}"),
        _ => message.to_owned(),
    }
}

/// The stored picture of a diagram, or a fresh one of its source, with the diagram's slug. Cleaned once more: what was
/// imported, or stored by an older version, passes here too.
///
/// # Errors
/// 409 for a diagram that has no picture.
pub async fn picture(app: &App, scope: &Scope, id: DiagramId) -> AppResult<(String, String)> {
    let found = db::diagrams::picture(scope, &app.db, id).await?;
    let svg = match found.svg {
        Some(svg) => Some(svg),
        None if found.ready => drawn_again(app, scope, id, &found.source).await?,
        None => None,
    };
    let clean = svg.and_then(|svg| sanitise::svg(&svg));
    let clean = clean.ok_or_else(|| {
        AppError::conflict("This diagram has no picture: it is being drawn, failed, or is too large to draw.")
    })?;
    Ok((found.slug, clean))
}

async fn drawn_again(app: &App, scope: &Scope, id: DiagramId, source: &str) -> AppResult<Option<String>> {
    let svg = inspect(app, source).await?.svg;
    if let Some(svg) = &svg {
        let mut write = app.db.write(&Scope::system(scope.workspace_id)).await?;
        db::diagrams::keep_picture(&mut write, id, source, svg).await?;
        write.commit().await?;
    }
    Ok(svg)
}
