//! Conversations as token ids: the base's chat template and tokenizer.

pub mod template;
mod words;

use std::ops::Range;
use std::path::Path;

use cerebros_datasets::chat::{Message, PairRow, Role};
use serde_json::Value;
use tokenizers::Tokenizer;

use crate::base::inspect::chat_template_source;
use crate::base::{BaseError, CONFIG_LIMIT, LlamaConfig, TOKENIZER_LIMIT, config::TokenIds, read_bounded};
pub use template::{CALL_TAG, CHATML, ChatTemplate, Moment, TemplateError};
use words::{Piece, Words};

/// A base's tokenizer, chat template and end-of-text tokens.
pub struct Chat {
    pub tokenizer: Tokenizer,
    pub template: ChatTemplate,
    pub end_tokens: Vec<u32>,
    words: Option<Words>,
    vocab: usize,
    /// Of tokenizer.json.
    size: usize,
}

/// A conversation ready for training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRow {
    pub tokens: Vec<u32>,
    /// Positions of `tokens` that are learned: those of the assistant's words, never the first.
    pub trainable: Vec<usize>,
    pub truncated: bool,
    /// Its line in the file that it was read from.
    pub number: u64,
    /// The worse answer to the same prompt, where the row is a pair.
    pub rejected: Option<Box<EncodedRow>>,
}

impl EncodedRow {
    /// The row itself and, of a pair, the worse answer.
    pub fn sequences(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.rejected.as_deref())
    }

    /// The row as it is with fewer tokens.
    pub fn cut(&mut self, limit: usize) {
        self.truncated |= self.tokens.len() > limit;
        self.tokens.truncate(limit);
        self.trainable.retain(|&position| position < limit);
        if let Some(rejected) = &mut self.rejected {
            rejected.cut(limit);
        }
    }

    pub fn is_cut(&self) -> bool {
        self.sequences().any(|row| row.truncated)
    }

    /// Whether something is learned from it: pairs whose answers are alike up to where they are cut teach nothing.
    pub fn teaches(&self) -> bool {
        let alike = self.rejected.as_ref().is_some_and(|worse| worse.tokens == self.tokens);
        !alike && self.sequences().all(|row| !row.trainable.is_empty())
    }

    /// Tokens that a pass reads: those before the last learned one.
    pub fn used(&self) -> usize {
        self.trainable.last().copied().unwrap_or(0)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("the text cannot be tokenized: {0}")]
    Tokenizer(String),
    #[error("token {0} lies outside the model's vocabulary; the tokenizer belongs to another model")]
    OutsideVocabulary(u32),
}

impl Chat {
    /// `moment` is what the template's `strftime_now` sees.
    pub fn load(dir: &Path, config: &LlamaConfig, moment: Moment) -> Result<Self, BaseError> {
        let invalid = |file, reason: String| BaseError::InvalidTokenizer { file, reason };
        let bytes = read_bounded(&dir.join("tokenizer.json"), TOKENIZER_LIMIT)?
            .ok_or_else(|| BaseError::NoTokenizer(dir.to_owned()))?;
        let mut tokenizer =
            Tokenizer::from_bytes(&bytes).map_err(|error| invalid("tokenizer.json", error.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| invalid("tokenizer.json", error.to_string()))?;
        let source = chat_template_source(dir)?;
        let special = read_json(dir, "tokenizer_config.json")?;
        let template = ChatTemplate::new(source.as_deref(), &special, moment)
            .map_err(|error| invalid("chat_template", error.to_string()))?;
        let generation = read_json(dir, "generation_config.json")?;
        let mut end_tokens = config.eos_token_ids.clone();
        if let Ok(ids) = serde_json::from_value::<TokenIds>(generation["eos_token_id"].clone()) {
            end_tokens.extend(ids.into_vec());
        }
        end_tokens.extend(special_text(&special["eos_token"]).and_then(|token| tokenizer.token_to_id(&token)));
        end_tokens.sort_unstable();
        end_tokens.dedup();
        Ok(Self {
            words: Words::of(&tokenizer),
            tokenizer,
            template,
            end_tokens,
            vocab: config.vocab,
            size: bytes.len(),
        })
    }

    /// About what the tokenizer takes in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.size as u64 * 10
    }

    /// The ids of a prompt that the assistant is to answer.
    pub fn encode_prompt(&self, messages: &[Message], tools: &[Value]) -> Result<Vec<u32>, ChatError> {
        let text = self.template.render(messages, tools, true)?;
        self.encode_text(&text)
    }

    /// The ids of a text in which special tokens are written out.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        let ids = ids(&self.encode(text, false)?);
        self.check(&ids)?;
        Ok(ids)
    }

    /// `framed`: with the tokens that the tokenizer puts around a text.
    fn encode(&self, text: &str, framed: bool) -> Result<Vec<Piece>, ChatError> {
        let quick = self.words.as_ref();
        if let Some(pieces) = quick.and_then(|words| words.encode(&self.tokenizer, text, framed)) {
            return Ok(pieces);
        }
        words::encode(&self.tokenizer, text, framed).map_err(|error| ChatError::Tokenizer(error.to_string()))
    }

    /// The ids of a whole conversation, cut at `limit`, with the positions of what the assistant says in it from message
    /// `first` on. `tools` are functions that can be called in it.
    pub fn encode_row(
        &self,
        messages: &[Message],
        tools: &[Value],
        first: usize,
        limit: usize,
    ) -> Result<EncodedRow, ChatError> {
        let text = self.template.render(messages, tools, false)?;
        let spans = self.assistant_spans(messages, tools, first, &text)?;
        let pieces = self.encode(&text, false)?;
        let length = pieces.len().min(limit);
        let tokens = ids(&pieces[..length]);
        self.check(&tokens)?;
        let learned = |&position: &usize| {
            let (start, end) = (pieces[position].start as usize, pieces[position].end as usize);
            start < end && spans.iter().any(|span| span.start <= start && end <= span.end)
        };
        let trainable = (1..length).filter(learned).collect();
        Ok(EncodedRow {
            tokens,
            trainable,
            truncated: pieces.len() > limit,
            number: 0,
            rejected: None,
        })
    }

    /// Both answers of a pair, each with its prompt, cut at `limit`.
    pub fn encode_pair(&self, pair: &PairRow, limit: usize) -> Result<EncodedRow, ChatError> {
        let encode = |answer: &[Message]| {
            let messages = [pair.prompt.as_slice(), answer].concat();
            self.encode_row(&messages, &[], pair.prompt.len(), limit)
        };
        Ok(EncodedRow {
            rejected: Some(Box::new(encode(&pair.rejected)?)),
            ..encode(&pair.chosen)?
        })
    }

    /// The ids of a plain text, cut at `limit`, all of them learned but the first.
    pub fn encode_plain(&self, text: &str, limit: usize) -> Result<EncodedRow, ChatError> {
        let pieces = self.encode(text, true)?;
        let length = pieces.len().min(limit);
        let tokens = ids(&pieces[..length]);
        self.check(&tokens)?;
        Ok(EncodedRow {
            tokens,
            trainable: (1..length).collect(),
            truncated: pieces.len() > limit,
            number: 0,
            rejected: None,
        })
    }

    fn check(&self, ids: &[u32]) -> Result<(), ChatError> {
        match ids.iter().find(|id| **id as usize >= self.vocab) {
            Some(id) => Err(ChatError::OutsideVocabulary(*id)),
            None => Ok(()),
        }
    }

    /// The byte ranges of `text` that the assistant's weighted messages fill, from message `first` on: what rendering a
    /// message adds to the prompt that asks for it. Where a template rewrites earlier turns, only what the renderings share
    /// counts.
    fn assistant_spans(
        &self,
        messages: &[Message],
        tools: &[Value],
        first: usize,
        text: &str,
    ) -> Result<Vec<Range<usize>>, ChatError> {
        let mut spans = Vec::new();
        for (index, message) in messages.iter().enumerate().skip(first) {
            if message.role != Role::Assistant || message.weight == Some(0) {
                continue;
            }
            let start = common_prefix(&self.template.render(&messages[..index], tools, true)?, text);
            let end = if index + 1 == messages.len() {
                text.len()
            } else {
                common_prefix(&self.template.render(&messages[..=index], tools, false)?, text)
            };
            if start < end {
                spans.push(start..end);
            }
        }
        Ok(spans)
    }
}

fn ids(pieces: &[Piece]) -> Vec<u32> {
    pieces.iter().map(|piece| piece.id).collect()
}

fn read_json(dir: &Path, file: &'static str) -> Result<serde_json::Value, BaseError> {
    match read_bounded(&dir.join(file), CONFIG_LIMIT)? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| BaseError::InvalidTokenizer {
            file,
            reason: error.to_string(),
        }),
        None => Ok(serde_json::Value::Null),
    }
}

/// A special token's text, written plainly or as an added-token object.
fn special_text(value: &serde_json::Value) -> Option<String> {
    value.as_str().or_else(|| value["content"].as_str()).map(str::to_owned)
}

/// Bytes that both texts start with, cut at a character.
fn common_prefix(left: &str, right: &str) -> usize {
    let equal = left
        .bytes()
        .zip(right.bytes())
        .take_while(|(left, right)| left == right)
        .count();
    right.floor_char_boundary(equal)
}
