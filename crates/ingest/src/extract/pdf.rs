//! PDF through poppler's `pdftotext -bbox-layout`: words with their boxes, laid out again as paragraphs, headings,
//! lists and tables by [`layout`].

mod layout;
mod tool;

use std::io::BufRead;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use self::layout::{Line, PdfPage, Word};
use self::tool::Tool;
use super::{ExtractCode, ExtractError, Limits};
use crate::text::TextBuilder;

/// From so many bytes and pages on, both halves of a file are read at once.
const LARGE: u64 = 64 << 10;
const LONG: usize = 4;

pub(super) fn read(path: &Path, limits: &Limits, out: &mut TextBuilder) -> Result<(), ExtractError> {
    let large = path.metadata().is_ok_and(|file| file.len() >= LARGE);
    let count = if large { tool::pages(path) } else { 0 };
    let half = count / 2;
    let pages = if count < LONG {
        read_pages(path, None, limits)?
    } else {
        std::thread::scope(|scope| {
            let first = scope.spawn(|| read_pages(path, Some((1, half)), limits));
            let second = read_pages(path, Some((half + 1, count)), limits);
            let first = first.join().map_err(|_| ExtractCode::Crashed)?;
            Ok::<_, ExtractError>(joined(first?, second?))
        })?
    };
    if pages.is_empty() {
        return Err(ExtractCode::PdfDamaged.into());
    }
    layout::write(pages, out)?;
    if out.is_empty() {
        return Err(ExtractCode::PdfScanned.into());
    }
    Ok(())
}

fn read_pages(path: &Path, range: Option<(usize, usize)>, limits: &Limits) -> Result<Vec<PdfPage>, ExtractError> {
    let mut tool = Tool::text(path, range, limits.pdf_timeout)?;
    let pages = parse(tool.output()?, limits);
    // How the tool ended says more than how its output broke off.
    tool.finish()?;
    pages
}

fn joined(mut first: Vec<PdfPage>, second: Vec<PdfPage>) -> Vec<PdfPage> {
    let lines = first.iter().flat_map(|page| &page.lines);
    let blocks = lines.map(|line| line.block).max().unwrap_or_default();
    first.extend(second.into_iter().map(|mut page| {
        for line in &mut page.lines {
            line.block += blocks;
        }
        page
    }));
    first
}

fn parse(output: impl BufRead, limits: &Limits) -> Result<Vec<PdfPage>, ExtractError> {
    let mut reader = Reader::from_reader(output);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_dangling_amp = true;
    let mut pages: Vec<PdfPage> = Vec::new();
    let mut buffer = Vec::new();
    let (mut block, mut chars) = (0usize, 0usize);
    let mut word: Option<Word> = None;
    loop {
        buffer.clear();
        let event = reader
            .read_event_into(&mut buffer)
            .map_err(|_| ExtractCode::PdfDamaged)?;
        match event {
            Event::Start(start) => match start.local_name().as_ref() {
                "page" => pages.push(PdfPage {
                    height: number(&start, "height"),
                    lines: Vec::new(),
                }),
                "block" => block += 1,
                "line" => {
                    if let Some(page) = pages.last_mut() {
                        page.lines.push(Line::new(block));
                    }
                }
                "word" => {
                    word = Some(Word {
                        x0: number(&start, "xMin"),
                        x1: number(&start, "xMax"),
                        y0: number(&start, "yMin"),
                        y1: number(&start, "yMax"),
                        text: String::new(),
                    });
                }
                _ => {}
            },
            Event::Text(text) => push(&mut word, &text),
            Event::GeneralRef(name) => match name.resolve_char_ref() {
                Ok(Some(c)) => push(&mut word, c.encode_utf8(&mut [0; 4])),
                _ => push(&mut word, resolve_predefined_entity(&name).unwrap_or_default()),
            },
            Event::End(end) if end.local_name().as_ref() == "word" => {
                let line = pages.last_mut().and_then(|page| page.lines.last_mut());
                if let (Some(word), Some(line)) = (word.take(), line)
                    && !word.text.trim().is_empty()
                {
                    chars += word.text.chars().count() + 1;
                    line.words.push(word);
                }
                // Bounds memory; the builder counts exactly.
                if chars > limits.max_chars.saturating_mul(2) {
                    return Err(ExtractError::from(ExtractCode::TextTooLong));
                }
            }
            Event::Eof => return Ok(pages),
            _ => {}
        }
    }
}

fn push(word: &mut Option<Word>, text: &str) {
    if let Some(word) = word {
        word.text.push_str(text);
    }
}

fn number(start: &BytesStart<'_>, name: &str) -> f32 {
    start
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.as_ref() == name)
        .and_then(|attribute| attribute.value.parse().ok())
        .filter(|value: &f32| value.is_finite())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken expectation fails the test")]

    use super::*;

    #[test]
    fn the_blocks_of_halves_stay_apart() {
        let half = || {
            let text = "<page height=\"9\"><block><line><word>a</word></line></block><block><line><word>b</word></line></block></page>";
            parse(text.as_bytes(), &Limits::default()).unwrap()
        };
        let pages = joined(half(), half());
        let blocks: Vec<usize> = pages
            .iter()
            .flat_map(|page| &page.lines)
            .map(|line| line.block)
            .collect();
        assert_eq!(blocks, [1, 2, 3, 4]);
    }
}
