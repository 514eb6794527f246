//! Examples from the structure of a document: sections, lists, tables and `label: value` lines.

use super::sentences::split;
use super::{Candidate, Document, Section, Source, flat};
use crate::blocks::{Block, Kind, field};

const MAX_SECTION_CHARS: usize = 700;
const MAX_LIST_CHARS: usize = 1_200;

pub(super) fn candidates(document: &Document<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    let records = record_label(document);
    for section in &document.sections {
        all.extend(whole_section(document, section));
        for run in section.body.chunk_by(|a, b| same_run(a, b)) {
            match run[0].kind {
                Kind::Item { ordered } if run.len() >= 2 => all.extend(list(document, section, run, ordered)),
                Kind::Row if run.len() >= 3 => table(document, section, run, &mut all),
                Kind::Field => fields(document, section, run, records.as_deref(), &mut all),
                _ => {}
            }
        }
    }
    all
}

fn same_run(a: &Block<'_>, b: &Block<'_>) -> bool {
    match (a.kind, b.kind) {
        (Kind::Item { .. }, Kind::Item { .. }) | (Kind::Row, Kind::Row) => true,
        // A blank line ends a record.
        (Kind::Field, Kind::Field) => b.start == a.end + 1,
        _ => false,
    }
}

/// A heading as a question, and whether "according to" still has to be said.
fn heading_question(document: &Document<'_>, heading: &str) -> String {
    let title = document.title;
    let lower = heading.to_lowercase();
    let bare = heading.trim_end_matches('?');
    if lower.starts_with("how to ")
        && let Some(rest) = bare.get(7..)
    {
        return format!("According to \"{title}\", how do you {rest}?");
    }
    let asks = ["how ", "what ", "when ", "where ", "who ", "why ", "which "];
    if asks.iter().any(|word| lower.starts_with(word)) && heading.split_whitespace().count() >= 3 {
        let question = document.words.inside(bare);
        return format!("According to \"{title}\", {question}?");
    }
    if document.words.is_sentence_case(heading) {
        let topic = document.words.inside(heading);
        return format!("What does \"{title}\" say about {topic}?");
    }
    format!("What does \"{title}\" say under \"{heading}\"?")
}

fn is_title(document: &Document<'_>, heading: &str) -> bool {
    heading.to_lowercase() == document.title.to_lowercase()
}

/// The paragraphs right under a heading.
fn whole_section(document: &Document<'_>, section: &Section<'_>) -> Option<Candidate> {
    let heading = section.heading.filter(|heading| !is_title(document, heading))?;
    let first = section.body.first().filter(|block| block.kind == Kind::Paragraph)?;
    let mut last = first;
    let mut text = flat(first.text);
    for block in &section.body[1..] {
        if block.kind != Kind::Paragraph || block.end - first.start > MAX_SECTION_CHARS {
            break;
        }
        last = block;
        text.push_str("\n\n");
        text.push_str(&flat(block.text));
    }
    let mut end = last.end;
    if end - first.start > MAX_SECTION_CHARS {
        let kept = split(first.text)
            .into_iter()
            .take_while(|sentence| sentence.end <= MAX_SECTION_CHARS)
            .last()?;
        end = first.start + kept.end;
        let bytes = first
            .text
            .char_indices()
            .nth(kept.end)
            .map_or(first.text.len(), |(at, _)| at);
        text = flat(&first.text[..bytes]);
    }
    // An introduction to a list says little without the list.
    let says_something = end - first.start >= 60 && !text.ends_with(':') && text.ends_with(['.', '!', '?', '。', '"']);
    says_something.then(|| Candidate {
        source: Source::Section,
        score: 6.0,
        prompt: heading_question(document, heading),
        why: "is about just that, and opens with this passage.".into(),
        heading: Some(heading.to_owned()),
        response: text.clone(),
        quote: text,
        start: first.start,
        end,
    })
}

fn list(document: &Document<'_>, section: &Section<'_>, run: &[Block<'_>], ordered: bool) -> Option<Candidate> {
    let title = document.title;
    let before = section
        .body
        .iter()
        .take_while(|block| block.start < run[0].start)
        .last()
        .filter(|block| block.kind == Kind::Paragraph);
    let intro = before.filter(|block| block.text.ends_with(':')).and_then(|block| {
        split(block.text)
            .last()
            .map(|sentence| flat(sentence.text.trim_end_matches(':')))
    });
    let steps = if ordered { "steps" } else { "points" };
    let prompt = match (section.heading, intro) {
        (Some(heading), _) if heading.to_lowercase().starts_with("how to ") => {
            let rest = heading.get(7..).unwrap_or(heading).trim_end_matches('?');
            format!("According to \"{title}\", what are the steps to {rest}?")
        }
        (_, Some(intro)) if intro.split_whitespace().count() >= 4 && intro.chars().count() <= 120 => {
            format!("Which {steps} does \"{title}\" list after \"{intro}\"?")
        }
        (Some(heading), _) => format!("Which {steps} does \"{title}\" list under \"{heading}\"?"),
        (None, _) => return None,
    };
    let words: usize = run.iter().map(|item| item.text.split_whitespace().count()).sum();
    let mut kept = 0;
    let mut lines = Vec::new();
    for item in run {
        if item.end - run[0].start > MAX_LIST_CHARS {
            break;
        }
        lines.push(flat(item.text));
        kept += 1;
    }
    if kept < 2 || words < 3 * run.len() && run.len() < 3 {
        return None;
    }
    let quote = lines.join("\n");
    let all = if kept == run.len() {
        format!("holds a list of {kept} {steps}.")
    } else {
        format!(
            "holds a list of {} {steps}, of which these are the first {kept}.",
            run.len()
        )
    };
    Some(Candidate {
        source: Source::List,
        score: 8.0,
        prompt,
        why: all,
        heading: section.heading.map(str::to_owned),
        response: quote.clone(),
        quote,
        start: run[0].start,
        end: run[kept - 1].end,
    })
}

fn cells<'t>(row: &Block<'t>) -> Vec<&'t str> {
    row.text.trim_matches('|').split('|').map(str::trim).collect()
}

fn is_figure(cell: &str) -> bool {
    !cell.chars().any(char::is_alphabetic)
}

/// One example for each of a few rows, each about another column.
fn table(document: &Document<'_>, section: &Section<'_>, run: &[Block<'_>], all: &mut Vec<Candidate>) {
    let header = cells(&run[0]);
    if header.len() < 2
        || header
            .iter()
            .skip(1)
            .any(|cell| cell.is_empty() || is_figure(cell) || cell.len() > 60)
    {
        return;
    }
    let rows = &run[1..];
    for (number, row) in rows.iter().enumerate() {
        let cells = cells(row);
        let name = cells[0];
        let column = 1 + number % (header.len() - 1);
        let value = cells.get(column).copied().unwrap_or_default();
        let sound = cells.len() == header.len()
            && !value.is_empty()
            && (2..=80).contains(&name.chars().count())
            && !is_figure(name);
        if !sound {
            continue;
        }
        all.push(Candidate {
            source: Source::Table,
            // Rows spread over a long table rather than its first ones.
            score: 6.5 - (number as f32 / rows.len() as f32),
            prompt: format!(
                "Which \"{}\" does the table in \"{}\" give for {name}?",
                header[column], document.title
            ),
            why: format!(
                "has a table with the column \"{}\"; its row for {name} gives {value}.",
                header[column]
            ),
            heading: section.heading.map(str::to_owned),
            response: format!("{value}. The row reads: {}", row.text),
            quote: row.text.to_owned(),
            start: row.start,
            end: row.end,
        });
    }
}

/// The label with which records start, where the document is a list of records.
fn record_label(document: &Document<'_>) -> Option<String> {
    let mut firsts: Vec<&str> = Vec::new();
    for section in &document.sections {
        for run in section.body.chunk_by(|a, b| same_run(a, b)) {
            if run[0].kind == Kind::Field && run.len() >= 2 {
                firsts.extend(field(run[0].text).map(|(label, _)| label));
            }
        }
    }
    let label = *firsts.first()?;
    let same = firsts.iter().filter(|other| **other == label).count();
    (same >= 2 && same * 2 > firsts.len()).then(|| label.to_owned())
}

fn fields(
    document: &Document<'_>,
    section: &Section<'_>,
    run: &[Block<'_>],
    records: Option<&str>,
    all: &mut Vec<Candidate>,
) {
    let parsed: Vec<_> = run
        .iter()
        .filter_map(|block| Some((block, field(block.text)?)))
        .collect();
    let Some(&(_, (first_label, first_value))) = parsed.first() else {
        return;
    };
    let is_record = records == Some(first_label) && parsed.len() >= 2;
    let name = if is_record { record_name(&parsed) } else { None };
    for (number, &(block, (label, value))) in parsed.iter().enumerate() {
        let asked = document.words.inside(label);
        let heading = section.heading.map(str::to_owned);
        if !is_record {
            all.push(Candidate {
                source: Source::Field,
                score: 5.0 - number as f32 * 0.05,
                prompt: format!("What does \"{}\" give as the {asked}?", document.title),
                why: format!("has a line that starts with \"{label}\"."),
                heading,
                response: block.text.to_owned(),
                quote: block.text.to_owned(),
                start: block.start,
                end: block.end,
            });
            continue;
        }
        let last = parsed[parsed.len() - 1].0;
        let (from, to) = (parsed[0].0.start, last.end);
        // One column a record, another in the next one, decided by where the record stands.
        let turn = 1 + from % (parsed.len() - 1);
        let Some((name_label, name)) = name.filter(|(name_label, _)| *name_label != label) else {
            continue;
        };
        if number != turn && !(parsed[turn].1.0 == name_label && number == 0)
            || to - from > 900
            || value.chars().count() > 200
        {
            continue;
        }
        let named = if name_label == first_label || label == first_label {
            String::new()
        } else {
            format!(" ({first_label} {first_value})")
        };
        let quote = run.iter().map(|block| block.text).collect::<Vec<_>>().join("\n");
        all.push(Candidate {
            source: Source::Field,
            score: 5.0,
            prompt: format!(
                "According to \"{}\", what is the {asked} of {name}{named}?",
                document.title
            ),
            why: format!(
                "has a record whose {} is {name}; its line \"{label}\" has the answer.",
                document.words.inside(name_label)
            ),
            heading,
            response: format!("{value}. The record reads:\n{quote}"),
            quote,
            start: from,
            end: to,
        });
    }
}

/// What a record is called: the first value with letters that is no code, else the first value.
fn record_name<'t>(parsed: &[(&Block<'_>, (&'t str, &'t str))]) -> Option<(&'t str, &'t str)> {
    let fits = |value: &str| (2..=60).contains(&value.chars().count());
    let is_word =
        |value: &str| !value.chars().any(|c| c.is_ascii_digit() || c == '@') && value.chars().any(char::is_alphabetic);
    parsed
        .iter()
        .take(3)
        .map(|&(_, field)| field)
        .find(|(_, value)| fits(value) && is_word(value))
        .or_else(|| parsed.first().map(|&(_, field)| field).filter(|(_, value)| fits(value)))
}
