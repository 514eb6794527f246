//! Privacy and terms: the texts that come with the program, or the operator's own.

use anyhow::{Context, ensure};
use cerebros_common::legal::{LegalPage, LegalText};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use std::path::Path;

const MAX_BYTES: usize = 1024 * 1024;

pub struct Legal {
    privacy: LegalText,
    terms: LegalText,
}

impl Legal {
    /// Reads the operator's texts, once at start.
    ///
    /// # Errors
    /// When the directory is named but a text is not there or cannot be shown.
    pub fn read(directory: Option<&Path>) -> anyhow::Result<Self> {
        let text = |name: &str, built_in: &str| {
            let Some(directory) = directory else {
                return Ok(render(built_in));
            };
            let path = directory.join(name);
            let text = std::fs::read_to_string(&path).with_context(|| {
                format!(
                    "LEGAL_DIR must hold privacy.md and terms.md, but {} cannot be read",
                    path.display()
                )
            })?;
            ensure!(
                text.len() <= MAX_BYTES,
                "{} in LEGAL_DIR is larger than 1 MiB",
                path.display()
            );
            let text = render(&text);
            ensure!(
                !text.title.is_empty(),
                "{} in LEGAL_DIR must begin with a title: a line such as `# Privacy`",
                path.display()
            );
            Ok(text)
        };
        Ok(Self {
            privacy: text("privacy.md", include_str!("../legal/privacy.md"))?,
            terms: text("terms.md", include_str!("../legal/terms.md"))?,
        })
    }

    pub fn text(&self, page: LegalPage) -> &LegalText {
        match page {
            LegalPage::Privacy => &self.privacy,
            LegalPage::Terms => &self.terms,
        }
    }
}

/// The first heading is the title, the rest becomes HTML. Raw HTML is left out, and so are links to anything but web pages,
/// mail addresses and places here.
fn render(markdown: &str) -> LegalText {
    let (mut title, mut body) = (String::new(), Vec::new());
    let (mut in_title, mut had_title) = (false, false);
    for event in Parser::new_ext(markdown, Options::empty()) {
        match event {
            Event::Start(Tag::Heading {
                level: HeadingLevel::H1,
                ..
            }) if !had_title => (in_title, had_title) = (true, true),
            Event::End(TagEnd::Heading(HeadingLevel::H1)) if in_title => in_title = false,
            Event::Text(text) | Event::Code(text) if in_title => title.push_str(&text),
            _ if in_title => {}
            Event::Html(_) | Event::InlineHtml(_) => {}
            event => body.push(harmless(event)),
        }
    }
    let mut rendered = String::new();
    html::push_html(&mut rendered, body.into_iter());
    LegalText { title, html: rendered }
}

fn harmless(event: Event<'_>) -> Event<'_> {
    let safe = |url: CowStr<'_>| {
        let schemes = ["https://", "http://", "mailto:", "/", "#"];
        let lower = url.to_ascii_lowercase();
        if schemes.iter().any(|scheme| lower.starts_with(scheme)) {
            url.into_string().into()
        } else {
            CowStr::Borrowed("")
        }
    };
    match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: safe(dest_url),
            title,
            id,
        }),
        Event::Start(Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Image {
            link_type,
            dest_url: safe(dest_url),
            title,
            id,
        }),
        event => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_texts_have_titles_and_paragraphs() {
        let legal = Legal::read(None).ok();
        for page in [LegalPage::Privacy, LegalPage::Terms] {
            let text = legal.as_ref().map(|legal| legal.text(page).clone());
            assert!(text.is_some_and(|text| !text.title.is_empty() && text.html.contains("<p>")));
        }
    }

    #[test]
    fn nothing_in_a_text_runs_in_the_browser() {
        let text = render(
            "# A `b` title\n\nHello <script>alert(1)</script> <b onclick=x>bold</b>\n\n<img src=x onerror=alert(1)>\n\n\
             [a](javascript:alert(1)) [b](JaVaScRiPt:x) [c](data:text/html,x) [d](https://example.org) [e](/terms)\n\n\
             ![p](data:image/png;base64,x) [f]: <vbscript:x>\n\n# Second",
        );
        assert_eq!(text.title, "A b title");
        let html = text.html.to_ascii_lowercase();
        for forbidden in [
            "<script",
            "onclick",
            "onerror",
            "javascript:",
            "data:",
            "vbscript:\"",
            "a b title",
        ] {
            assert!(!html.contains(forbidden), "{forbidden} in {html}");
        }
        assert!(html.contains("href=\"https://example.org\"") && html.contains("href=\"/terms\""));
        assert!(html.contains("<h1>second</h1>"));
    }
}
