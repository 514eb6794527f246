//! Drawing in the background: from a concept, a text, or a document.

use super::ask::{self, Question, task_error};
use crate::{
    documents::extraction::scope_of,
    error::{AppError, AppResult},
    state::App,
};
use cerebros_common::{
    concepts::{Concept, ConceptOrigin, Level},
    diagrams::{DiagramError, DrawFrom, DrawRequest, Drawing, MAX_DRAWN, Severity},
    ids::{DiagramId, WorkspaceId},
};
use cerebros_db::{
    self as db, DbError, Scope, Write,
    diagrams::{Drawn, ToDraw, Waiting},
};
use cerebros_ingest::maps::{self, Named};
use cerebros_queue::{Burial, Enqueue, HookError, Lease, Task, TaskError, enqueue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const MAX_SUMMARY: usize = 300;

#[derive(Debug, Serialize, Deserialize)]
pub struct DrawDiagram {
    pub diagram_id: DiagramId,
}

impl Task for DrawDiagram {
    const NAME: &'static str = "draw_diagram";
    const QUEUE: &'static str = "diagrams";
    const MAX_ATTEMPTS: u32 = 5;
}

/// What a request asks for.
///
/// # Errors
/// 400 when the field that it needs is missing, 404 for what is not there, 409 for a document without text or concepts.
pub async fn wanted(app: &App, scope: &Scope, request: &DrawRequest) -> AppResult<Vec<ToDraw>> {
    let missing = |field: &str| AppError::field(field, "required", "is needed to draw from this");
    let one = |title: String| ToDraw {
        title,
        document_id: None,
        concept_id: None,
        input: None,
    };
    match request.from {
        DrawFrom::Concept => {
            let id = request.concept_id.ok_or_else(|| missing("concept_id"))?;
            Ok(vec![of_concept(&db::concepts::find(scope, &app.db, id).await?)])
        }
        DrawFrom::Text => {
            let text = request.text.clone().ok_or_else(|| missing("text"))?;
            let title = request.title.clone().ok_or_else(|| missing("title"))?;
            Ok(vec![ToDraw {
                input: Some(text),
                ..one(title.trim().to_owned())
            }])
        }
        DrawFrom::Document => {
            let id = request.document_id.ok_or_else(|| missing("document_id"))?;
            let document = db::documents::find(scope, &app.db, id).await?;
            if document.characters.is_none() {
                let detail = "This document has no text yet: it has it once its status is `ready`.";
                return Err(AppError::conflict(detail));
            }
            Ok(vec![ToDraw {
                document_id: Some(id),
                ..one(format!("Outline of {}", document.name))
            }])
        }
        DrawFrom::Concepts => {
            let id = request.document_id.ok_or_else(|| missing("document_id"))?;
            db::documents::find(scope, &app.db, id).await?;
            let concepts = db::concepts::of_document(scope, &app.db, id).await?;
            if concepts.is_empty() {
                return Err(AppError::conflict(
                    "This document has no concepts yet. Find or add some first.",
                ));
            }
            Ok(concepts.iter().take(MAX_DRAWN as usize).map(of_concept).collect())
        }
    }
}

fn of_concept(concept: &Concept) -> ToDraw {
    ToDraw {
        title: concept.name.clone(),
        document_id: Some(concept.document_id),
        concept_id: Some(concept.id),
        input: None,
    }
}

/// Adds the diagrams and their tasks.
pub async fn order(write: &mut Write, scope: &Scope, request: &DrawRequest, wanted: Vec<ToDraw>) -> AppResult<Drawing> {
    let run = request.document_id.filter(|_| request.from == DrawFrom::Concepts);
    let ids = db::diagrams::insert_waiting(write, wanted, run).await?;
    for diagram_id in &ids {
        enqueue_drawing(write, scope.workspace_id, *diagram_id).await?;
    }
    Ok(Drawing { ids })
}

pub async fn enqueue_drawing(write: &Write, workspace_id: WorkspaceId, diagram_id: DiagramId) -> AppResult<()> {
    let options = Enqueue {
        workspace_id: Some(workspace_id.0),
        ..Enqueue::default()
    };
    enqueue(write.connection(), &DrawDiagram { diagram_id }, options).await?;
    Ok(())
}

/// The task. What is gone, or drawn, stays as it is.
pub async fn run(app: Arc<App>, task: DrawDiagram, lease: Lease) -> Result<(), TaskError> {
    let scope = scope_of(lease.workspace_id())?;
    let waiting = db::diagrams::find_waiting(&scope, &app.db, task.diagram_id).await;
    let drawn = match waiting.map_err(AppError::from)? {
        Some(waiting) => Some(draw(&app, &scope, &lease, waiting).await?),
        None => None,
    };
    if lease.cancellation().is_cancelled() {
        return Err(TaskError::Interrupted);
    }
    let mut write = app.db.write(&scope).await.map_err(AppError::from)?;
    lease.complete(write.connection()).await?;
    if let Some(drawn) = drawn {
        db::diagrams::finish(&mut write, task.diagram_id, drawn)
            .await
            .map_err(AppError::from)?;
    }
    write.commit().await.map_err(AppError::from)?;
    Ok(())
}

/// Says on the diagram that the server gave up.
pub async fn bury(app: Arc<App>, task: DrawDiagram, burial: Burial) -> Result<(), HookError> {
    let Some(workspace_id) = burial.workspace_id() else {
        return Ok(());
    };
    let mut write = app.db.write(&Scope::system(WorkspaceId(workspace_id))).await?;
    let error = DiagramError {
        severity: Severity::High,
        message: "The server failed each time it drew this. Try again; if it stays, tell the operator.".to_owned(),
    };
    db::diagrams::fail(&mut write, task.diagram_id, &error).await?;
    burial.bury(write.connection()).await?;
    write.commit().await?;
    Ok(())
}

async fn draw(app: &Arc<App>, scope: &Scope, lease: &Lease, waiting: Waiting) -> Result<Drawn, TaskError> {
    let subject = match subject(app, scope, &waiting).await {
        Ok(subject) => subject,
        Err(error) => match error {
            DbError::NotFound(_) => {
                let message = "What this was to be drawn from is gone. Draw it from something else.";
                return Ok(failed(String::new(), Severity::High, message.to_owned()));
            }
            other => return Err(AppError::from(other).into()),
        },
    };
    let material = material(&subject);
    let question = Question {
        diagram: &waiting.diagram,
        document_id: waiting.diagram.document_id,
        material: &material,
    };
    let by_model = ask::draw(app, scope, lease.cancellation(), &question).await;
    if let Some(drawn) = by_model.map_err(task_error)? {
        return Ok(drawn);
    }
    let drawn = extracted(&waiting, &subject);
    Ok(checked(app, drawn).await?)
}

/// What a language model is shown.
fn material(subject: &Subject) -> String {
    let Some(concept) = &subject.concept else {
        return subject.text.clone();
    };
    let quote = concept.source.as_ref().map_or("", |source| source.quote.as_str());
    let others = subject.concepts.iter().filter(|other| other.id != concept.id).take(20);
    let others: Vec<String> = others
        .map(|other| format!("- {}: {}", other.name, other.description))
        .collect();
    format!(
        "Concept: {}\nCategory: {}\n{}\n\nPassage:\n{quote}\n\nOther concepts of the document:\n{}",
        concept.name,
        concept.category,
        concept.description,
        others.join("\n")
    )
}

/// What a diagram is drawn from.
struct Subject {
    text: String,
    concept: Option<Concept>,
    /// All of the concept's document.
    concepts: Vec<Concept>,
    name: String,
}

async fn subject(app: &App, scope: &Scope, waiting: &Waiting) -> Result<Subject, DbError> {
    let diagram = &waiting.diagram;
    if let Some(id) = diagram.concept_id {
        let concept = db::concepts::find(scope, &app.db, id).await?;
        let concepts = db::concepts::of_document(scope, &app.db, concept.document_id).await?;
        return Ok(Subject {
            text: concept.description.clone(),
            name: concept.document_name.clone(),
            concept: Some(concept),
            concepts,
        });
    }
    let (text, name) = match (&waiting.input, diagram.document_id) {
        (Some(input), _) => (input.clone(), diagram.title.clone()),
        (None, Some(id)) => {
            let whole = db::documents::find_whole(scope, &app.db, id).await?;
            (whole.text, whole.document.name)
        }
        (None, None) => return Err(DbError::NotFound("concept")),
    };
    Ok(Subject {
        text,
        name,
        concept: None,
        concepts: Vec::new(),
    })
}

/// Drawn from the words themselves.
fn extracted(waiting: &Waiting, subject: &Subject) -> Drawn {
    let title = &waiting.diagram.title;
    let (source, summary, domain, level, tag) = match &subject.concept {
        Some(concept) => {
            let others: Vec<Named<'_>> = subject.concepts.iter().map(named).collect();
            let source = maps::concept_map(named(concept), &others);
            let domain = concept.category.clone();
            (
                source,
                concept.description.clone(),
                domain,
                concept.level,
                "concept map",
            )
        }
        None => {
            let source = maps::outline(stem(&subject.name), &subject.text);
            let summary = format!("{title}: what its own headings, items or sentences say, in their order.");
            (source, summary, String::new(), Level::Beginner, "outline")
        }
    };
    Drawn {
        source,
        summary: summary.chars().take(MAX_SUMMARY).collect(),
        domain,
        level,
        tags: vec![tag.to_owned()],
        origin: ConceptOrigin::Extractive,
        model: None,
        error: None,
        svg: None,
    }
}

fn named(concept: &Concept) -> Named<'_> {
    Named {
        name: &concept.name,
        description: &concept.description,
        category: &concept.category,
    }
}

fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.len() <= 5 && !extension.contains(' ') => stem,
        _ => name,
    }
}

/// What does not parse is kept, with the reason.
async fn checked(app: &App, drawn: Drawn) -> AppResult<Drawn> {
    let verdict = super::inspect(app, &drawn.source).await?;
    if verdict.check.ok {
        return Ok(Drawn {
            svg: verdict.svg,
            ..drawn
        });
    }
    let message = format!("The source is no valid Mermaid. {}", super::complaint(&verdict.check));
    Ok(Drawn {
        error: Some(DiagramError {
            severity: Severity::Medium,
            message,
        }),
        ..drawn
    })
}

fn failed(source: String, severity: Severity, message: String) -> Drawn {
    Drawn {
        source,
        summary: String::new(),
        domain: String::new(),
        level: Level::Intermediate,
        tags: Vec::new(),
        origin: ConceptOrigin::Extractive,
        model: None,
        error: Some(DiagramError { severity, message }),
        svg: None,
    }
}
