//! What a batch is learned for: the words of conversations, or the better answers of pairs.

use candle_core::Result;

use super::data::Rows;
use super::extremes::Figure;
use super::preference::{Judged, Start, judge, log_probabilities};
use super::step::{Gradients, Learner, Scale};
use crate::chat::EncodedRow;
use crate::model::DropoutPlan;
use crate::model::adapter::Adapter;
use crate::protocol::{Method, Parameters, Rewards};

pub enum Objective {
    Tokens,
    Pairs(Box<Pairs>),
}

pub struct Pairs {
    beta: f64,
    /// The adapter that training started with, where it was not a fresh one.
    adapter: Option<Adapter>,
    train: Start,
    validation: Start,
}

/// What batches come to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// Of the losses of all tokens, or of all pairs.
    pub sum: f64,
    /// Tokens, or pairs.
    pub count: usize,
    /// Tokens whose likeliest prediction was right, or pairs whose better answer has the higher reward.
    correct: usize,
    margin: f64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
        self.correct += other.correct;
        self.margin += other.margin;
    }

    pub fn loss(&self) -> f64 {
        self.sum / self.count as f64
    }

    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.count as f64
    }

    /// The mean over pairs.
    pub fn margin(&self) -> f64 {
        self.margin / self.count as f64
    }

    fn of_pairs(judged: &[Judged]) -> Self {
        Self {
            sum: judged.iter().map(|pair| pair.loss).sum(),
            count: judged.len(),
            correct: judged.iter().filter(|pair| pair.margin > 0.0).count(),
            margin: judged.iter().map(|pair| pair.margin).sum(),
        }
    }
}

impl Objective {
    /// `known` is what a checkpoint kept of [`Self::known`].
    pub fn new(parameters: &Parameters, rows: &Rows, adapter: Option<Adapter>, known: Option<&[u8]>) -> Self {
        if parameters.method != Method::Dpo {
            return Self::Tokens;
        }
        let (train, validation) = (rows.train.len(), rows.validation.len());
        let read = |bytes| {
            let (train, rest) = Start::read(bytes, train)?;
            Some((train, Start::read(rest, validation)?.0))
        };
        let unknown = || (Start::unknown(train), Start::unknown(validation));
        let (train, validation) = known.and_then(read).unwrap_or_else(unknown);
        Self::Pairs(Box::new(Pairs {
            beta: parameters.beta,
            adapter,
            train,
            validation,
        }))
    }

    /// What was computed once and need not be again.
    pub fn known(&self) -> Option<Vec<u8>> {
        match self {
            Self::Tokens => None,
            Self::Pairs(pairs) => Some(pairs.train.bytes().chain(pairs.validation.bytes()).collect()),
        }
    }

    /// What the loss of some rows is the mean over: their tokens, or the pairs.
    pub fn count<'a>(&self, rows: impl Iterator<Item = &'a EncodedRow>) -> usize {
        match self {
            Self::Tokens => rows.map(|row| row.trainable.len()).sum(),
            Self::Pairs(_) => rows.count(),
        }
    }

    pub fn rewards(&self, margin: f64, accuracy: f64) -> Option<Rewards> {
        matches!(self, Self::Pairs(_)).then_some(Rewards { margin, accuracy })
    }

    /// Adds the gradient of a batch of the training rows to `gradients`. `count` is of the whole step.
    pub fn learn(
        &mut self,
        learner: &Learner,
        rows: &[EncodedRow],
        batch: &[usize],
        count: usize,
        dropout: Option<DropoutPlan>,
        gradients: &mut Gradients,
    ) -> Result<Tally> {
        let chosen: Vec<&EncodedRow> = batch.iter().map(|row| &rows[*row]).collect();
        match self {
            Self::Tokens => {
                let scale = Scale::Even(1.0 / count as f32);
                let loss = learner.accumulate(&chosen, scale, dropout, gradients)?;
                Ok(Tally {
                    sum: loss.sum,
                    count: loss.losses.len(),
                    correct: loss.correct,
                    margin: 0.0,
                })
            }
            Self::Pairs(pairs) => {
                let start = pairs.train.of(learner, pairs.adapter.as_ref(), rows, batch)?;
                let judged = |losses: &[f64]| judge_all(&chosen, losses, &start, pairs.beta);
                let scales = |losses: &[f64]| scales(&chosen, &judged(losses), count);
                let sequences: Vec<&EncodedRow> = chosen.iter().flat_map(|pair| pair.sequences()).collect();
                let loss = learner.accumulate(&sequences, Scale::Each(&scales), dropout, gradients)?;
                Ok(Tally::of_pairs(&judged(&loss.losses)))
            }
        }
    }

    /// What a batch of the validation rows comes to, and each row of it, without gradients.
    pub fn measure(&mut self, learner: &Learner, rows: &[EncodedRow], batch: &[usize]) -> Result<(Tally, Vec<Figure>)> {
        let chosen: Vec<&EncodedRow> = batch.iter().map(|row| &rows[*row]).collect();
        let sequences: Vec<&EncodedRow> = chosen.iter().flat_map(|row| row.sequences()).collect();
        let loss = learner.evaluate_with(Some(&learner.adapter), &sequences)?;
        match self {
            Self::Tokens => {
                let mut losses = loss.losses.iter();
                let of_row = |(row, encoded): (&usize, &&EncodedRow)| {
                    let count = encoded.trainable.len();
                    Figure {
                        row: *row,
                        loss: losses.by_ref().take(count).sum::<f64>() / count as f64,
                        margin: None,
                    }
                };
                let figures = batch.iter().zip(&chosen).map(of_row).collect();
                let tally = Tally {
                    sum: loss.sum,
                    count: loss.losses.len(),
                    correct: loss.correct,
                    margin: 0.0,
                };
                Ok((tally, figures))
            }
            Self::Pairs(pairs) => {
                let start = pairs.validation.of(learner, pairs.adapter.as_ref(), rows, batch)?;
                let judged = judge_all(&chosen, &loss.losses, &start, pairs.beta);
                let of_pair = |(row, judged): (&usize, &Judged)| Figure {
                    row: *row,
                    loss: judged.loss,
                    margin: Some(judged.margin),
                };
                let figures = batch.iter().zip(&judged).map(of_pair).collect();
                Ok((Tally::of_pairs(&judged), figures))
            }
        }
    }
}

fn judge_all(pairs: &[&EncodedRow], losses: &[f64], start: &[[f64; 2]], beta: f64) -> Vec<Judged> {
    let now = log_probabilities(pairs, losses);
    now.into_iter()
        .zip(start)
        .map(|(now, start)| judge(now, *start, beta))
        .collect()
}

/// What each token's loss counts for: those of a better answer are pulled down, those of a worse one pushed up.
fn scales(pairs: &[&EncodedRow], judged: &[Judged], count: usize) -> Vec<f32> {
    let of_pair = |(pair, judged): (&&EncodedRow, &Judged)| {
        let scale = (judged.pull / count as f64) as f32;
        let signs = [scale, -scale];
        let lengths: Vec<usize> = pair.sequences().map(|row| row.trainable.len()).collect();
        signs
            .into_iter()
            .zip(lengths)
            .flat_map(|(scale, length)| std::iter::repeat_n(scale, length))
    };
    pairs.iter().zip(judged).flat_map(of_pair).collect()
}
