//! The verdict on one row, whichever format it has.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::finding::{Code, Problem};
use super::loose::{Seen, Type};
use super::statistics::Counted;
use super::{CountTokens, mend, quick, rules};
use crate::format::{Converted, Format, Kind, format_of, from_canonical, place, read};

pub(super) struct Judge<'a> {
    pub(super) format: Format,
    pub(super) max_problems: usize,
    /// Without one, none are counted.
    pub(super) count_tokens: Option<CountTokens<'a>>,
}

/// A row that passed.
pub(super) struct Sound<'a> {
    /// Canonical.
    pub(super) json: Cow<'a, str>,
    pub(super) counted: Counted,
}

impl Judge<'_> {
    pub(super) fn judge<'a>(&self, json: &'a str) -> Result<Sound<'a>, Vec<Problem>> {
        if self.format == Format::Chat {
            if let Some(counted) = quick::check(json, self.count_tokens) {
                return Ok(Sound {
                    counted,
                    json: json.into(),
                });
            }
            let row = rules::check(json, self.max_problems)?;
            return Ok(Sound {
                counted: row.count(self.count_tokens),
                json: json.into(),
            });
        }
        let row = object(json).map_err(|problem| vec![problem])?;
        self.require_format(&row).map_err(|problem| vec![problem])?;
        self.judge_converted(read(self.format, row))
    }

    /// A row that was rejected, mended: as the file would have it, and the verdict.
    pub(super) fn mend(&self, json: &str) -> Option<(String, Sound<'static>)> {
        let row = object(json).ok()?;
        self.require_format(&row).ok()?;
        let mut converted = read(self.format, row);
        mend::mend(self.format.kind(), &mut converted.row);
        let row = converted.row.clone();
        let sound = self.judge_converted(converted).ok()?;
        let row = from_canonical(self.format.kind(), row, self.format)?;
        Some((Value::Object(row).to_string(), sound))
    }

    fn require_format(&self, row: &Map<String, Value>) -> Result<(), Problem> {
        if self.format.members().iter().any(|member| row.contains_key(*member)) {
            return Ok(());
        }
        let members: Vec<&str> = row.keys().map(String::as_str).collect();
        Err(match format_of(row) {
            Some(other) => Problem::other_format(other, self.format),
            None => Problem::unknown_format(&members, self.format),
        })
    }

    fn judge_converted(&self, converted: Converted) -> Result<Sound<'static>, Vec<Problem>> {
        match self.format.kind() {
            Kind::Conversations => {
                let json = Value::Object(converted.row).to_string();
                let row = rules::check(&json, self.max_problems);
                let row = row.map_err(|problems| moved(problems, &converted.places, converted.whole))?;
                let counted = row.count(self.count_tokens);
                Ok(Sound {
                    counted,
                    json: json.into(),
                })
            }
            Kind::Preferences => self.pair(converted),
            Kind::Texts => self.text(converted.row),
        }
    }

    /// Both answers to the prompt, each as a conversation of its own.
    fn pair(&self, converted: Converted) -> Result<Sound<'static>, Vec<Problem>> {
        let Converted {
            row,
            places,
            chosen,
            rejected,
            whole,
        } = converted;
        let mut problems = Vec::new();
        let mut counted = Vec::new();
        for (member, answer) in [("chosen", chosen), ("rejected", rejected)] {
            if answer.is_empty() {
                problems.push(Problem::new(
                    Code::ContentMissing,
                    format!("/{}", self.answer_name(member)),
                    format!("The row has no \"{}\" answer.", self.answer_name(member)),
                    "Add the answer, as a text or as a list of messages.",
                ));
                continue;
            }
            let conversation = conversation(&row, member);
            let places: Vec<_> = places.iter().chain(&answer).copied().collect();
            match rules::check(&conversation, self.max_problems) {
                Ok(row) => counted.push(row.count(self.count_tokens)),
                Err(found) => {
                    let new = moved(found, &places, whole).into_iter();
                    let known: Vec<String> = problems
                        .iter()
                        .map(|problem: &Problem| problem.field().to_owned())
                        .collect();
                    problems.extend(new.filter(|problem| !known.iter().any(|field| field == problem.field())));
                }
            }
        }
        if problems.is_empty() && row.get("chosen") == row.get("rejected") {
            problems.push(Problem::new(
                Code::SameAnswers,
                format!("/{}", self.answer_name("rejected")),
                "Both answers are the same, so nothing can be learnt from the pair.",
                "Write another answer as the rejected one, or delete the row.",
            ));
        }
        let [first, second] = counted.as_slice() else {
            problems.truncate(self.max_problems.max(1));
            return Err(problems);
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Sound {
            counted: first.and(*second),
            json: Value::Object(row).to_string().into(),
        })
    }

    fn answer_name(&self, member: &'static str) -> &'static str {
        match (self.format, member) {
            (Format::OpenaiPreference, "chosen") => "preferred_output",
            (Format::OpenaiPreference, _) => "non_preferred_output",
            _ => member,
        }
    }

    fn text(&self, row: Map<String, Value>) -> Result<Sound<'static>, Vec<Problem>> {
        let (code, message, fix) = match row.get("text") {
            Some(Value::String(text)) if !text.trim().is_empty() => {
                let counted = Counted {
                    tokens: self.count_tokens.map_or(0, |count| count(text)) as u64,
                    ..Counted::default()
                };
                let json = Value::Object(row).to_string().into();
                return Ok(Sound { json, counted });
            }
            Some(Value::String(_)) => (
                Code::ContentEmpty,
                "The text is empty.",
                "Write the text, or delete the row.",
            ),
            _ => (
                Code::ContentNotText,
                "The text is not a string.",
                "Write the text as a string in quotation marks.",
            ),
        };
        Err(vec![Problem::new(code, "/text", message, fix)])
    }
}

/// The prompt with one of its answers, as a chat row.
fn conversation(row: &Map<String, Value>, answer: &str) -> String {
    let mut messages = Vec::new();
    for member in ["prompt", answer] {
        messages.extend(row.get(member).and_then(Value::as_array).into_iter().flatten().cloned());
    }
    let mut conversation = json!({"messages": messages});
    if let Some(tools) = row.get("tools") {
        conversation["tools"] = tools.clone();
    }
    conversation.to_string()
}

fn moved(problems: Vec<Problem>, places: &[place::Place], whole: &str) -> Vec<Problem> {
    let moved = |problem: Problem| {
        let field = place::located(problem.field(), places, whole);
        problem.moved(field)
    };
    problems.into_iter().map(moved).collect()
}

fn object(json: &str) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_str(json) {
        Ok(Value::Object(row)) => Ok(row),
        Ok(_) => {
            let kind = match serde_json::from_str(json) {
                Ok(Seen(Some(kind))) => kind,
                _ => Type::Null,
            };
            Err(rules::not_an_object(kind))
        }
        Err(error) => Err(Problem::invalid_json(json, &error)),
    }
}
