//! Mermaid sources made of a text's own words: outlines as mind maps, concepts as maps. Labels are cut down to what no
//! parser takes for syntax.

use std::collections::HashSet;

use crate::blocks::{Kind, blocks, heading_text};
use crate::generate::{flat, split};

const MAX_NODES: usize = 40;
const MAX_LABEL: usize = 60;

/// A concept as a map needs it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub category: &'a str,
}

/// The headings of a text, or where it has none its list items or sentences, as a mind map.
pub fn outline(title: &str, text: &str) -> String {
    let all = blocks(text);
    let mut lines: Vec<(usize, String)> = Vec::new();
    for block in &all {
        if let Kind::Heading(level) = block.kind {
            lines.push((usize::from(level), flat(heading_text(block.text))));
        }
    }
    if lines.len() < 2 {
        lines.extend(all.iter().filter_map(|block| match block.kind {
            Kind::Item { .. } => Some((7, flat(item_text(block.text)))),
            Kind::Field => Some((7, flat(block.text))),
            _ => None,
        }));
    }
    if lines.len() < 2 {
        let prose = all.iter().filter(|block| block.kind == Kind::Paragraph);
        lines.extend(
            prose
                .flat_map(|block| split(block.text))
                .map(|sentence| (7, flat(sentence.text))),
        );
    }
    mind_map(title, lines)
}

fn item_text(item: &str) -> &str {
    item.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '*' | '+' | '•' | '.' | ')' | ' '))
}

fn mind_map(title: &str, lines: Vec<(usize, String)>) -> String {
    let mut map = format!("mindmap\n  root((\"{}\"))\n", label(title));
    let mut above: Vec<usize> = Vec::new();
    let mut seen = HashSet::new();
    let mut number = 0;
    for (level, text) in lines {
        let text = label(&text);
        while above.last().is_some_and(|last| *last >= level) {
            above.pop();
        }
        if text.is_empty() || !seen.insert((above.len(), text.clone())) {
            continue;
        }
        number += 1;
        if number > MAX_NODES {
            break;
        }
        let indent = "  ".repeat(above.len() + 2);
        map.push_str(&format!("{indent}n{number}[\"{text}\"]\n"));
        above.push(level);
    }
    map
}

/// What one concept has to do with others: those that its passage names, that name it, or that share its category.
pub fn concept_map(of: Named<'_>, others: &[Named<'_>]) -> String {
    let mut map = format!("flowchart LR\n  c0([\"{}\"])\n", label(of.name));
    let detail = label(of.description);
    if !detail.is_empty() {
        map.push_str(&format!("  c0 --- d0[\"{}\"]\n", wrapped(&detail)));
    }
    let mut number = 0;
    for other in others.iter().filter(|other| other.name != of.name) {
        let edge = if mentions(of.description, other.name) {
            "names"
        } else if mentions(other.description, of.name) {
            "named by"
        } else if !of.category.is_empty() && other.category == of.category {
            "same part"
        } else {
            continue;
        };
        number += 1;
        if number > 10 {
            break;
        }
        map.push_str(&format!("  c0 -->|{edge}| c{number}[\"{}\"]\n", label(other.name)));
    }
    if number == 0 && !of.category.is_empty() {
        map.push_str(&format!("  c0 -->|belongs to| c1[\"{}\"]\n", label(of.category)));
    }
    map
}

fn mentions(text: &str, name: &str) -> bool {
    text.to_lowercase().contains(&name.to_lowercase())
}

/// Words that every diagram type takes inside quotation marks.
fn label(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '"' | '`' | '“' | '”' => '\'',
            c if c.is_alphanumeric()
                || matches!(
                    c,
                    ' ' | '-' | ',' | '.' | '\'' | '’' | '/' | '+' | '€' | '%' | '?' | '!'
                ) =>
            {
                c
            }
            _ => ' ',
        })
        .collect();
    let plain = flat(&plain);
    if plain.chars().count() <= MAX_LABEL {
        return plain;
    }
    let short: String = plain.chars().take(MAX_LABEL).collect();
    let whole = short.rsplit_once(' ').map_or(short.as_str(), |(words, _)| words);
    format!("{} …", whole.trim_end_matches([',', '.', ' ']))
}

/// Broken into lines of about thirty characters.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.len() - 1;
        if lines[line].chars().count() + word.chars().count() > 30 && !lines[line].is_empty() {
            lines.push(word.to_owned());
        } else {
            if !lines[line].is_empty() {
                lines[line].push(' ');
            }
            lines[line].push_str(word);
        }
    }
    lines.join("<br/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_become_a_mind_map() {
        let map = outline(
            "Policy.pdf",
            "# Remote work\n\nText.\n\n## Core \"hours\"\n\nText.\n\n# Security; [x]\n\nText.\n",
        );
        assert_eq!(
            map,
            "mindmap\n  root((\"Policy.pdf\"))\n    n1[\"Remote work\"]\n      n2[\"Core 'hours'\"]\n    n3[\"Security x\"]\n"
        );
    }

    #[test]
    fn text_without_headings_gives_its_items_or_sentences() {
        assert!(outline("T", "- one\n- two\n- three\n").contains("n3[\"three\"]"));
        assert!(outline("T", "First thing. Second thing. Third thing.").contains("n2[\"Second thing.\"]"));
    }

    #[test]
    fn a_concept_is_tied_to_those_it_names() {
        let of = Named {
            name: "Remote work",
            description: "Needs core hours <script>",
            category: "Policy",
        };
        let hours = Named {
            name: "Core hours",
            description: "",
            category: "",
        };
        let other = Named {
            name: "Cats",
            description: "",
            category: "",
        };
        let map = concept_map(of, &[of, hours, other]);
        assert!(map.contains("c0 -->|names| c1[\"Core hours\"]"), "{map}");
        assert!(!map.contains("Cats") && !map.contains("<script"), "{map}");
    }
}
