//! Whether two forms of a model answer alike.

use candle_core::Tensor;

use crate::base::LlamaConfig;
use crate::chat::Chat;
use crate::model::Llama;
use crate::model::adapter::Adapter;
use crate::ops::attention::KeyValues;
use crate::ops::with_values;
use crate::protocol::{Certificate, FailureCode};
use crate::train::watch::Interrupt;
use crate::train::{Failure, Stop};

/// Tokens that each prompt is continued by.
const CONTINUATION: usize = 8;
/// Largest gap between two logits of the same token: summing fp32 weights in another order moves them less.
const BOUND: f32 = 0.01;

const PROMPTS: [&str; 20] = [
    "The report says that",
    "Our office is in",
    "Dear Ms. Okafor, thank you for",
    "The three most important points are",
    "Q: What is the capital of France?\nA:",
    "1, 2, 3, 5, 8, 13,",
    "To reset the password, first",
    "def mean(values):\n    return",
    "The meeting was moved to",
    "In the year 1969",
    "# Summary\n\n-",
    "She opened the door and",
    "The invoice of 14 March has",
    "Water boils at",
    "{\"name\": \"Ada\", \"born\":",
    "Der Vertrag beginnt am",
    "El informe anual muestra",
    "Customers who return a product",
    "If the pump does not start, check",
    "Once the draft is approved,",
];

/// A prompt with what a model made of it.
pub struct Continued {
    prompt: Vec<u32>,
    tokens: Vec<u32>,
    /// One row per token, from which it was chosen.
    logits: Vec<Vec<f32>>,
}

/// The fixed prompts as token ids, cut where the context is short.
pub fn prompts(chat: &Chat, config: &LlamaConfig) -> Result<Vec<Vec<u32>>, Failure> {
    let most = config.context_length.saturating_sub(CONTINUATION).max(1);
    PROMPTS
        .iter()
        .map(|text| {
            let mut ids = chat.encode_text(text).map_err(Failure::internal)?;
            ids.truncate(most);
            // A tokenizer that knows none of the words still needs something to go on from.
            Ok(if ids.is_empty() { vec![0] } else { ids })
        })
        .collect()
}

/// Continues every prompt with the likeliest token, again and again.
pub fn continue_all(
    llama: &Llama,
    adapter: Option<&Adapter>,
    prompts: &[Vec<u32>],
    interrupt: &Interrupt,
) -> Result<Vec<Continued>, Stop> {
    prompts
        .iter()
        .map(|prompt| {
            interrupt.check()?;
            let (tokens, logits) = follow(llama, adapter, prompt, None)?;
            Ok(Continued {
                prompt: prompt.clone(),
                tokens,
                logits,
            })
        })
        .collect()
}

/// Walks the same tokens with another form of the model.
pub fn compare(
    expected: &[Continued],
    llama: &Llama,
    adapter: Option<&Adapter>,
    interrupt: &Interrupt,
) -> Result<Certificate, Stop> {
    let mut largest = 0.0_f32;
    let mut equal = 0;
    for continued in expected {
        interrupt.check()?;
        let (tokens, logits) = follow(llama, adapter, &continued.prompt, Some(&continued.tokens))?;
        let pairs = tokens.iter().zip(&continued.tokens);
        equal += pairs.filter(|(found, expected)| found == expected).count();
        for (found, expected) in logits.iter().flatten().zip(continued.logits.iter().flatten()) {
            let gap = (found - expected).abs();
            // Not `max`, which passes over what is no number.
            largest = if gap <= largest { largest } else { gap };
        }
    }
    Ok(Certificate {
        prompts: expected.len() as u32,
        tokens: expected.iter().map(|continued| continued.tokens.len() as u32).sum(),
        equal_tokens: equal as u32,
        largest_logit_gap: largest.is_finite().then_some(f64::from(largest)),
        bound: f64::from(BOUND),
    })
}

/// What is said of an export whose certificate does not hold.
pub fn refusal(certificate: &Certificate) -> Failure {
    let gap = certificate.largest_logit_gap;
    let gap = gap.map_or_else(|| "not numbers".to_owned(), |gap| format!("up to {gap:.4} off"));
    Failure::new(
        FailureCode::Inexact,
        format!(
            "The export does not answer as the model does: its logits are {gap} where {BOUND} is allowed, and {} of {} \
             tokens are the same.",
            certificate.equal_tokens, certificate.tokens
        ),
        "Use the adapter itself, or export it in another format.",
    )
}

/// The likeliest tokens after a prompt and the logits that they were chosen from; goes on from `forced` where given.
fn follow(
    llama: &Llama,
    adapter: Option<&Adapter>,
    prompt: &[u32],
    forced: Option<&[u32]>,
) -> candle_core::Result<(Vec<u32>, Vec<Vec<f32>>)> {
    let mut cache: Vec<KeyValues> = (0..llama.layers()).map(|_| KeyValues::default()).collect();
    let (mut tokens, mut rows) = (Vec::new(), Vec::new());
    let mut position = 0;
    let mut next = prompt.to_vec();
    for index in 0..CONTINUATION {
        let h = llama.extend(&next, position, adapter, &mut cache)?;
        position += next.len();
        let last: Tensor = h.narrow(0, next.len() - 1, 1)?.contiguous()?;
        let logits = with_values(&llama.logits(&last)?, |logits| Ok(logits.to_vec()))?;
        let likeliest = (0_u32..).zip(&logits).max_by(|(_, a), (_, b)| a.total_cmp(b));
        let token = likeliest.map_or(0, |(id, _)| id);
        next = vec![forced.and_then(|forced| forced.get(index)).copied().unwrap_or(token)];
        tokens.push(token);
        rows.push(logits);
    }
    Ok((tokens, rows))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing step fails the test")]

    use super::*;
    use crate::chat::Moment;
    use crate::model::adapter::{LoraConfig, fresh_values};
    use crate::protocol::Projection;

    #[test]
    fn what_answers_otherwise_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("tiny");
        crate::write_tiny_base(&dir).unwrap();
        let llama = Llama::load(&dir).unwrap();
        let chat = Chat::load(&dir, &llama.config, Moment::Fixed).unwrap();
        let adapter = |value: f32| {
            let config = LoraConfig {
                rank: 2,
                alpha: 4.0,
                dropout: 0.0,
                targets: [Projection::DownProj].into(),
                rank_stabilized: false,
                base: "tiny".into(),
            };
            let mut values = fresh_values(&config, &llama.config, 1);
            for values in values.values_mut() {
                values.iter_mut().for_each(|each| *each += value);
            }
            Adapter::new(config, &llama.config, values, false).unwrap()
        };
        let go_on = Interrupt::default();
        let prompts = prompts(&chat, &llama.config).unwrap();
        let expected = continue_all(&llama, Some(&adapter(0.0)), &prompts, &go_on).unwrap();
        let certificate = compare(&expected, &llama, Some(&adapter(0.0)), &go_on).unwrap();
        assert_eq!(
            (certificate.prompts, certificate.tokens, certificate.equal_tokens),
            (20, 160, 160)
        );
        assert_eq!(certificate.largest_logit_gap, Some(0.0));
        assert!(certificate.holds());
        for value in [0.1, f32::NAN] {
            let certificate = compare(&expected, &llama, Some(&adapter(value)), &go_on).unwrap();
            assert!(!certificate.holds(), "{certificate:?}");
            assert_eq!(refusal(&certificate).code, FailureCode::Inexact);
        }
    }
}
