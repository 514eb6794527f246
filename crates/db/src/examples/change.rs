//! Changing one example: its words, its status, dividing it, and undoing that.

use super::{changed, find_row, holds, revisions, row, wire_all, wire_one};
use crate::{DbError, Write, chunks, convert};
use cerebros_common::{
    audit::{Action, Noun},
    examples::{
        Example, ExampleFinding, ExamplePart, ExamplePatch, ExampleStatus, FindingKind, Grounding, SplitExamples,
    },
    ids::{AgentId, ChunkId, ExampleId},
};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

/// An example as it is about to be stored, for its assessment.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    pub prompt: &'a str,
    pub reasoning: &'a str,
    pub response: &'a str,
    pub quoted: Option<Quoted<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a> {
    pub quote: &'a str,
    /// The text of its chunk; empty where that is gone.
    pub passage: &'a str,
    /// The characters of the passage at which the quotation should stand.
    pub start: usize,
    pub end: usize,
}

/// What is thought of an example, apart from near duplicates and from what a language model thinks.
#[derive(Debug, Clone)]
pub struct Assessed {
    pub score: u8,
    pub findings: Vec<ExampleFinding>,
    pub grounding: Grounding,
}

#[derive(Debug, Clone)]
struct Words {
    prompt: String,
    reasoning: String,
    response: String,
}

impl Words {
    fn of(row: &row::Model) -> Self {
        Self {
            prompt: row.prompt.clone(),
            reasoning: row.reasoning.clone(),
            response: row.response.clone(),
        }
    }

    fn are_those_of(&self, row: &row::Model) -> bool {
        self.prompt == row.prompt && self.reasoning == row.reasoning && self.response == row.response
    }
}

/// Changes an example at `version`; `None` changes whatever version there is. Nobody else may hold it.
pub async fn update(
    write: &mut Write,
    id: ExampleId,
    version: Option<i64>,
    patch: &ExamplePatch,
    assess: impl Fn(&Judged) -> Assessed,
) -> Result<Example, DbError> {
    let current = lock(write, id, version).await?;
    let own = Words::of(&current);
    let words = Words {
        prompt: patch.prompt.clone().unwrap_or(own.prompt),
        reasoning: patch.reasoning.clone().unwrap_or(own.reasoning),
        response: patch.response.clone().unwrap_or(own.response),
    };
    let status = match patch.status {
        Some(status) => convert::name(&status)?,
        None => current.status.clone(),
    };
    let edited = current.edited || (super::is_generated(&current)? && !words.are_those_of(&current));
    revisions::note(
        write,
        &current,
        &words.prompt,
        &words.reasoning,
        &words.response,
        &status,
    )
    .await?;
    let row = store(write, current, words, status, edited, assess).await?;
    let fields = [
        patch.prompt.is_some().then_some("prompt"),
        patch.reasoning.is_some().then_some("reasoning"),
        patch.response.is_some().then_some("response"),
        patch.status.is_some().then_some("status"),
    ];
    write.audit(Action::Updated, Noun::Example, id, &convert::present(fields));
    wire_one(write.connection(), row).await
}

/// Divides an example: it takes the first part, and the others stand beside it.
pub async fn split(
    write: &mut Write,
    id: ExampleId,
    version: Option<i64>,
    parts: &[ExamplePart],
    assess: impl Fn(&Judged) -> Assessed,
) -> Result<SplitExamples, DbError> {
    let current = lock(write, id, version).await?;
    let Some((first, others)) = parts.split_first() else {
        return Err(DbError::Fault("an example was divided into nothing"));
    };
    let pending = convert::name(&ExampleStatus::Pending)?;
    let edited = super::is_generated(&current)?;
    revisions::note(
        write,
        &current,
        &first.prompt,
        &first.reasoning,
        &first.response,
        &pending,
    )
    .await?;
    let mut rows = Vec::new();
    // Lists go by falling id: made backwards, the ids put the parts in order.
    for part in others.iter().rev() {
        rows.push(add_part(write, &current, part, &assess).await?);
    }
    let words = Words {
        prompt: first.prompt.clone(),
        reasoning: first.reasoning.clone(),
        response: first.response.clone(),
    };
    let row = store(write, current, words, pending, edited, assess).await?;
    write.audit(Action::Updated, Noun::Example, id, &["prompt", "reasoning", "response"]);
    rows.push(row);
    rows.reverse();
    let items = wire_all(write.connection(), rows).await?;
    Ok(SplitExamples { items })
}

async fn add_part(
    write: &mut Write,
    whole: &row::Model,
    part: &ExamplePart,
    assess: &impl Fn(&Judged) -> Assessed,
) -> Result<row::Model, DbError> {
    let now = convert::now();
    let mut new = row::Model {
        id: Uuid::now_v7(),
        prompt: part.prompt.clone(),
        reasoning: part.reasoning.clone(),
        response: part.response.clone(),
        status: convert::name(&ExampleStatus::Pending)?,
        edited: super::is_generated(whole)?,
        duplicate_of: None,
        created_at: now,
        updated_at: now,
        version: 1,
        ..whole.clone()
    };
    let assessed = assessed(write, &new, assess).await?;
    apply(&mut new, assessed, &[])?;
    row::Entity::insert(row::ActiveModel::from(new.clone()))
        .exec_without_returning(write.connection())
        .await?;
    revisions::note_part(write, whole, new.id).await?;
    changed(write, &new);
    write.audit(
        Action::Created,
        Noun::Example,
        new.id,
        &["prompt", "reasoning", "response"],
    );
    Ok(new)
}

/// Brings back what an example was before its last change. Parts that came of that change go, unless somebody worked on
/// them. Who may not edit undoes judgements alone.
pub async fn undo(
    write: &mut Write,
    id: ExampleId,
    version: Option<i64>,
    may_edit: bool,
    assess: impl Fn(&Judged) -> Assessed,
) -> Result<Example, DbError> {
    let current = lock(write, id, version).await?;
    let Some(before) = revisions::last(write, id.0).await? else {
        return Err(DbError::Conflict(
            "There is nothing to undo in this example.".to_owned(),
        ));
    };
    if before.changes_words() && !may_edit {
        let refused = "The last change was to the words; undoing it takes the role editor or above.";
        return Err(DbError::Forbidden(refused.to_owned()));
    }
    revisions::forget(write, &before).await?;
    let own = Words::of(&current);
    let words = Words {
        prompt: before.prompt.unwrap_or(own.prompt),
        reasoning: before.reasoning.unwrap_or(own.reasoning),
        response: before.response.unwrap_or(own.response),
    };
    let row = store(write, current, words, before.status, before.edited, assess).await?;
    write.audit(
        Action::Updated,
        Noun::Example,
        id,
        &["prompt", "reasoning", "response", "status"],
    );
    wire_one(write.connection(), row).await
}

pub async fn delete(write: &mut Write, id: ExampleId, version: Option<i64>) -> Result<AgentId, DbError> {
    let row = lock(write, id, version).await?;
    row::Entity::delete_by_id(id.0).exec(write.connection()).await?;
    changed(write, &row);
    write.audit(Action::Deleted, Noun::Example, id, &[]);
    Ok(AgentId(row.agent_id))
}

/// Stores the next version of an example with its new assessment.
async fn store(
    write: &mut Write,
    current: row::Model,
    words: Words,
    status: String,
    edited: bool,
    assess: impl Fn(&Judged) -> Assessed,
) -> Result<row::Model, DbError> {
    let reworded = !words.are_those_of(&current);
    let judged = status != current.status;
    let (id, version) = (current.id, current.version);
    let mut next = row::Model {
        prompt: words.prompt,
        reasoning: words.reasoning,
        response: words.response,
        status,
        edited,
        updated_at: convert::now(),
        version: version + 1,
        ..current
    };
    // What others think of words that are gone does not count.
    let kept: &[FindingKind] = if reworded {
        &[]
    } else {
        &[FindingKind::Duplication, FindingKind::Judge]
    };
    let assessed = assessed(write, &next, assess).await?;
    apply(&mut next, assessed, kept)?;
    if reworded {
        next.duplicate_of = None;
        super::duplicates::forget(write, id).await?;
    }
    if judged {
        super::reviews::note(write, &[id], &next.status).await?;
        holds::let_go(write, &[id]).await?;
    }
    let next = next.into_active_model().reset_all().update(write.connection()).await?;
    changed(write, &next);
    Ok(next)
}

/// Assesses an example against the stored passage that it quotes.
async fn assessed(write: &Write, row: &row::Model, assess: impl Fn(&Judged) -> Assessed) -> Result<Assessed, DbError> {
    let passage = match row.chunk_id {
        Some(id) => chunks::text_of(write.connection(), ChunkId(id)).await?,
        None => None,
    };
    let (passage, offset) = passage.unwrap_or_default();
    let quoted = row.quote.as_deref().map(|quote| {
        let within = |at: Option<i64>| convert::unsigned(at.unwrap_or_default()).saturating_sub(offset);
        Quoted {
            quote,
            passage: &passage,
            start: usize::try_from(within(row.start_at)).unwrap_or(usize::MAX),
            end: usize::try_from(within(row.end_at)).unwrap_or(usize::MAX),
        }
    });
    Ok(assess(&Judged {
        prompt: &row.prompt,
        reasoning: &row.reasoning,
        response: &row.response,
        quoted,
    }))
}

/// Takes an assessment over, beside the findings of the `kept` kinds.
pub(super) fn apply(row: &mut row::Model, assessed: Assessed, kept: &[FindingKind]) -> Result<(), DbError> {
    let mut findings: Vec<ExampleFinding> = convert::parse_json("example findings", &row.findings)?;
    findings.retain(|finding| kept.contains(&finding.kind));
    findings.extend(assessed.findings);
    row.grounding = convert::name(&assessed.grounding)?;
    set_findings(row, findings)
}

/// Stores findings, dearest first, and the score that they leave.
pub(super) fn set_findings(row: &mut row::Model, mut findings: Vec<ExampleFinding>) -> Result<(), DbError> {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.points));
    let points: i32 = findings.iter().map(|finding| i32::from(finding.points)).sum();
    row.score = (100 - points).max(0);
    row.findings = convert::json("example findings", &findings)?;
    Ok(())
}

/// An example at `version` that nobody else holds, locked.
async fn lock(write: &Write, id: ExampleId, version: Option<i64>) -> Result<row::Model, DbError> {
    let row = find_row(write, id).await?;
    if version.is_some_and(|version| version != row.version) {
        return Err(DbError::Stale {
            noun: "example",
            current: row.version,
        });
    }
    holds::refuse_held(write, row.id).await?;
    Ok(row)
}
