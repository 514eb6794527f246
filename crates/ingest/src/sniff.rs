//! What a file is, by its bytes first; the name only tells text formats apart.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use file_format::{FileFormat, Kind};
use serde::{Deserialize, Serialize};

use crate::Format;
use crate::extract::looks_encoded;

/// Why a file is not taken. `message` says what it is and what to upload instead.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SniffError {
    pub code: SniffCode,
    pub message: String,
    /// Set for [`SniffCode::Unreadable`] alone.
    #[source]
    pub source: Option<io::Error>,
}

/// The closed set of reasons; stable, part of the product's wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SniffCode {
    Empty,
    Unsupported,
    Protected,
    NotText,
    Damaged,
    Unreadable,
}

impl SniffCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Unsupported => "unsupported",
            Self::Protected => "protected",
            Self::NotText => "not_text",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
        }
    }
}

impl SniffError {
    fn new(code: SniffCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            source: None,
        }
    }
}

impl From<io::Error> for SniffError {
    fn from(source: io::Error) -> Self {
        Self {
            code: SniffCode::Unreadable,
            message: "The file could not be read on the server. Upload it once more.".into(),
            source: Some(source),
        }
    }
}

const HEAD: u64 = 64 << 10;
const MAX_NAMES: usize = 2_000;
const READABLE: &str = "PDF, DOCX, DOC, TXT, MD, CSV, JSON or XML";

/// As [`sniff`], on the file at `path`; `file_name` is the name that the person gave it.
pub fn sniff_path(path: &Path, file_name: &str) -> Result<Format, SniffError> {
    sniff(&mut File::open(path)?, file_name)
}

/// Finds the format of what `reader` holds. Reads the head, and of a ZIP file the list of names; bounded memory
/// whatever the file says.
pub fn sniff<R: Read + Seek>(reader: &mut R, file_name: &str) -> Result<Format, SniffError> {
    let mut head = Vec::new();
    reader.seek(SeekFrom::Start(0))?;
    reader.by_ref().take(HEAD).read_to_end(&mut head)?;
    if head.iter().all(u8::is_ascii_whitespace) && (head.len() as u64) < HEAD {
        return Err(SniffError::new(
            SniffCode::Empty,
            "This file is empty. Check that you picked the right file and upload it again.",
        ));
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return of_zip(reader);
    }
    if head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) {
        return of_compound(reader, &head);
    }
    if head.starts_with(b"{\\rtf") {
        return Err(unsupported(
            "an RTF document",
            "Save it as DOCX or PDF and upload that.",
        ));
    }
    let is_text = looks_like_text(&head);
    let extension = extension(file_name);
    let pdf_at = head.windows(5).take(1024).position(|window| window == b"%PDF-");
    match pdf_at {
        Some(0) => return Ok(Format::Pdf),
        Some(_) if !is_text || extension == "pdf" => return Ok(Format::Pdf),
        _ => {}
    }
    if !is_text {
        return Err(of_binary(reader, file_name)?);
    }
    of_text(&head, &extension, file_name)
}

fn extension(file_name: &str) -> String {
    Path::new(file_name)
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

fn unsupported(what: &str, instead: &str) -> SniffError {
    SniffError::new(
        SniffCode::Unsupported,
        format!("This file is {what}, which cannot be read. {instead}"),
    )
}

/// A byte order mark, UTF-8 with next to no control characters, or another encoding that its bytes show.
fn looks_like_text(head: &[u8]) -> bool {
    if encoding_rs::Encoding::for_bom(head).is_some() {
        return true;
    }
    let valid_utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        // The head may end inside a character.
        Err(error) => error.error_len().is_none(),
    };
    if valid_utf8 && !head.contains(&0) {
        let is_control = |b: &&u8| **b < 0x20 && !matches!(**b, b'\n' | b'\r' | b'\t' | 0x0c | 0x0b | 0x1b);
        return head.iter().filter(is_control).count() * 50 <= head.len();
    }
    looks_encoded(head)
}

fn of_text(head: &[u8], extension: &str, file_name: &str) -> Result<Format, SniffError> {
    let start = String::from_utf8_lossy(&head[..head.len().min(512)]).into_owned();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    let lower = start.to_lowercase();
    match extension {
        "txt" | "text" | "log" | "" => Ok(Format::Txt),
        "md" | "markdown" => Ok(Format::Md),
        "csv" | "tsv" => Ok(Format::Csv),
        "json" => Ok(Format::Json),
        "xml" if lower.starts_with("<!doctype html") || lower.starts_with("<html") => Err(unsupported(
            "a web page",
            "Print it to PDF, or copy its text into a TXT or DOCX file, and upload that.",
        )),
        "xml" => Ok(Format::Xml),
        "pdf" => Err(SniffError::new(
            SniffCode::Damaged,
            "This file is named PDF but is plain text. Upload the real PDF, or rename it to end in .txt.",
        )),
        "docx" | "doc" => Err(SniffError::new(
            SniffCode::Damaged,
            "This file is named like a Word document but is plain text. Rename it to end in .txt, or upload the real document saved as DOCX.",
        )),
        "htm" | "html" | "xhtml" => Err(unsupported(
            "a web page",
            "Print it to PDF, or copy its text into a TXT or DOCX file, and upload that.",
        )),
        "jsonl" | "ndjson" => Err(unsupported(
            "a JSON Lines file",
            "If it holds chat rows, upload it as a dataset; otherwise rename it to end in .txt.",
        )),
        "svg" => Err(unsupported(
            "an SVG picture",
            "Upload the document that it belongs to as PDF or DOCX.",
        )),
        _ => Err(unsupported(
            &format!("named \"{}\", a kind of text file that is not known", short(file_name)),
            &format!("Upload {READABLE}; plain text may be renamed to end in .txt."),
        )),
    }
}

fn short(file_name: &str) -> String {
    file_name.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn of_zip<R: Read + Seek>(reader: &mut R) -> Result<Format, SniffError> {
    let names = zip_names(reader, MAX_NAMES).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => SniffError::new(
            SniffCode::Damaged,
            "This file is a damaged or incomplete DOCX or ZIP file. Upload it again, or save the document as DOCX once more.",
        ),
        _ => error.into(),
    })?;
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let under = |folder: &str| names.iter().any(|name| name.starts_with(folder));
    if has("word/document.xml") {
        return Ok(Format::Docx);
    }
    Err(if under("xl/") {
        unsupported("an Excel workbook", "Save the sheet as CSV and upload that.")
    } else if under("ppt/") {
        unsupported("a PowerPoint presentation", "Export it as PDF and upload that.")
    } else if has("content.xml") && has("mimetype") {
        unsupported("an OpenDocument file", "Save it as DOCX or PDF and upload that.")
    } else if has("META-INF/container.xml") {
        unsupported("an e-book (EPUB)", "Convert it to PDF and upload that.")
    } else {
        unsupported(
            "a ZIP archive",
            &format!("Unpack it and upload the documents in it one by one ({READABLE})."),
        )
    })
}

/// The names in a ZIP file's central directory, at most `max` of them. An own reader because its memory is bounded
/// before anything in the file is believed.
pub(crate) fn zip_names<R: Read + Seek>(reader: &mut R, max: usize) -> io::Result<Vec<String>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let length = reader.seek(SeekFrom::End(0))?;
    // The end record is 22 bytes and a comment of at most 65,535.
    let tail_from = length.saturating_sub(22 + 65_535);
    reader.seek(SeekFrom::Start(tail_from))?;
    let mut tail = Vec::new();
    reader.by_ref().take(22 + 65_535).read_to_end(&mut tail)?;
    let end = tail
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .and_then(|at| tail.get(at..at + 22))
        .ok_or_else(invalid)?;
    let directory_at = u32::from_le_bytes([end[16], end[17], end[18], end[19]]);
    reader.seek(SeekFrom::Start(u64::from(directory_at)))?;
    let mut directory = BufReader::new(reader);
    let mut names = Vec::new();
    while names.len() < max {
        let mut header = [0; 46];
        match directory.read_exact(&mut header[..4]) {
            Ok(()) if &header[..4] == b"PK\x01\x02" => {}
            Ok(()) => break,
            Err(error) => return Err(error),
        }
        directory.read_exact(&mut header[4..])?;
        let length = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let mut name = vec![0; usize::from(length(28))];
        directory.read_exact(&mut name)?;
        names.push(String::from_utf8_lossy(&name).into_owned());
        let rest = i64::from(length(30)) + i64::from(length(32));
        directory.seek_relative(rest)?;
    }
    Ok(names)
}

/// The container of Word 97, Excel 97, PowerPoint 97, Outlook messages and encrypted OOXML.
fn of_compound<R: Read + Seek>(reader: &mut R, head: &[u8]) -> Result<Format, SniffError> {
    let mut sample = head.to_vec();
    // The stream directory often lies near the end.
    if reader
        .seek(SeekFrom::End(0))
        .and_then(|length| reader.seek(SeekFrom::Start(length.saturating_sub(HEAD))))
        .is_ok()
    {
        let _ = reader.by_ref().take(HEAD).read_to_end(&mut sample);
    }
    let names = |name: &str| {
        let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        sample.windows(wide.len()).any(|window| window == wide)
    };
    if names("EncryptedPackage") {
        return Err(SniffError::new(
            SniffCode::Protected,
            "This document is protected by a password. Save a copy without the password and upload that.",
        ));
    }
    if names("WordDocument") {
        return Ok(Format::Doc);
    }
    Err(if names("Workbook") || names("Book") {
        unsupported("an old Excel workbook (.xls)", "Save the sheet as CSV and upload that.")
    } else if names("PowerPoint Document") {
        unsupported(
            "an old PowerPoint presentation (.ppt)",
            "Export it as PDF and upload that.",
        )
    } else if names("__properties_version1.0") {
        unsupported("an Outlook message", "Save it as PDF or TXT and upload that.")
    } else {
        unsupported(
            "an old Microsoft Office file",
            "Open it, save it as DOCX or PDF, and upload that.",
        )
    })
}

fn of_binary<R: Read + Seek>(reader: &mut R, file_name: &str) -> io::Result<SniffError> {
    reader.seek(SeekFrom::Start(0))?;
    let format = FileFormat::from_reader(BufReader::new(reader))?;
    let what = |kind: &str| format!("{kind} ({})", format.name());
    Ok(match format.kind() {
        Kind::Image => unsupported(
            &what("a picture"),
            "Run it through text recognition (OCR) and upload the result as PDF or TXT.",
        ),
        Kind::Executable => unsupported(&what("a program"), &format!("Upload documents only: {READABLE}.")),
        Kind::Archive | Kind::Compressed | Kind::Package | Kind::Disk => unsupported(
            &what("an archive"),
            &format!("Unpack it and upload the documents in it one by one ({READABLE})."),
        ),
        Kind::Audio | Kind::Video => unsupported(&what("a recording"), "Upload a transcript of it as TXT or DOCX."),
        Kind::Spreadsheet => unsupported(&what("a spreadsheet"), "Save it as CSV and upload that."),
        Kind::Presentation => unsupported(&what("a presentation"), "Export it as PDF and upload that."),
        Kind::Document | Kind::Ebook => unsupported(
            &what("a document of another kind"),
            "Save it as DOCX or PDF and upload that.",
        ),
        _ if format == FileFormat::ArbitraryBinaryData
            || matches!(extension(file_name).as_str(), "txt" | "md" | "csv" | "json" | "xml") =>
        {
            SniffError::new(
                SniffCode::NotText,
                format!(
                    "\"{}\" holds binary data, not a document. Upload {READABLE}.",
                    short(file_name)
                ),
            )
        }
        _ => unsupported(
            &format!("of the kind {}", format.name()),
            &format!("Upload {READABLE}."),
        ),
    })
}
