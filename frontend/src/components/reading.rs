//! A stretch of a document's text as it is built: headings, lists, tables, code, pages; with passages marked.

use cerebros_common::documents::{BlockKind, DocumentText, TextBlock};
use leptos::{html, prelude::*};
use std::ops::Range;

/// Characters that are marked. One mark is the current one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    pub start: u64,
    pub end: u64,
    pub current: bool,
}

/// Characters that are marked alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    text: String,
    /// Whether it is the current one.
    mark: Option<bool>,
}

#[derive(Debug, PartialEq)]
pub enum Part {
    Page(u32),
    /// How deep, from 1, and the words.
    Heading(u8, Vec<Run>),
    Paragraph(Vec<Run>),
    Item(u8, Vec<Run>),
    Table(Vec<Vec<Vec<Run>>>),
    Code(Vec<Run>),
}

struct Text<'a> {
    chars: Vec<char>,
    offset: u64,
    marks: &'a [Mark],
}

impl Text<'_> {
    /// Positions in the stretch, of what of a block lies in it.
    fn range(&self, block: &TextBlock) -> Range<usize> {
        let at = |position: u64| usize::try_from(position.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        at(block.start).min(self.chars.len())..at(block.end).min(self.chars.len())
    }

    fn runs(&self, range: Range<usize>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let from = self.offset + range.start as u64;
        let to = self.offset + range.end as u64;
        let near: Vec<&Mark> = self
            .marks
            .iter()
            .filter(|mark| mark.start < to && mark.end > from)
            .collect();
        for (position, c) in (from..).zip(&self.chars[range]) {
            let over = near.iter().filter(|mark| (mark.start..mark.end).contains(&position));
            let mark = over.map(|mark| mark.current).max();
            match runs.last_mut() {
                Some(run) if run.mark == mark => run.text.push(*c),
                _ => runs.push(Run {
                    text: c.to_string(),
                    mark,
                }),
            }
        }
        runs
    }

    /// Without the `#` in front.
    fn heading(&self, range: Range<usize>) -> Vec<Run> {
        let marks = self.chars[range.clone()].iter().take_while(|c| **c == '#').count();
        let spaces = self.chars[range.start + marks..range.end]
            .iter()
            .take_while(|c| **c == ' ')
            .count();
        self.runs(range.start + marks + spaces..range.end)
    }

    /// Without the lines of marks around it.
    fn code(&self, range: Range<usize>) -> Vec<Run> {
        let is_fence = |line: &[char]| line.starts_with(&['`'; 3]) || line.starts_with(&['~'; 3]);
        let chars = &self.chars[range.clone()];
        let first = chars.iter().position(|c| *c == '\n').map_or(chars.len(), |at| at + 1);
        let start = if is_fence(chars) { first } else { 0 };
        let last = chars.iter().rposition(|c| *c == '\n').unwrap_or(0);
        let closes = last >= start && is_fence(chars.get(last + 1..).unwrap_or_default());
        let end = if closes { last } else { chars.len() };
        self.runs(range.start + start..range.start + end.max(start))
    }

    fn cells(&self, range: Range<usize>) -> Vec<Vec<Run>> {
        let mut cells = Vec::new();
        let chars = &self.chars[range.clone()];
        let mut start = usize::from(chars.first() == Some(&'|'));
        let end = chars.len() - usize::from(chars.len() > start && chars.last() == Some(&'|'));
        for at in (start..end).filter(|at| chars[*at] == '|').chain([end]) {
            let cell = &chars[start.min(at)..at];
            let lead = cell.iter().take_while(|c| **c == ' ').count();
            let tail = cell[lead..].iter().rev().take_while(|c| **c == ' ').count();
            cells.push(self.runs(range.start + start.min(at) + lead..range.start + at - tail));
            start = at + 1;
        }
        cells
    }
}

/// What stands in a stretch, in order.
pub fn parts(shown: &DocumentText, marks: &[Mark]) -> Vec<Part> {
    let text = Text {
        chars: shown.text.chars().collect(),
        offset: shown.offset,
        marks,
    };
    let mut parts = Vec::new();
    let mut pages = shown.pages.iter().filter(|page| page.start >= shown.offset).peekable();
    let mut depth = 0;
    let mut last_row_end = None;
    for block in &shown.blocks {
        let mut row_follows = last_row_end.take().is_some_and(|end| block.start <= end + 1);
        while let Some(page) = pages.next_if(|page| page.start <= block.start) {
            parts.push(Part::Page(page.number));
            row_follows = false;
        }
        let range = text.range(block);
        if range.is_empty() {
            continue;
        }
        match block.kind {
            BlockKind::Heading => {
                // No level is left out, for those who go from heading to heading.
                depth = block.level.min(depth + 1).clamp(1, 4);
                parts.push(Part::Heading(depth, text.heading(range)));
            }
            BlockKind::Paragraph | BlockKind::Field => parts.push(Part::Paragraph(text.runs(range))),
            BlockKind::Item => parts.push(Part::Item(block.level, text.runs(range))),
            BlockKind::Code => parts.push(Part::Code(text.code(range))),
            BlockKind::Row => {
                let rule_follows = rule_after(&text, range.end);
                last_row_end = Some(block.end + rule_follows as u64);
                let cells = text.cells(range);
                match parts.last_mut() {
                    Some(Part::Table(rows)) if row_follows => rows.push(cells),
                    _ => parts.push(Part::Table(vec![cells])),
                }
            }
        }
    }
    parts
}

/// Characters of the line that Markdown sets under a table's first row.
fn rule_after(text: &Text<'_>, end: usize) -> usize {
    let rest = text.chars.get(end + 1..).unwrap_or_default();
    let line = rest.iter().take_while(|c| **c != '\n').count();
    let is_rule = rest[..line].contains(&'-') && rest[..line].iter().all(|c| matches!(c, '|' | '-' | ':' | ' '));
    if is_rule { line + 1 } else { 0 }
}

/// Scrolls by `reveal` to the current mark when it is shown.
#[component]
pub fn Reading(text: DocumentText, marks: Vec<Mark>, reveal: fn(&web_sys::Element)) -> impl IntoView {
    let here = NodeRef::<html::Mark>::new();
    Effect::new(move |_| {
        if let Some(mark) = here.get() {
            reveal(&mark);
        }
    });
    let mut revealed = false;
    let mut runs = move |runs: Vec<Run>| -> Vec<AnyView> {
        let mut views = Vec::new();
        for run in runs {
            views.push(match run.mark {
                Some(true) if !std::mem::replace(&mut revealed, true) => {
                    view! { <mark node_ref=here class="rounded-sm bg-warning text-warning-content">{run.text}</mark> }
                        .into_any()
                }
                Some(true) => {
                    view! { <mark class="rounded-sm bg-warning text-warning-content">{run.text}</mark> }.into_any()
                }
                Some(false) => {
                    view! { <mark class="rounded-sm bg-tint-amber text-ink-amber">{run.text}</mark> }.into_any()
                }
                None => run.text.into_any(),
            });
        }
        views
    };
    let mut shown = Vec::new();
    for part in parts(&text, &marks) {
        shown.push(match part {
            Part::Page(number) => view! { <PageMark number /> }.into_any(),
            Part::Heading(depth, words) => {
                match depth {
                    1 => view! { <h3 class="mt-6 text-xl font-semibold first:mt-0">{runs(words)}</h3> }.into_any(),
                    2 => view! { <h4 class="mt-6 text-lg font-semibold first:mt-0">{runs(words)}</h4> }.into_any(),
                    _ => view! { <h5 class="mt-4 text-base font-semibold first:mt-0">{runs(words)}</h5> }.into_any(),
                }
            }
            Part::Paragraph(words) => view! { <p class="whitespace-pre-wrap">{runs(words)}</p> }.into_any(),
            Part::Item(level, words) => {
                let class = match level {
                    0 => "ps-4 whitespace-pre-wrap",
                    1 => "ps-8 whitespace-pre-wrap",
                    _ => "ps-12 whitespace-pre-wrap",
                };
                view! { <p class=class>{runs(words)}</p> }.into_any()
            }
            Part::Code(words) => {
                view! {
                    <pre tabindex="0" class="overflow-x-auto rounded-field bg-base-200 p-4 font-mono text-sm">{runs(words)}</pre>
                }
                    .into_any()
            }
            Part::Table(rows) => {
                let mut lines = Vec::new();
                for row in rows {
                    let cells: Vec<_> = row
                        .into_iter()
                        .map(|cell| view! { <td class="border border-line px-2 py-1 align-top">{runs(cell)}</td> })
                        .collect();
                    lines.push(view! { <tr>{cells}</tr> });
                }
                view! {
                    <div tabindex="0" class="overflow-x-auto">
                        <table class="border-collapse text-sm">
                            <tbody>{lines}</tbody>
                        </table>
                    </div>
                }
                    .into_any()
            }
        });
    }
    view! { <div class="max-w-prose space-y-2 leading-relaxed break-words">{shown}</div> }
}

#[component]
fn PageMark(number: u32) -> impl IntoView {
    view! {
        <div class="my-4 flex items-center gap-2 text-sm text-muted select-none">
            <span class="h-px grow bg-line"></span>
            "Page "
            {number}
            <span class="h-px grow bg-line"></span>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cerebros_common::documents::DocumentPage;

    fn plain(text: &str) -> Vec<Run> {
        vec![Run {
            text: text.into(),
            mark: None,
        }]
    }

    #[test]
    fn structure_is_shown_without_its_marks() {
        let text = "## Größe\n\nOne two\n\n  - deep\n\n| a | b |\n|---|---|\n| c | d |\n\n```sh\nls\n```";
        let block = |kind, level, of: &str| {
            let start = text.find(of).map_or(0, |byte| text[..byte].chars().count()) as u64 + 100;
            TextBlock {
                kind,
                level,
                start,
                end: start + of.chars().count() as u64,
            }
        };
        let shown = DocumentText {
            text: text.into(),
            offset: 100,
            total: 1000,
            pages: vec![DocumentPage {
                number: 2,
                start: 110,
                end: 300,
            }],
            blocks: vec![
                block(BlockKind::Heading, 2, "## Größe"),
                block(BlockKind::Paragraph, 0, "One two"),
                block(BlockKind::Item, 1, "- deep"),
                block(BlockKind::Row, 0, "| a | b |"),
                block(BlockKind::Row, 0, "| c | d |"),
                block(BlockKind::Code, 0, "```sh\nls\n```"),
            ],
        };
        let marks = [Mark {
            start: 114,
            end: 117,
            current: true,
        }];
        let marked = vec![
            Run {
                text: "One ".into(),
                mark: None,
            },
            Run {
                text: "two".into(),
                mark: Some(true),
            },
        ];
        assert_eq!(
            parts(&shown, &marks),
            [
                Part::Heading(1, plain("Größe")),
                Part::Page(2),
                Part::Paragraph(marked),
                Part::Item(1, plain("- deep")),
                Part::Table(vec![vec![plain("a"), plain("b")], vec![plain("c"), plain("d")]]),
                Part::Code(plain("ls")),
            ]
        );
    }

    #[test]
    fn what_is_cut_off_is_shown_as_far_as_it_goes() {
        let shown = DocumentText {
            text: "b | c".into(),
            offset: 10,
            total: 99,
            pages: Vec::new(),
            blocks: vec![TextBlock {
                kind: BlockKind::Row,
                level: 0,
                start: 4,
                end: 40,
            }],
        };
        assert_eq!(parts(&shown, &[]), [Part::Table(vec![vec![plain("b"), plain("c")]])]);
    }
}
