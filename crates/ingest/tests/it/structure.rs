use cerebros_ingest::blocks::{Kind, blocks, blocks_of_stretch};
use cerebros_ingest::{ChunkOptions, Format, Tokens, chunk, reading, tokens};

use crate::read;

fn options(max_chars: usize, overlap_chars: usize) -> ChunkOptions {
    ChunkOptions {
        max_chars,
        overlap_chars,
    }
}

#[test]
fn lists_tables_and_code_stay_whole_where_they_fit() {
    let prose = "Some sentence of a fair length stands here. ".repeat(14);
    let list: String = (1..20).map(|i| format!("- item number {i} of the list\n")).collect();
    let table: String = (1..20).map(|i| format!("row {i} | value {i} | unit\n")).collect();
    let code = format!("```sh\n{}```\n", "run --this\n\nthen --that\n".repeat(14));
    for whole in [&list, &table, &code] {
        let text = format!("# A\n\n{prose}\n\nThe whole of it:\n\n{whole}\n{prose}\n\n{prose}");
        for overlap in [0, 200] {
            let chunks = chunk(&text, &[], &options(900, overlap));
            let holds = |chunk: &&cerebros_ingest::Chunk| chunk.text.contains(whole.trim_end());
            let found: Vec<_> = chunks.iter().filter(holds).collect();
            assert!(!found.is_empty(), "{chunks:#?}");
            assert!(found[0].text.contains("The whole of it:"), "{}", found[0].text);
        }
    }
}

#[test]
fn what_is_longer_than_a_chunk_is_cut_at_lines() {
    let table: String = (1..200).map(|i| format!("row {i} | value {i} | unit\n")).collect();
    let chunks = chunk(&table, &[], &options(400, 0));
    assert!(chunks.len() > 10);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.text.starts_with("row") && chunk.text.ends_with("unit"))
    );
}

#[test]
fn chunks_know_their_headings() {
    let prose = "Words of a paragraph here. ".repeat(8);
    let text = format!("# Book\n\n{prose}\n\n## One\n\n{prose}\n\n### Deep\n\n{prose}\n\n## Two\n\n{prose}");
    let chunks = chunk(&text, &[], &options(260, 0));
    let paths: Vec<_> = chunks.iter().map(|chunk| chunk.headings.join(" > ")).collect();
    assert_eq!(paths, ["Book", "Book > One", "Book > One > Deep", "Book > Two"]);
}

#[test]
fn a_stretch_has_the_blocks_of_the_whole() {
    let text = "# Größe\n\nA first paragraph,\nof two lines.\n\n```\nlet a = 1;\n\n# no heading\n```\n\n1. one\n2. two\n   more\n\na | b\n--|--\n1 | 2\n";
    let all = blocks(text);
    let kinds: Vec<Kind> = all.iter().map(|block| block.kind).collect();
    let item = Kind::Item { ordered: true };
    assert_eq!(
        kinds,
        [
            Kind::Heading(1),
            Kind::Paragraph,
            Kind::Code,
            item,
            item,
            Kind::Row,
            Kind::Row
        ]
    );
    let chars: Vec<char> = text.chars().collect();
    for block in &all {
        let span: String = chars[block.start..block.end].iter().collect();
        assert_eq!(
            (span.as_str(), &text[block.byte..block.byte + block.text.len()]),
            (block.text, block.text)
        );
    }
    let code: Vec<_> = all
        .iter()
        .filter(|block| block.kind == Kind::Code)
        .map(|block| (block.start, block.end))
        .collect();
    // From inside the code on.
    let from = code[0].0 + 8;
    let stretch: String = chars[from..].iter().collect();
    let rest = blocks_of_stretch(&stretch, from, &code);
    assert_eq!(
        (rest[0].kind, rest[0].start, rest[0].end),
        (Kind::Code, from, code[0].1)
    );
    let places = |blocks: &[cerebros_ingest::blocks::Block<'_>]| -> Vec<_> {
        blocks
            .iter()
            .map(|block| (block.kind, block.start, block.end))
            .collect()
    };
    assert_eq!(places(&rest[1..]), places(&all[3..]));
}

#[test]
fn readings_count_tokens() {
    assert_eq!(tokens("hello world"), 2);
    let text = "Straßenbahn und Größe. ".repeat(600);
    let reading = reading(read(text.as_bytes(), Format::Txt).unwrap());
    assert_eq!(reading.characters, reading.text.chars().count());
    assert_eq!(reading.tokens, None, "a short one is counted by whoever gets it");
    let counted = Tokens::of(&reading.text, &reading.pieces);
    assert_eq!(counted.whole, tokens(&reading.text));
    let chars: Vec<char> = reading.text.chars().collect();
    let text_of = |piece: &cerebros_ingest::Piece| chars[piece.start..piece.end].iter().collect::<String>();
    let expected: Vec<usize> = reading.pieces.iter().map(|piece| tokens(&text_of(piece))).collect();
    assert!(expected.len() > 2);
    assert_eq!(counted.pieces, expected);
}

#[test]
fn texts_in_many_encodings_are_read() {
    let russian = "Правила проезда\nБилет действует два часа. Сохраняйте его до конца поездки, пожалуйста.\n";
    let japanese = "旅費規程\n出張は事前に申請してください。領収書は必ず保管し、翌月十日までに提出すること。\n";
    let greek = "Κανόνες ταξιδιού\nΚρατήστε το εισιτήριο μέχρι το τέλος της διαδρομής, παρακαλώ.\n";
    let german = "Reiseregeln\nBitte die Größe der Koffer prüfen; Gebühren für Übergepäck trägt jeder selbst.\n";
    let chinese = "差旅规定\n请提前申请出差。请务必保留收据，并在下个月十号之前提交给财务部门。\n";
    let korean = "출장 규정\n출장은 미리 신청해 주십시오. 영수증은 반드시 보관해야 합니다.\n";
    let cases: &[(&str, &str)] = &[
        ("windows-1251", russian),
        ("koi8-r", russian),
        ("iso-8859-5", russian),
        ("shift_jis", japanese),
        ("euc-jp", japanese),
        ("iso-2022-jp", japanese),
        ("windows-1253", greek),
        ("windows-1252", german),
        ("gb18030", chinese),
        (
            "big5",
            "差旅規定\n請提前申請出差。請務必保留收據，並在下個月十號之前提交給財務部門。\n",
        ),
        ("euc-kr", korean),
    ];
    for (label, text) in cases {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let (bytes, _, unmappable) = encoding.encode(text);
        assert!(!unmappable, "{label}");
        check(&bytes, text, label);
    }
    for text in [russian, japanese, greek, german, chinese, korean, "plain words\n"] {
        for big in [false, true] {
            let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            let bytes: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
            check(&bytes, text, if big { "UTF-16BE" } else { "UTF-16LE" });
            let mark = if big { [0xfe, 0xff] } else { [0xff, 0xfe] };
            check(&[&mark[..], &bytes].concat(), text, "UTF-16 with a mark");
        }
    }
}

fn check(bytes: &[u8], text: &str, what: &str) {
    let format = cerebros_ingest::sniff(&mut std::io::Cursor::new(bytes), "a.txt");
    assert_eq!(format.unwrap(), Format::Txt, "{what}");
    assert_eq!(read(bytes, Format::Txt).unwrap().text, text.trim_end(), "{what}");
}

#[test]
fn the_delimiter_is_the_one_that_fits_most_lines() {
    for (file, expected) in [
        (
            "name;price\nA, B;1,5\nC;2,5\n",
            "name: A, B\nprice: 1,5\n\nname: C\nprice: 2,5",
        ),
        ("sep=|\na|b\n1|2\n", "a: 1\nb: 2"),
        ("a\tb\n\"x\ty\"\tz\n", "a: x\ty\nb: z"),
        ("a,b\n\"1\n2\",3\n", "a: 1 2\nb: 3"),
    ] {
        assert_eq!(
            read(file.as_bytes(), Format::Csv).unwrap().text.replace("x y", "x\ty"),
            expected
        );
    }
}
