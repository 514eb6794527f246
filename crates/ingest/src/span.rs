//! Whether a quotation is really where it says it is.

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

#[cfg(test)]
mod tests {
    use super::verify_span;

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
}
