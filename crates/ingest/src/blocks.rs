//! The structure of extracted text: headings, paragraphs, list items, table rows and `label: value` lines.

/// A piece of the text. `start` and `end` count characters; `text` is exactly what stands between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<'a> {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    /// Where `text` starts, in bytes.
    pub byte: usize,
    /// Bytes of white space before it on its line.
    pub indent: usize,
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
    /// From the line of opening marks to the line of closing ones.
    Code,
}

/// A heading without its marks and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub start: usize,
    /// 1 to 6.
    pub level: u8,
    pub text: String,
}

pub fn headings(text: &str) -> Vec<Heading> {
    blocks(text).iter().filter_map(heading).collect()
}

pub(crate) fn heading(block: &Block<'_>) -> Option<Heading> {
    let Kind::Heading(level) = block.kind else {
        return None;
    };
    let text = heading_text(block.text).to_owned();
    (!text.is_empty()).then_some(Heading {
        start: block.start,
        level,
        text,
    })
}

/// Splits `text` into blocks, in order. Linear in its length.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut all = Vec::new();
    let mut group: Vec<Line<'_>> = Vec::new();
    // The line that opened a fence, its marks, and the last line inside.
    let mut fence: Option<(Line<'_>, &str, Line<'_>)> = None;
    for line in lines(text) {
        let trimmed = line.text.trim();
        if let Some((first, marks, last)) = &mut fence {
            *last = line;
            if trimmed.starts_with(*marks) && trimmed.trim_start_matches(&marks[..1]).is_empty() {
                all.push(between(text, first, last, Kind::Code));
                fence = None;
            }
        } else if let Some(marks) = fence_marks(trimmed) {
            end_group(text, &mut group, &mut all);
            fence = Some((line, marks, line));
        } else if trimmed.is_empty() {
            end_group(text, &mut group, &mut all);
        } else {
            group.push(line);
        }
    }
    end_group(text, &mut group, &mut all);
    if let Some((first, _, last)) = fence {
        all.push(between(text, &first, &last, Kind::Code));
    }
    promote_headings(&mut all);
    all
}

/// As [`blocks`], of a stretch of a text that starts at `offset`. `code` tells where the whole text's code lies, in order:
/// a stretch may start inside.
pub fn blocks_of_stretch<'a>(text: &'a str, offset: usize, code: &[(usize, usize)]) -> Vec<Block<'a>> {
    let inside = code.iter().find(|(start, end)| *start < offset && offset < *end);
    let chars = inside.map_or(0, |(_, end)| end - offset);
    let byte = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let (head, rest) = text.split_at(byte);
    let mut all = Vec::new();
    if chars > 0 {
        all.push(Block {
            kind: Kind::Code,
            start: offset,
            end: offset + head.chars().count(),
            byte: 0,
            indent: 0,
            text: head,
        });
    }
    all.extend(blocks(rest).into_iter().map(|block| Block {
        start: block.start + offset + chars,
        end: block.end + offset + chars,
        byte: block.byte + byte,
        ..block
    }));
    all
}

/// The marks that open a code block.
fn fence_marks(line: &str) -> Option<&str> {
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == mark).count();
    // Three marks that close on their own line are code inside a sentence.
    (length >= 3 && !line[length..].contains('`')).then(|| &line[..length])
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
            byte: self.byte + self.indent(),
            indent: self.indent(),
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
    if trimmed.starts_with('|') || trimmed.contains(" | ") || trimmed.contains('|') && is_rule(trimmed) {
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
        all.push(between(text, line, &lines[end - 1], kind));
        at = end;
    }
    all.extend(fields.iter().map(|line| line.block(Kind::Field)));
}

/// All from one line to another.
fn between<'a>(text: &'a str, first: &Line<'a>, last: &Line<'a>, kind: Kind) -> Block<'a> {
    let raw = &text[first.byte..last.byte + last.text.len()];
    let lead = raw.chars().take_while(|c| c.is_whitespace()).count();
    let tail = last.text.chars().rev().take_while(|c| c.is_whitespace()).count();
    let last_chars = last.text.chars().count();
    Block {
        kind,
        start: first.char + lead,
        end: last.char + last_chars - tail.min(last_chars),
        byte: first.byte + (raw.len() - raw.trim_start().len()),
        indent: first.indent(),
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
