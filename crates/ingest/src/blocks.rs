//! The structure of extracted text: headings, paragraphs, list items, table rows and `label: value` lines.

/// A piece of the text. `start` and `end` count characters; `text` is exactly what stands between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<'a> {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    pub text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 1 to 6; guessed levels are 2.
    Heading(u8),
    Paragraph,
    Item {
        ordered: bool,
    },
    /// Cells separated by `|`.
    Row,
    /// `label: value` on a line of its own.
    Field,
    Code,
}

/// A heading without its marks and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub start: usize,
    pub text: String,
}

pub fn headings(text: &str) -> Vec<Heading> {
    blocks(text)
        .into_iter()
        .filter(|block| matches!(block.kind, Kind::Heading(_)))
        .map(|block| Heading {
            start: block.start,
            text: heading_text(block.text).to_owned(),
        })
        .filter(|heading| !heading.text.is_empty())
        .collect()
}

/// Splits `text` into blocks, in order. Linear in its length.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut all = Vec::new();
    let mut group: Vec<Line<'_>> = Vec::new();
    let mut in_code = false;
    for line in lines(text) {
        let trimmed = line.text.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            end_group(text, &mut group, &mut all);
            in_code = !in_code;
        } else if in_code {
            if !trimmed.is_empty() {
                all.push(line.block(Kind::Code));
            }
        } else if trimmed.is_empty() {
            end_group(text, &mut group, &mut all);
        } else {
            group.push(line);
        }
    }
    end_group(text, &mut group, &mut all);
    promote_headings(&mut all);
    all
}

/// A heading's words: no `#`, no number in front, no marks of emphasis.
pub fn heading_text(heading: &str) -> &str {
    let first = heading.lines().next().unwrap_or_default();
    let text = first.trim().trim_matches(['#', '*', '_', '=', ' ']);
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ')'));
    let was_number = rest.len() < text.len() && rest.starts_with([' ', '\t']);
    let text = if was_number { rest } else { text };
    text.trim().trim_end_matches(':')
}

#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    byte: usize,
    char: usize,
    chars: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn block(&self, kind: Kind) -> Block<'a> {
        let lead = self.text.chars().take_while(|c| c.is_whitespace()).count();
        let text = self.text.trim();
        Block {
            kind,
            start: self.char + lead,
            end: self.char + lead + text.chars().count(),
            text,
        }
    }

    fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let (mut byte, mut char) = (0, 0);
    text.split_inclusive('\n').map(move |whole| {
        let chars = whole.chars().count();
        let line = Line {
            byte,
            char,
            chars,
            text: whole.trim_end_matches('\n'),
        };
        byte += whole.len();
        char += chars;
        line
    })
}

/// What a line is by itself; `None` for the running text of a paragraph.
fn kind_of(line: &str) -> Option<Kind> {
    let trimmed = line.trim();
    let marks = trimmed.bytes().take_while(|&b| b == b'#').count();
    if (1..=6).contains(&marks) && trimmed[marks..].starts_with(' ') {
        return u8::try_from(marks).ok().map(Kind::Heading);
    }
    if trimmed.starts_with('|') || trimmed.contains(" | ") {
        return Some(Kind::Row);
    }
    item_marker(trimmed).map(|(ordered, _)| Kind::Item { ordered })
}

/// Whether `line` starts as a list item, counted or not, and how many bytes its marker takes.
pub(crate) fn item_marker(line: &str) -> Option<(bool, usize)> {
    let mut chars = line.chars();
    let first = chars.next()?;
    if matches!(first, '-' | '*' | '+' | '•' | '–' | '◦' | '▪') {
        return (chars.next() == Some(' ')).then_some((false, first.len_utf8() + 1));
    }
    let (marker, rest) = line.split_once(' ')?;
    let number = marker.strip_suffix(['.', ')'])?;
    let counts = !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit());
    (counts && !rest.trim().is_empty()).then_some((true, marker.len() + 1))
}

/// The label and the value of a `label: value` line, as byte lengths would not help a reader: as text.
pub fn field(line: &str) -> Option<(&str, &str)> {
    let (label, value) = line.trim().split_once(": ")?;
    let (label, value) = (label.trim(), value.trim());
    let words = label.split_whitespace().count();
    let sound = !value.is_empty()
        && (1..=6).contains(&words)
        && label.chars().count() <= 48
        && label.starts_with(char::is_alphanumeric)
        && !label.contains(['.', '?', '!', ',', '"', '“']);
    sound.then_some((label, value))
}

fn end_group<'a>(text: &'a str, group: &mut Vec<Line<'a>>, all: &mut Vec<Block<'a>>) {
    let lines = std::mem::take(group);
    // `label: value` lines stand together at the end of a group: a letterhead's contacts, or all of it.
    let is_field = |line: &Line<'_>, together: usize| {
        kind_of(line.text).is_none() && field(line.text).is_some_and(|(_, value)| is_value(value, together))
    };
    let together = lines.iter().rev().take_while(|line| is_field(line, 2)).count();
    let alone = lines.len() == 1 && is_field(&lines[0], 1);
    let fields_from = match together {
        1 if alone => 0,
        2.. => lines.len() - together,
        _ => lines.len(),
    };
    let fields = lines[fields_from..].to_vec();
    let lines = &lines[..fields_from];
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let kind = kind_of(line.text);
        let next = lines.get(at + 1);
        let (kind, mut end) = match kind {
            Some(Kind::Row) if is_rule(line.text) => {
                at += 1;
                continue;
            }
            Some(kind) => (kind, at + 1),
            None if next.is_some_and(|next| is_underline(next.text)) => {
                let level = if next.is_some_and(|next| next.text.trim().starts_with('=')) {
                    1
                } else {
                    2
                };
                all.push(line.block(Kind::Heading(level)));
                at += 2;
                continue;
            }
            None if next.is_some() && is_capitals(line.text) && line.indent() == 0 => (Kind::Heading(2), at + 1),
            None => (Kind::Paragraph, at + 1),
        };
        // The lines that go on with a paragraph, or with an item that is set in.
        let goes_on = |line: &Line<'_>, first: &Line<'_>| match kind {
            Kind::Paragraph => kind_of(line.text).is_none() && !is_underline(line.text),
            Kind::Item { .. } => kind_of(line.text).is_none() && line.indent() > first.indent(),
            _ => false,
        };
        while lines.get(end).is_some_and(|next| goes_on(next, line)) {
            end += 1;
        }
        all.push(joined(text, &lines[at..end], kind));
        at = end;
    }
    all.extend(fields.iter().map(|line| line.block(Kind::Field)));
}

fn joined<'a>(text: &'a str, lines: &[Line<'a>], kind: Kind) -> Block<'a> {
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    let raw = &text[first.byte..last.byte + last.text.len()];
    let chars: usize =
        lines[..lines.len() - 1].iter().map(|line| line.chars).sum::<usize>() + last.text.chars().count();
    let lead = raw.chars().take_while(|c| c.is_whitespace()).count();
    let tail = raw.chars().rev().take_while(|c| c.is_whitespace()).count();
    Block {
        kind,
        start: first.char + lead,
        end: first.char + chars - tail.min(chars - lead),
        text: raw.trim(),
    }
}

/// A lone `label: value` line may be prose ("Note: ..."), so it must be short; several together need not be.
fn is_value(value: &str, lines: usize) -> bool {
    let limit = if lines > 1 { 400 } else { 80 };
    value.chars().count() <= limit
}

/// The line under a Markdown table's header.
fn is_rule(line: &str) -> bool {
    line.contains('-') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | '+' | ' '))
}

fn is_underline(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && (line.bytes().all(|b| b == b'=') || line.bytes().all(|b| b == b'-'))
}

fn is_capitals(line: &str) -> bool {
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 3
        && line.chars().count() <= 60
        && !line.chars().any(char::is_lowercase)
        && line.chars().filter(|c| c.is_uppercase()).count() == letters
        && !line.contains(':')
}

/// Lines that stand like headings though nothing marks them: a lone number with a title, or a short title before text.
fn promote_headings(all: &mut [Block<'_>]) {
    for at in 0..all.len() {
        let is_item = |at: Option<usize>| {
            at.and_then(|at| all.get(at))
                .is_some_and(|block| matches!(block.kind, Kind::Item { ordered: true }))
        };
        let block = &all[at];
        let followed = all.get(at + 1).is_some_and(|next| match next.kind {
            Kind::Paragraph => next.text.len() > block.text.len(),
            Kind::Item { .. } | Kind::Row | Kind::Field => true,
            Kind::Heading(_) | Kind::Code => false,
        });
        let promoted = match block.kind {
            Kind::Item { ordered: true } => {
                let alone = !is_item(at.checked_sub(1)) && !is_item(Some(at + 1));
                alone && followed && is_title(block.text)
            }
            Kind::Paragraph => followed && (is_title(block.text) || is_capitals(block.text)),
            _ => false,
        };
        if promoted {
            all[at].kind = Kind::Heading(2);
        }
    }
}

fn is_title(text: &str) -> bool {
    let words = text.split_whitespace().count();
    let title = heading_text(text);
    (1..=9).contains(&words)
        && text.lines().count() == 1
        && text.chars().count() <= 80
        && title.starts_with(char::is_uppercase)
        && !text.ends_with(['.', ',', ';', '!', '。', ':', '，', '、'])
        && !text.contains(['@', '|'])
        && title.chars().filter(|c| c.is_alphabetic()).count() >= 3
}
