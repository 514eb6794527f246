//! Whether the result says what held-out rows say.

use std::collections::HashMap;

use super::failure::Stop;
use super::watch::Interrupt;
use crate::chat::EncodedRow;
use crate::model::Llama;
use crate::model::adapter::Adapter;
use crate::ops::attention::KeyValues;
use crate::ops::with_values;
use crate::protocol::GenerationCheck;

/// A few are enough to tell speech from noise, and take little time.
const MAX_ROWS: usize = 6;
const MAX_TOKENS: usize = 32;

/// Continues held-out prompts by the likeliest tokens, as many as the rows' own answers begin with. Gives the share of those
/// tokens that came, wherever they stand; `None` without a row.
pub fn check(
    llama: &Llama,
    adapter: &Adapter,
    rows: &[EncodedRow],
    interrupt: &Interrupt,
) -> Result<Option<GenerationCheck>, Stop> {
    let (mut sum, mut count) = (0.0, 0);
    for (prompt, expected) in rows.iter().filter_map(last_answer).take(MAX_ROWS) {
        let found = continued(llama, adapter, prompt, expected.len(), interrupt)?;
        sum += overlap(expected, &found);
        count += 1;
    }
    Ok((count > 0).then(|| GenerationCheck {
        rows: count,
        overlap: sum / f64::from(count),
    }))
}

/// The last learned stretch of a row, and what stands before it.
fn last_answer(row: &EncodedRow) -> Option<(&[u32], &[u32])> {
    let last = *row.trainable.last()?;
    let mut first = last;
    for position in row.trainable.iter().rev().skip(1).copied() {
        if position + 1 != first {
            break;
        }
        first = position;
    }
    let expected = row.tokens.get(first..=last)?;
    Some((&row.tokens[..first], &expected[..expected.len().min(MAX_TOKENS)]))
}

fn continued(
    llama: &Llama,
    adapter: &Adapter,
    prompt: &[u32],
    count: usize,
    interrupt: &Interrupt,
) -> Result<Vec<u32>, Stop> {
    let mut cache: Vec<KeyValues> = (0..llama.layers()).map(|_| KeyValues::default()).collect();
    let (mut next, mut position, mut tokens) = (prompt.to_vec(), 0, Vec::new());
    for _ in 0..count {
        interrupt.check()?;
        let h = llama.extend(&next, position, Some(adapter), &mut cache)?;
        position += next.len();
        let last = h.narrow(0, next.len() - 1, 1)?.contiguous()?;
        let token = with_values(&llama.logits(&last)?, |logits| {
            let likeliest = (0_u32..).zip(logits).max_by(|(_, a), (_, b)| a.total_cmp(b));
            Ok(likeliest.map_or(0, |(id, _)| id))
        })?;
        next = vec![token];
        tokens.push(token);
    }
    Ok(tokens)
}

/// The share of `expected` that stands in `found`, each token counted as often as it stands in both.
fn overlap(expected: &[u32], found: &[u32]) -> f64 {
    let mut left: HashMap<u32, usize> = HashMap::new();
    for token in found {
        *left.entry(*token).or_default() += 1;
    }
    let common = expected.iter().filter(|token| match left.get_mut(token) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    });
    common.count() as f64 / expected.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_as_often_as_both_have_them() {
        assert_eq!(overlap(&[1, 2, 2, 3], &[2, 1, 9, 9]), 0.5);
        assert_eq!(overlap(&[1, 2], &[1, 2]), 1.0);
        assert_eq!(overlap(&[1, 1], &[1]), 0.5);
        assert_eq!(overlap(&[], &[1]), 0.0);
    }

    #[test]
    fn the_last_answer_of_a_row_is_asked_for() {
        let row = |trainable: &[usize]| EncodedRow {
            tokens: (10..20).collect(),
            trainable: trainable.to_vec(),
            truncated: false,
            number: 1,
            rejected: None,
        };
        let several = row(&[2, 3, 6, 7]);
        let (prompt, expected) = last_answer(&several).unwrap_or_default();
        assert_eq!((prompt, expected), (&[10, 11, 12, 13, 14, 15][..], &[16, 17][..]));
        assert!(last_answer(&row(&[])).is_none());
    }
}
