//! Rows that say nearly what an earlier one says.

use cerebros_datasets::{Code, Finding, Options};

use super::{CHAT, messages, run, run_within, validated};

fn asked(system: &str, question: &str, answer: &str) -> String {
    let message = |role: &str, text: &str| format!(r#"{{"role": "{role}", "content": "{text}"}}"#);
    messages(
        &[
            message("system", system),
            message("user", question),
            message("assistant", answer),
        ]
        .join(", "),
    )
}

/// Text number `seed`, of a vocabulary of 500 words.
fn prose(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..40).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("w{}", state % 500)
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn near_duplicates_are_found_with_both_lines() {
    let system = prose(1000).repeat(5);
    let question = "How many days may I work from abroad in a year?";
    let answer = "Employees may work up to twenty days a year from abroad, if their manager agrees in writing.";
    let rows = [
        asked(&system, question, answer),
        asked(&system, &prose(1), &prose(2)),
        // One word is another, case and marks do not count, and another system message says nothing.
        asked(
            "Be brief.",
            &question.to_uppercase(),
            &answer.replace("twenty", "thirty"),
        ),
        asked(&system, question, answer),
        "broken".to_owned(),
        asked(&system, &prose(3), &prose(4)),
    ];
    let options = Options {
        near: true,
        ..Options::new(CHAT)
    };
    let outcome = run_within(rows.join("\n").as_bytes(), &options);
    let found: Vec<_> = outcome
        .findings
        .iter()
        .map(|finding| (finding.line, finding.code))
        .collect();
    let expected = [(3, Code::NearDuplicate), (4, Code::Duplicate), (5, Code::InvalidJson)];
    assert_eq!(found, expected);
    assert!(outcome.findings[0].message.contains("line 1"));
    assert_eq!((outcome.report.warnings, outcome.report.not_compared), (2, 0));
    // Unless it is asked for, nobody waits for it.
    assert_eq!(run(rows.join("\n")).report.findings.get(&Code::NearDuplicate), None);
}

/// 2,000 pairs of which one word of forty differs, among rows that share nothing.
#[test]
fn nearly_all_near_duplicates_are_found_and_nothing_else() {
    let mut rows: Vec<String> = (0..4000)
        .map(|seed| asked("", &prose(seed), &prose(seed + 10_000)))
        .collect();
    let near = (0..2000).map(|seed| asked("", &prose(seed), &prose(seed + 10_000).replacen("w", "x", 1)));
    rows.extend(near.collect::<Vec<_>>());
    // A system message must not be empty.
    let data = rows.join("\n").replace(r#"{"role": "system", "content": ""}, "#, "");
    let options = |threads| Options {
        near: true,
        threads,
        ..Options::new(CHAT)
    };
    let outcome = validated(data.as_bytes(), &options(1));
    assert_eq!(outcome.report.accepted, 6000);
    let right = |finding: &&Finding| {
        let first = format!("line {}.", finding.line - 4000);
        finding.line > 4000 && finding.message.ends_with(&first)
    };
    let found = outcome.findings.iter().filter(right).count();
    assert_eq!(found, outcome.findings.len());
    assert!(found >= 1980, "{found} of 2000");
    assert!(validated(data.as_bytes(), &options(2)) == outcome);
}
