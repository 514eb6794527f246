//! Plain text in whatever encoding it came.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{ExtractCode, ExtractError};

/// So much is looked at to tell an encoding.
const SAMPLE: usize = 1 << 20;

/// A byte order mark decides; else UTF-8 where valid; else UTF-16 where its white space shows; else what the bytes look
/// like most. What comes out must look like text.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ExtractError> {
    decode_as(bytes, None)
}

/// As [`decode`], with a declared encoding that is believed before the bytes are guessed at.
pub(super) fn decode_as<'a>(
    bytes: &'a [u8],
    declared: Option<&'static Encoding>,
) -> Result<Cow<'a, str>, ExtractError> {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding.decode(bytes).0,
        None => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') && !has_escapes(bytes) => Cow::Borrowed(text),
            _ => {
                let declared = declared.filter(|encoding| *encoding != UTF_8);
                let encoding = declared.unwrap_or_else(|| guess(bytes));
                encoding.decode_without_bom_handling(bytes).0
            }
        },
    };
    if !reads_as_text(&text) {
        return Err(ExtractCode::NotText.into());
    }
    Ok(text)
}

/// Whether bytes that are no UTF-8 can be the head of a text in another encoding.
pub(crate) fn looks_encoded(head: &[u8]) -> bool {
    if utf_16(head).is_some() {
        return true;
    }
    if head.contains(&0) {
        return false;
    }
    let (text, _) = guess(head).decode_without_bom_handling(head);
    // The head may end inside a character.
    reads_as_text(text.trim_end_matches(char::REPLACEMENT_CHARACTER))
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if let Some(encoding) = utf_16(bytes) {
        return encoding;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[..bytes.len().min(SAMPLE)], bytes.len() <= SAMPLE);
    detector.guess(None, Utf8Detection::Deny)
}

/// ISO-2022-JP is ASCII by its bytes.
fn has_escapes(bytes: &[u8]) -> bool {
    let designates = |window: &[u8]| matches!(window, [0x1b, b'$', b'@' | b'B']);
    bytes[..bytes.len().min(SAMPLE)].contains(&0x1b) && bytes[..bytes.len().min(SAMPLE)].windows(3).any(designates)
}

/// UTF-16 without a mark: its white space is there, in one byte order alone, and nothing that no text holds.
fn utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(1 << 16) & !1];
    if head.len() < 2 || !head.contains(&0) {
        return None;
    }
    let spaces = |of: fn([u8; 2]) -> u16| {
        let units = || head.chunks_exact(2).map(|pair| of([pair[0], pair[1]]));
        let mut bad = 0usize;
        let mut spaces = 0usize;
        let mut ascii = 0usize;
        for decoded in char::decode_utf16(units()) {
            match decoded {
                Ok(' ' | '\n' | '\r' | '\t' | '\u{3000}') => spaces += 1,
                Ok(c) if c.is_ascii_graphic() => ascii += 1,
                Ok(c) if c.is_control() || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fffe}' | '\u{ffff}') => bad += 1,
                Ok(_) => {}
                Err(_) => bad += 1,
            }
        }
        // The head may end between surrogates.
        let shows = spaces > 0 || ascii * 4 > head.len();
        (shows && bad <= 1 + head.len() / 400).then_some(spaces * 4 + ascii)
    };
    match (spaces(u16::from_le_bytes), spaces(u16::from_be_bytes)) {
        (Some(little), Some(big)) if little == big => None,
        (Some(little), Some(big)) if little < big => Some(UTF_16BE),
        (Some(_), _) => Some(UTF_16LE),
        (None, Some(_)) => Some(UTF_16BE),
        (None, None) => None,
    }
}

/// Next to nothing in it is a control character or could not be decoded.
fn reads_as_text(text: &str) -> bool {
    let (mut total, mut odd) = (0usize, 0usize);
    for c in text.chars() {
        total += 1;
        let is_odd = c == char::REPLACEMENT_CHARACTER
            || c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{b}' | '\u{1b}' | '\u{85}');
        odd += usize::from(is_odd);
    }
    odd * 50 <= total
}
