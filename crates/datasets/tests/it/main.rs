//! Validation of whole files: each rule, hostile input, and agreement with the types that the trainer reads.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Read;

use cerebros_datasets::chat::{ChatRow, Message, Role, write_row};
use cerebros_datasets::format::{Form, Format, Layout};
use cerebros_datasets::{Code, Finding, Options, Report, Severity, validate};

mod formats;
mod near;
mod size;

const CHAT: Form = Form {
    format: Format::Chat,
    layout: Layout::Lines,
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[derive(Debug, PartialEq)]
struct Outcome {
    report: Report,
    findings: Vec<Finding>,
    rows: Vec<(u64, u64, String)>,
}

fn run_within(data: &[u8], options: &Options) -> Outcome {
    // Few bytes at once, so that lines span what is read.
    let outcome = validated(Few(data), options);
    let Outcome { report, findings, rows } = &outcome;
    assert_eq!(report.rows, report.accepted + report.rejected);
    assert_eq!(report.accepted, rows.len() as u64);
    assert_eq!(report.bytes, data.len() as u64);
    assert_eq!(report.findings.values().sum::<u64>(), findings.len() as u64);
    for (_, offset, json) in rows {
        let at = *offset as usize;
        assert_eq!(&data[at..at + json.len()], json.as_bytes());
    }
    outcome
}

struct Few<'a>(&'a [u8]);

impl Read for Few<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let few = into.len().min(7);
        self.0.read(&mut into[..few])
    }
}

fn validated(reader: impl Read, options: &Options) -> Outcome {
    let (mut findings, mut rows) = (Vec::new(), Vec::new());
    let report = validate(
        reader,
        options,
        Some(&|text| text.split_whitespace().count()),
        |row| rows.push((row.line, row.offset, text(row.source))),
        |finding| findings.push(finding),
    )
    .unwrap();
    Outcome { report, findings, rows }
}

fn run(data: impl AsRef<[u8]>) -> Outcome {
    run_within(data.as_ref(), &Options::new(CHAT))
}

/// The codes and fields of what is wrong with one row.
fn wrong(row: &str) -> Vec<(Code, String)> {
    let outcome = run(row);
    assert_eq!(
        outcome.report.rejected > 0,
        outcome.findings.iter().any(|f| f.severity == Severity::Error)
    );
    for finding in &outcome.findings {
        assert!(
            finding.message.ends_with('.') && finding.fix.ends_with('.'),
            "{finding:?}"
        );
    }
    outcome
        .findings
        .into_iter()
        .map(|finding| (finding.code, finding.field))
        .collect()
}

fn messages(messages: &str) -> String {
    format!("{{\"messages\": [{messages}]}}")
}

const USER: &str = r#"{"role": "user", "content": "Hi there"}"#;
const ASSISTANT: &str = r#"{"role": "assistant", "content": "Hello"}"#;

#[test]
fn sound_rows_pass() {
    for row in [
        messages(&format!("{USER}, {ASSISTANT}")),
        messages(&format!(
            r#"{{"role": "system", "content": "Be brief"}}, {USER}, {ASSISTANT}"#
        )),
        messages(&format!(
            r#"{{"role": "developer", "content": "x"}}, {USER}, {{"role": "assistant", "content": "y", "weight": 0}}, {USER}, {{"role": "assistant", "content": "y", "weight": 1, "reasoning_content": "so"}}"#
        )),
        messages(&format!(
            r#"{USER}, {{"role": "assistant", "content": null, "tool_calls": [{{"id": "c1", "type": "function", "function": {{"name": "f", "arguments": "{{\"a\": 1}}"}}}}]}}, {{"role": "tool", "tool_call_id": "c1", "content": "42"}}, {ASSISTANT}"#
        )),
        format!(r#"{{"tools": [], "parallel_tool_calls": false, "id": 7, "messages": [{USER}, {ASSISTANT}]}}"#),
        messages(&format!(
            r#"{USER}, {{"role": "assistant", "content": "\u00e9 \"q\" \n 漢", "name": "n"}}"#
        )),
    ] {
        assert_eq!(wrong(&row), [], "{row}");
        serde_json::from_str::<ChatRow>(&row).unwrap();
    }
}

#[test]
fn each_mistake_has_its_code_and_field() {
    let call = |call: &str| messages(&format!(r#"{USER}, {{"role": "assistant", "tool_calls": {call}}}"#));
    let message = |message: &str| messages(&format!("{message}, {USER}, {ASSISTANT}"));
    let cases = [
        ("[1]".into(), Code::NotAnObject, ""),
        ("{\"messages\": [}".into(), Code::InvalidJson, ""),
        ("{\"a\": \"\\ud800\"}".into(), Code::InvalidJson, ""),
        ("{\"messages\": [], \"messages\": []}".into(), Code::DuplicateKey, ""),
        (
            "{\"prompt\": \"a\", \"completion\": \"b\"}".into(),
            Code::MessagesMissing,
            "/messages",
        ),
        ("{\"messages\": \"hi\"}".into(), Code::MessagesNotAList, "/messages"),
        ("{\"messages\": null}".into(), Code::MessagesNotAList, "/messages"),
        (messages(""), Code::MessagesEmpty, "/messages"),
        (message("3"), Code::MessageNotAnObject, "/messages/0"),
        (message(r#"{"content": "x"}"#), Code::RoleMissing, "/messages/0/role"),
        (
            message(r#"{"role": 1, "content": "x"}"#),
            Code::RoleMissing,
            "/messages/0/role",
        ),
        (
            message(r#"{"role": "human", "content": "x"}"#),
            Code::RoleUnknown,
            "/messages/0/role",
        ),
        (
            messages(&format!(r#"{USER}, {{"role": "system", "content": "x"}}, {ASSISTANT}"#)),
            Code::RoleOrder,
            "/messages/1/role",
        ),
        (messages(ASSISTANT), Code::UserMissing, "/messages"),
        (
            messages(&format!("{USER}, {ASSISTANT}, {USER}")),
            Code::LastNotAssistant,
            "/messages/2/role",
        ),
        (
            message(r#"{"role": "user"}"#),
            Code::ContentMissing,
            "/messages/0/content",
        ),
        (
            message(r#"{"role": "user", "content": null}"#),
            Code::ContentMissing,
            "/messages/0/content",
        ),
        (
            message(r#"{"role": "user", "content": 5}"#),
            Code::ContentNotText,
            "/messages/0/content",
        ),
        (
            message(r#"{"role": "user", "content": [{"type": "text"}]}"#),
            Code::ContentNotText,
            "/messages/0/content",
        ),
        (
            message(r#"{"role": "user", "content": " \n"}"#),
            Code::ContentEmpty,
            "/messages/0/content",
        ),
        (
            message(r#"{"role": "user", "content": "x", "name": 4}"#),
            Code::NotText,
            "/messages/0/name",
        ),
        (
            message(r#"{"role": "user", "content": "x", "weight": 1}"#),
            Code::WeightInvalid,
            "/messages/0/weight",
        ),
        (
            message(r#"{"role": "assistant", "content": "x", "weight": 1.0}"#),
            Code::WeightInvalid,
            "/messages/0/weight",
        ),
        (
            message(r#"{"role": "assistant", "content": "x", "weight": -1}"#),
            Code::WeightInvalid,
            "/messages/0/weight",
        ),
        (
            messages(&format!(
                r#"{USER}, {{"role": "assistant", "content": "x", "weight": 0}}"#
            )),
            Code::NothingToLearn,
            "/messages",
        ),
        (
            call(r#"[{"id": "c"}]"#),
            Code::ToolCallsInvalid,
            "/messages/1/tool_calls/0",
        ),
        (call(r#"[7]"#), Code::ToolCallsInvalid, "/messages/1/tool_calls/0"),
        (
            call(r#"[{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}]"#),
            Code::ToolArgumentsInvalid,
            "/messages/1/tool_calls/0/function/arguments",
        ),
        (
            call(r#"[{"id": "c", "function": {"name": "f", "arguments": "{a}"}}]"#),
            Code::ToolArgumentsInvalid,
            "/messages/1/tool_calls/0/function/arguments",
        ),
        (
            message(r#"{"role": "tool", "content": "x"}"#),
            Code::ToolCallIdMissing,
            "/messages/0/tool_call_id",
        ),
        (
            message(r#"{"role": "tool", "content": "x", "tool_call_id": "c9"}"#),
            Code::ToolCallIdUnknown,
            "/messages/0/tool_call_id",
        ),
        (
            format!(r#"{{"tools": "f", "messages": [{USER}, {ASSISTANT}]}}"#),
            Code::ToolsInvalid,
            "/tools",
        ),
    ];
    for (row, code, field) in cases {
        assert_eq!(wrong(&row), [(code, field.to_owned())], "{row}");
    }
}

#[test]
fn a_row_shows_all_its_problems_up_to_a_limit() {
    let row = messages(r#"{"role": "bot", "content": 1}, {"role": "user", "content": ""}, {"role": "user"}"#);
    let codes: Vec<Code> = wrong(&row).into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            Code::RoleUnknown,
            Code::ContentNotText,
            Code::ContentEmpty,
            Code::ContentMissing
        ]
    );
    let many = messages(&vec!["1"; 500].join(","));
    assert_eq!(wrong(&many).len(), 20);
}

#[test]
fn lines_are_numbered_and_broken_ones_located() {
    let good = messages(&format!("{USER}, {ASSISTANT}"));
    let mut data = b"\xef\xbb\xbf".to_vec();
    data.extend(format!("{good}\r\n\n  \n{{\"é\": x}}\n").bytes());
    data.extend(b"{\"a\": \"\xff\"}\n");
    data.extend(good.bytes());
    let outcome = run(&data);
    let found: Vec<_> = outcome.findings.iter().map(|f| (f.line, f.column, f.code)).collect();
    assert_eq!(
        found,
        [
            (1, None, Code::ByteOrderMark),
            (4, Some(7), Code::InvalidJson),
            (5, Some(8), Code::InvalidUtf8),
            (6, None, Code::Duplicate),
        ]
    );
    let rows: Vec<_> = outcome.rows.iter().map(|(line, offset, _)| (*line, *offset)).collect();
    assert_eq!(rows, [(1, 3), (6, data.len() as u64 - good.len() as u64)]);
    assert_eq!(
        (
            outcome.report.accepted,
            outcome.report.rejected,
            outcome.report.warnings
        ),
        (2, 2, 2)
    );
}

#[test]
fn statistics_count_what_is_trained_on() {
    let data = format!(
        "{}\n{}\n",
        messages(&format!("{USER}, {ASSISTANT}")),
        messages(&format!(
            r#"{USER}, {{"role": "assistant", "content": "a b c", "weight": 0}}, {USER}, {{"role": "assistant", "content": "d e", "reasoning_content": "f"}}"#
        ))
    );
    let statistics = run(&data).report.statistics;
    assert_eq!(
        (statistics.messages, statistics.tokens, statistics.assistant_tokens),
        (6, 13, 4)
    );
    let spread = statistics.tokens_per_row.unwrap();
    assert_eq!(
        (spread.min, spread.p50, spread.p95, spread.max, spread.mean),
        (3, 3, 10, 10, 6.5)
    );
    let empty = run("");
    assert_eq!(empty.report.rows, 0);
    assert_eq!(empty.report.statistics.tokens_per_row, None);
}

/// Endless, without a newline until the very end.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.0).unwrap_or(usize::MAX));
        buffer[..count].fill(b'[');
        self.0 -= count as u64;
        Ok(count)
    }
}

#[test]
fn an_overlong_line_is_skipped_not_held() {
    let good = messages(&format!("{USER}, {ASSISTANT}"));
    let bytes = 300 << 20;
    let reader = Endless(bytes).chain(std::io::Cursor::new(format!("\n{good}\n").into_bytes()));
    let mut findings = Vec::new();
    let report = validate(
        reader,
        &Options::new(CHAT),
        Some(&str::len),
        |_| {},
        |f| findings.push(f),
    )
    .unwrap();
    assert_eq!((report.accepted, report.rejected), (1, 1));
    assert_eq!(report.bytes, bytes + 2 + good.len() as u64);
    assert_eq!((findings[0].line, findings[0].code), (1, Code::LineTooLong));

    let options = Options {
        max_row_bytes: good.len(),
        ..Options::new(CHAT)
    };
    for (data, rejected) in [
        (format!("{good}\n"), 0),
        (good.clone(), 0),
        (format!("{good} \n"), 1),
        (format!("{good}  x"), 1),
    ] {
        assert_eq!(
            run_within(data.as_bytes(), &options).report.rejected,
            rejected,
            "{data:?}"
        );
    }
}

#[test]
fn deep_nesting_is_a_finding() {
    for deep in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{{\"x\":{}", "[".repeat(100_000)),
    ] {
        assert_eq!(wrong(&deep)[0].0, Code::InvalidJson);
    }
}

#[test]
fn what_is_written_is_accepted() {
    let row = ChatRow {
        messages: [
            (Role::User, "Line one\nline \"two\" 漢\u{2028}"),
            (Role::Assistant, "Yes."),
        ]
        .map(|(role, content)| Message {
            role,
            content: Some(content.to_owned()),
            reasoning_content: (role == Role::Assistant).then(|| "Because.".to_owned()),
            weight: None,
            other: serde_json::Map::new(),
        })
        .into(),
        other: serde_json::Map::new(),
    };
    let mut data = Vec::new();
    write_row(&mut data, &row).unwrap();
    write_row(&mut data, &row).unwrap();
    let outcome = run(&data);
    assert_eq!((outcome.report.accepted, outcome.report.rejected), (2, 0));
    assert_eq!(serde_json::from_str::<ChatRow>(&outcome.rows[0].2).unwrap(), row);
}

#[test]
fn whatever_is_accepted_reads_as_a_chat_row() {
    let seed = format!(
        r#"{{"messages": [{USER}, {{"role": "assistant", "content": null, "weight": 1, "tool_calls": [{{"id": "c", "function": {{"name": "f", "arguments": "1"}}}}]}}, {{"role": "tool", "tool_call_id": "c", "content": "é"}}, {ASSISTANT}], "tools": []}}"#
    );
    let pieces = [
        "null", "0", "1", "-1", "\"\"", "\"user\"", "[]", "{}", "true", "\"tool\"", "9e9", ",", "\\u00e9", "\"",
    ];
    let mut state = 3u64;
    let mut next = move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % bound
    };
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut row = seed.clone().into_bytes();
        for _ in 0..=next(2) {
            let from = next(row.len());
            let to = (from + next(8)).min(row.len());
            row.splice(from..to, pieces[next(pieces.len())].bytes());
        }
        let outcome = run(&row);
        for (_, _, json) in &outcome.rows {
            accepted += 1;
            let read = serde_json::from_str::<ChatRow>(json);
            assert!(read.is_ok(), "{json}: {read:?}");
        }
    }
    assert!(accepted > 500, "{accepted}");
}

/// Rows of every kind: sound, broken, mendable, repeated, blank and too long, over many blocks.
#[test]
fn what_is_found_does_not_depend_on_threads() {
    let sound = messages(&format!("{USER}, {ASSISTANT}"));
    let mendable = messages(&format!(r#"{{"role": "human", "content": "Hi"}}, {ASSISTANT}"#));
    let mut data = "\u{feff}".as_bytes().to_vec();
    for number in 0..20_000 {
        match number % 50 {
            7 => data.extend_from_slice(b"\xff\n"),
            11 => data.extend_from_slice(format!("{mendable}\n").as_bytes()),
            13 => data.extend_from_slice(b"{\n\n"),
            17 => data.extend_from_slice(format!("{sound}\r\n").as_bytes()),
            19 if number % 1000 == 19 => data.extend_from_slice(&[b'x'; 10_000]),
            _ => data.extend_from_slice(sound.replace("Hello", &format!("Hello {number}")).as_bytes()),
        }
        data.push(b'\n');
    }
    let list = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let list = [b"[", list.collect::<Vec<_>>().join(b",\n".as_slice()).as_slice(), b"]"].concat();
    for (data, layout) in [(data, Layout::Lines), (list, Layout::List)] {
        let with = |threads| {
            let form = Form { layout, ..CHAT };
            let options = Options {
                mend: true,
                max_row_bytes: 5000,
                threads,
                ..Options::new(form)
            };
            validated(data.as_slice(), &options)
        };
        let alone = with(1);
        assert!(alone.report.rejected > 1000 && alone.report.mendable > 300 && alone.report.warnings > 300);
        for threads in [2, 5] {
            assert!(with(threads) == alone, "{threads} threads");
        }
    }
}

#[test]
fn a_failing_reader_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("gone"))
        }
    }
    let result = validate(Broken, &Options::new(CHAT), Some(&str::len), |_| {}, |_| {});
    assert_eq!(result.unwrap_err().to_string(), "gone");
}
