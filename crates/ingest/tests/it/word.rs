//! DOC and DOCX files made here, part by part.

use std::io::Write;

use cerebros_ingest::{ExtractCode, Format, sniff};

use crate::{code, docx, read, zip};

/// A paragraph of a DOC: its text with the character that ends it, its style, its properties, and what of it is deleted.
struct Paragraph {
    text: &'static str,
    style: u16,
    sprms: Vec<u8>,
    deleted: Option<std::ops::Range<usize>>,
}

fn paragraph(text: &'static str) -> Paragraph {
    Paragraph {
        text,
        style: 0,
        sprms: Vec::new(),
        deleted: None,
    }
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// A page of properties: places, then entries of `entry` bytes that point to properties at the end of the page.
fn page(runs: &[(u32, Vec<u8>)], end: u32, entry: usize) -> Vec<u8> {
    let mut page = vec![0; 512];
    let mut free = 510;
    for (at, (start, properties)) in runs.iter().enumerate() {
        put(&mut page, at * 4, *start);
        if !properties.is_empty() {
            free = (free - properties.len()) & !1;
            page[free..free + properties.len()].copy_from_slice(properties);
            page[(runs.len() + 1) * 4 + at * entry] = u8::try_from(free / 2).unwrap();
        }
    }
    put(&mut page, runs.len() * 4, end);
    page[511] = u8::try_from(runs.len()).unwrap();
    page
}

/// A DOC of these paragraphs and notes; the first `narrow` characters lie in an eight-bit piece.
fn doc(paragraphs: &[Paragraph], narrow: usize, note_chars: usize) -> Vec<u8> {
    const TEXT: usize = 0x400;
    let text: String = paragraphs.iter().map(|paragraph| paragraph.text).collect();
    let chars: Vec<u16> = text.encode_utf16().collect();
    let wide_at = (TEXT + narrow + 1) & !1;
    let fc = |at: usize| if at < narrow { TEXT + at } else { wide_at + (at - narrow) * 2 } as u32;
    let mut main = vec![0; wide_at];
    for (at, unit) in chars[..narrow].iter().enumerate() {
        main[TEXT + at] = u8::try_from(*unit).unwrap();
    }
    main.extend(chars[narrow..].iter().flat_map(|unit| unit.to_le_bytes()));
    main.resize(main.len().next_multiple_of(512), 0);
    let (papx_page, chpx_page) = (main.len() / 512, main.len() / 512 + 1);
    let (mut paragraph_runs, mut character_runs, mut at) = (Vec::new(), Vec::new(), 0);
    for paragraph in paragraphs {
        let length = paragraph.text.encode_utf16().count();
        let mut properties = paragraph.style.to_le_bytes().to_vec();
        properties.extend(&paragraph.sprms);
        properties.resize(properties.len().next_multiple_of(2), 0);
        let half = u8::try_from(properties.len() / 2).unwrap();
        paragraph_runs.push((fc(at), [vec![0, half], properties].concat()));
        character_runs.push((fc(at), Vec::new()));
        if let Some(deleted) = &paragraph.deleted {
            character_runs.push((fc(at + deleted.start), vec![3, 0x00, 0x08, 1]));
            character_runs.push((fc(at + deleted.end), Vec::new()));
        }
        at += length;
    }
    main.extend(page(&paragraph_runs, fc(at), 13));
    main.extend(page(&character_runs, fc(at), 1));

    let mut pieces = vec![2];
    let count = if narrow > 0 { 2 } else { 1 };
    pieces.extend((4 + count * 12u32).to_le_bytes());
    let mut places = vec![0, chars.len() as u32];
    let mut starts = vec![fc(narrow)];
    if narrow > 0 {
        places.insert(1, narrow as u32);
        starts.insert(0, (TEXT as u32 * 2) | 0x4000_0000);
    }
    pieces.extend(places.iter().flat_map(|place| place.to_le_bytes()));
    for start in starts {
        pieces.extend([0, 0]);
        pieces.extend(start.to_le_bytes());
        pieces.extend([0, 0]);
    }
    let table_of = |page: usize| -> Vec<u8> {
        [TEXT as u32, fc(at), page as u32]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect()
    };
    // One list whose only level counts, and one use of it.
    let mut list = vec![1, 0, 77, 0, 0, 0];
    list.resize(2 + 28, 0);
    list[2 + 26] = 1;
    let mut level = vec![0; 28 + 2];
    level[4] = 0;
    let mut uses = vec![1, 0, 0, 0, 77, 0, 0, 0];
    uses.resize(4 + 16, 0);
    let mut table = Vec::new();
    let mut parts = Vec::new();
    for (at, part) in [
        (0x1a2, pieces),
        (0x102, table_of(papx_page)),
        (0xfa, table_of(chpx_page)),
        (0x2e2, list),
    ] {
        parts.push((at, table.len(), part.len()));
        table.extend(part);
    }
    table.extend(level);
    parts.push((0x2ea, table.len(), uses.len()));
    table.extend(uses);
    main[..2].copy_from_slice(&0xa5ec_u16.to_le_bytes());
    main[2..4].copy_from_slice(&193_u16.to_le_bytes());
    main[0x0a..0x0c].copy_from_slice(&0x0200_u16.to_le_bytes());
    put(&mut main, 0x4c, (chars.len() - note_chars) as u32);
    put(&mut main, 0x50, note_chars as u32);
    for (at, start, length) in parts {
        put(&mut main, at, start as u32);
        put(&mut main, at + 4, length as u32);
    }
    compound(&[("WordDocument", &main), ("1Table", &table)])
}

fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
    for (name, bytes) in streams {
        file.create_stream(name).unwrap().write_all(bytes).unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

fn sample() -> Vec<Paragraph> {
    let cell = vec![0x16, 0x24, 1];
    let row = vec![0x16, 0x24, 1, 0x17, 0x24, 1];
    let item = vec![0x0b, 0x46, 1, 0];
    let styled = |text, style| Paragraph {
        style,
        ..paragraph(text)
    };
    let with = |text, sprms: &Vec<u8>| Paragraph {
        sprms: sprms.clone(),
        ..paragraph(text)
    };
    vec![
        styled("Travel rules\r", 1),
        paragraph("Book early, see \u{13}HYPERLINK \"x\"\u{14}the portal\u{15}.\u{2}\r"),
        styled("Größe und 漢字\r", 2),
        with("First step\r", &item),
        with("Second step\r", &item),
        Paragraph {
            deleted: Some(5..10),
            ..paragraph("Keep gone this 😀.\r")
        },
        with("City\u{7}", &cell),
        with("Limit\u{7}", &cell),
        with("\u{7}", &row),
        with("Bonn\u{7}", &cell),
        with("\u{7}", &cell),
        with("\u{7}", &row),
        paragraph("End.\r"),
        paragraph("\u{2} By train where it takes less than five hours.\r"),
    ]
}

const NOTE: usize = 49;

#[test]
fn a_doc_keeps_headings_lists_tables_and_notes() {
    for narrow in [0, 13] {
        let bytes = doc(&sample(), narrow, NOTE);
        let format = sniff(&mut std::io::Cursor::new(&bytes), "rules.doc").unwrap();
        assert_eq!(format, Format::Doc);
        assert_eq!(
            read(&bytes, Format::Doc).unwrap().text,
            "# Travel rules\n\nBook early, see the portal.[^1]\n\n## Größe und 漢字\n\n1. First step\n1. Second step\n\n\
             Keep this 😀.\n\nCity | Limit\nBonn |\n\nEnd.\n\n[^1]: By train where it takes less than five hours."
        );
    }
}

/// `travel-rules.doc` is for other tests; `WRITE_FIXTURES=1` writes it anew.
#[test]
fn the_fixture_holds_the_sample() {
    let made = doc(&sample(), 13, NOTE);
    let path = crate::fixture("travel-rules.doc");
    if std::env::var_os("WRITE_FIXTURES").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    assert_eq!(read(&kept, Format::Doc).unwrap(), read(&made, Format::Doc).unwrap());
}

#[test]
fn damaged_and_protected_docs_say_so() {
    let good = doc(&sample(), 0, NOTE);
    assert_eq!(
        code(&compound(&[("WordDocument", b"xx")]), Format::Doc),
        ExtractCode::DocxDamaged
    );
    assert_eq!(
        code(&compound(&[("Other", b"xx")]), Format::Doc),
        ExtractCode::DocxDamaged
    );
    assert_eq!(code(&good[..good.len() / 2], Format::Doc), ExtractCode::DocxDamaged);
    let mut main = vec![0; 0x400];
    main[..2].copy_from_slice(&0xa5ec_u16.to_le_bytes());
    main[2] = 193;
    main[0x0b] = 1;
    assert_eq!(
        code(&compound(&[("WordDocument", &main)]), Format::Doc),
        ExtractCode::DocxEncrypted
    );
    // Word 95: eight-bit text from one place to another.
    main[2] = 101;
    main[0x0b] = 0;
    let text = b"Old words.\rMore of them.\r";
    put(&mut main, 0x18, 0x400);
    put(&mut main, 0x1c, 0x400 + text.len() as u32);
    main.extend(text);
    let old = compound(&[("WordDocument", &main)]);
    assert_eq!(read(&old, Format::Doc).unwrap().text, "Old words.\n\nMore of them.");
}

#[test]
fn random_damage_to_a_doc_never_panics() {
    let original = doc(&sample(), 13, NOTE);
    let mut state = 7u64;
    let mut next = move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % bound
    };
    for _ in 0..600 {
        let mut bytes = original.clone();
        for _ in 0..1 + next(8) {
            let at = next(bytes.len());
            bytes[at] = [0, 1, 2, 0xff, 0x80, 0x7f][next(6)];
        }
        let _outcome = read(&bytes, Format::Doc);
    }
}

#[test]
fn a_docx_keeps_notes_and_what_was_inserted() {
    let body = "<w:p><w:r><w:t>One</w:t><w:footnoteReference w:id=\"2\"/></w:r>\
        <w:ins><w:r><w:t xml:space=\"preserve\"> and two</w:t></w:r></w:ins>\
        <w:del><w:r><w:delText> and gone</w:delText></w:r></w:del></w:p>\
        <w:p><w:pPr><w:rPr><w:del w:id=\"1\"/></w:rPr></w:pPr><w:r><w:t xml:space=\"preserve\">Joined </w:t></w:r></w:p>\
        <w:p><w:r><w:t>again.</w:t></w:r></w:p>\
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t>\
        <w:endnoteReference w:id=\"1\"/></w:r></w:p></w:tc></w:tr>\
        <w:tr><w:trPr><w:del w:id=\"2\"/></w:trPr><w:tc><w:p><w:r><w:t>no</w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
    let document = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    let footnotes = "<w:footnotes xmlns:w=\"w\"><w:footnote w:type=\"separator\" w:id=\"0\"><w:p/></w:footnote>\
        <w:footnote w:id=\"2\"><w:p><w:r><w:t>Note &amp; more.</w:t></w:r></w:p></w:footnote></w:footnotes>";
    let endnotes = "<w:endnotes xmlns:w=\"w\"><w:endnote w:id=\"1\"><w:p><w:r><w:t>Last.</w:t></w:r></w:p></w:endnote></w:endnotes>";
    let bytes = zip(&[
        ("word/document.xml", document.as_bytes()),
        ("word/footnotes.xml", footnotes.as_bytes()),
        ("word/endnotes.xml", endnotes.as_bytes()),
    ]);
    assert_eq!(
        read(&bytes, Format::Docx).unwrap().text,
        "One[^1] and two\n\n[^1]: Note & more.\n\nJoined again.\n\na | b[^2]\n\n[^2]: Last."
    );
    assert_eq!(
        read(
            &docx("<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr><w:r><w:t>x</w:t></w:r></w:p>"),
            Format::Docx
        )
        .unwrap()
        .text,
        "x"
    );
}

#[test]
fn styles_go_back_to_others_and_levels_of_lists_differ() {
    let styles = "<w:styles xmlns:w=\"w\"><w:style w:styleId=\"H\"><w:name w:val=\"heading 2\"/></w:style>\
        <w:style w:styleId=\"My\"><w:name w:val=\"My part\"/><w:basedOn w:val=\"H\"/></w:style>\
        <w:style w:styleId=\"L\"><w:pPr><w:numPr><w:numId w:val=\"5\"/></w:numPr></w:pPr></w:style></w:styles>";
    let numbering = "<w:numbering xmlns:w=\"w\"><w:abstractNum w:abstractNumId=\"9\">\
        <w:lvl w:ilvl=\"0\"><w:numFmt w:val=\"decimal\"/></w:lvl><w:lvl w:ilvl=\"1\"><w:numFmt w:val=\"bullet\"/></w:lvl>\
        </w:abstractNum><w:num w:numId=\"5\"><w:abstractNumId w:val=\"9\"/></w:num></w:numbering>";
    let p =
        |properties: &str, text: &str| format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>");
    let body = [
        p("<w:pStyle w:val=\"My\"/>", "Part"),
        p("<w:pStyle w:val=\"L\"/>", "one"),
        p(
            "<w:numPr><w:ilvl w:val=\"1\"/><w:numId w:val=\"5\"/></w:numPr>",
            "inner",
        ),
        p("<w:pStyle w:val=\"L\"/>", "two"),
    ];
    let document = format!(
        "<w:document xmlns:w=\"w\"><w:body>{}</w:body></w:document>",
        body.concat()
    );
    let bytes = zip(&[
        ("word/document.xml", document.as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
        ("word/numbering.xml", numbering.as_bytes()),
    ]);
    assert_eq!(
        read(&bytes, Format::Docx).unwrap().text,
        "## Part\n\n1. one\n  - inner\n2. two"
    );
}
