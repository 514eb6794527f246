//! What can be wrong with a row, and what to do about it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::format::Format;

/// One problem of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// From 1.
    pub line: u64,
    /// In characters of the line, from 1; where the JSON itself is broken.
    pub column: Option<u64>,
    /// A JSON pointer into the row, such as `/messages/2/content`; empty for the row itself.
    pub field: String,
    pub code: Code,
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do, in a sentence.
    pub fix: String,
    pub repair: Repair,
}

/// What becomes of the row in a repaired file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// It stays as it is.
    Kept,
    /// It is there as `fix` says, and sound.
    Mended,
    LeftOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The row is left out.
    Error,
    /// The row is taken all the same.
    Warning,
}

/// The closed set of problems; stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    InvalidUtf8,
    ByteOrderMark,
    LineTooLong,
    InvalidJson,
    DuplicateKey,
    NotAnObject,
    MessagesMissing,
    MessagesNotAList,
    MessagesEmpty,
    MessageNotAnObject,
    RoleMissing,
    RoleUnknown,
    RoleOrder,
    UserMissing,
    LastNotAssistant,
    ContentMissing,
    ContentNotText,
    ContentEmpty,
    NotText,
    WeightInvalid,
    NothingToLearn,
    ToolCallsInvalid,
    ToolArgumentsInvalid,
    ToolCallIdMissing,
    ToolCallIdUnknown,
    ToolsInvalid,
    /// Another format than most rows of the file.
    OtherFormat,
    UnknownFormat,
    /// Both answers of a pair are the same.
    SameAnswers,
    /// The file ends within its list.
    ListUnclosed,
    /// Something follows the list, which is not read.
    AfterList,
    Duplicate,
    NearDuplicate,
}

impl Code {
    pub const fn severity(self) -> Severity {
        match self {
            Self::ByteOrderMark | Self::Duplicate | Self::NearDuplicate | Self::ListUnclosed | Self::AfterList => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }
}

/// A finding before its line is known.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) code: Code,
    field: String,
    column: Option<u64>,
    message: Cow<'static, str>,
    fix: Cow<'static, str>,
}

impl Problem {
    pub(super) fn new(
        code: Code,
        field: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
        fix: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            field: field.into(),
            column: None,
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// Points into the row as it came, and calls the member what it is called there.
    pub(super) fn moved(mut self, field: String) -> Self {
        let last = |field: &str| field.rsplit('/').next().unwrap_or_default().to_owned();
        let (from, to) = (last(&self.field), last(&field));
        if from != to && !to.is_empty() && to.parse::<usize>().is_err() {
            let (from, to) = (format!("\"{from}\""), format!("\"{to}\""));
            self.message = self.message.replace(&from, &to).into();
            self.fix = self.fix.replace(&from, &to).into();
        }
        self.field = field;
        self
    }

    pub(super) fn field(&self) -> &str {
        &self.field
    }

    pub(super) fn at(self, line: u64, repair: Repair) -> Finding {
        Finding {
            line,
            column: self.column,
            field: self.field,
            code: self.code,
            severity: self.code.severity(),
            message: self.message.into_owned(),
            fix: self.fix.into_owned(),
            repair,
        }
    }

    pub(super) fn line_too_long(max_bytes: usize) -> Self {
        Self::new(
            Code::LineTooLong,
            "",
            format!("The line is longer than {max_bytes} bytes."),
            "Split the conversation into several shorter rows.",
        )
    }

    pub(super) fn byte_order_mark() -> Self {
        Self::new(
            Code::ByteOrderMark,
            "",
            "The file starts with a byte order mark, which was skipped.",
            "Save the file as UTF-8 without a byte order mark.",
        )
    }

    pub(super) fn duplicate() -> Self {
        Self::new(
            Code::Duplicate,
            "",
            "The row is an exact copy of an earlier one.",
            "Delete it unless it is meant to count twice.",
        )
    }

    /// Of an earlier row, which starts in line `first`.
    pub(super) fn near_duplicate(first: u64) -> Self {
        Self::new(
            Code::NearDuplicate,
            "",
            format!("The row says nearly the same as the one in line {first}."),
            "Compare the two, and delete one unless both are meant.",
        )
    }

    pub(super) fn list_unclosed() -> Self {
        Self::new(
            Code::ListUnclosed,
            "",
            "The file ends before its list does: it may have broken off.",
            "Look whether rows are missing at the end, and close the list with \"]\".",
        )
    }

    pub(super) fn after_list() -> Self {
        Self::new(
            Code::AfterList,
            "",
            "Something follows the end of the list; it was not read.",
            "Put all rows into the one list, or write one row a line without a list.",
        )
    }

    pub(super) fn other_format(found: Format, expected: Format) -> Self {
        Self::new(
            Code::OtherFormat,
            "",
            format!(
                "The row is in the format {}, but most rows of this file are {}.",
                found.title(),
                expected.title()
            ),
            "Upload the rows of each format as a file of their own.",
        )
    }

    /// The row has no member that any format asks for, or none of `expected`.
    pub(super) fn unknown_format(members: &[&str], expected: Format) -> Self {
        let message = match seen(members) {
            Some(seen) => format!("The row has {seen}, but nothing that {} rows have.", expected.title()),
            None => "The row is empty.".to_owned(),
        };
        let fix = format!("Name its members as in {}.", listed(expected.members()));
        Self::new(Code::UnknownFormat, "", message, fix)
    }

    pub(super) fn invalid_utf8(starts_file: bool, content: &[u8], valid_up_to: usize) -> Self {
        let wide = starts_file && (content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff"));
        let message = if wide {
            "The file is encoded as UTF-16, not UTF-8."
        } else {
            "The line holds bytes that are not UTF-8."
        };
        Self {
            column: Some(column(content, valid_up_to)),
            ..Self::new(Code::InvalidUtf8, "", message, "Save the file with UTF-8 encoding.")
        }
    }

    pub(super) fn invalid_json(json: &str, error: &serde_json::Error) -> Self {
        let (code, message) = match error.classify() {
            serde_json::error::Category::Data => (Code::DuplicateKey, "The row names a member twice: "),
            _ => (Code::InvalidJson, "The line is not valid JSON: "),
        };
        let fix = if code == Code::DuplicateKey {
            "Keep one of the two members."
        } else if json.starts_with('[') {
            "Write one JSON object a line, without the list around them."
        } else if error.is_eof() {
            "Write the whole row on one line; JSON Lines has no line breaks inside a row."
        } else {
            "Mend the JSON at this column; quotation marks and line breaks inside a string need a backslash."
        };
        let text = error.to_string();
        // The position goes into `column`; in a file of many lines "line 1" would only mislead.
        let reason = text.split(" at line ").next().unwrap_or_default();
        let at = error.column().saturating_sub(1).min(json.len());
        Self {
            column: Some(column(json.as_bytes(), at)),
            ..Self::new(code, "", format!("{message}{reason}."), fix)
        }
    }
}

/// The column, counted in characters from 1, of the byte at `at`.
fn column(line: &[u8], at: usize) -> u64 {
    let continues = |byte: u8| byte & 0xc0 == 0x80;
    1 + line[..at].iter().filter(|&&byte| !continues(byte)).count() as u64
}

/// Some member names, in a phrase; `None` where there are none.
pub(super) fn seen(members: &[&str]) -> Option<String> {
    const SHOWN: usize = 5;
    let cut = |name: &&str| name.chars().take(40).collect::<String>();
    let some: Vec<String> = members.iter().take(SHOWN).map(cut).collect();
    let some: Vec<&str> = some.iter().map(String::as_str).collect();
    let more = if members.len() > SHOWN { " and others" } else { "" };
    (!some.is_empty()).then(|| format!("{}{more}", listed(&some)))
}

fn listed(members: &[&str]) -> String {
    let quoted: Vec<String> = members.iter().map(|member| format!("\"{member}\"")).collect();
    quoted.join(", ")
}
