//! From a file to its text.

mod csv;
mod doc;
mod docx;
mod json;
mod pdf;
mod plain;
mod xml;

pub(crate) use plain::looks_encoded;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Format;
use crate::text::TextBuilder;

/// The text of a document. Offsets count characters; see the crate's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extracted {
    pub text: String,
    /// The pages of a PDF, in order; empty for every other format.
    pub pages: Vec<Page>,
}

/// Where a page's text lies. A page without text has `start == end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// From 1.
    pub number: u32,
    pub start: usize,
    pub end: usize,
}

/// What a file may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    pub max_file_bytes: u64,
    /// Characters of extracted text.
    pub max_chars: usize,
    /// Inflated bytes of one part of a DOCX, and what `pdftotext` may write.
    pub max_inflated_bytes: u64,
    /// Levels of nesting in JSON, XML and DOCX.
    pub max_depth: usize,
    /// Wall-clock time of `pdftotext`.
    pub pdf_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_bytes: 512 << 20,
            max_chars: 20_000_000,
            max_inflated_bytes: 256 << 20,
            max_depth: 100,
            pdf_timeout: Duration::from_secs(120),
        }
    }
}

/// Why a file gave no text. `message` is a sentence for the person who uploaded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ExtractError {
    pub code: ExtractCode,
    pub message: String,
}

/// The closed set of reasons; stable, part of the product's wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtractCode {
    FileUnreadable,
    FileTooLarge,
    NoText,
    TextTooLong,
    NotText,
    PdfToolMissing,
    PdfEncrypted,
    PdfDamaged,
    PdfScanned,
    DocxDamaged,
    DocxEncrypted,
    ExpandsTooMuch,
    NestedTooDeep,
    CsvInvalid,
    JsonInvalid,
    XmlInvalid,
    XmlEntities,
    TimedOut,
    OutOfMemory,
    /// The child could not write its result.
    Unwritable,
    Crashed,
}

impl ExtractCode {
    pub const ALL: [Self; 21] = [
        Self::FileUnreadable,
        Self::FileTooLarge,
        Self::NoText,
        Self::TextTooLong,
        Self::NotText,
        Self::PdfToolMissing,
        Self::PdfEncrypted,
        Self::PdfDamaged,
        Self::PdfScanned,
        Self::DocxDamaged,
        Self::DocxEncrypted,
        Self::ExpandsTooMuch,
        Self::NestedTooDeep,
        Self::CsvInvalid,
        Self::JsonInvalid,
        Self::XmlInvalid,
        Self::XmlEntities,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::Unwritable,
        Self::Crashed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FileUnreadable => "file_unreadable",
            Self::FileTooLarge => "file_too_large",
            Self::NoText => "no_text",
            Self::TextTooLong => "text_too_long",
            Self::NotText => "not_text",
            Self::PdfToolMissing => "pdf_tool_missing",
            Self::PdfEncrypted => "pdf_encrypted",
            Self::PdfDamaged => "pdf_damaged",
            Self::PdfScanned => "pdf_scanned",
            Self::DocxDamaged => "docx_damaged",
            Self::DocxEncrypted => "docx_encrypted",
            Self::ExpandsTooMuch => "expands_too_much",
            Self::NestedTooDeep => "nested_too_deep",
            Self::CsvInvalid => "csv_invalid",
            Self::JsonInvalid => "json_invalid",
            Self::XmlInvalid => "xml_invalid",
            Self::XmlEntities => "xml_entities",
            Self::TimedOut => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::Unwritable => "unwritable",
            Self::Crashed => "crashed",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::FileUnreadable => {
                "The stored file could not be read. Try again; if it fails again, upload the file once more."
            }
            Self::FileTooLarge => "This file is too large to read. Split it into smaller files and upload those.",
            Self::NoText => "This file holds no text. Check that you uploaded the right file.",
            Self::TextTooLong => "This document holds too much text. Split it into smaller files and upload those.",
            Self::NotText => {
                "This file is named like a text file but its content is not text. Upload the original document instead."
            }
            Self::PdfToolMissing => {
                "PDF files cannot be read on this server because the program pdftotext is missing. Ask the operator to install the package poppler-utils, then try again."
            }
            Self::PdfEncrypted => {
                "This PDF is protected by a password. Save a copy without the password and upload that."
            }
            Self::PdfDamaged => {
                "This PDF is damaged and cannot be read. Open it in a PDF viewer, print or save it as a new PDF, and upload that."
            }
            Self::PdfScanned => {
                "This PDF holds only pictures of pages, no text. Run it through text recognition (OCR) first, or upload the original document."
            }
            Self::DocxDamaged => {
                "This Word document is damaged and cannot be read. Open it in Word or LibreOffice, save it as DOCX again, and upload that."
            }
            Self::DocxEncrypted => {
                "This Word document is protected by a password. Save a copy without the password and upload that."
            }
            Self::ExpandsTooMuch => {
                "This file unpacks to far more data than a document of its size holds, so it was not read. Save it again from the program that made it, or export it as PDF."
            }
            Self::NestedTooDeep => {
                "This file nests its content too deeply to be read. Upload a flatter export of the data."
            }
            Self::CsvInvalid => "This CSV file cannot be read. Save it again as CSV with UTF-8 encoding.",
            Self::JsonInvalid => {
                "This JSON file is not valid. Check it with the program that made it and export it again."
            }
            Self::XmlInvalid => {
                "This XML file is not well formed. Check it with the program that made it and export it again."
            }
            Self::XmlEntities => {
                "This XML file declares its own entities, which are not read for safety. Export it with the entities replaced by their text."
            }
            Self::TimedOut => {
                "Reading this file took too long and was stopped. Split it into smaller files, or save it again as a simpler PDF."
            }
            Self::OutOfMemory => {
                "Reading this file needed more memory than a document may use, so it was stopped. Split it into smaller files and upload those."
            }
            Self::Unwritable => {
                "The text of this file could not be stored: the server's disk may be full. Ask the operator to free some space, then try again."
            }
            Self::Crashed => {
                "Reading this file failed unexpectedly. Save it again from the program that made it, or upload it in another format such as PDF or TXT."
            }
        }
    }
}

impl std::fmt::Display for ExtractCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<ExtractCode> for ExtractError {
    fn from(code: ExtractCode) -> Self {
        Self::new(code, code.sentence())
    }
}

impl ExtractError {
    pub(crate) fn new(code: ExtractCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn code(&self) -> ExtractCode {
        self.code
    }
}

/// Reads the file at `path`, whose format [`sniff`](crate::sniff) has found.
///
/// Reads hostile input with bounded time and memory where the format allows; what remains (a parser that aborts) is
/// why callers run this in a child process.
pub fn extract(path: &Path, format: Format, limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut out = TextBuilder::new(limits.max_chars);
    match format {
        Format::Pdf => pdf::read(path, limits, &mut out)?,
        Format::Docx => docx::read(path, limits, &mut out)?,
        Format::Doc => doc::read(path, limits, &mut out)?,
        Format::Txt | Format::Md => out.push(&plain::decode(&read_file(path, limits)?)?)?,
        Format::Csv => csv::read(&plain::decode(&read_file(path, limits)?)?, &mut out)?,
        Format::Json => json::read(&plain::decode(&read_file(path, limits)?)?, limits, &mut out)?,
        Format::Xml => xml::read(&xml::decode(&read_file(path, limits)?)?, limits, &mut out)?,
    }
    out.finish()
}

fn read_file(path: &Path, limits: &Limits) -> Result<Vec<u8>, ExtractError> {
    let file = std::fs::File::open(path).map_err(|_| ExtractCode::FileUnreadable)?;
    let mut bytes = Vec::new();
    file.take(limits.max_file_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| ExtractCode::FileUnreadable)?;
    if bytes.len() as u64 > limits.max_file_bytes {
        return Err(ExtractCode::FileTooLarge.into());
    }
    Ok(bytes)
}
