//! Plain text in whatever encoding it came.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{ExtractCode, ExtractError};

/// A byte order mark decides; else UTF-8 where valid; else UTF-16 where every other byte is zero; else Windows-1252,
/// which accepts anything, so what comes out must look like text.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ExtractError> {
    decode_as(bytes, None)
}

/// As [`decode`], with a declared encoding that stands in for Windows-1252.
pub(super) fn decode_as<'a>(
    bytes: &'a [u8],
    declared: Option<&'static Encoding>,
) -> Result<Cow<'a, str>, ExtractError> {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding.decode(bytes).0,
        None => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Cow::Borrowed(text),
            _ => guess(bytes, declared).decode_without_bom_handling(bytes).0,
        },
    };
    let (mut total, mut odd) = (0usize, 0usize);
    for c in text.chars() {
        total += 1;
        let is_odd = c == char::REPLACEMENT_CHARACTER
            || c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{b}' | '\u{1b}');
        odd += usize::from(is_odd);
    }
    if odd * 50 > total {
        return Err(ExtractCode::NotText.into());
    }
    Ok(text)
}

fn guess(bytes: &[u8], declared: Option<&'static Encoding>) -> &'static Encoding {
    let head = &bytes[..bytes.len().min(4096)];
    let zeros = |parity: usize| {
        let pairs = (head.len() / 2).max(1);
        head.iter().skip(parity).step_by(2).filter(|&&b| b == 0).count() * 10 > pairs * 4
    };
    match (zeros(0), zeros(1)) {
        (true, false) => UTF_16BE,
        (false, true) => UTF_16LE,
        _ => match declared {
            Some(encoding) if encoding != UTF_8 => encoding,
            _ => WINDOWS_1252,
        },
    }
}
