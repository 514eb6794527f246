//! Whether, and where, a quotation really stands in a text.

/// Whether the characters `[start, end)` of `text` are `quote`, white space aside: runs of white space count as one
/// space, and none at either end. False for a range that is empty, reversed or past the end.
pub fn verify_span(text: &str, start: usize, end: usize, quote: &str) -> bool {
    if start >= end {
        return false;
    }
    let mut indices = text
        .char_indices()
        .map(|(byte, _)| byte)
        .chain(std::iter::once(text.len()));
    let Some(from) = indices.nth(start) else {
        return false;
    };
    let Some(to) = indices.nth(end - start - 1) else {
        return false;
    };
    let mut words = quote.split_whitespace().peekable();
    words.peek().is_some() && text[from..to].split_whitespace().eq(words)
}

/// The characters `[start, end)` of `text` at which `quote` first stands, white space aside as in [`verify_span`], which
/// holds for what is found. A quotation may start or end within a word. Linear in the length of both.
pub fn locate(text: &str, quote: &str) -> Option<(usize, usize)> {
    let quote = single_spaced(quote);
    if quote.is_empty() {
        return None;
    }
    let single = single_spaced(text);
    let at = single.find(&quote)?;
    let first = single[..at].chars().count();
    let last = first + quote.chars().count() - 1;
    let mut kept = kept_characters(text).map(|(character, _)| character);
    let start = kept.nth(first)?;
    let end = if last == first {
        start
    } else {
        kept.nth(last - first - 1)?
    };
    Some((start, end + 1))
}

fn single_spaced(text: &str) -> String {
    kept_characters(text).map(|(_, c)| c).collect()
}

/// The characters that remain when runs of white space become one space and those at the ends vanish, with their places.
fn kept_characters(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut gap = None;
    let mut begun = false;
    text.chars()
        .enumerate()
        .flat_map(move |(at, c)| {
            if c.is_whitespace() {
                gap.get_or_insert(at);
                return [None, None];
            }
            let space = gap.take().filter(|_| begun).map(|at| (at, ' '));
            begun = true;
            [space, Some((at, c))]
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::{locate, verify_span};

    #[test]
    fn white_space_is_the_only_freedom() {
        let text = "Größe: 12 cm.\n\nNext  line";
        assert!(verify_span(text, 0, 13, "Größe: 12 cm."));
        assert!(verify_span(text, 7, 25, " 12 cm. Next\nline "));
        assert!(!verify_span(text, 0, 13, "Größe: 13 cm."));
        assert!(!verify_span(text, 1, 13, "Größe: 12 cm."));
        assert!(!verify_span(text, 0, 13, "Größe: 12cm."));
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for (start, end) in [(0, 0), (3, 2), (0, 5), (9, 10), (usize::MAX - 1, usize::MAX)] {
            assert!(!verify_span("abc", start, end, "abc"), "{start}..{end}");
        }
        assert!(!verify_span("a  b", 1, 3, ""));
        assert!(verify_span("abc", 0, 3, "abc"));
    }

    #[test]
    fn quotations_are_found_whatever_their_white_space() {
        let text = " \nGröße:  12 cm.\n\nNext\tline, and\u{a0}on. ";
        for (quote, found) in [
            ("Größe: 12 cm.", "Größe:  12 cm."),
            ("  12\ncm. Next line,", "12 cm.\n\nNext\tline,"),
            ("G", "G"),
            ("and on.", "and\u{a0}on."),
            ("öße", "öße"),
        ] {
            let (start, end) = locate(text, quote).unwrap();
            let stretch: String = text.chars().skip(start).take(end - start).collect();
            assert_eq!(stretch, found, "{quote}");
            assert!(verify_span(text, start, end, quote), "{quote}");
        }
    }

    #[test]
    fn what_does_not_stand_there_is_not_found() {
        let text = "Größe: 12 cm. Next line";
        for quote in ["", " \n", "größe: 12 cm.", "Größe: 12cm.", "Größe: 12 cm", "Next line."] {
            assert_eq!(locate(text, quote).is_some(), quote == "Größe: 12 cm", "{quote}");
        }
        assert_eq!(locate("", "a"), None);
        assert_eq!(locate("   ", " "), None);
    }

    #[test]
    fn every_changed_letter_is_noticed() {
        let text = "The quick brown fox jumps over the lazy dog; it barks.";
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'#' { b'+' } else { b'#' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(locate(text, &changed), None);
            assert!(!verify_span(text, 0, text.len(), &changed));
        }
    }

    #[test]
    fn a_hostile_quotation_takes_linear_time() {
        let text = "ab ".repeat(400_000);
        let quote = format!("{}c", "ab ".repeat(200_000));
        let started = std::time::Instant::now();
        assert_eq!(locate(&text, &quote), None);
        assert!(started.elapsed().as_secs() < 5);
    }
}
