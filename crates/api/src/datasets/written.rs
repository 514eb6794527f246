//! What is written of a dataset while it is sent: its rows in a format, all findings, the repaired file. Each reads the
//! file anew, one row in memory.

use super::{
    forms::{form_of, format, layout, split_of},
    stop::Stoppable,
    validation::wire_finding,
};
use crate::{
    download::{self, Output},
    error::{AppError, AppResult},
    state::App,
    storage::{Local, Writer},
};
use actix_web::web;
use cerebros_common::{
    datasets::{Dataset, DatasetExport, DatasetLayout, DatasetPart, DatasetStatus, ReportFormat},
    ids::DatasetId,
};
use cerebros_datasets::{
    AcceptedRow, Finding, Options, Report, Split,
    format::{Form, Format, Layout, from_canonical},
    validate,
};
use cerebros_db::{self as db, Scope};
use serde_json::{Map, Value};
use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, Write},
};
use tokio::{sync::OwnedSemaphorePermit, task};

/// How many are written at once: each holds a thread.
pub const AT_ONCE: usize = 8;
const RETRY_AFTER_S: u32 = 10;
const COLUMNS: [&str; 7] = ["line", "field", "code", "severity", "message", "fix", "repair"];

/// A validated dataset whose file is at hand.
pub(super) struct Opened {
    pub(super) dataset: Dataset,
    pub(super) form: Form,
    file: Local,
    /// Given back when the last byte is written.
    _permit: OwnedSemaphorePermit,
}

pub(super) async fn open(app: &App, scope: &Scope, id: DatasetId) -> AppResult<Opened> {
    let located = db::datasets::find_with_content(scope, &app.db, id).await?;
    if matches!(
        located.dataset.status,
        DatasetStatus::Uploading | DatasetStatus::Validating
    ) {
        return Err(AppError::conflict(
            "This dataset is still being validated. Wait for its end.",
        ));
    }
    let busy = |_| {
        AppError::unavailable(
            "Other datasets are being written. Try again in a moment.",
            RETRY_AFTER_S,
        )
    };
    let permit = app.written.clone().try_acquire_owned().map_err(busy)?;
    let file = app.storage.local(&located.blob_key).await.map_err(AppError::internal)?;
    Ok(Opened {
        form: form_of(&located.dataset),
        dataset: located.dataset,
        file,
        _permit: permit,
    })
}

/// The accepted rows in a format.
///
/// # Errors
/// 409 for a format of another kind of rows, for a part before parts were chosen, and for one that cannot say all, unless such rows may be left out.
pub async fn rows(app: &App, scope: &Scope, id: DatasetId, query: &DatasetExport) -> AppResult {
    let opened = open(app, scope, id).await?;
    let form = opened.form;
    let target = Form {
        format: query.format.map_or(form.format, format),
        layout: query.layout.map_or(Layout::Lines, layout),
    };
    require_kind(form.format, target.format)?;
    let part = part_of(&opened, query.part)?;
    let opened = match query.leave_out || target.format == form.format {
        true => opened,
        false => {
            let counted = part.clone();
            let counting = web::block(move || (count_unsayable(&opened, counted, target.format), opened));
            let (unsayable, opened) = counting.await.map_err(AppError::internal)?;
            refuse_unsayable(unsayable.map_err(AppError::internal)?, target.format)?;
            opened
        }
    };
    let (media_type, extension) = media_type(target.layout);
    let what = match query.part {
        None => "",
        Some(DatasetPart::Train) => " train",
        Some(DatasetPart::Validation) => " validation",
    };
    let name = file_name(&opened.dataset, what, extension);
    Ok(download::written(media_type, &name, move |out| {
        let mut rows = RowWriter::new(out, target.layout);
        let mut part = part;
        read(
            &opened,
            &Options::new(form),
            |row| match part
                .has_next()
                .then(|| written(&row, form.format, target.format))
                .flatten()
            {
                Some(row) => rows.write(row.as_bytes()),
                None => Ok(()),
            },
            |_| Ok(()),
        )?;
        rows.end()
    }))
}

/// Which of the accepted rows are meant.
#[derive(Clone)]
enum Part {
    All,
    One { split: Split, validation: bool },
}

impl Part {
    fn has_next(&mut self) -> bool {
        match self {
            Self::All => true,
            Self::One { split, validation } => split.keeps_next() == *validation,
        }
    }
}

fn part_of(opened: &Opened, part: Option<DatasetPart>) -> AppResult<Part> {
    let Some(part) = part else { return Ok(Part::All) };
    if opened.dataset.split.is_none() {
        let detail = "Which rows of this dataset are kept out of training was not chosen yet.";
        return Err(AppError::conflict(detail));
    }
    Ok(Part::One {
        split: split_of(&opened.dataset),
        validation: part == DatasetPart::Validation,
    })
}

pub(super) fn require_kind(from: Format, to: Format) -> AppResult<()> {
    if from.kind() == to.kind() {
        return Ok(());
    }
    Err(AppError::conflict(format!(
        "The rows are {}: they cannot be written as {}.",
        from.title(),
        to.title()
    )))
}

/// How many rows a format cannot say in full, and the line of the first.
fn count_unsayable(opened: &Opened, mut part: Part, target: Format) -> io::Result<(u64, u64)> {
    let (mut count, mut first) = (0, 0);
    let count_row = |row: AcceptedRow<'_>| {
        if part.has_next() && written(&row, opened.form.format, target).is_none() {
            count += 1;
            if first == 0 {
                first = row.line;
            }
        }
        Ok(())
    };
    read(opened, &Options::new(opened.form), count_row, |_| Ok(()))?;
    Ok((count, first))
}

fn refuse_unsayable((count, first): (u64, u64), target: Format) -> AppResult<()> {
    if count == 0 {
        return Ok(());
    }
    let rows = if count == 1 { "row says" } else { "rows say" };
    Err(AppError::conflict(format!(
        "{count} {rows} more than {} can hold, such as tool calls or weights; the first is in line {first}. Choose another \
         format, or leave such rows out.",
        target.title()
    )))
}

/// A row as one line of JSON; `None` where the format cannot say it in full.
pub(super) fn written(row: &AcceptedRow<'_>, from: Format, target: Format) -> Option<String> {
    let object = |json: &[u8]| serde_json::from_slice::<Map<String, Value>>(json).ok();
    let found = match from == target {
        true => object(row.source)?,
        false => from_canonical(from.kind(), object(row.json)?, target)?,
    };
    Some(Value::Object(found).to_string())
}

/// All findings, not only those that are stored.
pub async fn report(app: &App, scope: &Scope, id: DatasetId, format: ReportFormat) -> AppResult {
    let opened = open(app, scope, id).await?;
    let (media_type, extension) = match format {
        ReportFormat::Jsonl => ("application/jsonl", "jsonl"),
        ReportFormat::Csv => ("text/csv; charset=utf-8", "csv"),
    };
    let name = file_name(&opened.dataset, " findings", extension);
    Ok(download::written(media_type, &name, move |out| {
        let out = RefCell::new(out);
        if format == ReportFormat::Csv {
            writeln!(out.borrow_mut(), "{}", COLUMNS.join(","))?;
        }
        let options = Options {
            near: true,
            ..Options::new(opened.form)
        };
        read(
            &opened,
            &options,
            |_| Ok(()),
            |finding| write_finding(&mut *out.borrow_mut(), finding, format),
        )?;
        Ok(())
    }))
}

fn write_finding(out: &mut impl Write, finding: Finding, format: ReportFormat) -> io::Result<()> {
    let finding = wire_finding(finding);
    match format {
        ReportFormat::Jsonl => {
            serde_json::to_writer(&mut *out, &finding)?;
        }
        ReportFormat::Csv => {
            let members = serde_json::to_value(&finding)?;
            let cell = |column: &&str| match &members[*column] {
                Value::String(text) => quoted(text),
                other => other.to_string(),
            };
            let cells: Vec<String> = COLUMNS.iter().map(cell).collect();
            out.write_all(cells.join(",").as_bytes())?;
        }
    }
    out.write_all(b"\n")
}

/// RFC 4180. What a spreadsheet would take for a formula begins with an apostrophe.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// The file with its rows mended where that is possible and left out where not.
pub async fn repaired(app: &App, scope: &Scope, id: DatasetId) -> AppResult {
    let opened = open(app, scope, id).await?;
    let (media_type, extension) = media_type(opened.form.layout);
    let name = file_name(&opened.dataset, " repaired", extension);
    Ok(download::written(media_type, &name, move |out| {
        write_repaired(&opened, out)
    }))
}

/// What is written, in the store instead of an answer.
pub(super) async fn stored(
    app: &App,
    write: impl FnOnce(&mut Output) -> io::Result<()> + Send + 'static,
) -> AppResult<Writer> {
    let mut writer = app.storage.create().await.map_err(AppError::io)?;
    let (mut out, mut pieces) = Output::pair();
    let writing = task::spawn_blocking(move || write(&mut out).and_then(|()| out.flush()));
    while let Some(piece) = pieces.recv().await {
        writer
            .write(&piece.map_err(AppError::io)?)
            .await
            .map_err(AppError::io)?;
    }
    writing.await.map_err(AppError::internal)?.map_err(AppError::io)?;
    Ok(writer)
}

pub(super) fn write_repaired(opened: &Opened, out: &mut impl Write) -> io::Result<()> {
    let mut rows = RowWriter::new(out, opened.form.layout);
    let options = Options {
        mend: true,
        ..Options::new(opened.form)
    };
    read(opened, &options, |row| rows.write(row.source), |_| Ok(()))?;
    rows.end()
}

fn media_type(layout: Layout) -> (&'static str, &'static str) {
    match layout {
        Layout::Lines => ("application/jsonl", "jsonl"),
        Layout::List => ("application/json", "json"),
    }
}

fn file_name(dataset: &Dataset, what: &str, extension: &str) -> String {
    let own = match dataset.layout {
        Some(DatasetLayout::List) => ".json",
        _ => ".jsonl",
    };
    let stem = dataset.name.strip_suffix(own).unwrap_or(&dataset.name);
    format!("{stem}{what}.{extension}")
}

/// Reads the file until its end or the first error of what is done with a row or finding.
pub(super) fn read(
    opened: &Opened,
    options: &Options,
    mut on_row: impl FnMut(AcceptedRow<'_>) -> io::Result<()>,
    mut on_finding: impl FnMut(Finding) -> io::Result<()>,
) -> io::Result<Report> {
    let stop = Cell::new(false);
    let result = RefCell::new(Ok(()));
    let note = |done: io::Result<()>| {
        if done.is_err() && !stop.replace(true) {
            *result.borrow_mut() = done;
        }
    };
    let reader = Stoppable {
        file: File::open(opened.file.path())?,
        stop: &stop,
    };
    let report = validate(
        reader,
        options,
        // As the report counts.
        Some(&str::len),
        |row| {
            if !stop.get() {
                note(on_row(row));
            }
        },
        |finding| {
            if !stop.get() {
                note(on_finding(finding));
            }
        },
    )?;
    result.into_inner()?;
    Ok(report)
}

/// Reads until `on_row` wants no more; tells whether it came to that.
pub(super) fn read_until(
    opened: &Opened,
    options: &Options,
    mut on_row: impl FnMut(AcceptedRow<'_>) -> io::Result<bool>,
) -> io::Result<bool> {
    let enough = || io::Error::other("enough");
    let mut ended = false;
    let on_row = |row: AcceptedRow<'_>| {
        ended = !on_row(row)?;
        if ended { Err(enough()) } else { Ok(()) }
    };
    match read(opened, options, on_row, |_| Ok(())) {
        Err(_) if ended => Ok(true),
        read => read.map(|_| false),
    }
}

/// Writes rows as lines, or as one list.
pub(super) struct RowWriter<'a, W> {
    out: &'a mut W,
    layout: Layout,
    empty: bool,
}

impl<'a, W: Write> RowWriter<'a, W> {
    pub(super) fn new(out: &'a mut W, layout: Layout) -> Self {
        Self {
            out,
            layout,
            empty: true,
        }
    }

    pub(super) fn write(&mut self, row: &[u8]) -> io::Result<()> {
        let before: &[u8] = match (self.layout, self.empty) {
            (Layout::Lines, true) => b"",
            (Layout::Lines, false) => b"\n",
            (Layout::List, true) => b"[\n",
            (Layout::List, false) => b",\n",
        };
        self.empty = false;
        self.out.write_all(before)?;
        self.out.write_all(row)
    }

    pub(super) fn end(self) -> io::Result<()> {
        self.out.write_all(match (self.layout, self.empty) {
            (Layout::Lines, true) => b"",
            (Layout::Lines, false) => b"\n",
            (Layout::List, true) => b"[]\n",
            (Layout::List, false) => b"\n]\n",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_cell_stays_one_and_is_no_formula() {
        assert_eq!(quoted("a \"b\",\nc"), "\"a \"\"b\"\",\nc\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
