//! Storing what was made of documents.

use super::row;
use crate::{
    DbError, Write, convert, documents,
    notifications::{self, Audience},
};
use cerebros_common::{
    events::EventKind,
    examples::{ExampleFinding, ExampleOrigin, ExampleStatus, Grounding},
    ids::{AgentId, BatchId, ChunkId, DocumentId, ExampleId},
    notifications::{NotificationKind, NotificationSubject},
    workspaces::Role,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashSet;
use uuid::Uuid;

/// Examples per insert: 20 values each stay well below the databases' limits on parameters.
const EXAMPLES_AT_ONCE: usize = 200;

/// An example whose quotation was checked. Offsets count characters of the document's text.
#[derive(Debug, Clone)]
pub struct GeneratedExample {
    pub prompt: String,
    pub reasoning: String,
    pub response: String,
    pub chunk_id: ChunkId,
    pub start: u64,
    pub end: u64,
    pub page: Option<u32>,
    pub heading: Option<String>,
    pub quote: String,
    pub origin: ExampleOrigin,
    pub score: u8,
    pub findings: Vec<ExampleFinding>,
    /// `Ungrounded`: the span is that of the chunk.
    pub grounding: Grounding,
    pub duplicate_of: Option<ExampleId>,
    pub model: Option<String>,
    pub batch_id: Option<BatchId>,
}

/// Adds what was made of a document, once: a document that is gone, or has examples already, stays as it is. Gives the agent where something was added.
pub async fn insert_generated(
    write: &mut Write,
    document_id: DocumentId,
    generated: Vec<GeneratedExample>,
) -> Result<Option<AgentId>, DbError> {
    let Some(agent_id) = documents::lock_agent_of(write, document_id).await? else {
        return Ok(None);
    };
    let earlier = row::Entity::find()
        .filter(row::Column::DocumentId.eq(document_id.0))
        .one(write.connection())
        .await?;
    if earlier.is_some() || generated.is_empty() {
        return Ok(None);
    }
    let count = insert_rows(write, agent_id, document_id, generated).await?;
    write.event(EventKind::ExamplesChanged, document_id.0, Some(agent_id));
    let names = documents::names(write.connection(), &[document_id.0]).await?;
    let name = names.get(&document_id.0).map_or("", String::as_str);
    let title = format!("{count} examples from “{name}” wait for review.");
    let (kind, subject) = (NotificationKind::ExamplesReady, NotificationSubject::Document);
    notifications::notify(
        write,
        kind,
        Audience::AtLeast(Role::Reviewer),
        &title,
        subject,
        document_id.0,
    )
    .await?;
    Ok(Some(agent_id))
}

/// Adds examples of a document that has some already, and tells how many: what stands there word for word is left out. The
/// caller holds the document.
pub(crate) async fn add_generated(
    write: &mut Write,
    agent_id: AgentId,
    document_id: DocumentId,
    mut generated: Vec<GeneratedExample>,
) -> Result<u64, DbError> {
    let prompts: Vec<&str> = generated.iter().map(|new| new.prompt.as_str()).collect();
    let there: Vec<(String, String)> = row::Entity::find()
        .filter(row::Column::DocumentId.eq(document_id.0))
        .filter(row::Column::Prompt.is_in(prompts))
        .select_only()
        .columns([row::Column::Prompt, row::Column::Response])
        .into_tuple()
        .all(write.connection())
        .await?;
    let mut there: HashSet<(String, String)> = there.into_iter().collect();
    generated.retain(|new| there.insert((new.prompt.clone(), new.response.clone())));
    if generated.is_empty() {
        return Ok(0);
    }
    let count = insert_rows(write, agent_id, document_id, generated).await?;
    write.event(EventKind::ExamplesChanged, document_id.0, Some(agent_id));
    Ok(count)
}

async fn insert_rows(
    write: &Write,
    agent_id: AgentId,
    document_id: DocumentId,
    generated: Vec<GeneratedExample>,
) -> Result<u64, DbError> {
    let (workspace_id, now) = (write.workspace_id()?.0, convert::now());
    let status = convert::name(&ExampleStatus::Pending)?;
    // Lists go by falling id: made backwards, the ids put the examples in the order of the text.
    let rows = generated.into_iter().rev().map(|new| {
        let findings = convert::json("example findings", &new.findings)?;
        let (origin, grounding) = (convert::name(&new.origin)?, convert::name(&new.grounding)?);
        Ok(row::ActiveModel {
            id: Set(Uuid::now_v7()),
            workspace_id: Set(workspace_id),
            agent_id: Set(agent_id.0),
            document_id: Set(Some(document_id.0)),
            chunk_id: Set(Some(new.chunk_id.0)),
            prompt: Set(new.prompt),
            reasoning: Set(new.reasoning),
            response: Set(new.response),
            status: Set(status.clone()),
            origin: Set(origin),
            start_at: Set(Some(convert::signed(new.start))),
            end_at: Set(Some(convert::signed(new.end))),
            page: Set(new.page.and_then(|page| i32::try_from(page).ok())),
            heading: Set(new.heading),
            quote: Set(Some(new.quote)),
            edited: Set(false),
            score: Set(i32::from(new.score)),
            findings: Set(findings),
            grounding: Set(grounding),
            duplicate_of: Set(new.duplicate_of.map(Uuid::from)),
            model: Set(new.model),
            batch_id: Set(new.batch_id.map(Uuid::from)),
            created_at: Set(now),
            updated_at: Set(now),
            version: Set(1),
        })
    });
    let rows = rows.collect::<Result<Vec<row::ActiveModel>, DbError>>()?;
    for some in rows.chunks(EXAMPLES_AT_ONCE) {
        row::Entity::insert_many(some.to_vec())
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(rows.len() as u64)
}
