//! The validation rows that the model says best and worst, for people to look at.

use std::fs;
use std::path::Path;

use super::failure::Failure;
use super::files;
use crate::chat::{Chat, EncodedRow};
use crate::protocol::{Event, RowSample};

const FILE: &str = "samples.json";
/// Of the best, and of the worst.
const KEPT: usize = 5;
const PROMPT_CHARS: usize = 300;
const ANSWER_CHARS: usize = 500;

/// What a row came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Its place among the validation rows.
    pub row: usize,
    /// Of a learned token on average, or of the pair.
    pub loss: f64,
    /// Of a pair.
    pub margin: Option<f64>,
}

/// What the last evaluation that counts found, where there was one.
pub fn told(job_dir: &Path) -> Option<Event> {
    serde_json::from_slice(&fs::read(job_dir.join(FILE)).ok()?).ok()
}

/// Keeps what an evaluation found, for whoever asks later.
pub fn keep(
    job_dir: &Path,
    chat: &Chat,
    rows: &[EncodedRow],
    step: u64,
    figures: Vec<Figure>,
) -> Result<Event, Failure> {
    let (best, worst) = ends(figures);
    let sample = |figure: &Figure| sample(chat, &rows[figure.row], figure);
    let event = Event::Samples {
        step,
        best: best.iter().map(sample).collect(),
        worst: worst.iter().map(sample).collect(),
    };
    files::write_file(&job_dir.join(FILE), serde_json::json!(event).to_string().as_bytes())?;
    Ok(event)
}

/// The best ones, best first, and the worst ones, worst first. No row is both.
fn ends(mut figures: Vec<Figure>) -> (Vec<Figure>, Vec<Figure>) {
    // Pairs are told apart by their margins, other rows by their losses.
    let cost = |figure: &Figure| figure.margin.map_or(figure.loss, |margin| -margin);
    figures.sort_by(|one, other| cost(one).total_cmp(&cost(other)));
    let count = figures.len();
    let best = figures[..KEPT.min(count.div_ceil(2))].to_vec();
    let worst = figures[count - KEPT.min(count / 2)..].iter().rev().copied().collect();
    (best, worst)
}

fn sample(chat: &Chat, row: &EncodedRow, figure: &Figure) -> RowSample {
    let text = |tokens: &[u32]| chat.tokenizer.decode(tokens, true).unwrap_or_default();
    let answer = |row: &EncodedRow| {
        let tokens: Vec<u32> = row.trainable.iter().map(|place| row.tokens[*place]).collect();
        start_of(text(&tokens).trim())
    };
    let first = row.trainable.first().copied().unwrap_or_default();
    RowSample {
        row: row.number,
        loss: figure.loss,
        margin: figure.margin,
        tokens: row.sequences().map(|row| row.trainable.len() as u64).sum(),
        prompt: end_of(text(&row.tokens[..first]).trim()),
        answer: answer(row),
        rejected: row.rejected.as_deref().map(answer),
    }
}

fn start_of(text: &str) -> String {
    match text.char_indices().nth(ANSWER_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn end_of(text: &str) -> String {
    match text.char_indices().nth_back(PROMPT_CHARS - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &text[start..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(figures: &[Figure]) -> Vec<usize> {
        figures.iter().map(|figure| figure.row).collect()
    }

    #[test]
    fn the_ends_are_told_from_the_outside_and_never_twice() {
        let loss = |(row, loss): (usize, &f64)| Figure {
            row,
            loss: *loss,
            margin: None,
        };
        let figures = |losses: &[f64]| losses.iter().enumerate().map(loss).collect::<Vec<_>>();
        let (best, worst) = ends(figures(&[3.0, 1.0, 2.0]));
        assert_eq!((rows(&best), rows(&worst)), (vec![1, 2], vec![0]));
        let losses: Vec<f64> = (0..20).map(f64::from).collect();
        let (best, worst) = ends(figures(&losses));
        assert_eq!(
            (rows(&best), rows(&worst)),
            (vec![0, 1, 2, 3, 4], vec![19, 18, 17, 16, 15])
        );
        let pair = |row, margin| Figure {
            row,
            loss: 0.5,
            margin: Some(margin),
        };
        let (best, worst) = ends(vec![pair(0, -1.0), pair(1, 2.0)]);
        assert_eq!((rows(&best), rows(&worst)), (vec![1], vec![0]));
        assert!(ends(Vec::new()).0.is_empty());
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "ä".repeat(1000);
        assert_eq!(start_of(&long).chars().count(), ANSWER_CHARS + 1);
        assert_eq!(end_of(&long).chars().count(), PROMPT_CHARS + 1);
        assert_eq!(
            (start_of("short"), end_of("short")),
            ("short".to_owned(), "short".to_owned())
        );
        assert_eq!(end_of(&"ä".repeat(PROMPT_CHARS)).chars().count(), PROMPT_CHARS);
    }
}
