//! The verdict on most chat rows, in one pass over their bytes: messages with a role and texts, in the usual order, and
//! nothing else. Whatever is not plainly sound is left to the rules, which say what is wrong with it.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::CountTokens;
use super::statistics::Counted;

/// Counts a row that is sound; `None` leaves it to the rules.
pub(super) fn check(json: &str, count_tokens: Option<CountTokens<'_>>) -> Option<Counted> {
    // No string holds a control character as it is. All bytes are compared, so that many are at once.
    if json.bytes().fold(false, |found, byte| found | (byte < 0x20)) {
        return None;
    }
    let mut scan = Scan { json, at: 0 };
    let mut counted = Counted::default();
    scan.expect(b'{')?;
    scan.word(["messages"])?;
    scan.expect(b':')?;
    scan.expect(b'[')?;
    let mut asked = false;
    let answered = loop {
        let message = scan.message()?;
        counted.messages += 1;
        let answers = match message.role {
            Role::First if counted.messages == 1 => false,
            Role::First => return None,
            Role::User => {
                asked = true;
                false
            }
            Role::Assistant => true,
        };
        if let Some(count_tokens) = count_tokens {
            let texts = [message.content, message.reasoning.unwrap_or_default()];
            let tokens: u64 = texts
                .into_iter()
                .map(|text| count_tokens(&unescaped(text)) as u64)
                .sum();
            counted.tokens += tokens;
            counted.assistant_tokens += if answers { tokens } else { 0 };
        }
        match scan.solid()? {
            b',' => {}
            b']' => break answers,
            _ => return None,
        }
    };
    scan.expect(b'}')?;
    (asked && answered && scan.at == json.len()).then_some(counted)
}

/// Who speaks in plain rows, the first message's system or developer as one.
#[derive(Clone, Copy)]
enum Role {
    First,
    User,
    Assistant,
}

struct Message<'a> {
    role: Role,
    content: &'a str,
    reasoning: Option<&'a str>,
}

/// Texts are as they stand in the JSON, with their escapes.
struct Scan<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// The next byte that is no space.
    fn solid(&mut self) -> Option<u8> {
        loop {
            let byte = *self.json.as_bytes().get(self.at)?;
            self.at += 1;
            if byte != b' ' {
                return Some(byte);
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.solid()? == byte).then_some(())
    }

    fn message(&mut self) -> Option<Message<'a>> {
        self.expect(b'{')?;
        let (mut role, mut content, mut reasoning) = (None, None, None);
        loop {
            let member = self.word(["role", "content", "reasoning_content"])?;
            self.expect(b':')?;
            let twice = match member {
                0 => role.replace(self.role()?).is_some(),
                1 => content.replace(self.text()?).is_some(),
                _ => reasoning.replace(self.text()?).is_some(),
            };
            if twice {
                return None;
            }
            match self.solid()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        // An escape may stand for white space.
        let content =
            content.filter(|text: &&str| text.trim_start().chars().next().is_some_and(|first| first != '\\'))?;
        Some(Message {
            role: role?,
            content,
            reasoning,
        })
    }

    /// Which of the words stands here as a string.
    #[inline(always)]
    fn word<const N: usize>(&mut self, words: [&str; N]) -> Option<usize> {
        self.expect(b'"')?;
        let rest = self.json.as_bytes().get(self.at..)?;
        let here = |word: &&str| rest.get(word.len()) == Some(&b'"') && rest.starts_with(word.as_bytes());
        let found = words.iter().position(here)?;
        self.at += words[found].len() + 1;
        Some(found)
    }

    fn role(&mut self) -> Option<Role> {
        Some(match self.word(["user", "assistant", "system", "developer"])? {
            0 => Role::User,
            1 => Role::Assistant,
            _ => Role::First,
        })
    }

    /// A string, its quotation marks left off.
    fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let bytes = self.json.as_bytes();
        let start = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', bytes.get(self.at..)?)?;
            match bytes[self.at] {
                b'"' => break,
                _ => self.escape()?,
            }
        }
        let text = self.json.get(start..self.at)?;
        self.at += 1;
        Some(text)
    }

    fn escape(&mut self) -> Option<()> {
        let rest = self.json.as_bytes().get(self.at + 1..)?;
        self.at += match rest.first()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                let digits = rest.get(1..5)?;
                // Halves of a pair are left to the rules.
                let half = matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                if half || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                6
            }
            _ => return None,
        };
        Some(())
    }
}

/// What a string says.
fn unescaped(text: &str) -> Cow<'_, str> {
    if memchr(b'\\', text.as_bytes()).is_none() {
        return text.into();
    }
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        said.push_str(before);
        let (character, length) = match after.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'u') => {
                let code = after.get(1..5).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                (code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER), 5)
            }
            other => (char::from(*other.unwrap_or(&b'\\')), 1),
        };
        said.push(character);
        rest = after.get(length..).unwrap_or_default();
    }
    said.push_str(rest);
    said.into()
}

#[cfg(test)]
mod tests {
    use super::super::rules;
    use super::*;

    const COUNT: CountTokens<'static> = &str::len;

    #[test]
    fn plain_rows_are_counted_as_the_rules_count() {
        for row in [
            r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#,
            r#" { "messages" : [ { "content" : "漢 \"a\" \n\u00e9\/\t" , "role" : "user" } , {"role":"assistant","content":"b","reasoning_content":"\\"}]} "#,
            r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a long text that has more than thirty-two bytes"},{"role":"assistant","content":"b"}]}"#,
        ] {
            let row = row.trim();
            let expected = rules::check(row, 20).map(|row| row.count(Some(COUNT))).ok();
            assert!(expected.is_some());
            assert_eq!(check(row, Some(COUNT)), expected, "{row}");
        }
    }

    /// Rows that differ from a sound one in a few bytes: what is accepted here is what the rules accept.
    #[test]
    fn nothing_passes_that_the_rules_refuse() {
        let seed = r#"{"messages": [{"role": "user", "content": "é \"a\" \u00e9 and so on, for more than a chunk"}, {"role": "assistant", "content": "b", "reasoning_content": "\\c"}]}"#;
        let pieces = [
            "\"",
            "\\",
            "\\u",
            "d800",
            "\\ud83d\\ude00",
            "\\n",
            " ",
            "\t",
            "\u{1}",
            ",",
            ":",
            "{",
            "}",
            "[",
            "]",
            "null",
            "role",
            "\"weight\": 0, ",
            "system",
            "user",
            "\u{3000}",
            "tool",
            "",
        ];
        let mut state = 5u64;
        let mut next = move |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % bound
        };
        let (mut quick, mut sound) = (0, 0);
        for _ in 0..200_000 {
            let mut row: Vec<char> = seed.chars().collect();
            for _ in 0..=next(2) {
                let from = next(row.len());
                let to = (from + next(10)).min(row.len());
                row.splice(from..to, pieces[next(pieces.len())].chars());
            }
            let row: String = row.into_iter().collect();
            let row = row.trim();
            let expected = rules::check(row, 20).map(|row| row.count(Some(COUNT))).ok();
            sound += u32::from(expected.is_some());
            if let Some(counted) = check(row, Some(COUNT)) {
                quick += 1;
                assert_eq!(Some(counted), expected, "{row}");
            }
        }
        assert!(quick > 10_000 && quick * 2 > sound, "{quick} of {sound}");
    }
}
