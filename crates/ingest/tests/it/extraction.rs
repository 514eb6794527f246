use cerebros_ingest::{ExtractCode, Format, Limits, extract, sniff_path};

use crate::{docx, fixture, read};

#[test]
fn a_pdf_keeps_headings_paragraphs_lists_tables_and_pages() {
    let path = fixture("remote-work-policy.pdf");
    assert_eq!(sniff_path(&path, "Policy.PDF").unwrap(), Format::Pdf);
    let extracted = extract(&path, Format::Pdf, &Limits::default()).unwrap();
    let text = &extracted.text;
    for expected in [
        "# Remote Work Policy\n\n",
        "\n\n## 2. Definitions\n\nA remote day is a working day on which an employee does all assigned duties from a place that is not a company office.",
        "Role group | Remote days a week | Approval | Review\nEngineering | 3 | Line manager | Every 12 months\n",
        "\n- Install updates within 48 hours of their release.\n- Report a lost",
        "\n2. Complete the form RW-1",
    ] {
        assert!(text.contains(expected), "{expected}\n---\n{text}");
    }
    assert!(!text.contains("Page 1"), "page numbers are no text");
    assert!(!text.contains("Remote Work Policy 4.2"), "running heads are no text");
    assert_eq!(extracted.pages.len(), 3);
    let chars: Vec<char> = text.chars().collect();
    for (number, page) in (1..).zip(&extracted.pages) {
        assert_eq!(page.number, number);
        assert!(page.start < page.end && page.end <= chars.len());
        assert!(!chars[page.start].is_whitespace() && !chars[page.end - 1].is_whitespace());
    }
    assert_eq!(extracted.pages[0].start, 0);
    assert_eq!(extracted.pages[2].end, chars.len());
}

#[test]
fn a_docx_keeps_headings_lists_and_tables() {
    let path = fixture("project-handbook.docx");
    assert_eq!(sniff_path(&path, "handbook").unwrap(), Format::Docx);
    let extracted = extract(&path, Format::Docx, &Limits::default()).unwrap();
    for expected in [
        "# Project Handbook\n\n",
        "\n\n## Communication\n\n",
        "\n\nPhase | Usual duration | Main result | Approved by\nDiscovery | 2 weeks |",
        "\n1. Create the project in the portal and attach the signed contract.\n2. Invite",
        "\n- Review every change before it is merged.\n- Keep",
    ] {
        assert!(extracted.text.contains(expected), "{expected}\n---\n{}", extracted.text);
    }
    assert_eq!(extracted.pages, []);
}

#[test]
fn word_leaves_out_deleted_text_and_copies() {
    let body = "<w:p><w:r><w:t>A &amp; B</w:t><w:tab/><w:t>&#233;</w:t></w:r>\
        <w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del>\
        <mc:AlternateContent><mc:Choice><w:r><w:t>!</w:t></w:r></mc:Choice>\
        <mc:Fallback><w:r><w:t>again</w:t></w:r></mc:Fallback></mc:AlternateContent></w:p>";
    assert_eq!(read(&docx(body), Format::Docx).unwrap().text, "A & B\té!");
}

#[test]
fn plain_text_is_read_in_its_encoding() {
    let wide = |big: bool| -> Vec<u8> {
        let unit = |u: u16| {
            if big { u.to_be_bytes() } else { u.to_le_bytes() }
        };
        "Größe 12\r\nEnde".encode_utf16().flat_map(unit).collect()
    };
    for bytes in [
        "Größe 12\nEnde".as_bytes().to_vec(),
        b"\xef\xbb\xbfGr\xc3\xb6\xc3\x9fe 12\r\nEnde\r\n".to_vec(),
        b"Gr\xf6\xdfe 12\rEnde".to_vec(),
        [&[0xff, 0xfe][..], &wide(false)].concat(),
        [&[0xfe, 0xff][..], &wide(true)].concat(),
        wide(false),
        wide(true),
    ] {
        assert_eq!(read(&bytes, Format::Txt).unwrap().text, "Größe 12\nEnde", "{bytes:?}");
    }
}

#[test]
fn csv_rows_read_alone() {
    let text = |csv: &str| read(csv.as_bytes(), Format::Csv).unwrap().text;
    assert_eq!(
        text("name,city,note\nAda,\"Oslo, NO\",\"two\nlines\"\nBo,,x,extra\n"),
        "name: Ada\ncity: Oslo, NO\nnote: two lines\n\nname: Bo\nnote: x\ncolumn 4: extra"
    );
    assert_eq!(text("a;b\n1,5;2"), "a: 1,5\nb: 2");
    assert_eq!(text("just one line"), "just one line");
}

#[test]
fn json_keeps_its_order_and_structure() {
    let json = r#"{"zeta": {"b": [1, "two", true], "a": null}, "list": [{"x": 1, "y": 2.5}, {"x": 3}]}"#;
    assert_eq!(
        read(json.as_bytes(), Format::Json).unwrap().text,
        "zeta:\n  b:\n    - 1\n    - two\n    - yes\n  a: none\nlist:\n  - x: 1\n    y: 2.5\n  - x: 3"
    );
    assert_eq!(
        read(br#"[{"name": "Ada", "age": 36}, {"name": "Bo"}]"#, Format::Json)
            .unwrap()
            .text,
        "name: Ada\nage: 36\n\nname: Bo"
    );
    let error = read(b"{\"a\": 1,\n \"b\" 2}", Format::Json).unwrap_err();
    assert_eq!(error.code(), ExtractCode::JsonInvalid);
    assert!(error.to_string().contains("line 2, column 6"), "{error}");
}

#[test]
fn xml_reads_as_lines_and_paragraphs() {
    let xml = "<?xml version='1.0'?><orders xmlns='u'><order id='7'><item>Pump &amp; hose</item><price>12</price></order>\
        <order id='8'><item>Valve</item></order><p>A <b>bold</b> word.</p></orders>";
    assert_eq!(
        read(xml.as_bytes(), Format::Xml).unwrap().text,
        "id: 7\nitem: Pump & hose\nprice: 12\n\nid: 8\nitem: Valve\n\nA bold word."
    );
    assert_eq!(
        read(b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", Format::Xml)
            .unwrap()
            .text,
        "a: \u{e9}"
    );
    let error = read(b"<a>\n<b></a>", Format::Xml).unwrap_err();
    assert_eq!(error.code(), ExtractCode::XmlInvalid);
    assert!(error.to_string().contains("line 2"), "{error}");
}
