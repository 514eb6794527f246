use crate::{
    documents::{agent, path, ready, upload_path},
    helpers::TestServer,
};
use cerebros_common::{
    documents::{BlockKind, Chunk, Document, DocumentMatch, DocumentText},
    wire::CursorPage,
};
use reqwest::StatusCode;

on_both_databases!(
    a_text_comes_with_its_structure,
    chunks_know_headings_and_tokens,
    words_are_found_in_a_document,
    a_long_document_is_searched_in_parts,
);

const MARKDOWN: &str = "# Größen\n\nA first paragraph,\nof two lines.\n\n## Steps\n\n- one\n  - two\n\n\
    ```sh\nrun --all\n\n# no heading\n```\n\nport | use\n---|---\n8420 | web\n";

async fn a_text_comes_with_its_structure(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let document = ready(&member, &agent, "reference", "a.md", MARKDOWN.as_bytes()).await;
    let whole: DocumentText = member.get(&format!("{}/text", path(&document))).await.data();
    let shown: Vec<(BlockKind, u8)> = whole.blocks.iter().map(|block| (block.kind, block.level)).collect();
    assert_eq!(
        shown,
        [
            (BlockKind::Heading, 1),
            (BlockKind::Paragraph, 0),
            (BlockKind::Heading, 2),
            (BlockKind::Item, 0),
            (BlockKind::Item, 1),
            (BlockKind::Code, 0),
            (BlockKind::Row, 0),
            (BlockKind::Row, 0),
        ]
    );
    // Any stretch has the blocks that touch it, where they are in the whole.
    for offset in (0..whole.total).step_by(7) {
        let query = format!("{}/text?offset={offset}&length=20", path(&document));
        let part: DocumentText = member.get(&query).await.data();
        let touches = |start: u64, end: u64| start < offset + 20 && end > offset;
        let expected: Vec<_> = whole
            .blocks
            .iter()
            .filter(|block| touches(block.start, block.end))
            .collect();
        assert_eq!(part.blocks.iter().collect::<Vec<_>>(), expected, "from {offset}");
    }
}

async fn chunks_know_headings_and_tokens(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let prose = "Many words of a paragraph stand here. ".repeat(90);
    let text = format!("# Book\n\n{prose}\n\n## Part one\n\n{prose}\n\n## Part two\n\n{prose}");
    let document = ready(&member, &agent, "reference", "book.md", text.as_bytes()).await;
    let chunks: CursorPage<Chunk> = member.get(&format!("{}/chunks", path(&document))).await.data();
    let last = chunks.items.last().unwrap();
    assert_eq!(chunks.items[0].headings, Vec::<String>::from(["Book".into()]));
    assert_eq!(last.headings.first().unwrap(), "Book");
    assert!(last.heading.as_ref().unwrap().starts_with("Part") && last.heading.as_ref() == last.headings.last());
    assert!(chunks.items.iter().all(|chunk| chunk.tokens > 50));
    let sum: u64 = chunks.items.iter().map(|chunk| u64::from(chunk.tokens)).sum();
    let tokens = document.tokens.unwrap();
    assert!(tokens > 2_000 && tokens <= sum, "{tokens} of {sum}");
}

async fn words_are_found_in_a_document(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let pdf = crate::documents::PDF;
    let document = ready(&member, &agent, "reference", "policy.pdf", pdf).await;
    let whole: DocumentText = member
        .get(&format!("{}/text?length=100000", path(&document)))
        .await
        .data();
    let chars: Vec<char> = whole.text.chars().collect();
    let here = format!("{}/search", path(&document));
    let all: CursorPage<DocumentMatch> = member.get(&format!("{here}?q=REMOTE%20%20day&limit=100")).await.data();
    assert_eq!(all.next_cursor, None);
    let expected = whole
        .text
        .to_lowercase()
        .replace('\n', " ")
        .matches("remote day")
        .count();
    assert!(
        expected > 2 && all.items.len() == expected,
        "{expected}: {:?}",
        all.items
    );
    for found in &all.items {
        let slice = |start: u64, end: u64| chars[start as usize..end as usize].iter().collect::<String>();
        let words = slice(found.start, found.end).to_lowercase();
        assert_eq!(words.split_whitespace().collect::<Vec<_>>(), ["remote", "day"]);
        let length = found.excerpt.chars().count() as u64;
        assert_eq!(found.excerpt, slice(found.excerpt_start, found.excerpt_start + length));
        let page = whole
            .pages
            .iter()
            .find(|page| (page.start..page.end).contains(&found.start));
        assert_eq!(found.page, page.map(|page| page.number));
    }
    let (mut one_by_one, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: CursorPage<DocumentMatch> = member.get(&format!("{here}?q=remote+day&limit=1{cursor}")).await.data();
        one_by_one.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(one_by_one, all.items);
    for (query, field) in [
        ("", "q"),
        ("q=", "q"),
        ("q=a&limit=0", "limit"),
        ("q=a&cursor=x", "cursor"),
    ] {
        let refused = member.get(&format!("{here}?{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.problem().details[0].path, field);
    }
    let unread: Document = member
        .upload(&upload_path(&agent, "reference"), "b.json", "{")
        .await
        .data();
    let unread: Document = member.wait(&path(&unread), crate::documents::is_settled).await;
    let early = member.get(&format!("{}/search?q=a", path(&unread))).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    let stranger = server.stranger().await;
    assert_eq!(stranger.get(&format!("{here}?q=a")).await.status, StatusCode::NOT_FOUND);
}

async fn a_long_document_is_searched_in_parts(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let filler = "Nothing of interest is said in this line of the text.\n".repeat(16_000);
    let text = format!("A needle first.\n{filler}A needle\namid.\n{filler}{filler}{filler}Last needle");
    let document = ready(&member, &agent, "reference", "hay.txt", text.as_bytes()).await;
    let (mut found, mut cursor, mut answers) = (Vec::new(), String::new(), 0);
    loop {
        let here = format!("{}/search?q=needle&limit=100{cursor}", path(&document));
        let page: CursorPage<DocumentMatch> = member.get(&here).await.data();
        found.extend(page.items.iter().map(|found| found.start as usize));
        answers += 1;
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<usize> = text.match_indices("needle").map(|(at, _)| at).collect();
    assert_eq!(found, expected);
    assert!(answers > 1);
}
