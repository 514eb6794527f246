//! The extraction child as a real process: this test binary runs itself.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use cerebros_ingest::child::{Exit, extract_main, outcome_of_exit};
use cerebros_ingest::{ExtractCode, Format};

use crate::{docx, fixture};

const INPUT: &str = "EXTRACT_TEST_INPUT";

/// Does nothing in a normal run; it is what [`start`] runs.
#[test]
fn child_entry() {
    let Some(input) = std::env::var_os(INPUT) else {
        return;
    };
    let format: Format = std::env::var("EXTRACT_TEST_FORMAT").unwrap().parse().unwrap();
    let output = std::env::var_os("EXTRACT_TEST_OUTPUT").unwrap();
    let code = extract_main(Path::new(&input), format, Path::new(&output));
    let failed = code != std::process::ExitCode::SUCCESS;
    std::process::exit(i32::from(failed));
}

fn start(input: &Path, format: Format, output: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "confined::child_entry", "--nocapture"])
        .env(INPUT, input)
        .env("EXTRACT_TEST_FORMAT", format.as_str())
        .env("EXTRACT_TEST_OUTPUT", output)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits with standard input held open, as a living parent does.
fn end(mut child: Child) -> Exit {
    let leash = child.stdin.take();
    let exit = Exit::from(child.wait().unwrap());
    drop(leash);
    exit
}

#[test]
fn text_and_errors_come_back_through_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("policy.json");
    let exit = end(start(&fixture("remote-work-policy.pdf"), Format::Pdf, &output));
    let extracted = outcome_of_exit(exit, &output).unwrap();
    assert!(extracted.text.starts_with("# Remote Work Policy"));
    assert_eq!(extracted.pages.len(), 3);

    let input = folder.path().join("empty.docx");
    std::fs::write(&input, docx("<w:p/>")).unwrap();
    let output = folder.path().join("empty.json");
    let exit = end(start(&input, Format::Docx, &output));
    assert_eq!(exit, Exit::Code(0));
    assert_eq!(outcome_of_exit(exit, &output).unwrap_err().code(), ExtractCode::NoText);
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        names.iter().all(|name| !name.to_string_lossy().contains("partial")),
        "{names:?}"
    );
}

#[test]
fn memory_is_limited() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("huge.txt");
    // UTF-16 on paper, a hole on the disk: decoded it would not fit.
    std::fs::write(&input, [0xff, 0xfe]).unwrap();
    std::fs::File::options()
        .write(true)
        .open(&input)
        .unwrap()
        .set_len(500 << 20)
        .unwrap();
    let output = folder.path().join("huge.json");
    let exit = end(start(&input, Format::Txt, &output));
    let code = outcome_of_exit(exit, &output).unwrap_err().code();
    assert_eq!(code, ExtractCode::OutOfMemory, "{exit:?}");
}

#[test]
fn the_child_dies_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    // A named pipe without a writer: reading it would take for ever.
    let input = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&input).status().unwrap();
    assert!(made.success());
    let output = folder.path().join("out.json");
    let mut child = start(&input, Format::Txt, &output);
    drop(child.stdin.take());
    assert_eq!(Exit::from(child.wait().unwrap()), Exit::Signal(9));
    assert!(!output.exists());
}
