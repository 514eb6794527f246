//! What a language model thinks of the answers of a comparison.

use super::{rounds::row, row as comparison, scoped, wire};
use crate::{Db, DbError, Scope, Write, convert};
use cerebros_common::{
    audit::{Action, Noun},
    comparisons::{
        Comparison, ComparisonStatus, Contender, Judgement, JudgementStatus, Opinion, Ruling, Verdict, Vote,
    },
    events::EventKind,
    ids::{ComparisonId, ComparisonRoundId},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, sea_query::Expr,
};

/// Both answers to a prompt, for the task that has them judged.
#[derive(Debug, Clone)]
pub struct Unjudged {
    pub id: ComparisonRoundId,
    pub number: u32,
    pub prompt: String,
    pub of_model: String,
    pub of_against: String,
}

/// What came of a round.
#[derive(Debug, Clone)]
pub enum Judged {
    Verdict(Verdict),
    /// Why there is none, and what to do.
    Failed(String),
}

/// Notes that a comparison is to be judged; `false`: it is already, or is being judged now.
///
/// # Errors
/// `DbError::Conflict` while not all answers are there.
pub async fn begin(write: &mut Write, id: ComparisonId) -> Result<(Comparison, bool), DbError> {
    let found = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let row = found.ok_or(DbError::NotFound("comparison"))?;
    if row.status != convert::name(&ComparisonStatus::Ready)? {
        return Err(DbError::Conflict(
            "Only a comparison with all its answers can be judged.".to_owned(),
        ));
    }
    let unjudged = row::Entity::update_many()
        .col_expr(row::Column::JudgeError, Expr::value(None::<String>))
        .filter(row::Column::ComparisonId.eq(id.0))
        .filter(row::Column::JudgeRuling.is_null());
    if row.judging || unjudged.exec(write.connection()).await?.rows_affected == 0 {
        write.audit(Action::Requested, Noun::Comparison, id, &["judgement"]);
        return Ok((wire(write.connection(), row).await?, false));
    }
    let mut row = row.into_active_model();
    row.judging = Set(true);
    row.judge_error = Set(None);
    let row = row.update(write.connection()).await?;
    write.event(EventKind::ComparisonChanged, id.0, None);
    write.audit(Action::Started, Noun::Comparison, id, &["judgement"]);
    Ok((wire(write.connection(), row).await?, true))
}

/// The rounds that a judgement under way has not got to, in their order; `None`: none is under way.
pub async fn open(scope: &Scope, db: &Db, id: ComparisonId) -> Result<Option<Vec<Unjudged>>, DbError> {
    let found = scoped(scope, id).one(db.read()).await?;
    if !found.ok_or(DbError::NotFound("comparison"))?.judging {
        return Ok(None);
    }
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::ComparisonId.eq(id.0))
        .filter(row::Column::JudgeRuling.is_null())
        .filter(row::Column::JudgeError.is_null())
        .order_by_asc(row::Column::Number)
        .all(db.read())
        .await?;
    let open = rows.into_iter().map(|row| Unjudged {
        id: ComparisonRoundId(row.id),
        number: row.number.unsigned_abs(),
        prompt: row.prompt,
        of_model: row.model_text,
        of_against: row.against_text,
    });
    Ok(Some(open.collect()))
}

/// Notes what came of a round. A verdict stays.
pub async fn settle(write: &mut Write, id: ComparisonRoundId, judged: &Judged) -> Result<(), DbError> {
    let row = super::rounds::locked(write, id).await?;
    if row.judge_ruling.is_some() {
        return Ok(());
    }
    let comparison_id = row.comparison_id;
    let mut row = row.into_active_model();
    match judged {
        Judged::Verdict(verdict) => {
            row.judge_ruling = Set(Some(convert::name(&verdict.ruling)?));
            row.judge_opinions = Set(Some(convert::json("opinions", &verdict.opinions)?));
            row.judge_cost_micros = Set(verdict.cost_micros);
            row.judged_at = Set(Some(verdict.judged_at));
            row.judge_error = Set(None);
        }
        Judged::Failed(error) => row.judge_error = Set(Some(error.clone())),
    }
    row.update(write.connection()).await?;
    write.event(EventKind::ComparisonChanged, comparison_id, None);
    Ok(())
}

/// Notes the end of a judgement, or why it stopped. One that is gone or over stays so.
pub async fn finish(write: &mut Write, id: ComparisonId, error: Option<&str>) -> Result<(), DbError> {
    let found = scoped(&write.scope()?, id)
        .lock_exclusive()
        .one(write.connection())
        .await?;
    let Some(row) = found.filter(|row| row.judging) else {
        return Ok(());
    };
    let mut row = row.into_active_model();
    row.judging = Set(false);
    row.judge_error = Set(error.map(str::to_owned));
    let row = row.update(write.connection()).await?;
    let judgement = of(write.connection(), &row).await?;
    let is_done = judgement.is_some_and(|judgement| judgement.status == JudgementStatus::Done);
    let action = if is_done { Action::Finished } else { Action::Failed };
    write.event(EventKind::ComparisonChanged, id.0, None);
    write.audit(action, Noun::Comparison, id, &["judgement"]);
    Ok(())
}

/// How far it is; `None`: nobody asked for it.
pub(super) async fn of(
    connection: &impl ConnectionTrait,
    comparison: &comparison::Model,
) -> Result<Option<Judgement>, DbError> {
    let rounds = row::Entity::find()
        .filter(row::Column::ComparisonId.eq(comparison.id))
        .all(connection)
        .await?;
    let mut judgement = Judgement {
        status: JudgementStatus::Running,
        error: comparison.judge_error.clone(),
        judged: 0,
        failed: 0,
        verdicts: Default::default(),
        cost_micros: Some(0),
    };
    let total = rounds.len();
    for round in rounds {
        judgement.failed += u32::from(round.judge_error.is_some());
        if let Some(ruling) = ruling_of(&round)? {
            judgement.judged += 1;
            let sum = judgement.cost_micros.zip(round.judge_cost_micros);
            judgement.cost_micros = sum.map(|(sum, cost)| sum.saturating_add(cost));
            count(&mut judgement, &round, ruling)?;
        }
    }
    let asked = judgement.judged > 0 || judgement.failed > 0 || judgement.error.is_some();
    judgement.status = match (comparison.judging, asked) {
        (true, _) => JudgementStatus::Running,
        (false, true) if judgement.judged as usize == total => JudgementStatus::Done,
        (false, true) => JudgementStatus::Failed,
        (false, false) => return Ok(None),
    };
    if judgement.judged == 0 {
        judgement.cost_micros = None;
    }
    Ok(Some(judgement))
}

/// Adds a verdict to the sums, once a vote says who is who.
fn count(judgement: &mut Judgement, round: &row::Model, ruling: Ruling) -> Result<(), DbError> {
    let Some(vote) = round.vote.as_deref() else {
        return Ok(());
    };
    let voted = match convert::parse_name("vote", vote)? {
        Vote::Tie | Vote::BothBad => Ruling::Tie,
        side @ (Vote::Left | Vote::Right) if (side == Vote::Left) == round.model_left => Ruling::Model,
        Vote::Left | Vote::Right => Ruling::Against,
    };
    let verdicts = &mut judgement.verdicts;
    *match ruling {
        Ruling::Model => &mut verdicts.model,
        Ruling::Against => &mut verdicts.against,
        Ruling::Tie => &mut verdicts.tie,
        Ruling::Undecided => &mut verdicts.undecided,
    } += 1;
    verdicts.agreed += u32::from(voted == ruling);
    Ok(())
}

fn ruling_of(row: &row::Model) -> Result<Option<Ruling>, DbError> {
    let ruling = row.judge_ruling.as_deref();
    ruling.map(|ruling| convert::parse_name("ruling", ruling)).transpose()
}

/// What was said of a round.
pub(super) fn verdict_of(row: &row::Model) -> Result<Option<Verdict>, DbError> {
    let Some((ruling, judged_at)) = ruling_of(row)?.zip(row.judged_at) else {
        return Ok(None);
    };
    let opinions = row.judge_opinions.as_deref().unwrap_or("[]");
    Ok(Some(Verdict {
        ruling,
        opinions: convert::parse_json("opinions", opinions)?,
        cost_micros: row.judge_cost_micros,
        judged_at,
    }))
}

/// The same from both sides, or nothing that counts.
pub fn ruling(opinions: &[Opinion]) -> Ruling {
    let mut said = opinions.iter().map(|opinion| match opinion.better {
        Some(Contender::Model) => Ruling::Model,
        Some(Contender::Against) => Ruling::Against,
        None => Ruling::Tie,
    });
    let first = said.next().unwrap_or(Ruling::Undecided);
    if said.all(|other| other == first) {
        first
    } else {
        Ruling::Undecided
    }
}
