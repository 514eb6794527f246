//! Token ids into text that may be shown: whole characters only, nothing of a stop text.

use tokenizers::Tokenizer;

/// Tokens that may wait for the rest of a character. Four bytes are the longest; what is still broken after these is
/// no character and comes out as U+FFFD.
const LONGEST_WAIT: usize = 8;

/// Turns ids into text as they come. A byte-level token may be a part of a character: it waits for the rest.
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    ids: Vec<u32>,
    /// `ids[..shown]` are out; decoding starts a little earlier, at `start`, since some tokenizers look back.
    start: usize,
    shown: usize,
}

impl<'a> TextStream<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            tokenizer,
            ids: Vec::new(),
            start: 0,
            shown: 0,
        }
    }

    /// The text that this token completes; often empty.
    pub fn push(&mut self, id: u32) -> Result<String, tokenizers::Error> {
        self.ids.push(id);
        let text = self.waiting()?;
        if text.ends_with(char::REPLACEMENT_CHARACTER) && self.ids.len() - self.shown < LONGEST_WAIT {
            return Ok(String::new());
        }
        (self.start, self.shown) = (self.shown, self.ids.len());
        Ok(text)
    }

    /// What still waits at the end, without a broken last character.
    pub fn finish(self) -> Result<String, tokenizers::Error> {
        Ok(self.waiting()?.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned())
    }

    fn waiting(&self) -> Result<String, tokenizers::Error> {
        let before = self.tokenizer.decode(&self.ids[self.start..self.shown], true)?;
        let all = self.tokenizer.decode(&self.ids[self.start..], true)?;
        Ok(all.get(before.len()..).unwrap_or_default().to_owned())
    }
}

/// Holds back what may become a stop text.
pub struct StopFilter<'a> {
    stops: &'a [String],
    held: String,
}

/// What a piece of text lets out.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    pub text: String,
    /// A stop text came; nothing after it counts.
    pub stopped: bool,
}

impl<'a> StopFilter<'a> {
    pub fn new(stops: &'a [String]) -> Self {
        Self {
            stops,
            held: String::new(),
        }
    }

    pub fn push(&mut self, text: &str) -> Passed {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(at);
            return Passed {
                text: std::mem::take(&mut self.held),
                stopped: true,
            };
        }
        let safe = self.held.len()
            - self
                .stops
                .iter()
                .map(|stop| overlap(&self.held, stop))
                .max()
                .unwrap_or(0);
        let rest = self.held.split_off(safe);
        Passed {
            text: std::mem::replace(&mut self.held, rest),
            stopped: false,
        }
    }

    pub fn finish(self) -> String {
        self.held
    }
}

/// Bytes at the end of `text` that begin `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    (1..=longest)
        .rev()
        .find(|length| stop.is_char_boundary(*length) && text.ends_with(&stop[..*length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken tokenizer fails the test")]

    use super::*;

    fn tokenizer() -> (tempfile::TempDir, Tokenizer) {
        let dir = tempfile::tempdir().unwrap();
        crate::write_tiny_base(&dir.path().join("tiny")).unwrap();
        let tokenizer = Tokenizer::from_file(dir.path().join("tiny/tokenizer.json")).unwrap();
        (dir, tokenizer)
    }

    fn stream(tokenizer: &Tokenizer, bytes: &[u8]) -> (Vec<String>, String) {
        let mut stream = TextStream::new(tokenizer);
        let pieces = bytes
            .iter()
            .map(|byte| stream.push(u32::from(*byte)).unwrap())
            .collect();
        (pieces, stream.finish().unwrap())
    }

    #[test]
    fn characters_come_out_whole() {
        let (_dir, tokenizer) = tokenizer();
        let text = "añ€😀 ok";
        let (pieces, rest) = stream(&tokenizer, text.as_bytes());
        assert_eq!(pieces.concat() + &rest, text);
        assert_eq!(pieces[..3], ["a", "", "ñ"]);
        assert_eq!(pieces[6..10], ["", "", "", "😀"]);
    }

    #[test]
    fn a_character_that_never_ends_is_left_out_and_garbage_does_not_block() {
        let (_dir, tokenizer) = tokenizer();
        let (pieces, rest) = stream(&tokenizer, &"ab€".as_bytes()[..4]);
        assert_eq!(pieces.concat() + &rest, "ab");
        let (pieces, _) = stream(&tokenizer, &[0xFF; 20]);
        assert!(
            pieces
                .concat()
                .chars()
                .filter(|char| *char == char::REPLACEMENT_CHARACTER)
                .count()
                >= 8
        );
    }

    #[test]
    fn stop_texts_never_show_even_in_parts() {
        let stops = ["END".to_owned(), "\n\n".to_owned()];
        let mut filter = StopFilter::new(&stops);
        let passed = ["an E", "N", "ergy EN", "D tail"].map(|text| filter.push(text));
        let texts = passed.each_ref().map(|passed| passed.text.as_str());
        assert_eq!(texts, ["an ", "", "ENergy ", ""]);
        assert_eq!(passed.map(|passed| passed.stopped), [false, false, false, true]);

        let mut filter = StopFilter::new(&stops);
        assert_eq!(
            filter.push("line\n"),
            Passed {
                text: "line".into(),
                stopped: false
            }
        );
        assert_eq!(filter.finish(), "\n");
    }
}
