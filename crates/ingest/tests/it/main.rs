//! One binary for the crate's tests on files, documents and generated text.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod chunking;
mod confined;
mod examples;
mod extraction;
mod hostile;
mod sniffing;
mod structure;
mod word;

use std::io::Write;
use std::path::{Path, PathBuf};

use cerebros_ingest::{ExtractCode, Extracted, Format, Limits, extract};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What `extract` makes of a file with these bytes.
fn read(bytes: &[u8], format: Format) -> Result<Extracted, cerebros_ingest::ExtractError> {
    read_within(bytes, format, &Limits::default())
}

fn read_within(bytes: &[u8], format: Format, limits: &Limits) -> Result<Extracted, cerebros_ingest::ExtractError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    extract(file.path(), format, limits)
}

fn code(bytes: &[u8], format: Format) -> ExtractCode {
    read(bytes, format).unwrap_err().code()
}

/// A ZIP file with these parts, deflated.
fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in parts {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A DOCX whose body holds this XML.
fn docx(body: &str) -> Vec<u8> {
    let document = format!("<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", document.as_bytes()),
    ])
}
