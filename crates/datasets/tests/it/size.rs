//! Files as large as the public ones and shaped as they are, made from a seed, some with 1 % broken rows of many kinds: the format
//! is told, the counts are right, and each broken row is reported, and nothing else.

use std::collections::BTreeSet;

use cerebros_datasets::format::{Form, Format, Layout, detect};
use cerebros_datasets::{Code, Options, Severity, validate};

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }

    /// Some words with escapes, marks and other scripts among them.
    fn text(&mut self, words: usize) -> String {
        const WORDS: [&str; 12] = [
            "water",
            "the",
            "of",
            "is",
            "Größe",
            "\\n",
            "\\\"quoted\\\"",
            "日本語",
            "\\u00e9t\\u00e9",
            "1,024",
            "e-mail",
            "🙂",
        ];
        let words: Vec<&str> = (0..words).map(|_| WORDS[self.below(WORDS.len())]).collect();
        format!("Say {} {}", self.0, words.join(" "))
    }
}

fn alpaca(random: &mut Random) -> String {
    let input = if random.below(5) < 2 {
        random.text(12)
    } else {
        String::new()
    };
    let (instruction, output) = (random.text(10), random.text(40));
    format!(r#"{{"instruction": "{instruction}", "input": "{input}", "output": "{output}"}}"#)
}

fn chat(random: &mut Random) -> String {
    let mut messages = Vec::new();
    if random.below(4) == 0 {
        messages.push(format!(r#"{{"role": "system", "content": "{}"}}"#, random.text(8)));
    }
    for _ in 0..=random.below(3) {
        messages.push(format!(r#"{{"role": "user", "content": "{}"}}"#, random.text(12)));
        messages.push(format!(r#"{{"role": "assistant", "content": "{}"}}"#, random.text(30)));
    }
    format!(r#"{{"messages": [{}]}}"#, messages.join(", "))
}

fn preference(random: &mut Random) -> String {
    let (prompt, chosen, rejected) = (random.text(12), random.text(30), random.text(20));
    format!(r#"{{"prompt": "{prompt}", "chosen": "{chosen}", "rejected": "{rejected}"}}"#)
}

type Break = fn(&str, &mut Random) -> Vec<u8>;

/// Ways in which any row breaks, and what is said of it.
const BREAKS: [(Break, &[Code]); 6] = [
    // Cut short, as by a full disk.
    (
        |row, random| row.as_bytes()[..1 + random.below(row.len() - 2)].to_vec(),
        &[Code::InvalidJson, Code::InvalidUtf8],
    ),
    // Latin-1 among UTF-8.
    (
        |row, _| [&row.as_bytes()[..9], b"\xe9", &row.as_bytes()[9..]].concat(),
        &[Code::InvalidUtf8],
    ),
    // A quotation mark that nobody escaped.
    (
        |row, _| row.replacen("Say", "Say \" ", 1).into_bytes(),
        &[Code::InvalidJson],
    ),
    (
        |row, _| row.replacen("Say", "Say \t", 1).into_bytes(),
        &[Code::InvalidJson],
    ),
    (
        |_, _| b"{\"id\": 7}".to_vec(),
        &[Code::UnknownFormat, Code::MessagesMissing],
    ),
    (
        |_, random| [&b"null"[..], b"17", b"\"text\"", b"[]"][random.below(4)].to_vec(),
        &[Code::NotAnObject],
    ),
];

/// Ways in which a chat row breaks besides.
const CHAT_BREAKS: [(Break, &[Code]); 4] = [
    (
        |row, _| row.replacen("\"user\"", "\"usr\"", 1).into_bytes(),
        &[Code::RoleUnknown],
    ),
    (
        |row, _| row.replacen("\"role\": \"user\", ", "", 1).into_bytes(),
        &[Code::RoleMissing],
    ),
    (|_, _| br#"{"messages": []}"#.to_vec(), &[Code::MessagesEmpty]),
    (
        |row, _| {
            format!(
                "{}, {{\"role\": \"user\", \"content\": \"?\"}}]}}",
                &row[..row.len() - 2]
            )
            .into_bytes()
        },
        &[Code::LastNotAssistant],
    ),
];

/// `broken` are the lines that were broken, with what may be said of them.
struct Made {
    data: Vec<u8>,
    broken: Vec<(u64, &'static [Code])>,
}

fn lines(rows: u64, make: fn(&mut Random) -> String, breaks: &[(Break, &'static [Code])]) -> Made {
    let mut random = Random(rows);
    let (mut data, mut broken) = (Vec::new(), Vec::new());
    for line in 1..=rows {
        let row = make(&mut random);
        if breaks.is_empty() || random.below(100) > 0 {
            data.extend_from_slice(row.as_bytes());
        } else {
            let (way, codes) = breaks[random.below(breaks.len())];
            data.extend(way(&row, &mut random));
            broken.push((line, codes));
        }
        data.push(b'\n');
    }
    Made { data, broken }
}

fn check(made: &Made, rows: u64, form: Form) {
    assert_eq!(detect(made.data.as_slice()).unwrap(), form);
    let options = Options {
        threads: 2,
        ..Options::new(form)
    };
    let (mut findings, mut accepted) = (Vec::new(), 0);
    let report = validate(
        made.data.as_slice(),
        &options,
        None,
        |_| accepted += 1,
        |finding| findings.push(finding),
    )
    .unwrap();
    let broken = made.broken.len() as u64;
    assert_eq!(
        (report.rows, report.accepted, report.rejected),
        (rows, rows - broken, broken)
    );
    assert_eq!((accepted, report.warnings), (rows - broken, 0));
    let reported: BTreeSet<u64> = findings.iter().map(|finding| finding.line).collect();
    assert!(reported.iter().eq(made.broken.iter().map(|(line, _)| line)));
    for finding in &findings {
        let at = made
            .broken
            .binary_search_by_key(&finding.line, |(line, _)| *line)
            .unwrap();
        assert!(made.broken[at].1.contains(&finding.code), "{finding:?}");
        assert!(finding.severity == Severity::Error && finding.fix.ends_with('.'));
    }
}

#[test]
fn fifty_two_thousand_alpaca_rows_in_a_list() {
    let mut random = Random(52_002);
    let rows: Vec<String> = (0..52_002).map(|_| alpaca(&mut random)).collect();
    // As `json.dump` with an indent of four writes them.
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            row.replacen('{', "    {\n        ", 1)
                .replace("\", \"", "\",\n        \"")
                .replace("\"}", "\"\n    }")
        })
        .collect();
    let made = Made {
        data: format!("[\n{}\n]", rows.join(",\n")).into_bytes(),
        broken: Vec::new(),
    };
    let form = Form {
        format: Format::Alpaca,
        layout: Layout::List,
    };
    check(&made, 52_002, form);
}

#[test]
fn a_hundred_thousand_chat_rows_and_one_in_a_hundred_broken() {
    let breaks: Vec<_> = BREAKS.into_iter().chain(CHAT_BREAKS).collect();
    let made = lines(120_000, chat, &breaks);
    assert!((1000..1400).contains(&made.broken.len()));
    let form = Form {
        format: Format::Chat,
        layout: Layout::Lines,
    };
    check(&made, 120_000, form);
}

#[test]
fn a_hundred_thousand_preference_rows_and_one_in_a_hundred_broken() {
    let made = lines(110_000, preference, &BREAKS);
    assert!((900..1300).contains(&made.broken.len()));
    let form = Form {
        format: Format::Preference,
        layout: Layout::Lines,
    };
    check(&made, 110_000, form);
}
