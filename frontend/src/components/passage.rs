//! Stretches of a document's text, with its pages and one marked span.

use cerebros_common::documents::DocumentPage;
use leptos::{html, prelude::*};

#[derive(Debug, PartialEq)]
pub enum Piece {
    /// A page starts here.
    Page(u32),
    Text {
        text: String,
        marked: bool,
    },
}

/// Cuts `text`, which starts at `offset` of the whole, where pages start and where the span `[start, end)` lies.
pub fn pieces(text: &str, offset: u64, pages: &[DocumentPage], span: Option<(u64, u64)>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut run = String::new();
    let mut marked = false;
    for (position, character) in (offset..).zip(text.chars()) {
        let page = pages.iter().find(|page| page.start == position);
        let inside = span.is_some_and(|(start, end)| (start..end).contains(&position));
        if (page.is_some() || inside != marked) && !run.is_empty() {
            pieces.push(Piece::Text {
                text: std::mem::take(&mut run),
                marked,
            });
        }
        marked = inside;
        pieces.extend(page.map(|page| Piece::Page(page.number)));
        run.push(character);
    }
    if !run.is_empty() {
        pieces.push(Piece::Text { text: run, marked });
    }
    pieces
}

/// Scrolls to the marked span once, if `reveal`.
#[component]
pub fn Passage(
    text: String,
    offset: u64,
    #[prop(optional)] pages: Vec<DocumentPage>,
    span: Option<(u64, u64)>,
    #[prop(optional)] reveal: bool,
) -> impl IntoView {
    let mark = NodeRef::<html::Mark>::new();
    if reveal {
        Effect::new(move |_| {
            if let Some(mark) = mark.get() {
                crate::browser::reveal(&mark);
            }
        });
    }
    view! {
        <div class="text-sm leading-relaxed break-words whitespace-pre-wrap">
            {pieces(&text, offset, &pages, span)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Page(number) => {
                        view! {
                            <div class="my-4 flex items-center gap-2 text-muted select-none">
                                <span class="h-px grow bg-line"></span>
                                "Page "
                                {number}
                                <span class="h-px grow bg-line"></span>
                            </div>
                        }
                            .into_any()
                    }
                    Piece::Text { text, marked: true } => view! { <mark node_ref=mark>{text}</mark> }.into_any(),
                    Piece::Text { text, marked: false } => text.into_any(),
                })
                .collect_view()}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_pages_count_characters() {
        let page = |number, start, end| DocumentPage { number, start, end };
        let pages = [page(1, 0, 12), page(2, 12, 30)];
        let text = |text: &str, marked| Piece::Text {
            text: text.into(),
            marked,
        };
        let cut = pieces("éàü€𝄞fgh", 10, &pages, Some((11, 14)));
        assert_eq!(
            cut,
            [
                text("é", false),
                text("à", true),
                Piece::Page(2),
                text("ü€", true),
                text("𝄞fgh", false)
            ]
        );
    }
}
