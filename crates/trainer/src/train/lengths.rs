//! How long rows are: counted by the code that training counts with, one row after the other.

use std::path::Path;

use super::data::each_row;
use super::failure::Stop;
use super::job;
use super::watch::Interrupt;
use crate::base::LlamaConfig;
use crate::chat::{Chat, EncodedRow, Moment};
use crate::protocol::lengths::{Lengths, LongRow, Span};

/// Rows that are named.
const LONGEST_ROWS: usize = 10;

pub fn lengths(job_dir: &Path, interrupt: &Interrupt) -> Result<Lengths, Stop> {
    let spec = job::read(job_dir)?;
    let config = LlamaConfig::read(&spec.base_dir)?;
    let chat = Chat::load(&spec.base_dir, &config, Moment::Fixed)?;
    let limit = spec.parameters.max_seq_length.min(config.context_length);
    let mut counted = Counted::default();
    for path in [Some(&spec.dataset), spec.validation_dataset.as_ref()]
        .into_iter()
        .flatten()
    {
        each_row(
            path,
            spec.parameters.method,
            &chat,
            usize::MAX,
            interrupt,
            |row, number| {
                counted.add(row.ok(), number, limit);
            },
        )?;
    }
    Ok(counted.told(limit))
}

#[derive(Default)]
struct Counted {
    lengths: Lengths,
    /// Tokens of every row.
    all: Vec<u32>,
}

impl Counted {
    /// None: the template refuses the row.
    fn add(&mut self, row: Option<EncodedRow>, number: u64, limit: usize) {
        let told = &mut self.lengths;
        let Some(mut row) = row else {
            told.dropped_rows += 1;
            return;
        };
        let whole = row.sequences().map(|row| row.tokens.len()).max().unwrap_or(0);
        let taught = row.teaches();
        row.cut(limit);
        self.all.push(u32::try_from(whole).unwrap_or(u32::MAX));
        told.truncated_rows += u64::from(row.is_cut());
        if row.teaches() {
            told.rows += 1;
            told.tokens += row.sequences().map(|row| row.tokens.len() as u64).sum::<u64>();
            told.trainable_tokens += row.sequences().map(|row| row.trainable.len() as u64).sum::<u64>();
        } else {
            told.dropped_rows += 1;
            told.cut_off_rows += u64::from(taught);
        }
        let place = told.longest_rows.partition_point(|row| row.tokens >= whole as u64);
        if place < LONGEST_ROWS {
            told.longest_rows.truncate(LONGEST_ROWS - 1);
            let row = LongRow {
                line: number,
                tokens: whole as u64,
            };
            told.longest_rows.insert(place, row);
        }
    }

    fn told(mut self, limit: usize) -> Lengths {
        self.all.sort_unstable();
        let last = self.all.len().saturating_sub(1);
        let at = |percent: usize| {
            self.all
                .get(last * percent / 100)
                .map_or(0, |&tokens| u64::from(tokens))
        };
        Lengths {
            max_tokens: limit as u64,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            longest: at(100),
            spread: spread(&self.all),
            ..self.lengths
        }
    }
}

/// Rows by length, each span twice as wide as the one before; from the shortest row's to the longest's.
fn spread(sorted: &[u32]) -> Vec<Span> {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let power = |tokens: u32| tokens.max(1).ilog2();
    let span = |power: u32| {
        let (from, to) = (1_u64 << power, (2_u64 << power) - 1);
        let below = |bound: u64| sorted.partition_point(|&tokens| u64::from(tokens) < bound) as u64;
        let before = if power == 0 { 0 } else { below(from) };
        Span {
            from,
            to,
            rows: below(to + 1) - before,
        }
    };
    (power(*first)..=power(*last)).map(span).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken expectation fails the test")]

    use std::collections::BTreeMap;

    use super::super::data::Rows;
    use super::*;
    use crate::protocol::{JobSpec, Method, Parameters, VERSION};

    fn message(role: &str, words: usize) -> serde_json::Value {
        serde_json::json!({ "role": role, "content": "word ".repeat(words) })
    }

    fn row(asked: usize, answered: usize) -> serde_json::Value {
        serde_json::json!({ "messages": [message("user", asked), message("assistant", answered)] })
    }

    #[test]
    fn lengths_are_those_that_a_job_counts() {
        let dir = tempfile::tempdir().unwrap();
        crate::write_tiny_base(dir.path()).unwrap();
        let pair = |chosen: usize| {
            serde_json::json!({ "prompt": [message("user", 2)], "chosen": [message("assistant", chosen)],
                "rejected": [message("assistant", 30)] })
        };
        let chats = [row(2, 3), row(2, 60), row(60, 3), row(3, 3), row(90, 1), row(2, 4)];
        let unanswered = serde_json::json!({ "messages": [message("user", 90)] });
        let files = [
            (Method::Supervised, chats.into_iter().chain([unanswered]).collect()),
            (Method::Dpo, vec![pair(3), pair(60), pair(30)]),
            (Method::Text, vec![serde_json::json!({ "text": "word ".repeat(80) })]),
        ];
        let mut cut_off = BTreeMap::new();
        for (method, rows) in files {
            let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
            std::fs::write(dir.path().join("rows.jsonl"), lines).unwrap();
            let spec = JobSpec {
                version: VERSION,
                job_id: "job".into(),
                base_dir: dir.path().into(),
                dataset: "rows.jsonl".into(),
                validation_dataset: None,
                initial_adapter: None,
                parameters: Parameters {
                    method,
                    max_seq_length: 100,
                    validation_fraction: 0.0,
                    ..Parameters::default()
                },
            };
            std::fs::write(dir.path().join("job.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
            let interrupt = Interrupt::default();
            let told = lengths(dir.path(), &interrupt).unwrap();
            let config = LlamaConfig::read(dir.path()).unwrap();
            let chat = Chat::load(dir.path(), &config, Moment::Fixed).unwrap();
            let spec = job::read(dir.path()).unwrap();
            let used = Rows::of_job(&spec, &chat, 100, &interrupt).unwrap();
            assert_eq!(
                (told.rows, told.truncated_rows, told.dropped_rows),
                (used.train.len() as u64, used.truncated, used.dropped)
            );
            let sequences = || used.train.iter().flat_map(EncodedRow::sequences);
            let tokens: usize = sequences().map(|row| row.tokens.len()).sum();
            let learned: usize = sequences().map(|row| row.trainable.len()).sum();
            assert_eq!((told.tokens, told.trainable_tokens), (tokens as u64, learned as u64));
            // Nothing is cut off where the limit lies beyond the longest row.
            let whole = Rows::of_job(&spec, &chat, told.longest as usize, &interrupt).unwrap();
            assert_eq!(whole.truncated, 0);
            assert_eq!(whole.dropped, told.dropped_rows - told.cut_off_rows);
            assert_eq!(told.spread.iter().map(|span| span.rows).sum::<u64>(), rows.len() as u64);
            assert!(
                told.longest_rows
                    .is_sorted_by(|left, right| left.tokens >= right.tokens)
            );
            assert_eq!(told.longest_rows[0].tokens, told.longest);
            cut_off.insert(format!("{method:?}"), (told.cut_off_rows, told.longest_rows[0].line));
        }
        let expected = [("Dpo", (1, 2)), ("Supervised", (2, 5)), ("Text", (0, 1))];
        assert_eq!(cut_off, expected.map(|(name, found)| (name.to_owned(), found)).into());
    }

    #[test]
    fn a_spread_covers_every_row_once() {
        let all = [0, 1, 2, 3, 4, 7, 8, 100];
        let rows: Vec<_> = spread(&all)
            .iter()
            .map(|span| (span.from, span.to, span.rows))
            .collect();
        let expected = [
            (1, 1, 2),
            (2, 3, 2),
            (4, 7, 2),
            (8, 15, 1),
            (16, 31, 0),
            (32, 63, 0),
            (64, 127, 1),
        ];
        assert_eq!(rows, expected);
        assert_eq!(spread(&[]), []);
    }
}
