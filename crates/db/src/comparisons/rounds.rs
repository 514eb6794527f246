//! The prompts of a comparison with both answers, and what people thought of them.

use crate::{
    Db, DbError, Scope, Write,
    comparisons::{self, judgements},
    convert,
    paging::page,
};
use cerebros_common::{
    audit::{Action, Noun},
    comparisons::{ComparisonAnswer, ComparisonRound, Contender, Vote},
    events::EventKind,
    ids::{ComparisonId, ComparisonRoundId},
    wire::{Page, Paging},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

/// A prompt as the task that answers it sees it.
#[derive(Debug, Clone)]
pub struct Open {
    pub id: ComparisonRoundId,
    pub prompt: String,
    /// Who has not answered to the end.
    pub unanswered: Vec<Contender>,
}

pub async fn list(scope: &Scope, db: &Db, id: ComparisonId, paging: Paging) -> Result<Page<ComparisonRound>, DbError> {
    comparisons::find(scope, db, id).await?;
    let all = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::ComparisonId.eq(id.0));
    let (rows, total) = page(db, all.order_by_asc(row::Column::Number), paging).await?;
    let items = rows.into_iter().map(wire).collect::<Result<_, _>>()?;
    Ok(paging.of(items, total))
}

/// Those that lack an answer, in their order.
pub async fn open(scope: &Scope, db: &Db, id: ComparisonId) -> Result<Vec<Open>, DbError> {
    let rows = row::Entity::find()
        .filter(row::Column::WorkspaceId.eq(scope.workspace_id.0))
        .filter(row::Column::ComparisonId.eq(id.0))
        .order_by_asc(row::Column::Number)
        .all(db.read())
        .await?;
    let open = rows.into_iter().map(|row| Open {
        id: ComparisonRoundId(row.id),
        unanswered: [
            (Contender::Model, row.model_finished),
            (Contender::Against, row.against_finished),
        ]
        .into_iter()
        .filter_map(|(who, finished)| (!finished).then_some(who))
        .collect(),
        prompt: row.prompt,
    });
    Ok(open.filter(|open| !open.unanswered.is_empty()).collect())
}

pub(super) async fn insert(write: &mut Write, comparison_id: Uuid, prompts: &[String]) -> Result<(), DbError> {
    let workspace_id = write.workspace_id()?.0;
    let rows = (1..).zip(prompts).map(|(number, prompt)| row::ActiveModel {
        id: Set(Uuid::now_v7()),
        workspace_id: Set(workspace_id),
        comparison_id: Set(comparison_id),
        number: Set(number),
        prompt: Set(prompt.clone()),
        // A random bit.
        model_left: Set(Uuid::new_v4().as_bytes()[0] & 1 == 1),
        model_text: Set(String::new()),
        model_finished: Set(false),
        against_text: Set(String::new()),
        against_finished: Set(false),
        vote: Set(None),
        voted_at: Set(None),
        judge_ruling: Set(None),
        judge_opinions: Set(None),
        judge_cost_micros: Set(None),
        judged_at: Set(None),
        judge_error: Set(None),
    });
    row::Entity::insert_many(rows)
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

/// Notes an answer as far as it has come.
pub async fn set_answer(
    write: &mut Write,
    id: ComparisonRoundId,
    who: Contender,
    text: &str,
    finished: bool,
) -> Result<(), DbError> {
    let row = locked(write, id).await?;
    let comparison_id = row.comparison_id;
    let mut row = row.into_active_model();
    match who {
        Contender::Model => {
            row.model_text = Set(text.to_owned());
            row.model_finished = Set(finished);
        }
        Contender::Against => {
            row.against_text = Set(text.to_owned());
            row.against_finished = Set(finished);
        }
    }
    row.update(write.connection()).await?;
    write.event(EventKind::ComparisonChanged, comparison_id, None);
    Ok(())
}

/// Takes a vote, which then stays.
///
/// # Errors
/// `DbError::Conflict` while an answer is on its way, and for another vote than the one that was given.
pub async fn vote(write: &mut Write, id: ComparisonRoundId, vote: Vote) -> Result<ComparisonRound, DbError> {
    let row = locked(write, id).await?;
    if !(row.model_finished && row.against_finished) {
        return Err(DbError::Conflict(
            "Not all is said yet. Vote when both answers are there.".to_owned(),
        ));
    }
    let vote = convert::name(&vote)?;
    if row.vote.as_ref().is_some_and(|given| *given != vote) {
        return Err(DbError::Conflict(
            "This was voted on, and who is who was shown.".to_owned(),
        ));
    }
    let comparison_id = row.comparison_id;
    let mut row = row.into_active_model();
    row.vote = Set(Some(vote));
    row.voted_at = Set(Some(convert::now()));
    let row = row.update(write.connection()).await?;
    write.event(EventKind::ComparisonChanged, comparison_id, None);
    write.audit(Action::Reviewed, Noun::Comparison, comparison_id, &["vote"]);
    wire(row)
}

pub(super) async fn locked(write: &Write, id: ComparisonRoundId) -> Result<row::Model, DbError> {
    let found = row::Entity::find_by_id(id.0)
        .filter(row::Column::WorkspaceId.eq(write.workspace_id()?.0))
        .lock_exclusive()
        .one(write.connection())
        .await?;
    found.ok_or(DbError::NotFound("prompt"))
}

/// Nothing that tells who is who, or what to think of the answers, before a vote.
fn wire(row: row::Model) -> Result<ComparisonRound, DbError> {
    let verdict = judgements::verdict_of(&row)?;
    let of_model = ComparisonAnswer {
        text: row.model_text,
        finished: row.model_finished,
    };
    let of_against = ComparisonAnswer {
        text: row.against_text,
        finished: row.against_finished,
    };
    let (left, right, left_is) = match row.model_left {
        true => (of_model, of_against, Contender::Model),
        false => (of_against, of_model, Contender::Against),
    };
    let vote = row.vote.as_deref();
    let vote: Option<Vote> = vote.map(|vote| convert::parse_name("vote", vote)).transpose()?;
    Ok(ComparisonRound {
        id: ComparisonRoundId(row.id),
        comparison_id: ComparisonId(row.comparison_id),
        number: row.number.unsigned_abs(),
        prompt: row.prompt,
        left,
        right,
        vote,
        left_is: vote.map(|_| left_is),
        judged: verdict.is_some(),
        verdict: vote.and(verdict),
        judge_error: row.judge_error,
    })
}

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "comparison_rounds")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub workspace_id: Uuid,
        pub comparison_id: Uuid,
        pub number: i32,
        pub prompt: String,
        pub model_left: bool,
        pub model_text: String,
        pub model_finished: bool,
        pub against_text: String,
        pub against_finished: bool,
        pub vote: Option<String>,
        pub voted_at: Option<DateTimeUtc>,
        pub judge_ruling: Option<String>,
        pub judge_opinions: Option<String>,
        pub judge_cost_micros: Option<i64>,
        pub judged_at: Option<DateTimeUtc>,
        pub judge_error: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
