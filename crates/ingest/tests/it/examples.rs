use std::collections::HashSet;

use cerebros_ingest::{ChunkOptions, Draft, Extracted, Format, Limits, chunk, extract, generate, verify_span};

use crate::fixture;

/// The examples of a text, each checked against the promises that hold for all.
fn examples(title: &str, extracted: &Extracted) -> Vec<Draft> {
    let chunks = chunk(&extracted.text, &extracted.pages, &ChunkOptions::default());
    let drafts = generate(title, &chunks);
    assert_eq!(drafts, generate(title, &chunks), "the same every time");
    let mut prompts = HashSet::new();
    let mut spans = HashSet::new();
    for draft in &drafts {
        assert!(
            verify_span(&extracted.text, draft.start, draft.end, &draft.quote),
            "{draft:?}"
        );
        assert!(draft.response.contains(&draft.quote), "{draft:?}");
        assert!(draft.prompt.ends_with('?') && !draft.reasoning.is_empty());
        assert!(prompts.insert(draft.prompt.to_lowercase()), "{}", draft.prompt);
        assert!(spans.insert((draft.start, draft.end)), "{draft:?}");
        let chunk = &chunks[draft.chunk_index];
        assert!(chunk.start <= draft.start && draft.end <= chunk.end);
    }
    assert!(
        chunks
            .iter()
            .all(|chunk| { drafts.iter().filter(|draft| draft.chunk_index == chunk.index).count() <= 12 })
    );
    drafts
}

fn of_text(text: &str) -> Vec<Draft> {
    examples(
        "Notes",
        &Extracted {
            text: text.to_owned(),
            pages: Vec::new(),
        },
    )
}

fn answer<'d>(drafts: &'d [Draft], prompt: &str) -> &'d str {
    let all = || {
        drafts
            .iter()
            .map(|draft| draft.prompt.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let found = drafts.iter().find(|draft| draft.prompt == prompt);
    &found
        .unwrap_or_else(|| panic!("no \"{prompt}\" in\n{}", all()))
        .response
}

#[test]
fn the_policy_gives_a_variety_of_examples() {
    let extracted = extract(&fixture("remote-work-policy.pdf"), Format::Pdf, &Limits::default()).unwrap();
    let drafts = examples("Remote Work Policy.pdf", &extracted);
    assert!(drafts.len() >= 15, "{}", drafts.len());
    assert!(answer(&drafts, "What is a remote day?").starts_with("A remote day is a working day on which"));
    assert!(answer(&drafts, "When was the works council consulted?").contains("14 January 2026"));
    let steps = answer(
        &drafts,
        "According to \"Remote Work Policy\", what are the steps to request a remote arrangement?",
    );
    assert_eq!(steps.lines().count(), 5);
    assert!(drafts.iter().any(|draft| draft.response.contains("The row reads: ")));
}

#[test]
fn the_handbook_gives_a_variety_of_examples() {
    let extracted = extract(&fixture("project-handbook.docx"), Format::Docx, &Limits::default()).unwrap();
    let drafts = examples("project-handbook.docx", &extracted);
    assert!(drafts.len() >= 15, "{}", drafts.len());
    assert!(answer(&drafts, "What is a risk register?").starts_with("A risk register is a list"));
    assert!(answer(&drafts, "Who is the project lead?").starts_with("The project lead is the person"));
}

#[test]
fn questions_are_asked_of_what_sentences_say() {
    let questions = [
        (
            "Employees may work from home up to three days a week.",
            "May employees work from home?",
        ),
        (
            "Visitors may not enter the laboratory alone.",
            "May visitors enter the laboratory alone?",
        ),
        (
            "Invoices must be paid within 30 days of receipt.",
            "Within how many days must invoices be paid?",
        ),
        (
            "Employees must report accidents within two hours.",
            "Within how many hours must employees report accidents?",
        ),
        (
            "Requests must reach the office four weeks before the start.",
            "When must requests reach the office?",
        ),
        (
            "The board reviews the budget every year in May.",
            "How often does the board review the budget?",
        ),
        (
            "The service desk can be reached by telephone under 4400.",
            "How can the service desk be reached?",
        ),
        ("The new wing was opened in June 2021.", "When was the new wing opened?"),
        ("The next audit is due in October.", "When is the next audit due?"),
        (
            "Downtime means any period in which the service cannot be used.",
            "What does downtime mean?",
        ),
        (
            "The company provides a laptop and a headset.",
            "What does the company provide?",
        ),
        ("The chair is the person who opens the meeting.", "Who is the chair?"),
    ];
    for (sentence, prompt) in questions {
        assert_eq!(answer(&of_text(sentence), prompt), sentence);
    }
}

#[test]
fn pointers_fragments_and_page_numbers_give_nothing() {
    for text in [
        "It is the best of all methods that we know. They use it every single day.",
        "This is a rule that nobody follows. These are the reasons for that.",
        "Page 3 of 17",
        "14\n\n15\n\n16",
        "and so on until the end of the line",
        "",
    ] {
        assert_eq!(of_text(text), [], "{text}");
    }
}

#[test]
fn records_and_tables_are_asked_by_their_names() {
    let drafts = of_text(
        "name: Ada Byron\nrole: Analyst\ncity: London\n\nname: Bo Lind\nrole: Engineer\ncity: Malmö\n\nname: Cy Young\nrole: Pitcher\ncity: Boston",
    );
    assert!(drafts.len() >= 2);
    for draft in &drafts {
        let name = ["Ada Byron", "Bo Lind", "Cy Young"]
            .into_iter()
            .find(|name| draft.prompt.contains(name));
        assert!(draft.quote.contains(name.unwrap()), "{draft:?}");
    }
    let drafts = of_text("Model | Weight | Price\n--- | --- | ---\nAlpha | 12 kg | 90\nBeta | 15 kg | 120");
    assert!(answer(&drafts, "Which \"Weight\" does the table in \"Notes\" give for Alpha?").starts_with("12 kg."));
}

#[test]
fn other_languages_and_noise_never_panic() {
    let noise: String = (0..4000u32)
        .filter_map(|i| char::from_u32(i.wrapping_mul(7919) % 0x2_0000))
        .collect();
    for text in [
        "# Urlaubsregelung\n\nAlle Beschäftigten haben Anspruch auf 30 Tage Urlaub im Jahr. Der Antrag ist spätestens vier Wochen vor dem Beginn schriftlich zu stellen.",
        "# 休暇規定\n\n全社員は年に三十日の休暇を取得できます。申請は四週間前までに行ってください。",
        "# Σύνοψη\n\nΗ πολιτική ισχύει για όλους τους εργαζόμενους της εταιρείας από τον Μάρτιο.",
        noise.as_str(),
    ] {
        of_text(text);
    }
}

#[test]
fn a_subset_of_the_chunks_still_points_into_the_document() {
    let extracted = extract(&fixture("remote-work-policy.pdf"), Format::Pdf, &Limits::default()).unwrap();
    let chunks = chunk(
        &extracted.text,
        &[],
        &ChunkOptions {
            max_chars: 900,
            overlap_chars: 100,
        },
    );
    let some: Vec<_> = chunks.iter().skip(2).step_by(3).cloned().collect();
    let drafts = generate("Policy", &some);
    assert!(!drafts.is_empty());
    for draft in drafts {
        assert!(
            verify_span(&extracted.text, draft.start, draft.end, &draft.quote),
            "{draft:?}"
        );
        assert!(some.iter().any(|chunk| chunk.index == draft.chunk_index));
    }
}
