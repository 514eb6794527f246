use cerebros_ingest::{Chunk, ChunkOptions, Page, chunk};

/// Text of words, sentences, lines and paragraphs, some of it multi-byte, some without any space.
fn random_text(seed: u64, chars: usize) -> String {
    let mut state = seed.wrapping_mul(2) + 1;
    let mut next = move |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let alphabet = ['a', 'b', 'é', 'ß', '漢', '字', '😀', 'Z', '9', '#'];
    let mut text = String::new();
    let mut count = 0;
    while count < chars {
        let piece: String = match next(40) {
            0 => "\n\n".into(),
            1 => "\n".into(),
            2..=4 => ". ".into(),
            5 => "。".into(),
            6 => "\n\n# Heading\n\n".into(),
            7 => "x".repeat(next(300) as usize),
            _ => (0..1 + next(9))
                .map(|_| alphabet[next(10) as usize])
                .chain([' '])
                .collect(),
        };
        count += piece.chars().count();
        text.push_str(&piece);
    }
    text
}

fn check(text: &str, options: &ChunkOptions) -> Vec<Chunk> {
    let chunks = chunk(text, &[], options);
    let chars: Vec<char> = text.chars().collect();
    let overlap = options.overlap_chars.min(options.max_chars / 4);
    let mut covered = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.index, index);
        assert!(chunk.start < chunk.end && chunk.end - chunk.start <= options.max_chars);
        let span: String = chars[chunk.start..chunk.end].iter().collect();
        assert_eq!(span, chunk.text);
        assert_eq!(span.trim(), span);
        let gap = chars.get(covered..chunk.start).unwrap_or_default();
        assert!(
            gap.iter().all(|c| c.is_whitespace()),
            "text was lost before {}",
            chunk.start
        );
        if index > 0 {
            let shared = covered.saturating_sub(chunk.start);
            assert!(shared <= overlap, "{shared} > {overlap}");
        }
        assert!(chunk.end > covered);
        covered = chunk.end;
    }
    assert!(chars[covered..].iter().all(|c| c.is_whitespace()));
    chunks
}

#[test]
fn chunks_cover_the_text_and_keep_their_size() {
    for seed in 1..300 {
        let text = random_text(seed, (seed as usize * 37) % 3000);
        for (max_chars, overlap_chars) in [(400, 50), (97, 20), (10, 9), (1, 0), (1, 5), (2, 1), (100, 0)] {
            check(
                &text,
                &ChunkOptions {
                    max_chars,
                    overlap_chars,
                },
            );
        }
    }
}

#[test]
fn overlap_is_as_promised_where_words_are_short() {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(2000);
    let chunks = check(&text, &ChunkOptions::default());
    assert!(chunks.len() > 20);
    for pair in chunks.windows(2) {
        let shared = pair[0].end - pair[1].start;
        assert!((250..=500).contains(&shared), "{shared}");
        assert!(pair[0].text.ends_with('.') && pair[1].text.starts_with("The quick"));
    }
}

#[test]
fn cuts_fall_between_paragraphs_and_headings_stay_with_their_text() {
    let paragraph = "Words that fill a paragraph of some size. ".repeat(12);
    let text: String = (0..12)
        .map(|i| format!("## Part {i}\n\n{}\n\n", paragraph.trim()))
        .collect();
    let chunks = check(
        &text,
        &ChunkOptions {
            max_chars: 1400,
            overlap_chars: 0,
        },
    );
    for chunk in &chunks {
        assert!(chunk.text.starts_with("## Part"), "{}", &chunk.text[..40]);
        assert!(chunk.text.ends_with("size."));
        let first_line = chunk.text.lines().next().unwrap();
        assert_eq!(
            chunk.headings.last().map(String::as_str),
            first_line.strip_prefix("## ")
        );
    }
}

#[test]
fn chunks_know_their_page() {
    let text = "a".repeat(100) + "\n\n" + &"b".repeat(100);
    let pages = [
        Page {
            number: 1,
            start: 0,
            end: 100,
        },
        Page {
            number: 2,
            start: 102,
            end: 202,
        },
    ];
    let chunks = chunk(
        &text,
        &pages,
        &ChunkOptions {
            max_chars: 110,
            overlap_chars: 0,
        },
    );
    let found: Vec<_> = chunks.iter().map(|chunk| (chunk.start, chunk.page)).collect();
    assert_eq!(found, [(0, Some(1)), (102, Some(2))]);
    assert_eq!(chunk("", &[], &ChunkOptions::default()), []);
    assert_eq!(chunk(" \n ", &[], &ChunkOptions::default()), []);
}
