//! How fast documents are read: MB/s of chunking beside a bare cut at blank lines, pages/s of PDF in a confined child
//! beside plain `pdftotext`. `PDFS=DIRECTORY` takes the PDF files there instead of a small and a made one.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use cerebros_ingest::child::{ExtractOutcome, extract_main, read_outcome};
use cerebros_ingest::{ChunkOptions, Format, Tokens, chunk, tokens};

const RUNS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|argument| argument == "extract") {
        return extract_main(Path::new(&arguments[2]), Format::Pdf, Path::new(&arguments[3]));
    }
    chunking();
    match extraction() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("the PDF files could not be read: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn report(line: &str) {
    use std::io::Write;
    let written = writeln!(std::io::stdout(), "{line}");
    debug_assert!(written.is_ok(), "standard output takes a line");
}

/// Seconds that the middle one of some runs took.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

fn chunking() {
    let mut text = String::new();
    for section in 0..8_000 {
        let _infallible = write!(
            text,
            "## Section {section}\n\nA paragraph of some words, which say little; but they fill a line or two, as words do. \
             It has more sentences than one. This is the third.\n\n- first item of the list\n- second item\n- third item\n\n\
             name | size\nalpha | {section}\nbeta | {section}\n\nAnother paragraph stands here, below the table, and says that \
             the section is over.\n\n"
        );
    }
    let size = text.len() as f64 / 1e6;
    let options = ChunkOptions::default();
    let ours = size / median(|| assert!(!chunk(&text, &[], &options).is_empty()));
    let bare = size / median(|| assert!(!bare_cut(&text, options.max_chars).is_empty()));
    let counting = size / median(|| assert!(tokens(&text) > 0));
    report(&format!(
        "chunking {ours:.0} MB/s; a bare cut at blank lines {bare:.0} MB/s, ratio {:.2}; counting tokens {counting:.0} MB/s",
        ours / bare
    ));
}

/// Paragraphs put together up to a length, without structure, overlap or places.
fn bare_cut(text: &str, max: usize) -> Vec<String> {
    let mut chunks = Vec::new();
    let (mut current, mut length) = (String::new(), 0);
    for paragraph in text.split("\n\n") {
        let chars = paragraph.chars().count() + 2;
        if length + chars > max {
            chunks.push(std::mem::take(&mut current));
            length = 0;
        }
        current.push_str(paragraph);
        current.push_str("\n\n");
        length += chars;
    }
    chunks.push(current);
    chunks
}

fn extraction() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    if let Some(given) = std::env::var_os("PDFS") {
        let entries = std::fs::read_dir(given)?.collect::<Result<Vec<_>, _>>()?;
        let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|name| name == "pdf"));
        return read("given", &files, folder.path());
    }
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/remote-work-policy.pdf");
    read("printed", &[PathBuf::from(fixture)], folder.path())?;
    let made = folder.path().join("made.pdf");
    std::fs::write(&made, made_pdf(300))?;
    read(
        "made (dense text in a built-in font, the worst case for word boxes)",
        &[made],
        folder.path(),
    )
}

fn read(kind: &str, files: &[PathBuf], folder: &Path) -> std::io::Result<()> {
    let output = folder.join("outcome.json");
    let program = std::env::current_exe()?;
    let pages: usize = files.iter().map(|file| pages_of(file)).sum();
    let run = |command: &mut Command| {
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.is_ok(), "the program runs");
    };
    let ours = median(|| {
        for file in files {
            run(Command::new(&program).arg("extract").arg(file).arg(&output));
            let Some(ExtractOutcome::Ok(reading)) = read_outcome(&output) else {
                continue;
            };
            assert!(
                reading
                    .tokens
                    .unwrap_or_else(|| Tokens::of(&reading.text, &reading.pieces))
                    .whole
                    > 0
            );
        }
    });
    let peer = median(|| {
        for file in files {
            run(Command::new("pdftotext").arg(file).arg("-"));
        }
    });
    let (ours, peer) = (pages as f64 / ours, pages as f64 / peer);
    report(&format!(
        "{kind}: {} files of {pages} pages: {ours:.0} pages/s in a confined child, with chunks and tokens; plain pdftotext {peer:.0} \
         pages/s, ratio {:.2}",
        files.len(),
        ours / peer
    ));
    Ok(())
}

fn pages_of(file: &Path) -> usize {
    let info = Command::new("pdfinfo").arg(file).output();
    let info = info
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("Pages:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(1)
}

/// Pages of prose.
fn made_pdf(pages: usize) -> Vec<u8> {
    let kids: Vec<String> = (0..pages).map(|at| format!("{} 0 R", 4 + at * 2)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {pages} >>", kids.join(" ")),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    for page in 0..pages {
        let mut content = "BT /F 11 Tf 14 TL 72 760 Td".to_owned();
        for line in 0..48 {
            let _infallible = write!(
                content,
                " (Page {page}, line {line}: words that fill it, and some more of them up to its end.) Tj T*"
            );
        }
        content.push_str(" ET");
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 3 0 R >> >> /Contents {} 0 R >>",
            5 + page * 2
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in (1..).zip(&objects) {
        let _infallible = writeln!(table, "{:010} 00000 n ", file.len());
        file.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
    }
    let start = file.len();
    let size = objects.len() + 1;
    file.extend(format!("{table}trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").bytes());
    file
}
