//! The child that parses and draws a Mermaid source: a parser that overflows or hangs takes nothing else along.

use super::{Verdict, sanitise};
use cerebros_common::diagrams::DiagramCheck;
use cerebros_ingest::child::confine;
use merman::{
    Engine, Error, MermaidConfig, OperationControl, ParseOptions, RenderOutput, RenderRequest, Renderer,
    SvgEnvironment, SvgRequest,
    svg::{RenderResourcePolicy, SvgPipeline, SvgRenderOptions},
};
use serde_json::json;
use std::{fs, path::Path, process::ExitCode, time::Duration};

const PARSING: Duration = Duration::from_secs(4);
const DRAWING: Duration = Duration::from_secs(8);
const MAX_MESSAGE: usize = 300;

/// The whole life of the child.
pub fn diagram_main(input: &Path, output: &Path) -> ExitCode {
    if confine().is_err() {
        return ExitCode::from(3);
    }
    let Ok(source) = fs::read_to_string(input) else {
        return ExitCode::from(4);
    };
    let written = serde_json::to_vec(&judge(&source)).map(|bytes| fs::write(output, bytes));
    match written {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::from(4),
    }
}

fn judge(source: &str) -> Verdict {
    let engine = Engine::new().with_site_config(MermaidConfig::from_value(site()));
    let check = check(&engine, source);
    let svg = check.ok.then(|| draw(&engine, source)).flatten();
    Verdict { check, svg }
}

fn check(engine: &Engine, source: &str) -> DiagramCheck {
    let control = OperationControl::new().with_deadline(PARSING);
    let parsed = engine.parse_diagram_for_render_model_controlled_sync(source, ParseOptions::strict(), &control);
    match parsed {
        Ok(Ok(Some(parsed))) => DiagramCheck {
            ok: true,
            diagram_type: Some(parsed.metadata().diagram_type.clone()),
            line: None,
            column: None,
            message: None,
        },
        Ok(Ok(None)) => wrong(
            "There is no diagram here. Begin with its type, such as `flowchart LR`.",
            None,
        ),
        Ok(Err(error)) => explained(source, &error),
        Err(_) => wrong("The source takes too long to read. Make it smaller.", None),
    }
}

/// Calm colours that stand on white; text as text, so that pictures show it.
fn site() -> serde_json::Value {
    json!({
        "securityLevel": "strict",
        "htmlLabels": false,
        "flowchart": {"htmlLabels": false},
        "theme": "base",
        "fontFamily": "'Segoe UI', Arial, sans-serif",
        "themeVariables": {
            "fontFamily": "'Segoe UI', Arial, sans-serif",
            "background": "#ffffff",
            "primaryColor": "#ebf4fb",
            "primaryBorderColor": "#3182ce",
            "primaryTextColor": "#1a202c",
            "secondaryColor": "#f3eefc",
            "secondaryBorderColor": "#805ad5",
            "tertiaryColor": "#e8f6ee",
            "tertiaryBorderColor": "#38a169",
            "lineColor": "#4a5568",
            "textColor": "#1a202c",
        },
    })
}

fn draw(engine: &Engine, source: &str) -> Option<String> {
    let request = SvgRequest {
        environment: SvgEnvironment::deterministic().with_resource_policy(RenderResourcePolicy::interactive()),
        pipeline: Some(SvgPipeline::resvg_safe()),
        options: SvgRenderOptions {
            diagram_id: Some("diagram".to_owned()),
            ..SvgRenderOptions::default()
        },
        ..SvgRequest::default()
    };
    let control = OperationControl::new().with_deadline(DRAWING);
    let renderer = Renderer::new()
        .with_engine(engine.clone())
        .with_parse_options(ParseOptions::strict());
    match renderer.render(RenderRequest::svg(source, control, request)) {
        // Labels are measured in another font than the reader has: what is a little wider must not be cut off.
        Ok(RenderOutput::Svg(Some(svg))) => sanitise::svg(&svg.svg().replace("overflow:hidden", "overflow:visible")),
        _ => None,
    }
}

fn explained(source: &str, error: &Error) -> DiagramCheck {
    match error {
        Error::DiagramParse { diagnostic, .. } => {
            let message = diagnostic.message();
            let place = diagnostic
                .span()
                .map(|span| place_of(source, span.start))
                .or_else(|| named_line(message).map(|line| (line, None)));
            wrong(message, place)
        }
        Error::DetectType(_) | Error::UnsupportedDiagram { .. } => wrong(
            "No known diagram type. Begin with one, such as `flowchart LR`, `sequenceDiagram` or `mindmap`.",
            Some((1, None)),
        ),
        other => wrong(&other.to_string(), None),
    }
}

fn wrong(message: &str, place: Option<(u32, Option<u32>)>) -> DiagramCheck {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    DiagramCheck {
        ok: false,
        diagram_type: None,
        line: place.map(|(line, _)| line),
        column: place.and_then(|(_, column)| column),
        message: Some(message.chars().take(MAX_MESSAGE).collect()),
    }
}

/// Line and column, from 1, of a byte.
fn place_of(source: &str, byte: usize) -> (u32, Option<u32>) {
    let mut end = byte.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let before = &source[..end];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).ok())
}

/// The number in "… on line 3 …".
fn named_line(message: &str) -> Option<u32> {
    let lower = message.to_lowercase();
    let (_, rest) = lower.split_once("line ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|line| *line > 0)
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        clippy::print_stdout,
        reason = "a failed test panics, and one tells figures"
    )]
    use super::*;

    #[test]
    fn a_broken_source_is_told_with_its_line() {
        let check = judge("flowchart LR\n  A[Start] --> B\n  B --> C[open\n").check;
        assert!(!check.ok);
        assert_eq!(check.line, Some(3), "{check:?}");
        assert!(!check.message.unwrap().is_empty());
        assert_eq!(judge("hello").check.line, Some(1));
        assert!(!judge("").check.ok);
    }

    #[test]
    fn a_right_source_has_a_picture_with_its_words_and_a_size() {
        let verdict = judge("mindmap\n  root((\"Remote work\"))\n    a[\"Core hours\"]\n");
        assert_eq!(verdict.check.diagram_type.as_deref(), Some("mindmap"));
        let svg = verdict.svg.unwrap();
        assert!(svg.contains("Core"), "{svg}");
        assert!(!svg.contains("width=\"100%\"") && !svg.contains("foreignObject"));
        assert!(!svg.contains("overflow:hidden"), "labels are cut off");
    }

    /// What mermaid's own parser says of 200 valid and 200 broken sources of twelve types; `e2e/mermaid/verdicts.mjs`
    /// asked it.
    #[test]
    fn the_parser_agrees_with_mermaids_own() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mermaid.json");
        let all: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let engine = Engine::new();
        let mut apart = Vec::new();
        for one in &all {
            let check = check(&engine, one["source"].as_str().unwrap());
            if check.ok != one["valid"] {
                apart.push(format!("mermaid says {}: {check:?}\n{}", one["valid"], one["source"]));
            } else if !check.ok {
                assert!(check.message.is_some_and(|message| !message.is_empty()), "{one}");
            }
        }
        let valid = all.iter().filter(|one| one["valid"] == true).count();
        assert_eq!((valid, all.len()), (200, 400));
        println!("{} of 400 verdicts differ\n{}", apart.len(), apart.join("\n"));
        assert!(apart.len() <= 8, "{}", apart.join("\n"));
    }

    #[test]
    fn places_count_characters() {
        assert_eq!(place_of("ä\nöx", 5), (2, Some(2)));
        assert_eq!(place_of("ab", 99), (1, Some(3)));
    }
}
