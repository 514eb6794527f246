//! Files of every format: detection, conversion both ways, findings that point into the row as it came, mending.

use cerebros_datasets::format::{Form, Format, Kind, Layout, detect, from_canonical, to_canonical};
use cerebros_datasets::{Code, Finding, Options, Repair, Report, validate};
use serde_json::{Map, Value, json};

fn found(data: &[u8]) -> Form {
    detect(std::io::BufReader::with_capacity(7, data)).unwrap()
}

struct Read {
    report: Report,
    /// Line, source and canonical row.
    rows: Vec<(u64, String, Value)>,
    findings: Vec<Finding>,
}

fn read_with(data: &[u8], options: &Options) -> Read {
    let (mut rows, mut findings) = (Vec::new(), Vec::new());
    let report = validate(
        super::Few(data),
        options,
        Some(&|text| text.split_whitespace().count()),
        |row| {
            rows.push((
                row.line,
                super::text(row.source),
                serde_json::from_slice(row.json).unwrap(),
            ))
        },
        |finding| findings.push(finding),
    )
    .unwrap();
    assert_eq!(report.bytes, data.len() as u64);
    Read { report, rows, findings }
}

fn read(data: impl AsRef<[u8]>) -> Read {
    read_with(data.as_ref(), &Options::new(found(data.as_ref())))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

fn said(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

/// Each row as published files have it, its format and what is learnt from it.
fn published() -> Vec<(Format, Value, Value)> {
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}});
    vec![
        (
            Format::Chat,
            json!({"messages": [said("user", "a"), said("assistant", "b")], "id": 3}),
            json!({"messages": [said("user", "a"), said("assistant", "b")], "id": 3}),
        ),
        (
            Format::Sharegpt,
            json!({"id": "x", "system": "s", "conversations": [
                {"from": "human", "value": "a"}, {"from": "gpt", "value": "b", "weight": null}
            ]}),
            json!({"id": "x", "system": "s", "messages": [
                said("system", "s"), said("user", "a"), {"role": "assistant", "content": "b", "weight": null}
            ]}),
        ),
        (
            Format::Sharegpt,
            json!({"tools": "[{\"name\":\"f\"}]", "conversations": [
                {"from": "system", "value": "s"},
                {"from": "human", "value": "a"},
                {"from": "function_call", "value": "{\"arguments\":{\"a\":1},\"name\":\"f\"}"},
                {"from": "observation", "value": "42"},
                {"from": "chatgpt", "value": "b"},
            ]}),
            json!({"tools": [{"name": "f"}], "messages": [
                said("system", "s"),
                said("user", "a"),
                {"role": "assistant", "content": null, "tool_calls": [call]},
                {"role": "tool", "content": "42", "tool_call_id": "call_1"},
                {"role": "assistant", "content": "b", "from": "chatgpt"},
            ]}),
        ),
        (
            Format::Alpaca,
            json!({"instruction": "Add.", "input": "1, 2", "output": "3"}),
            json!({"input": "1, 2", "messages": [said("user", "Add.\n\n1, 2"), said("assistant", "3")]}),
        ),
        (
            Format::Alpaca,
            json!({"instruction": "And?", "input": "", "output": "d", "system": "s", "history": [["a", "b"]], "n": 1}),
            json!({"n": 1, "messages": [
                said("system", "s"), said("user", "a"), said("assistant", "b"), said("user", "And?"), said("assistant", "d")
            ]}),
        ),
        (
            Format::PromptCompletion,
            json!({"prompt": "a", "completion": " b"}),
            json!({"messages": [said("user", "a"), said("assistant", " b")]}),
        ),
        (
            Format::PromptCompletion,
            json!({"prompt": [said("user", "a"), said("assistant", "b"), said("user", "c")], "completion": [said("assistant", "d")]}),
            json!({"messages": [
                said("user", "a"), {"role": "assistant", "content": "b", "weight": 0}, said("user", "c"), said("assistant", "d")
            ]}),
        ),
        (
            Format::Text,
            json!({"text": "a b", "meta": {}}),
            json!({"text": "a b", "meta": {}}),
        ),
        (
            Format::OpenaiPreference,
            json!({
                "input": {"messages": [said("user", "a")], "tools": [], "parallel_tool_calls": true},
                "preferred_output": [said("assistant", "b")],
                "non_preferred_output": [said("assistant", "c")],
            }),
            json!({"prompt": [said("user", "a")], "chosen": [said("assistant", "b")], "rejected": [said("assistant", "c")],
                "tools": [], "parallel_tool_calls": true}),
        ),
        (
            Format::Preference,
            json!({"prompt": "a", "chosen": "b", "rejected": "c", "score": 0.5}),
            json!({"prompt": [said("user", "a")], "chosen": [said("assistant", "b")], "rejected": [said("assistant", "c")],
                "score": 0.5}),
        ),
    ]
}

#[test]
fn every_format_is_told_by_its_shape_and_comes_back_as_it_was() {
    for (format, row, canonical) in published() {
        let compact = row.to_string();
        let pretty = serde_json::to_string_pretty(&row).unwrap();
        for (text, layout) in [
            (format!("\u{feff}\n{compact}\n"), Layout::Lines),
            (format!("broken\n{compact}\n{{}}\n{compact}"), Layout::Lines),
            (format!(" [{compact}]"), Layout::List),
            (format!("\u{feff}[\n{pretty},\n{pretty}\n]\n"), Layout::List),
        ] {
            assert_eq!(found(text.as_bytes()), Form { format, layout }, "{text}");
            let read = read(&text);
            let good = text.matches(&compact).count().max(text.matches(&pretty).count());
            assert_eq!(read.rows.len(), good, "{text}: {:?}", read.findings);
            assert!(read.rows.iter().all(|(_, _, row)| *row == canonical), "{text}");
        }
        let read = to_canonical(format, object(row.clone()));
        assert_eq!(Value::Object(read.clone()), canonical);
        let written = from_canonical(format.kind(), read, format);
        assert_eq!(written.map(Value::Object), Some(row));
    }
}

#[test]
fn pairs_of_answers_come_in_many_shapes() {
    let same = json!({"prompt": [said("user", "a")], "chosen": [said("assistant", "b")], "rejected": [said("assistant", "c")]});
    let whole = |answer: &str| json!([said("user", "a"), said("assistant", answer)]);
    for row in [
        json!({"prompt": [said("user", "a")], "chosen": [said("assistant", "b")], "rejected": [said("assistant", "c")]}),
        json!({"prompt": "a", "chosen": whole("b"), "rejected": whole("c")}),
        json!({"chosen": whole("b"), "rejected": whole("c")}),
        json!({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}),
        json!({"instruction": "a", "input": "", "chosen": "b", "rejected": "c"}),
        json!({"system": "", "question": "a", "chosen": "b", "rejected": "c"}),
        json!({"conversations": [{"from": "human", "value": "a"}], "chosen": {"from": "gpt", "value": "b"},
            "rejected": {"from": "gpt", "value": "c"}}),
    ] {
        let read = read(row.to_string());
        assert_eq!(
            read.rows.first().map(|row| &row.2),
            Some(&same),
            "{row} {:?}",
            read.findings
        );
        assert_eq!((read.report.statistics.messages, read.report.statistics.tokens), (4, 4));
    }
    let with_system = json!({"system": "s", "question": "a", "chosen": "b", "rejected": "c"});
    assert_eq!(
        read(with_system.to_string()).rows[0].2["prompt"][0],
        said("system", "s")
    );
}

/// Rows as one would make them up, from a counter.
fn random_chat(next: &mut impl FnMut(usize) -> usize) -> Value {
    const TEXTS: [&str; 6] = ["Hi.", "a\n\nb", "漢 \"q\"", "1\u{2028}2", "\n\nHuman: x", "{}"];
    let text = |next: &mut dyn FnMut(usize) -> usize| TEXTS[next(TEXTS.len())];
    let mut messages = Vec::new();
    if next(3) == 0 {
        messages.push(said("system", text(next)));
    }
    for _ in 0..=next(3) {
        messages.push(said("user", text(next)));
        let mut answer = said("assistant", text(next));
        match next(6) {
            0 => answer["reasoning_content"] = json!("Because."),
            1 => answer["weight"] = json!(1),
            2 => answer["name"] = json!("n"),
            3 => {
                answer["content"] = Value::Null;
                answer["tool_calls"] =
                    json!([{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]);
                messages.push(answer);
                messages.push(json!({"role": "tool", "content": text(next), "tool_call_id": "call_1"}));
                answer = said("assistant", text(next));
            }
            _ => {}
        }
        messages.push(answer);
    }
    let mut row = json!({"messages": messages});
    if next(2) == 0 {
        row["tools"] = json!([{"type": "function"}]);
    }
    row
}

fn counter() -> impl FnMut(usize) -> usize {
    let mut state = 7u64;
    move |bound| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % bound
    }
}

#[test]
fn what_a_format_can_say_comes_back_and_the_rest_is_refused() {
    let mut next = counter();
    let mut written = [0; 3];
    for _ in 0..5000 {
        let chat = random_chat(&mut next);
        for (count, format) in written
            .iter_mut()
            .zip([Format::Sharegpt, Format::Alpaca, Format::PromptCompletion])
        {
            let Some(row) = from_canonical(Kind::Conversations, object(chat.clone()), format) else {
                continue;
            };
            *count += 1;
            let mut back = Value::Object(to_canonical(format, row));
            // More than one call in a row of ShareGPT is numbered anew.
            let mut expected = chat.clone();
            for row in [&mut back, &mut expected] {
                for message in row["messages"].as_array_mut().unwrap() {
                    message.as_object_mut().unwrap().remove("tool_call_id");
                    if let Some(call) = message.pointer_mut("/tool_calls/0/id") {
                        call.take();
                    }
                }
            }
            assert_eq!(back, expected, "{format:?}");
        }
        let kept = from_canonical(Kind::Conversations, object(chat.clone()), Format::Chat);
        assert_eq!(kept.map(Value::Object), Some(chat));
    }
    assert!(
        written.iter().all(|count| *count > 500 && *count <= 5000),
        "{written:?}"
    );
    let chat = object(random_chat(&mut next));
    for format in [Format::Text, Format::Preference, Format::OpenaiPreference] {
        assert_eq!(from_canonical(Kind::Conversations, chat.clone(), format), None);
    }
}

#[test]
fn findings_point_into_the_row_as_it_came() {
    let turns = |turns: &str| format!("{{\"conversations\": [{turns}]}}");
    for (row, code, field, word) in [
        (
            turns(r#"{"from": "human", "value": ""}, {"from": "gpt", "value": "b"}"#),
            Code::ContentEmpty,
            "/conversations/0/value",
            "",
        ),
        (
            turns(r#"{"from": "human"}, {"from": "gpt", "value": "b"}"#),
            Code::ContentMissing,
            "/conversations/0/value",
            "\"value\"",
        ),
        (
            turns(r#"{"from": "narrator", "value": "a"}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}"#),
            Code::RoleUnknown,
            "/conversations/0/from",
            "narrator",
        ),
        (
            turns(r#"{"from": "human", "value": "a"}"#),
            Code::LastNotAssistant,
            "/conversations/0/from",
            "",
        ),
        (
            turns(r#"{"from": "human", "value": "a"}, {"from": "function_call", "value": "f(1)"}"#),
            Code::ToolCallsInvalid,
            "/conversations/1/value",
            "",
        ),
        (
            r#"{"conversations": "a"}"#.to_owned(),
            Code::MessagesNotAList,
            "/conversations",
            "\"conversations\"",
        ),
        (
            r#"{"instruction": "a", "input": "b"}"#.to_owned(),
            Code::ContentMissing,
            "/output",
            "\"output\"",
        ),
        (
            r#"{"instruction": "a", "history": [["a", 1]], "output": "b"}"#.to_owned(),
            Code::ContentNotText,
            "/history/0/1",
            "",
        ),
        (
            r#"{"prompt": " ", "completion": "b"}"#.to_owned(),
            Code::ContentEmpty,
            "/prompt",
            "",
        ),
        (r#"{"text": ""}"#.to_owned(), Code::ContentEmpty, "/text", ""),
        (
            r#"{"prompt": "a", "chosen": "b", "rejected": "b"}"#.to_owned(),
            Code::SameAnswers,
            "/rejected",
            "",
        ),
        (
            r#"{"prompt": "", "chosen": "b", "rejected": "c"}"#.to_owned(),
            Code::ContentEmpty,
            "/prompt",
            "",
        ),
        (
            r#"{"prompt": "a", "chosen": "b", "rejected": [{"role": "assistant"}]}"#.to_owned(),
            Code::ContentMissing,
            "/rejected/0/content",
            "",
        ),
        (
            r#"{"input": {"messages": [{"role": "user", "content": "a"}]}, "preferred_output": [{"role": "assistant", "content": "b"}], "non_preferred_output": []}"#.to_owned(),
            Code::ContentMissing,
            "/non_preferred_output",
            "\"non_preferred_output\"",
        ),
        (r#"{"name": "a"}"#.to_owned(), Code::UnknownFormat, "", "\"name\""),
        (
            r#"{"messages": [{"role": "user", "content": "a"}]}"#.to_owned(),
            Code::OtherFormat,
            "",
            "OpenAI chat",
        ),
    ] {
        // The rows beside it say which format the file has.
        let marks = [
            ("conversations", Format::Sharegpt),
            ("preferred_output", Format::OpenaiPreference),
            ("chosen", Format::Preference),
            ("completion", Format::PromptCompletion),
            ("text", Format::Text),
        ];
        let mark = marks.into_iter().find(|(member, _)| row.contains(&format!("\"{member}\"")));
        let format = mark.map_or(Format::Alpaca, |(_, format)| format);
        let sound = published().into_iter().find(|(other, _, _)| *other == format).unwrap().1;
        let mut another = sound.clone();
        another["number"] = json!(2);
        let read = read(format!("{sound}\n{another}\n{row}\n"));
        let all: Vec<_> = read.findings.iter().map(|f| (f.line, f.code, f.field.as_str())).collect();
        assert_eq!(all, [(3, code, field)], "{row}");
        let Finding { message, fix, .. } = &read.findings[0];
        assert!(message.contains(word) || fix.contains(word), "{message} {fix}");
        assert_eq!((read.report.accepted, read.report.rejected), (2, 1));
    }
}

#[test]
fn an_unknown_shape_says_what_was_seen_and_what_is_expected() {
    let read = read("{\"question\": \"a\", \"reply\": \"b\"}\n");
    assert_eq!((read.report.accepted, read.findings.len()), (0, 1));
    let finding = &read.findings[0];
    assert!(
        finding.message.contains("\"question\", \"reply\""),
        "{}",
        finding.message
    );
    for expected in ["messages", "conversations", "instruction", "completion", "chosen"] {
        assert!(finding.fix.contains(expected), "{}", finding.fix);
    }
}

#[test]
fn each_broken_row_among_many_is_reported_with_its_line() {
    for (format, row, _) in published() {
        let mut lines = Vec::new();
        let mut broken = Vec::new();
        for number in 1..=4_050u64 {
            let mut numbered = row.clone();
            numbered["number"] = json!(number);
            let mut line = numbered.to_string();
            if number % 100 == 0 {
                broken.push(number);
                match number % 500 {
                    0 => line.truncate(line.len() - 2),
                    100 => line = line.replacen(':', "", 1),
                    200 => line = line.replacen('"', "", 1),
                    300 => line.push('}'),
                    _ => line.insert(0, 'x'),
                }
            }
            lines.push(line);
        }
        let read_lines = read(lines.join("\n"));
        let found: Vec<u64> = read_lines.findings.iter().map(|finding| finding.line).collect();
        assert_eq!(found, broken, "{format:?}");
        assert_eq!((read_lines.report.accepted, read_lines.report.rejected), (4_010, 40));
        // The same rows in a list, one a line: those after a broken one are found again.
        let read_list = read(format!("[\n{}\n]\n", lines.join(",\n")));
        let found: Vec<u64> = read_list.findings.iter().map(|finding| finding.line - 1).collect();
        assert_eq!(found, broken, "{format:?}");
        assert_eq!(read_list.report.accepted, 4_010);
    }
}

#[test]
fn what_can_be_mended_is_sound_afterwards() {
    let rows = [
        json!({"messages": [said("human", "a"), said("GPT", "b")]}),
        json!({"messages": [said("user", "a"), {"role": "assistant", "content": [{"type": "text", "text": "b"}]}], "tools": null}),
        json!({"messages": [{"role": "user", "content": "a", "weight": 1}, {"role": "assistant", "content": "b", "weight": 1.0}]}),
        json!({"messages": [said("system", ""), said("user", "a"), said("assistant", "b"), said("user", "c")]}),
        json!({"messages": [said("user", "a"), {"role": "assistant", "tool_calls": [
            {"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}]}]}),
        json!({"messages": [said("narrator", "a"), said("assistant", "b")]}),
        json!({"messages": [said("user", "a")]}),
    ];
    let data = rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    let options = Options {
        mend: true,
        ..Options::new(found(data.as_bytes()))
    };
    let mended = read_with(data.as_bytes(), &options);
    assert_eq!((mended.report.rejected, mended.report.mendable), (7, 5));
    for finding in &mended.findings {
        let expected = if finding.line <= 5 {
            Repair::Mended
        } else {
            Repair::LeftOut
        };
        assert_eq!(finding.repair, expected, "{finding:?}");
    }
    let again: String = mended.rows.iter().map(|(_, source, _)| format!("{source}\n")).collect();
    let again = read(again);
    assert_eq!(again.report.accepted, 5);
    assert!(
        again.findings.iter().all(|finding| finding.code == Code::Duplicate),
        "{:?}",
        again.findings
    );
    assert_eq!(
        again.rows[0].2,
        json!({"messages": [said("user", "a"), said("assistant", "b")]})
    );
    assert_eq!(
        again.rows[3].2,
        json!({"messages": [said("user", "a"), said("assistant", "b")]})
    );
    let unmended = read(&data);
    assert_eq!((unmended.rows.len(), unmended.report.mendable), (0, 5));
    // In another format, it is written in that.
    let sharegpt =
        json!({"conversations": [{"from": "Human", "value": "a"}, {"from": "gpt", "value": "b"}]}).to_string();
    let form = Form {
        format: Format::Sharegpt,
        layout: Layout::Lines,
    };
    let mended = read_with(
        sharegpt.as_bytes(),
        &Options {
            mend: true,
            ..Options::new(form)
        },
    );
    let expected = json!({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]});
    assert_eq!(serde_json::from_str::<Value>(&mended.rows[0].1).unwrap(), expected);
}
