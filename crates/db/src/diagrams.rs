//! Diagrams, their pictures, and the links that show them.

use crate::{
    Db, DbError, Scope, Write,
    concepts::holds,
    convert, documents, llm_calls,
    notifications::{self, Audience},
    paging::page,
};
use cerebros_common::{
    audit::{Action, Noun},
    concepts::{ConceptOrigin, Level},
    diagrams::{
        Diagram, DiagramError, DiagramFormat, DiagramPatch, DiagramQuery, DiagramStatus, NewDiagram, SharedDiagram,
    },
    events::EventKind,
    ids::{ConceptId, DiagramId, DocumentId, WorkspaceId},
    notifications::{NotificationKind, NotificationSubject},
    studies::StudyDiagrams,
    wire::{Page, Paging},
    workspaces::Role,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, SqlErr,
    sea_query::{Expr, ExprTrait, LikeExpr, OnConflict},
};
use std::collections::HashMap;
use uuid::Uuid;

/// What is to be drawn.
#[derive(Debug, Clone)]
pub struct ToDraw {
    pub title: String,
    pub document_id: Option<DocumentId>,
    pub concept_id: Option<ConceptId>,
    /// A text of a person's own.
    pub input: Option<String>,
}

/// A diagram that waits to be drawn.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub diagram: Diagram,
    pub input: Option<String>,
}

/// What drawing gave.
#[derive(Debug, Clone)]
pub struct Drawn {
    pub source: String,
    pub summary: String,
    pub domain: String,
    pub level: Level,
    pub tags: Vec<String>,
    pub origin: ConceptOrigin,
    pub model: Option<String>,
    /// Why it cannot be shown; the source stays to be mended.
    pub error: Option<DiagramError>,
    pub svg: Option<String>,
}

/// What it takes to show a diagram.
#[derive(Debug, Clone)]
pub struct Picture {
    pub slug: String,
    pub source: String,
    pub ready: bool,
    pub svg: Option<String>,
}

/// How many a workspace may have.
const MAX_PER_WORKSPACE: u64 = 10_000;
const MAX_SLUG: usize = 72;

/// Newest first.
pub async fn list(scope: &Scope, db: &Db, query: &DiagramQuery) -> Result<Page<Diagram>, DbError> {
    let paging = Paging::new(query.page, query.limit);
    let mut found = row::Entity::find().filter(row::Column::WorkspaceId.eq(scope.workspace_id.0));
    if let Some(document_id) = query.document_id {
        found = found.filter(row::Column::DocumentId.eq(document_id.0));
    }
    if let Some(concept_id) = query.concept_id {
        found = found.filter(row::Column::ConceptId.eq(concept_id.0));
    }
    if let Some(status) = query.status {
        found = found.filter(row::Column::Status.eq(convert::name(&status)?));
    }
    if let Some(level) = query.level {
        found = found.filter(row::Column::Level.eq(convert::name(&level)?));
    }
    if let Some(domain) = &query.domain {
        found = found.filter(row::Column::Domain.eq(domain));
    }
    if let Some(tag) = &query.tag {
        let quoted = convert::json("tag", &clean_tag(tag))?;
        let pattern = format!("%{}%", crate::convert::escape_like(&quoted));
        found = found.filter(Expr::col(row::Column::Tags).like(LikeExpr::new(pattern).escape('\\')));
    }
    if let Some(search) = &query.search {
        use row::Column::{Notes, Source, Summary, Title};
        found = found.filter(holds([Title, Summary, Notes, Source], search));
    }
    let (rows, total) = page(db, found.order_by_desc(row::Column::Id), paging).await?;
    Ok(paging.of(rows.into_iter().map(wire).collect::<Result<_, _>>()?, total))
}

pub async fn find(scope: &Scope, db: &Db, id: DiagramId) -> Result<Diagram, DbError> {
    let row = scoped(scope, id).one(db.read()).await?;
    wire(row.ok_or(DbError::NotFound("diagram"))?)
}

/// Adds a diagram that a person wrote, with its picture.
pub async fn insert(write: &mut Write, new: &NewDiagram, svg: Option<&str>) -> Result<Diagram, DbError> {
    if let Some(document_id) = new.document_id {
        documents::lock_agent_of(write, document_id)
            .await?
            .ok_or(DbError::NotFound("document"))?;
    }
    let title = new.title.trim().to_owned();
    let row = row::Model {
        document_id: new.document_id.map(Uuid::from),
        domain: new.domain.trim().to_owned(),
        level: convert::name(&new.level)?,
        tags: convert::json("tags", &clean_tags(&new.tags))?,
        source: new.source.clone(),
        summary: new.summary.clone(),
        notes: new.notes.clone(),
        status: convert::name(&DiagramStatus::Ready)?,
        ..blank(write, title).await?
    };
    row::Entity::insert(row::ActiveModel::from(row.clone()))
        .exec_without_returning(write.connection())
        .await?;
    put_picture(write, row.id, svg).await?;
    write.event(EventKind::DiagramChanged, row.id, None);
    let fields = [
        "title",
        "source",
        "domain",
        "level",
        "tags",
        "summary",
        "notes",
        "document_id",
    ];
    write.audit(Action::Created, Noun::Diagram, row.id, &fields);
    wire(row)
}

/// Adds diagrams that are to be drawn. `run`: they are one order for a document, whose progress is told.
pub async fn insert_waiting(
    write: &mut Write,
    wanted: Vec<ToDraw>,
    run: Option<DocumentId>,
) -> Result<Vec<DiagramId>, DbError> {
    let run_id = Uuid::now_v7();
    let mut ids = Vec::new();
    for one in wanted {
        if let Some(document_id) = one.document_id {
            documents::lock_agent_of(write, document_id)
                .await?
                .ok_or(DbError::NotFound("document"))?;
        }
        let row = row::Model {
            document_id: one.document_id.map(Uuid::from),
            concept_id: one.concept_id.map(Uuid::from),
            status: convert::name(&DiagramStatus::Drawing)?,
            origin: convert::name(&ConceptOrigin::Extractive)?,
            input: one.input,
            run_id: run.map(|_| run_id),
            ..blank(write, one.title).await?
        };
        row::Entity::insert(row::ActiveModel::from(row.clone()))
            .exec_without_returning(write.connection())
            .await?;
        write.event(EventKind::DiagramChanged, row.id, None);
        write.audit(Action::Created, Noun::Diagram, row.id, &["title"]);
        ids.push(DiagramId(row.id));
    }
    if let Some(document_id) = run {
        crate::studies::begin_run(write, document_id, run_id).await?;
    }
    Ok(ids)
}

async fn blank(write: &Write, title: String) -> Result<row::Model, DbError> {
    let workspace_id = write.workspace_id()?.0;
    let there = row::Entity::find().filter(row::Column::WorkspaceId.eq(workspace_id));
    if there.count(write.connection()).await? >= MAX_PER_WORKSPACE {
        let message = format!("A workspace may have {MAX_PER_WORKSPACE} diagrams. Delete some first.");
        return Err(DbError::Conflict(message));
    }
    let now = convert::now();
    Ok(row::Model {
        id: Uuid::now_v7(),
        workspace_id,
        document_id: None,
        concept_id: None,
        slug: free_slug(write, &title).await?,
        title,
        domain: String::new(),
        level: convert::name(&Level::Intermediate)?,
        tags: "[]".to_owned(),
        source: String::new(),
        summary: String::new(),
        notes: String::new(),
        status: String::new(),
        error: None,
        origin: convert::name(&ConceptOrigin::Manual)?,
        model: None,
        input: None,
        run_id: None,
        share_hash: None,
        created_at: now,
        updated_at: now,
        version: 1,
    })
}

/// The title's letters and digits; a number after it where another diagram has it.
async fn free_slug(write: &Write, title: &str) -> Result<String, DbError> {
    let stem = slug_of(title);
    let pattern = format!("{}%", crate::convert::escape_like(&stem));
    let taken: Vec<String> = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .filter(Expr::col(row::Column::Slug).like(LikeExpr::new(pattern).escape('\\')))
        .select_only()
        .column(row::Column::Slug)
        .into_tuple()
        .all(write.connection())
        .await?;
    let mut candidates = std::iter::once(stem.clone()).chain((2u64..).map(|n| format!("{stem}-{n}")));
    let free = candidates.find(|slug| !taken.contains(slug));
    free.ok_or(DbError::Fault("numbers ran out"))
}

fn slug_of(title: &str) -> String {
    let mut slug = String::new();
    for c in title.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= MAX_SLUG {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() {
        "diagram".to_owned()
    } else {
        slug.to_owned()
    }
}

fn clean_tag(tag: &str) -> String {
    tag.trim().to_lowercase()
}

fn clean_tags(tags: &[String]) -> Vec<String> {
    let mut clean: Vec<String> = Vec::new();
    for tag in tags.iter().map(|tag| clean_tag(tag)) {
        if !tag.is_empty() && !clean.contains(&tag) {
            clean.push(tag);
        }
    }
    clean
}

/// For the task: `None` when it is drawn, or gone.
pub async fn find_waiting(scope: &Scope, db: &Db, id: DiagramId) -> Result<Option<Waiting>, DbError> {
    let drawing = convert::name(&DiagramStatus::Drawing)?;
    let found = scoped(scope, id).one(db.read()).await?;
    found
        .filter(|row| row.status == drawing)
        .map(|row| {
            let input = row.input.clone();
            Ok(Waiting {
                diagram: wire(row)?,
                input,
            })
        })
        .transpose()
}

/// Stores what drawing gave. One that is gone, or drawn already, stays as it is.
pub async fn finish(write: &mut Write, id: DiagramId, drawn: Drawn) -> Result<(), DbError> {
    let Some(row) = lock_drawing(write, id).await? else {
        return Ok(());
    };
    let (document, run, version) = (row.document_id, row.run_id, row.version);
    let ready = drawn.error.is_none();
    let status = if ready {
        DiagramStatus::Ready
    } else {
        DiagramStatus::Failed
    };
    let mut row = row.into_active_model();
    row.source = Set(drawn.source);
    row.summary = Set(drawn.summary);
    row.domain = Set(drawn.domain);
    row.level = Set(convert::name(&drawn.level)?);
    row.tags = Set(convert::json("tags", &clean_tags(&drawn.tags))?);
    row.origin = Set(convert::name(&drawn.origin)?);
    row.model = Set(drawn.model);
    row.status = Set(convert::name(&status)?);
    row.error = Set(error_text(drawn.error.as_ref())?);
    if ready {
        row.input = Set(None);
    }
    row.updated_at = Set(convert::now());
    row.version = Set(version + 1);
    row.update(write.connection()).await?;
    put_picture(write, id.0, drawn.svg.as_deref()).await?;
    told(write, id, document);
    tell_end(write, run, document).await
}

/// Gives up drawing; what there was of a source stays.
pub async fn fail(write: &mut Write, id: DiagramId, error: &DiagramError) -> Result<(), DbError> {
    let Some(row) = lock_drawing(write, id).await? else {
        return Ok(());
    };
    let (document, run, version) = (row.document_id, row.run_id, row.version);
    let mut row = row.into_active_model();
    row.status = Set(convert::name(&DiagramStatus::Failed)?);
    row.error = Set(error_text(Some(error))?);
    row.updated_at = Set(convert::now());
    row.version = Set(version + 1);
    row.update(write.connection()).await?;
    told(write, id, document);
    tell_end(write, run, document).await
}

/// Tells the editors when the last diagram of an order is done.
async fn tell_end(write: &Write, run: Option<Uuid>, document: Option<Uuid>) -> Result<(), DbError> {
    let (Some(run), Some(document)) = (run, document) else {
        return Ok(());
    };
    let of_run = |status: DiagramStatus| -> Result<_, DbError> {
        let status = convert::name(&status)?;
        let found = row::Entity::find().filter(row::Column::RunId.eq(run));
        Ok(found.filter(row::Column::Status.eq(status)))
    };
    let connection = write.connection();
    if of_run(DiagramStatus::Drawing)?.count(connection).await? > 0 {
        return Ok(());
    }
    let ready = of_run(DiagramStatus::Ready)?.count(connection).await?;
    let failed = of_run(DiagramStatus::Failed)?.count(connection).await?;
    let names = documents::names(connection, &[document]).await?;
    let name = names.get(&document).map_or("", String::as_str);
    let mut title = format!("{ready} diagrams of “{name}” are drawn");
    if failed > 0 {
        title.push_str(&format!("; {failed} failed"));
    }
    title.push('.');
    let (kind, subject) = (NotificationKind::DiagramsReady, NotificationSubject::Document);
    notifications::notify(write, kind, Audience::AtLeast(Role::Editor), &title, subject, document).await
}

fn told(write: &mut Write, id: DiagramId, document: Option<Uuid>) {
    write.event(EventKind::DiagramChanged, id, None);
    if let Some(document) = document {
        write.event(EventKind::ConceptsChanged, document, None);
    }
}

/// Lets a failed diagram be drawn once more.
///
/// # Errors
/// `DbError::Conflict` for one that did not fail, or that a person wrote.
pub async fn retry(write: &mut Write, id: DiagramId) -> Result<Diagram, DbError> {
    let current = lock(write, id, None).await?;
    let failed = current.status == convert::name(&DiagramStatus::Failed)?;
    if !failed || current.origin == convert::name(&ConceptOrigin::Manual)? {
        let message = "Only a diagram in status `failed` that was not written by a person can be drawn again.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    let version = current.version;
    let mut row = current.into_active_model();
    row.status = Set(convert::name(&DiagramStatus::Drawing)?);
    row.error = Set(None);
    row.updated_at = Set(convert::now());
    row.version = Set(version + 1);
    let row = row.update(write.connection()).await?;
    told(write, id, row.document_id);
    write.audit(Action::Retried, Noun::Diagram, id, &[]);
    wire(row)
}

/// Changes a diagram at `version`; `None` changes whatever version there is. A new source comes with its picture.
///
/// # Errors
/// `DbError::Conflict` for a slug that another has, and for a source while it is being drawn.
pub async fn update(
    write: &mut Write,
    id: DiagramId,
    version: Option<i64>,
    patch: &DiagramPatch,
    svg: Option<&str>,
) -> Result<Diagram, DbError> {
    let current = lock(write, id, version).await?;
    if patch.source.is_some() && current.status == convert::name(&DiagramStatus::Drawing)? {
        let message = "This diagram is being drawn. Wait until that has ended.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    let (number, document) = (current.version, current.document_id);
    let mut row = current.into_active_model();
    for (column, new) in [
        (&mut row.title, &patch.title),
        (&mut row.slug, &patch.slug),
        (&mut row.domain, &patch.domain),
        (&mut row.source, &patch.source),
        (&mut row.summary, &patch.summary),
        (&mut row.notes, &patch.notes),
    ] {
        if let Some(new) = new {
            *column = Set(new.clone());
        }
    }
    if let Some(level) = patch.level {
        row.level = Set(convert::name(&level)?);
    }
    if let Some(tags) = &patch.tags {
        row.tags = Set(convert::json("tags", &clean_tags(tags))?);
    }
    if patch.source.is_some() {
        row.status = Set(convert::name(&DiagramStatus::Ready)?);
        row.error = Set(None);
        row.input = Set(None);
        put_picture(write, id.0, svg).await?;
    }
    row.updated_at = Set(convert::now());
    row.version = Set(number + 1);
    let row = match row.update(write.connection()).await {
        Ok(row) => row,
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            let message = "Another diagram of this workspace has this slug. Choose another one.";
            return Err(DbError::Conflict(message.to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    told(write, id, document);
    let fields = [
        patch.title.is_some().then_some("title"),
        patch.slug.is_some().then_some("slug"),
        patch.domain.is_some().then_some("domain"),
        patch.level.is_some().then_some("level"),
        patch.tags.is_some().then_some("tags"),
        patch.source.is_some().then_some("source"),
        patch.summary.is_some().then_some("summary"),
        patch.notes.is_some().then_some("notes"),
    ];
    write.audit(Action::Updated, Noun::Diagram, id, &convert::present(fields));
    wire(row)
}

pub async fn delete(write: &mut Write, id: DiagramId, version: Option<i64>) -> Result<(), DbError> {
    let row = lock(write, id, version).await?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    llm_calls::forget(write, id.0).await?;
    write.event(EventKind::DiagramDeleted, id, None);
    if let Some(document) = row.document_id {
        write.event(EventKind::ConceptsChanged, document, None);
    }
    write.audit(Action::Deleted, Noun::Diagram, id, &[]);
    Ok(())
}

/// Gives a diagram a fresh link; the one before stops working. `None` takes the link away.
pub async fn share(write: &mut Write, id: DiagramId, hash: Option<&str>) -> Result<(), DbError> {
    let current = lock(write, id, None).await?;
    if hash.is_some() && current.status != convert::name(&DiagramStatus::Ready)? {
        let message = "Only a diagram in status `ready` can be shared.";
        return Err(DbError::Conflict(message.to_owned()));
    }
    let version = current.version;
    let mut row = current.into_active_model();
    row.share_hash = Set(hash.map(str::to_owned));
    row.version = Set(version + 1);
    row.update(write.connection()).await?;
    write.event(EventKind::DiagramChanged, id, None);
    let action = if hash.is_some() {
        Action::Created
    } else {
        Action::Revoked
    };
    write.audit(action, Noun::Share, id, &[]);
    Ok(())
}

/// What the link with this token hash shows, and where it is; `None` for one that does not work.
pub async fn find_shared_unscoped(
    db: &Db,
    hash: &str,
) -> Result<Option<(WorkspaceId, DiagramId, SharedDiagram)>, DbError> {
    let found = row::Entity::find()
        .filter(row::Column::ShareHash.eq(hash))
        .filter(row::Column::Status.eq(convert::name(&DiagramStatus::Ready)?))
        .one(db.read())
        .await?;
    Ok(found.map(|row| {
        let shared = SharedDiagram {
            title: row.title,
            summary: row.summary,
            updated_at: row.updated_at,
        };
        (WorkspaceId(row.workspace_id), DiagramId(row.id), shared)
    }))
}

pub async fn picture(scope: &Scope, db: &Db, id: DiagramId) -> Result<Picture, DbError> {
    let row = scoped(scope, id).one(db.read()).await?;
    let row = row.ok_or(DbError::NotFound("diagram"))?;
    let svg = picture::Entity::find_by_id(id.0).one(db.read()).await?;
    Ok(Picture {
        slug: row.slug,
        source: row.source,
        ready: row.status == convert::name(&DiagramStatus::Ready)?,
        svg: svg.map(|picture| picture.svg),
    })
}

/// Keeps a picture that was made again, unless the source is another one by now.
pub async fn keep_picture(write: &mut Write, id: DiagramId, source: &str, svg: &str) -> Result<(), DbError> {
    let row = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    match row {
        Some(row) if row.source == source => put_picture(write, id.0, Some(svg)).await,
        _ => Ok(()),
    }
}

async fn put_picture(write: &Write, id: Uuid, svg: Option<&str>) -> Result<(), DbError> {
    let Some(svg) = svg else {
        picture::Entity::delete_by_id(id).exec(write.connection()).await?;
        return Ok(());
    };
    let picture = picture::ActiveModel {
        diagram_id: Set(id),
        svg: Set(svg.to_owned()),
    };
    let replace = OnConflict::column(picture::Column::DiagramId)
        .update_column(picture::Column::Svg)
        .to_owned();
    picture::Entity::insert(picture)
        .on_conflict(replace)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

/// What was drawn of one concept belongs to another from now on.
pub(crate) async fn of_other_concept(write: &Write, from: ConceptId, to: ConceptId) -> Result<(), DbError> {
    row::Entity::update_many()
        .col_expr(row::Column::ConceptId, Expr::value(to.0))
        .filter(row::Column::ConceptId.eq(from.0))
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// How far the diagrams of each document are; `runs` are the last orders of documents.
pub(crate) async fn progress(
    connection: &impl ConnectionTrait,
    documents: &[Uuid],
    runs: &HashMap<Uuid, Uuid>,
) -> Result<HashMap<Uuid, StudyDiagrams>, DbError> {
    let found: Vec<(Uuid, String, Option<Uuid>, i64)> = row::Entity::find()
        .select_only()
        .columns([row::Column::DocumentId, row::Column::Status, row::Column::RunId])
        .column_as(row::Column::Id.count(), "total")
        .filter(row::Column::DocumentId.is_in(documents.iter().copied()))
        .group_by(row::Column::DocumentId)
        .group_by(row::Column::Status)
        .group_by(row::Column::RunId)
        .into_tuple()
        .all(connection)
        .await?;
    let mut all: HashMap<Uuid, StudyDiagrams> = HashMap::new();
    for (document, status, run, total) in found {
        let (of, total) = (all.entry(document).or_default(), convert::unsigned(total));
        let status = convert::parse_name("diagram status", &status)?;
        match status {
            DiagramStatus::Ready => of.ready += total,
            DiagramStatus::Failed => of.failed += total,
            DiagramStatus::Drawing => of.drawing += total,
        }
        if run.is_some() && run == runs.get(&document).copied() {
            of.wanted += total;
            if status != DiagramStatus::Drawing {
                of.done += total;
            }
        }
    }
    Ok(all)
}

fn error_text(error: Option<&DiagramError>) -> Result<Option<String>, DbError> {
    error.map(|error| convert::json("diagram error", error)).transpose()
}

/// Locks the document of an order first, so that of two that end at once one sees the other.
async fn lock_drawing(write: &Write, id: DiagramId) -> Result<Option<row::Model>, DbError> {
    let drawing = convert::name(&DiagramStatus::Drawing)?;
    let found = scoped(&write.scope()?, id).one(write.connection()).await?;
    if let Some(document) = found.filter(|row| row.run_id.is_some()).and_then(|row| row.document_id) {
        documents::lock_agent_of(write, DocumentId(document)).await?;
    }
    let row = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    Ok(row.filter(|row| row.status == drawing))
}

async fn lock(write: &Write, id: DiagramId, version: Option<i64>) -> Result<row::Model, DbError> {
    let row = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or(DbError::NotFound("diagram"))?;
    match version {
        Some(version) if version != row.version => Err(DbError::Stale {
            noun: "diagram",
            current: row.version,
        }),
        _ => Ok(row),
    }
}

fn scoped(scope: &Scope, id: DiagramId) -> Select<row::Entity> {
    row::Entity::find_by_id(id.0).filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
}

fn wire(row: row::Model) -> Result<Diagram, DbError> {
    let error = row.error.as_deref();
    Ok(Diagram {
        id: DiagramId(row.id),
        slug: row.slug,
        title: row.title,
        domain: row.domain,
        level: convert::parse_name("level", &row.level)?,
        tags: convert::parse_json("tags", &row.tags)?,
        format: DiagramFormat::Mermaid,
        source: row.source,
        summary: row.summary,
        notes: row.notes,
        status: convert::parse_name("diagram status", &row.status)?,
        error: error
            .map(|error| convert::parse_json("diagram error", error))
            .transpose()?,
        origin: convert::parse_name("diagram origin", &row.origin)?,
        model: row.model,
        document_id: row.document_id.map(DocumentId),
        concept_id: row.concept_id.map(ConceptId),
        shared: row.share_hash.is_some(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "diagrams")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub document_id: Option<Uuid>,
        pub concept_id: Option<Uuid>,
        pub slug: String,
        pub title: String,
        pub domain: String,
        pub level: String,
        pub tags: String,
        pub source: String,
        pub summary: String,
        pub notes: String,
        pub status: String,
        pub error: Option<String>,
        pub origin: String,
        pub model: Option<String>,
        pub input: Option<String>,
        pub run_id: Option<Uuid>,
        pub share_hash: Option<String>,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
        pub version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod picture {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "diagram_pictures")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub diagram_id: Uuid,
        pub svg: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
