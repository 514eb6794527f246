//! The rows of a job: reading, splitting, ordering. Orders follow from the seed and a counter alone, so any step can be
//! found again without replaying the ones before it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use cerebros_datasets::chat::{ChatRow, PairRow, TextRow};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use super::failure::{Failure, Stop};
use super::watch::Interrupt;
use crate::chat::{Chat, ChatError, EncodedRow};
use crate::protocol::{FailureCode, JobSpec, Method, Parameters};

const LINE_LIMIT: usize = 16 << 20;
/// Streams of the seed; epochs follow from here on.
const VALIDATION_STREAM: u64 = 1;
const FIRST_EPOCH_STREAM: u64 = 1 << 32;

/// A job's rows, ready for training.
#[derive(Debug)]
pub struct Rows {
    pub train: Vec<EncodedRow>,
    pub validation: Vec<EncodedRow>,
    pub truncated: u64,
    /// Rows without a token to learn from; pairs whose answers are alike up to where they are cut.
    pub dropped: u64,
    /// Why the first dropped row that the template refused was refused.
    pub refusal: Option<String>,
    /// Of the file's bytes.
    pub sha256: String,
    /// Of the bytes of the validation rows' own file.
    pub validation_sha256: Option<String>,
}

impl Rows {
    /// Those to train on and those to measure on; `limit` is in tokens.
    pub fn of_job(spec: &JobSpec, chat: &Chat, limit: usize, interrupt: &Interrupt) -> Result<Self, Stop> {
        let method = spec.parameters.method;
        let mut rows = Self::read(&spec.dataset, method, chat, limit, interrupt)?;
        if rows.train.is_empty() {
            return Err(rows.nothing_to_learn().into());
        }
        match &spec.validation_dataset {
            Some(path) => {
                let measured = Self::read(path, method, chat, limit, interrupt)?;
                rows.validation = measured.train;
                rows.truncated += measured.truncated;
                rows.dropped += measured.dropped;
                rows.validation_sha256 = Some(measured.sha256);
            }
            None => rows.split(&spec.parameters),
        }
        Ok(rows)
    }

    fn read(path: &Path, method: Method, chat: &Chat, limit: usize, interrupt: &Interrupt) -> Result<Self, Stop> {
        let mut rows = Self {
            train: Vec::new(),
            validation: Vec::new(),
            truncated: 0,
            dropped: 0,
            refusal: None,
            sha256: String::new(),
            validation_sha256: None,
        };
        rows.sha256 = each_row(path, method, chat, limit, interrupt, |row, number| {
            rows.add(row, number)
        })?;
        Ok(rows)
    }

    fn add(&mut self, row: Result<EncodedRow, ChatError>, number: u64) {
        match row {
            Ok(row) => {
                self.truncated += u64::from(row.is_cut());
                if row.teaches() {
                    self.train.push(EncodedRow { number, ..row });
                } else {
                    self.dropped += 1;
                }
            }
            Err(error) => {
                self.dropped += 1;
                self.refusal.get_or_insert(format!("line {number}: {error}"));
            }
        }
    }

    fn nothing_to_learn(&self) -> Failure {
        let message = match (&self.refusal, self.dropped) {
            (Some(refusal), _) => format!("No row of the dataset can be used; {refusal}."),
            (None, 0) => "The dataset is empty.".into(),
            (None, _) => "No row of the dataset has an assistant message within max_seq_length to learn from.".into(),
        };
        Failure::new(
            FailureCode::InvalidDataset,
            message,
            "Add approved examples to the dataset, each with an assistant message, and train again.",
        )
    }

    fn split(&mut self, parameters: &Parameters) {
        let count = self.train.len();
        let mut kept = (parameters.validation_fraction * count as f64).round() as usize;
        if parameters.validation_fraction > 0.0 {
            kept = kept.max(1);
        }
        kept = kept.min(count - 1);
        let mut is_kept = vec![false; count];
        for &index in &permutation(parameters.seed, VALIDATION_STREAM, count)[..kept] {
            is_kept[index] = true;
        }
        for (row, is_kept) in std::mem::take(&mut self.train).into_iter().zip(is_kept) {
            if is_kept {
                self.validation.push(row)
            } else {
                self.train.push(row)
            }
        }
    }
}

/// Reads chat rows, pairs of answers or texts, one JSON object a line, each with its line's number. The SHA-256 of all bytes.
pub fn each_row(
    path: &Path,
    method: Method,
    chat: &Chat,
    limit: usize,
    interrupt: &Interrupt,
    mut take: impl FnMut(Result<EncodedRow, ChatError>, u64),
) -> Result<String, Stop> {
    let file = File::open(path).map_err(|error| invalid(format!("The dataset cannot be read: {error}.")))?;
    let mut reader = BufReader::new(file);
    let mut hasher = Sha256::new();
    let mut line = Vec::new();
    for number in 1_u64.. {
        interrupt.check()?;
        line.clear();
        let length = (&mut reader)
            .take(LINE_LIMIT as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| invalid(format!("The dataset cannot be read: {error}.")))?;
        if length == 0 {
            break;
        }
        if length > LINE_LIMIT {
            return Err(invalid(format!("Line {number} of the dataset is longer than 16 MB.")).into());
        }
        hasher.update(&line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let encoded = match method {
            Method::Supervised => serde_json::from_slice(&line)
                .map(|row: ChatRow| chat.encode_row(&row.messages, row.tools(), 0, limit))
                .map_err(|error| format!("is no chat row: {error}")),
            Method::Text => serde_json::from_slice(&line)
                .map(|row: TextRow| chat.encode_plain(&row.text, limit))
                .map_err(|error| format!("is no text row: {error}")),
            Method::Dpo => serde_json::from_slice(&line)
                .map(|row: PairRow| chat.encode_pair(&row, limit))
                .map_err(|error| format!("is no pair of answers: {error}")),
        };
        let encoded = encoded.map_err(|why| invalid(format!("Line {number} of the dataset {why}.")))?;
        take(encoded, number);
    }
    Ok(hex::encode(hasher.finalize()))
}

fn invalid(message: String) -> Failure {
    Failure::new(
        FailureCode::InvalidDataset,
        message,
        "Validate the dataset and build it again.",
    )
}

/// Where the rows of each step are.
#[derive(Debug, Clone)]
pub struct Plan {
    rows: usize,
    rows_a_step: usize,
    pub batch_size: usize,
    seed: u64,
    pub steps_an_epoch: u64,
    pub total_steps: u64,
}

impl Plan {
    pub fn new(rows: usize, parameters: &Parameters) -> Self {
        let rows_a_step = parameters.batch_size * parameters.gradient_accumulation_steps;
        let steps_an_epoch = rows.div_ceil(rows_a_step) as u64;
        Self {
            rows,
            rows_a_step,
            batch_size: parameters.batch_size,
            seed: parameters.seed,
            steps_an_epoch,
            total_steps: steps_an_epoch * u64::from(parameters.epochs),
        }
    }

    /// The most that a batch has of something that rows have, over the first epochs.
    pub fn most_in_a_batch(&self, of_row: impl Fn(usize) -> usize) -> usize {
        const EPOCHS: u64 = 10;
        let mut most = 0;
        for epoch in 0..(self.total_steps / self.steps_an_epoch.max(1)).min(EPOCHS) {
            let order = permutation(self.seed, FIRST_EPOCH_STREAM + epoch, self.rows);
            for batch in order
                .chunks(self.rows_a_step)
                .flat_map(|step| step.chunks(self.batch_size))
            {
                most = most.max(batch.iter().map(|row| of_row(*row)).sum());
            }
        }
        most
    }

    /// The batches of a step, counted from 0, as row numbers. The last step of an epoch may be smaller.
    pub fn batches(&self, step: u64) -> Vec<Vec<usize>> {
        let epoch = step / self.steps_an_epoch;
        let order = permutation(self.seed, FIRST_EPOCH_STREAM + epoch, self.rows);
        let start = (step % self.steps_an_epoch) as usize * self.rows_a_step;
        let end = self.rows.min(start + self.rows_a_step);
        order[start..end]
            .chunks(self.batch_size)
            .map(<[usize]>::to_vec)
            .collect()
    }
}

/// A seeded shuffle of `0..count`.
fn permutation(seed: u64, stream: u64, count: usize) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let choice = (u128::from(random.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, choice as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_meets_each_row_once_in_its_own_order() {
        let parameters = Parameters {
            batch_size: 2,
            gradient_accumulation_steps: 2,
            epochs: 3,
            ..Parameters::default()
        };
        let plan = Plan::new(11, &parameters);
        assert_eq!((plan.steps_an_epoch, plan.total_steps), (3, 9));
        let epoch = |epoch: u64| -> Vec<usize> {
            (0..3)
                .flat_map(|step| plan.batches(epoch * 3 + step))
                .flatten()
                .collect()
        };
        let mut sorted = epoch(0);
        assert_ne!(sorted, epoch(1));
        sorted.sort_unstable();
        assert_eq!(sorted, (0..11).collect::<Vec<_>>());
        assert_eq!(plan.batches(2), plan.clone().batches(2));
        assert_eq!(plan.batches(2).concat().len(), 3);
    }
}
