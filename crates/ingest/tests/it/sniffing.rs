use std::io::Cursor;

use cerebros_ingest::{Format, SniffCode, SniffError, sniff};

use crate::{docx, zip};

fn sniffed(bytes: &[u8], name: &str) -> Result<Format, SniffError> {
    sniff(&mut Cursor::new(bytes), name)
}

#[test]
fn the_bytes_decide_before_the_name() {
    assert_eq!(sniffed(b"%PDF-1.7\n...", "notes.txt").unwrap(), Format::Pdf);
    assert_eq!(sniffed(b"\0\0junk%PDF-1.4", "scan.pdf").unwrap(), Format::Pdf);
    assert_eq!(sniffed(&docx("<w:p/>"), "letter.zip").unwrap(), Format::Docx);
    assert_eq!(sniffed(b"A text about %PDF-1.4 headers.", "a.md").unwrap(), Format::Md);
}

#[test]
fn the_name_tells_texts_apart() {
    for (name, format) in [
        ("a.txt", Format::Txt),
        ("README", Format::Txt),
        ("a.Markdown", Format::Md),
        ("a.CSV", Format::Csv),
        ("a.json", Format::Json),
        ("a.b.xml", Format::Xml),
    ] {
        assert_eq!(sniffed("Größe".as_bytes(), name).unwrap(), format, "{name}");
        assert_eq!(sniffed(b"Gr\xf6\xdfe und mehr", name).unwrap(), format, "{name}");
        assert_eq!(sniffed(b"\xff\xfea\0b\0", name).unwrap(), format, "{name}");
    }
}

#[test]
fn a_character_cut_by_the_head_is_still_text() {
    let text = "é".repeat(40_000);
    assert_eq!(sniffed(text.as_bytes(), "a.txt").unwrap(), Format::Txt);
    assert_eq!(sniffed(format!("x{text}").as_bytes(), "a.txt").unwrap(), Format::Txt);
}

#[test]
fn what_is_refused_is_named_with_what_to_upload_instead() {
    let ole = |stream: &str| {
        let mut bytes = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
        bytes.resize(1024, 0);
        bytes.extend(stream.encode_utf16().flat_map(u16::to_le_bytes));
        bytes.resize(4096, 0);
        bytes
    };
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
    let cases: Vec<(Vec<u8>, &str, SniffCode, &str)> = vec![
        (vec![], "a.txt", SniffCode::Empty, "empty"),
        (b" \r\n\t".to_vec(), "a.txt", SniffCode::Empty, "empty"),
        (png.to_vec(), "a.txt", SniffCode::Unsupported, "picture"),
        (
            b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
            "a.pdf",
            SniffCode::Unsupported,
            "program",
        ),
        (
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(),
            "a.csv",
            SniffCode::Unsupported,
            "archive",
        ),
        (ole("Workbook"), "a.doc", SniffCode::Unsupported, "old Excel workbook"),
        (ole("EncryptedPackage"), "a.docx", SniffCode::Protected, "password"),
        (
            zip(&[("xl/workbook.xml", b"x")]),
            "a.docx",
            SniffCode::Unsupported,
            "Excel",
        ),
        (
            zip(&[("photo.jpg", b"x")]),
            "a.docx",
            SniffCode::Unsupported,
            "ZIP archive",
        ),
        (
            b"PK\x03\x04 cut short".to_vec(),
            "a.docx",
            SniffCode::Damaged,
            "damaged",
        ),
        (b"{\\rtf1 hello}".to_vec(), "a.txt", SniffCode::Unsupported, "RTF"),
        (b"just words".to_vec(), "a.docx", SniffCode::Damaged, "plain text"),
        (
            b"{\"messages\": []}\n".to_vec(),
            "a.jsonl",
            SniffCode::Unsupported,
            "dataset",
        ),
        (b"fn main() {}".to_vec(), "a.rs", SniffCode::Unsupported, "a.rs"),
        (
            b"a\0b\x01c\x02 garbage \x90\x91".to_vec(),
            "a.txt",
            SniffCode::NotText,
            "binary",
        ),
    ];
    for (bytes, name, code, says) in cases {
        let error = sniffed(&bytes, name).unwrap_err();
        assert_eq!(error.code, code, "{name}: {error}");
        assert!(error.to_string().contains(says), "{name}: {error}");
        assert!(error.to_string().ends_with('.'), "{error}");
    }
}

#[test]
fn a_zip_that_lies_about_itself_is_harmless() {
    let honest = docx("<w:p/>");
    for cut in 0..honest.len() {
        let _outcome = sniffed(&honest[..cut], "a.docx");
    }
    let mut state = 7u64;
    for _ in 0..2000 {
        let mut bytes = honest.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 20) as u8;
        }
        if let Err(error) = sniffed(&bytes, "a.docx") {
            assert!(error.to_string().ends_with('.'), "{error}");
        }
    }
}
