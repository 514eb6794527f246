//! Texts as token ids, cut into words each of which is looked at once: much quicker than `tokenizers`, which does the rest,
//! and equal to it. A tokenizer that cuts its words in a way unknown here is left to `tokenizers` alone.

mod cuts;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::{Value, json};
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::byte_level::{self, ByteLevel};
use tokenizers::{
    Encoding, Model, NormalizedString, Normalizer, OffsetType, PreTokenizedString, PreTokenizer, Tokenizer,
};
use unicode_normalization_alignments::{IsNormalized, is_nfc_quick};

use cuts::Cuts;

/// Words that are kept; then all are forgotten and met again.
const MOST_WORDS: usize = 1 << 16;
/// Bytes of the longest word that is kept.
const LONGEST_WORD: usize = 64;
const SPACE: &str = "\u{2581}";

/// A token and the bytes of the text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub id: u32,
    pub start: u32,
    pub end: u32,
}

pub struct Words {
    /// Searches for the tokens that stand for themselves wherever they occur, each in what the one before left.
    added: Vec<(AhoCorasick, Vec<u32>)>,
    /// Text in which characters are still to be composed is left to `tokenizers`.
    composes: bool,
    style: Style,
    before: Vec<u32>,
    after: Vec<u32>,
    met: Mutex<Met>,
}

/// How the words of a tokenizer become what its model reads.
enum Style {
    /// Each byte is a character of its own. `trims`: the spaces around a word are no part of it.
    Bytes { cuts: Cuts, trims: bool },
    /// Spaces are written `▁`; the normalizer puts one before the text, too, and words begin at spaces.
    Spaces { replace: NormalizerWrapper },
}

struct Met {
    words: HashMap<Box<str>, Range<u32>, foldhash::fast::RandomState>,
    /// The pieces of all words, one after the other; places are counted from the word's start.
    known: Vec<Piece>,
    caches: Vec<cuts::Cache>,
}

impl Words {
    /// None where its words cannot be cut here.
    pub fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let ModelWrapper::BPE(model) = tokenizer.get_model() else {
            return None;
        };
        if model.dropout.is_some_and(|dropout| dropout > 0.0) {
            return None;
        }
        let composes = composes(&serde_json::to_value(tokenizer.get_normalizer()).ok()?);
        let added = added(tokenizer)?;
        let style = match composes {
            Some(_) => Style::Bytes {
                cuts: Cuts::read(&serde_json::to_value(tokenizer.get_pre_tokenizer()).ok()?)?,
                trims: trims(&serde_json::to_value(tokenizer.get_post_processor()).ok()?)?,
            },
            None if !tokenizer
                .get_added_tokens_decoder()
                .values()
                .any(|token| token.normalized) =>
            {
                spaces(tokenizer, model)?
            }
            None => return None,
        };
        let (before, after) = around(tokenizer)?;
        let caches = match &style {
            Style::Bytes { cuts, .. } => cuts.caches(),
            Style::Spaces { .. } => Vec::new(),
        };
        Some(Self {
            added,
            composes: composes == Some(true),
            style,
            before,
            after,
            met: Mutex::new(Met {
                words: HashMap::default(),
                known: Vec::new(),
                caches,
            }),
        })
    }

    /// The tokens of a text; `framed` with those that the tokenizer puts around it. None where this text is one for
    /// `tokenizers`.
    pub fn encode(&self, tokenizer: &Tokenizer, text: &str, framed: bool) -> Option<Vec<Piece>> {
        let left = match self.style {
            Style::Bytes { .. } => self.composes && !text.is_ascii() && !composed(text),
            Style::Spaces { .. } => text.contains(SPACE),
        };
        if left || u32::try_from(text.len()).is_err() {
            return None;
        }
        let mut pieces = Vec::with_capacity(text.len() / 3);
        let frame = |ids: &[u32]| ids.iter().map(|&id| Piece { id, start: 0, end: 0 }).collect::<Vec<_>>();
        if framed {
            pieces.extend(frame(&self.before));
        }
        let mut met = self.met.lock().ok()?;
        self.beside_added(&self.added, text, 0, &mut pieces, &mut |segment, at, pieces| {
            self.segment(tokenizer, &mut met, segment, at, pieces)
        })?;
        if framed {
            pieces.extend(frame(&self.after));
        }
        Some(pieces)
    }

    fn beside_added(
        &self,
        searches: &[(AhoCorasick, Vec<u32>)],
        text: &str,
        at: usize,
        pieces: &mut Vec<Piece>,
        segment: &mut impl FnMut(&str, usize, &mut Vec<Piece>) -> Option<()>,
    ) -> Option<()> {
        let Some(((search, ids), rest)) = searches.split_first() else {
            return if text.is_empty() {
                Some(())
            } else {
                segment(text, at, pieces)
            };
        };
        let mut done = 0;
        for found in search.find_iter(text) {
            self.beside_added(rest, &text[done..found.start()], at + done, pieces, segment)?;
            pieces.push(Piece {
                id: ids[found.pattern().as_usize()],
                start: (at + found.start()) as u32,
                end: (at + found.end()) as u32,
            });
            done = found.end();
        }
        self.beside_added(rest, &text[done..], at + done, pieces, segment)
    }

    fn segment(
        &self,
        tokenizer: &Tokenizer,
        met: &mut Met,
        text: &str,
        at: usize,
        pieces: &mut Vec<Piece>,
    ) -> Option<()> {
        let Met { words, known, caches } = met;
        let mut word = |from: usize, to: usize, first: bool| {
            let (word, looked) = (&text[from..to], &mut Vec::new());
            let found = match words.get(word) {
                Some(place) if !first => &known[place.start as usize..place.end as usize],
                _ => {
                    *looked = self.look(tokenizer, word, first)?;
                    if !first && word.len() <= LONGEST_WORD {
                        if words.len() >= MOST_WORDS {
                            words.clear();
                            known.clear();
                        }
                        let start = known.len() as u32;
                        known.extend_from_slice(looked);
                        words.insert(word.into(), start..known.len() as u32);
                    }
                    looked
                }
            };
            let at = (at + from) as u32;
            pieces.extend(found.iter().map(|piece| Piece {
                id: piece.id,
                start: piece.start + at,
                end: piece.end + at,
            }));
            Some(())
        };
        match &self.style {
            Style::Bytes { cuts, .. } => cuts.each(caches, text, &mut |from, to| word(from, to, false)),
            Style::Spaces { .. } => cuts::each_at_spaces(text, &mut |from, to| word(from, to, from == 0)),
        }
    }

    /// What `tokenizers` makes of a word.
    fn look(&self, tokenizer: &Tokenizer, word: &str, first: bool) -> Option<Vec<Piece>> {
        let mut text = match &self.style {
            Style::Bytes { .. } => {
                let mut text = PreTokenizedString::from(word);
                let bytes = ByteLevel::new(false, false, false);
                bytes.pre_tokenize(&mut text).ok()?;
                text
            }
            Style::Spaces { replace } => {
                let mut text = NormalizedString::from(word);
                match tokenizer.get_normalizer() {
                    Some(all) if first => all.normalize(&mut text).ok()?,
                    _ => replace.normalize(&mut text).ok()?,
                }
                PreTokenizedString::from(text)
            }
        };
        text.tokenize(|word| tokenizer.get_model().tokenize(word.get())).ok()?;
        let mut encoding = text.into_encoding(None, 0, OffsetType::Byte).ok()?;
        if matches!(self.style, Style::Bytes { trims: true, .. }) {
            byte_level::process_offsets(&mut encoding, false);
        }
        Some(pieces(&encoding))
    }
}

/// The tokens of a text by `tokenizers` alone.
pub fn encode(tokenizer: &Tokenizer, text: &str, framed: bool) -> tokenizers::Result<Vec<Piece>> {
    Ok(pieces(&tokenizer.encode(text, framed)?))
}

fn pieces(encoding: &Encoding) -> Vec<Piece> {
    let all = encoding.get_ids().iter().zip(encoding.get_offsets());
    let piece = |(&id, &(start, end)): (&u32, &(usize, usize))| Piece {
        id,
        start: start as u32,
        end: end as u32,
    };
    all.map(piece).collect()
}

/// Whether characters are composed before anything else; `None` where more is done than that.
fn composes(normalizer: &Value) -> Option<bool> {
    let all = normalizer["normalizers"].as_array().map(Vec::as_slice);
    match (normalizer["type"].as_str(), all) {
        (None, _) | (Some("Sequence"), Some([])) => Some(false),
        (Some("NFC"), _) => Some(true),
        (Some("Sequence"), Some([one])) => composes(one),
        _ => None,
    }
}

fn composed(text: &str) -> bool {
    is_nfc_quick(text.chars()) == IsNormalized::Yes
}

/// Whether spaces around words are no part of their tokens' places.
fn trims(processor: &Value) -> Option<bool> {
    match processor["type"].as_str() {
        None | Some("TemplateProcessing") => Some(false),
        Some("ByteLevel") => Some(processor["trim_offsets"].as_bool().unwrap_or(true)),
        Some("Sequence") => {
            let all: Option<Vec<bool>> = processor["processors"].as_array()?.iter().map(trims).collect();
            match all?.iter().filter(|trims| **trims).count() {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            }
        }
        Some(_) => None,
    }
}

/// The tokens that are found before words are cut: first those of the text as it came, then those of what is normalized.
fn added(tokenizer: &Tokenizer) -> Option<Vec<(AhoCorasick, Vec<u32>)>> {
    let all = tokenizer.get_added_tokens_decoder();
    let plain = all.values().all(|token| {
        let strips = token.lstrip || token.rstrip || token.single_word;
        !strips && !token.content.is_empty() && (!token.normalized || composed(&token.content))
    });
    if !plain || tokenizer.get_added_vocabulary().get_encode_special_tokens() {
        return None;
    }
    let mut searches = Vec::new();
    for normalized in [false, true] {
        let (ids, tokens): (Vec<u32>, Vec<&str>) = all
            .iter()
            .filter(|(_, token)| token.normalized == normalized)
            .map(|(id, token)| (*id, token.content.as_str()))
            .unzip();
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(tokens)
            .ok()?;
        if !ids.is_empty() {
            searches.push((search, ids));
        }
    }
    Some(searches)
}

/// Llama 2's style, where it is sure that no token goes over the beginning of a word.
fn spaces(tokenizer: &Tokenizer, model: &BPE) -> Option<Style> {
    let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE });
    let normalizer = json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": SPACE }, replace] });
    let plain = !model.ignore_merges && model.continuing_subword_prefix.is_none() && model.end_of_word_suffix.is_none();
    let vocab = tokenizer.get_vocab(false);
    let begins = |token: &str| !token.trim_start_matches(SPACE).contains(SPACE);
    let known = plain
        && serde_json::to_value(tokenizer.get_normalizer()).ok()? == normalizer
        && tokenizer.get_pre_tokenizer().is_none()
        && trims(&serde_json::to_value(tokenizer.get_post_processor()).ok()?) == Some(false)
        && vocab.contains_key(SPACE)
        && vocab.keys().all(|token| begins(token));
    let replace = serde_json::from_value(replace).ok()?;
    known.then_some(Style::Spaces { replace })
}

/// The tokens before and after a framed text.
fn around(tokenizer: &Tokenizer) -> Option<(Vec<u32>, Vec<u32>)> {
    let alone = tokenizer.encode_fast("a", false).ok()?;
    let framed = tokenizer.encode_fast("a", true).ok()?;
    let (alone, framed) = (alone.get_ids(), framed.get_ids());
    let start = framed.windows(alone.len().max(1)).position(|ids| ids == alone)?;
    Some((framed[..start].to_vec(), framed[start + alone.len()..].to_vec()))
}

#[cfg(test)]
mod tests;
