use std::time::Duration;

use cerebros_ingest::child::{Exit, ExtractOutcome, outcome_of_exit, read_outcome};
use cerebros_ingest::{ExtractCode, Format, Limits};

use crate::{code, docx, fixture, read, read_within, zip};

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    assert_eq!(
        code("[".repeat(100_000).as_bytes(), Format::Json),
        ExtractCode::NestedTooDeep
    );
    assert_eq!(
        code("{\"a\":".repeat(100_000).as_bytes(), Format::Json),
        ExtractCode::NestedTooDeep
    );
    assert_eq!(
        code("<a>".repeat(100_000).as_bytes(), Format::Xml),
        ExtractCode::NestedTooDeep
    );
    assert_eq!(
        code(&docx(&"<w:p>".repeat(2_000)), Format::Docx),
        ExtractCode::NestedTooDeep
    );
    let at_limit = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    assert!(read(at_limit.as_bytes(), Format::Json).unwrap().text.ends_with('1'));
}

#[test]
fn entity_bombs_are_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY x \"ha\"><!ENTITY y \"&x;&x;&x;\">]><a>&y;</a>";
    assert_eq!(code(bomb.as_bytes(), Format::Xml), ExtractCode::XmlEntities);
    let bomb = format!("<?xml version=\"1.0\"?>{bomb}");
    assert_eq!(
        code(&zip(&[("word/document.xml", bomb.as_bytes())]), Format::Docx),
        ExtractCode::XmlEntities
    );
}

#[test]
fn zip_bombs_are_refused() {
    let blank = vec![b' '; 64 << 20];
    assert_eq!(
        code(&zip(&[("word/document.xml", &blank)]), Format::Docx),
        ExtractCode::ExpandsTooMuch
    );
    let names: Vec<String> = (0..10_001).map(|i| format!("p{i}")).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert_eq!(code(&zip(&parts), Format::Docx), ExtractCode::ExpandsTooMuch);
}

#[test]
fn broken_files_have_their_own_sentences() {
    assert_eq!(code(b"PK\x03\x04", Format::Docx), ExtractCode::DocxDamaged);
    assert_eq!(code(&zip(&[("a", b"")]), Format::Docx), ExtractCode::DocxDamaged);
    assert_eq!(code(&docx("<w:p><w:r>"), Format::Docx), ExtractCode::DocxDamaged);
    assert_eq!(code(&docx("<w:p/>"), Format::Docx), ExtractCode::NoText);
    assert_eq!(code(b"\0\x01\x02\x03\x04 \0\x05", Format::Txt), ExtractCode::NotText);
    assert_eq!(code(b"%PDF-1.4 and nothing else", Format::Pdf), ExtractCode::PdfDamaged);
    let limits = Limits {
        max_chars: 5,
        ..Limits::default()
    };
    let error = read_within(b"sixsix", Format::Txt, &limits).unwrap_err();
    assert_eq!(error.code(), ExtractCode::TextTooLong);
    let limits = Limits {
        max_file_bytes: 5,
        ..Limits::default()
    };
    let error = read_within(b"sixsix", Format::Txt, &limits).unwrap_err();
    assert_eq!(error.code(), ExtractCode::FileTooLarge);
}

/// A one-page PDF with this content stream and these extra trailer entries.
fn pdf(content: &str, trailer: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        offsets.push(file.len());
        file.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
    }
    let start = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1).bytes());
    for offset in &offsets {
        file.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    file.extend(
        format!(
            "trailer << /Size {} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n",
            offsets.len() + 1
        )
        .bytes(),
    );
    file
}

#[test]
fn pdfs_without_text_or_with_a_password_say_so() {
    assert_eq!(
        read(&pdf("BT /F 12 Tf 72 700 Td (Hello & <world>) Tj ET", ""), Format::Pdf)
            .unwrap()
            .text,
        "Hello & <world>"
    );
    assert_eq!(code(&pdf("0 0 100 100 re f", ""), Format::Pdf), ExtractCode::PdfScanned);
    let key = "0".repeat(64);
    let locked = format!("/ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{key}> /U <{key}> >>");
    assert_eq!(
        code(&pdf("BT /F 12 Tf (x) Tj ET", &locked), Format::Pdf),
        ExtractCode::PdfEncrypted
    );
}

#[test]
fn a_pdf_that_takes_too_long_is_stopped() {
    let limits = Limits {
        pdf_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let bytes = std::fs::read(fixture("remote-work-policy.pdf")).unwrap();
    assert_eq!(
        read_within(&bytes, Format::Pdf, &limits).unwrap_err().code(),
        ExtractCode::TimedOut
    );
}

#[test]
fn random_damage_never_panics() {
    let originals = [
        (std::fs::read(fixture("project-handbook.docx")).unwrap(), Format::Docx),
        (b"{\"a\": [1, {\"b\": \"c\\n\"}], \"d\": -1.5e3}".to_vec(), Format::Json),
        (b"<a x='1'><b>t &amp; u</b><![CDATA[v]]><c/></a>".to_vec(), Format::Xml),
        (b"a,b\n\"x\"\"y\",2\n".to_vec(), Format::Csv),
    ];
    let mut state = 11u64;
    let mut next = move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % bound
    };
    for (original, format) in originals {
        let rounds = if original.len() > 1000 { 60 } else { 400 };
        for _ in 0..rounds {
            let mut bytes = original.clone();
            for _ in 0..4 {
                let at = next(bytes.len());
                bytes[at] = next(256) as u8;
            }
            if let Err(error) = read(&bytes, format) {
                assert!(error.to_string().ends_with('.'), "{error}");
            }
        }
    }
}

#[test]
fn each_end_of_the_child_has_its_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.json");
    let ended = |exit| outcome_of_exit(exit, &output).unwrap_err().code();
    assert_eq!(ended(Exit::TimedOut), ExtractCode::TimedOut);
    assert_eq!(ended(Exit::Signal(24)), ExtractCode::TimedOut);
    assert_eq!(ended(Exit::Signal(6)), ExtractCode::OutOfMemory);
    assert_eq!(ended(Exit::Signal(9)), ExtractCode::OutOfMemory);
    assert_eq!(ended(Exit::Signal(11)), ExtractCode::Crashed);
    assert_eq!(ended(Exit::Code(0)), ExtractCode::Crashed);
    std::fs::write(&output, r#"{"error": {"code": "pdf_scanned", "message": "No text."}}"#).unwrap();
    assert_eq!(ended(Exit::Code(0)), ExtractCode::PdfScanned);
    assert_eq!(ended(Exit::Code(3)), ExtractCode::Crashed);
    assert_eq!(ended(Exit::Code(4)), ExtractCode::Unwritable);
    let read = r#"{"ok": {"text": "é", "characters": 1, "pages": [], "code": [], "pieces": []}}"#;
    std::fs::write(&output, read).unwrap();
    let Some(ExtractOutcome::Ok(extracted)) = read_outcome(&output) else {
        panic!("an outcome was written");
    };
    assert_eq!(outcome_of_exit(Exit::Code(0), &output).unwrap(), extracted);
}

#[test]
fn every_code_has_a_sentence_and_one_name() {
    for code in ExtractCode::ALL {
        let error = cerebros_ingest::ExtractError::from(code);
        assert!(
            error.to_string().ends_with('.') && error.to_string().len() > 40,
            "{code}"
        );
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}
