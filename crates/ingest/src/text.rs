//! The one way by which text enters an [`Extracted`](crate::Extracted): normalised, counted and bounded.

use crate::extract::{ExtractCode, ExtractError, Extracted, Page};

/// Builds normalised text: `\n` line ends, no control characters but tab and newline, no trailing spaces, at most one
/// blank line in a row, no blank lines at either end. Counts characters as it goes, so pages cost nothing.
#[derive(Debug)]
pub(crate) struct TextBuilder {
    text: String,
    chars: usize,
    max_chars: usize,
    newlines: usize,
    spaces: String,
    after_cr: bool,
    pages: Vec<Page>,
    page_is_empty: bool,
}

impl TextBuilder {
    pub(crate) fn new(max_chars: usize) -> Self {
        Self {
            text: String::new(),
            chars: 0,
            max_chars,
            newlines: 0,
            spaces: String::new(),
            after_cr: false,
            pages: Vec::new(),
            page_is_empty: false,
        }
    }

    pub(crate) fn push(&mut self, text: &str) -> Result<(), ExtractError> {
        for c in text.chars() {
            self.push_char(c)?;
        }
        Ok(())
    }

    /// Ends the paragraph: what follows is set off by one blank line.
    pub(crate) fn paragraph(&mut self) {
        self.newlines = self.newlines.max(2);
        self.spaces.clear();
    }

    /// Ends the line.
    pub(crate) fn line(&mut self) {
        self.newlines = self.newlines.max(1);
        self.spaces.clear();
    }

    pub(crate) fn begin_page(&mut self, number: u32) {
        self.paragraph();
        self.pages.push(Page {
            number,
            start: self.chars,
            end: self.chars,
        });
        self.page_is_empty = true;
    }

    fn push_char(&mut self, c: char) -> Result<(), ExtractError> {
        let after_cr = std::mem::replace(&mut self.after_cr, c == '\r');
        match c {
            '\n' if after_cr => {}
            '\n' | '\r' | '\u{2028}' | '\u{85}' => {
                self.newlines += 1;
                self.spaces.clear();
            }
            '\u{2029}' | '\u{c}' | '\u{b}' => self.paragraph(),
            ' ' | '\t' => self.spaces.push(c),
            '\u{a0}' | '\u{202f}' => self.spaces.push(' '),
            '\u{feff}' | '\u{ad}' | '\u{200b}' => {}
            c if c.is_control() => {}
            c if c.is_whitespace() => self.spaces.push(' '),
            c => self.push_visible(c)?,
        }
        Ok(())
    }

    fn push_visible(&mut self, c: char) -> Result<(), ExtractError> {
        if self.chars > 0 {
            for _ in 0..self.newlines.min(2) {
                self.text.push('\n');
                self.chars += 1;
            }
        }
        self.newlines = 0;
        if !self.spaces.is_empty() {
            self.text.push_str(&self.spaces);
            self.chars += self.spaces.len();
            self.spaces.clear();
        }
        if self.chars >= self.max_chars {
            return Err(ExtractError::new(
                ExtractCode::TextTooLong,
                format!(
                    "This document holds more than {} characters of text. Split it into smaller files and upload those.",
                    self.max_chars
                ),
            ));
        }
        if std::mem::take(&mut self.page_is_empty)
            && let Some(page) = self.pages.last_mut()
        {
            page.start = self.chars;
        }
        self.text.push(c);
        self.chars += 1;
        if let Some(page) = self.pages.last_mut() {
            page.end = self.chars;
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text with its pages; an error where there is no text at all.
    pub(crate) fn finish(self) -> Result<Extracted, ExtractError> {
        if self.text.is_empty() {
            return Err(ExtractCode::NoText.into());
        }
        Ok(Extracted {
            text: self.text,
            pages: self.pages,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn normalised(raw: &str) -> String {
        let mut builder = TextBuilder::new(1000);
        builder.push(raw).unwrap();
        builder.finish().unwrap().text
    }

    #[test]
    fn text_is_normalised() {
        assert_eq!(
            normalised("\r\n\r\n a  b \t\r\nc\0\u{1b}d\r\n\r\n\n\ne\x0cf  \n"),
            " a  b\ncd\n\ne\n\nf"
        );
        assert_eq!(normalised("x\u{feff}y\u{a0}z\rw"), "xy z\nw");
    }

    #[test]
    fn pages_cover_their_visible_text() {
        let mut builder = TextBuilder::new(1000);
        for (number, page) in [(1, "één\n"), (2, " \n"), (3, "\n\ndrie")] {
            builder.begin_page(number);
            builder.push(page).unwrap();
        }
        let extracted = builder.finish().unwrap();
        assert_eq!(extracted.text, "één\n\ndrie");
        let spans: Vec<_> = extracted.pages.iter().map(|p| (p.start, p.end)).collect();
        assert_eq!(spans, [(0, 3), (3, 3), (5, 9)]);
    }

    #[test]
    fn too_much_text_is_an_error() {
        let mut builder = TextBuilder::new(3);
        let error = builder.push("abcd").unwrap_err();
        assert_eq!(error.code, ExtractCode::TextTooLong);
    }
}
