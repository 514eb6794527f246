//! Two models on the same prompts: who is who shows once a person has voted.

use crate::ids::{ComparisonId, ComparisonRoundId, ModelId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::{Validate, ValidationError};

pub const MAX_PROMPTS: usize = 20;
pub const MAX_PROMPT_CHARS: usize = 4000;
/// Tokens of one answer.
pub const MAX_ANSWER_TOKENS: u32 = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ComparisonStatus {
    /// The models answer, prompt by prompt.
    Running,
    /// All answers are there.
    Ready,
    /// Not all answers came; `error` says why.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Comparison {
    pub id: ComparisonId,
    pub model_id: ModelId,
    pub model_name: String,
    /// Null where the other one is the model's own base.
    pub against_id: Option<ModelId>,
    pub against_name: String,
    pub status: ComparisonStatus,
    /// Why the status is `failed`, and what to do.
    pub error: Option<String>,
    pub rounds: u32,
    /// Votes of this comparison.
    pub votes: Votes,
    /// Votes of all comparisons of these two.
    pub votes_of_pair: Votes,
    /// Null until a language model was asked to judge.
    pub judgement: Option<Judgement>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Votes {
    pub model: u32,
    pub against: u32,
    pub tie: u32,
    pub both_bad: u32,
}

impl Votes {
    pub fn total(self) -> u32 {
        self.model + self.against + self.tie + self.both_bad
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    Model,
    Against,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    Left,
    Right,
    Tie,
    BothBad,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComparisonRound {
    pub id: ComparisonRoundId,
    pub comparison_id: ComparisonId,
    /// From 1.
    pub number: u32,
    pub prompt: String,
    pub left: ComparisonAnswer,
    pub right: ComparisonAnswer,
    pub vote: Option<Vote>,
    /// Who answered on the left: drawn for each prompt, null until somebody voted.
    pub left_is: Option<Contender>,
    /// Whether a language model has judged the answers.
    pub judged: bool,
    /// What it said: null until somebody voted, like who is who.
    pub verdict: Option<Verdict>,
    /// Why there is no verdict after it was asked, and what to do.
    pub judge_error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComparisonAnswer {
    /// As far as it has come.
    pub text: String,
    pub finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JudgementStatus {
    /// The language model is asked, round by round.
    Running,
    /// Every round is judged.
    Done,
    /// Not every round is judged. Asked again, it goes on with those that are not.
    Failed,
}

/// How far a language model is with judging a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Judgement {
    pub status: JudgementStatus,
    /// Why it stopped before the last round, and what to do. What is wrong with one round stands there.
    pub error: Option<String>,
    /// Rounds with a verdict.
    pub judged: u32,
    /// Rounds that it was asked about without getting one.
    pub failed: u32,
    /// The verdicts on rounds that somebody voted on.
    pub verdicts: Verdicts,
    /// Of all verdicts, in millionths of a US dollar; null where one has no price, or none is there.
    pub cost_micros: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verdicts {
    pub model: u32,
    pub against: u32,
    pub tie: u32,
    pub undecided: u32,
    /// Where the vote says the same: a tie agrees with `tie` and with `both_bad`. Never where it is undecided.
    pub agreed: u32,
}

impl Verdicts {
    /// Those that a vote can agree with.
    pub fn decided(self) -> u32 {
        self.model + self.against + self.tie
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    Model,
    Against,
    Tie,
    /// With the answers swapped it said something else.
    Undecided,
}

/// What a language model thinks of both answers. It was asked twice, the second time with the answers swapped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verdict {
    pub ruling: Ruling,
    /// In the order in which it was asked.
    pub opinions: Vec<Opinion>,
    /// Of both questions, in millionths of a US dollar; null where the model has no price.
    pub cost_micros: Option<i64>,
    pub judged_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Opinion {
    /// Whose answer it read as answer A.
    pub answer_a: Contender,
    /// Null: equally good or bad.
    pub better: Option<Contender>,
    /// 1 to 5.
    pub model_score: u8,
    /// 1 to 5.
    pub against_score: u8,
    pub reason: String,
    /// The language model that was asked.
    pub judge: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewComparison {
    pub model_id: ModelId,
    /// Left out: the model's own base, as it was before training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_id: Option<ModelId>,
    #[validate(length(min = 1, max = 20, message = "must be 1 to 20 prompts"), custom(function = prompts))]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 20))]
    pub prompts: Vec<String>,
}

fn prompts(prompts: &[String]) -> Result<(), ValidationError> {
    let fits = |prompt: &String| !prompt.trim().is_empty() && prompt.chars().count() <= MAX_PROMPT_CHARS;
    if !prompts.iter().all(fits) {
        let message = "must each have 1 to 4000 characters";
        return Err(ValidationError::new("length").with_message(message.into()));
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewVote {
    pub vote: Vote,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ComparisonQuery {
    /// On either side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(value_type = Option<ModelId>))]
    pub model_id: Option<ModelId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 1_000_000, message = "must be 1 to 1000000"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1_000_000))]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 1, max = 100, message = "must be 1 to 100"))]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
}
