//! Where words begin and end: the patterns of tokenizers in which every byte is a token, and spaces.

use regex_automata::meta::{self, Regex};
use regex_automata::{Anchored, Input};
use serde_json::Value;

/// GPT-2's, which such tokenizers have unless they name their own.
const PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// How nearly all patterns end. A run of spaces leaves the last one to what follows: the only thing that they ask about
/// what lies beyond a word.
const SPACES: &str = r"|\s+(?!\S)|\s+";

/// Ways to cut, each applied to what the one before left whole.
pub struct Cuts(Vec<Cut>);

enum Cut {
    Pattern { regex: Regex, spaces: bool },
    Digits { alone: bool },
}

pub type Cache = Option<meta::Cache>;

/// Is told where a word begins and where it ends; None leaves off.
type Each<'a> = dyn FnMut(usize, usize) -> Option<()> + 'a;

impl Cuts {
    /// From the pre-tokenizer of tokenizer.json.
    pub fn read(pre_tokenizer: &Value) -> Option<Self> {
        let alone = [pre_tokenizer.clone()];
        let all = pre_tokenizer["pretokenizers"]
            .as_array()
            .map_or(alone.as_slice(), Vec::as_slice);
        let (bytes, before) = all.split_last()?;
        if bytes["type"] != "ByteLevel" || bytes["add_prefix_space"] != false {
            return None;
        }
        let mut cuts = before.iter().map(Cut::read).collect::<Option<Vec<_>>>()?;
        if bytes["use_regex"] != false {
            cuts.push(Cut::pattern(PATTERN)?);
        }
        Some(Self(cuts))
    }

    pub fn caches(&self) -> Vec<Cache> {
        let cache = |cut: &Cut| match cut {
            Cut::Pattern { regex, .. } => Some(regex.create_cache()),
            Cut::Digits { .. } => None,
        };
        self.0.iter().map(cache).collect()
    }

    /// The words of a text. None where they cannot be told.
    pub fn each(&self, caches: &mut [Cache], text: &str, word: &mut Each) -> Option<()> {
        cut(&self.0, caches, text, 0, word)
    }
}

fn cut(cuts: &[Cut], caches: &mut [Cache], text: &str, at: usize, word: &mut Each) -> Option<()> {
    let (Some((first, rest)), Some((cache, caches))) = (cuts.split_first(), caches.split_first_mut()) else {
        return word(at, at + text.len());
    };
    first.each(cache, text, &mut |from, to| {
        cut(rest, caches, &text[from..to], at + from, word)
    })
}

impl Cut {
    fn read(value: &Value) -> Option<Self> {
        match value["type"].as_str()? {
            "Split" if value["behavior"] == "Isolated" && value["invert"] == false => {
                Self::pattern(value["pattern"]["Regex"].as_str()?)
            }
            "Digits" => Some(Self::Digits {
                alone: value["individual_digits"].as_bool()?,
            }),
            _ => None,
        }
    }

    /// None where the pattern asks more about what is around a word.
    fn pattern(pattern: &str) -> Option<Self> {
        let (patterns, spaces) = match pattern.strip_suffix(SPACES) {
            Some(words) => (vec![words, r"\s+"], true),
            None => (vec![pattern], false),
        };
        let regex = Regex::new_many(&patterns).ok()?;
        Some(Self::Pattern { regex, spaces })
    }

    fn each(&self, cache: &mut Cache, text: &str, word: &mut Each) -> Option<()> {
        match (self, cache) {
            (Self::Digits { alone }, _) => each_number(text, *alone, word),
            (Self::Pattern { regex, spaces }, Some(cache)) => each_match(regex, *spaces, cache, text, word),
            (Self::Pattern { .. }, None) => None,
        }
    }
}

/// The matches, and what lies between them.
fn each_match(regex: &Regex, spaces: bool, cache: &mut meta::Cache, text: &str, word: &mut Each) -> Option<()> {
    let mut at = 0;
    while at < text.len() {
        let input = Input::new(text).range(at..);
        let here = regex.search_half_with(cache, &input.clone().anchored(Anchored::Yes));
        let (start, mut end, pattern) = match here {
            Some(found) => (at, found.offset(), found.pattern()),
            None => match regex.search_with(cache, &input) {
                Some(found) => (found.start(), found.end(), found.pattern()),
                None => return word(at, text.len()),
            },
        };
        if start == end {
            return None;
        }
        if spaces && pattern.as_usize() == 1 && end < text.len() {
            let last = text.floor_char_boundary(end - 1);
            end = if last > start { last } else { end };
        }
        if at < start {
            word(at, start)?;
        }
        word(start, end)?;
        at = end;
    }
    Some(())
}

/// Numbers, each digit by itself if `alone`, and what lies between them.
fn each_number(text: &str, alone: bool, word: &mut Each) -> Option<()> {
    let mut start = 0;
    let mut was_number = None;
    for (at, character) in text.char_indices() {
        let number = character.is_numeric();
        if was_number.is_some_and(|was| was != number || number && alone) {
            word(start, at)?;
            start = at;
        }
        was_number = Some(number);
    }
    if start < text.len() {
        word(start, text.len())
    } else {
        Some(())
    }
}

/// Words that begin at the first space after something else.
pub fn each_at_spaces(text: &str, word: &mut Each) -> Option<()> {
    let mut start = 0;
    let mut last = b' ';
    for (at, byte) in text.bytes().enumerate() {
        if byte == b' ' && last != b' ' {
            word(start, at)?;
            start = at;
        }
        last = byte;
    }
    if start < text.len() {
        word(start, text.len())
    } else {
        Some(())
    }
}
