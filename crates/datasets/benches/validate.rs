//! `just bench validate`: 500 MB of chat rows read from a file. MB/s of CPU time of the structural pass with its peak of memory, of
//! the same on all cores, and of the search for near duplicates, beside pydantic, msgspec and Hugging Face's `datasets`; and of the
//! token pass beside `tokenizers`. Median of five; the search, the tokens and the peers once.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use cerebros_datasets::format::{Form, Format, Layout};
use cerebros_datasets::{Options, validate};

const TARGET_BYTES: u64 = 500_000_000;
const RUNS: usize = 5;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, path] = arguments.as_slice() {
        return measure(mode, Path::new(path));
    }
    let directory = std::env::temp_dir().join(format!("cerebros-bench-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let done = compare(&directory.join("rows.jsonl"));
    fs::remove_dir_all(&directory)?;
    done
}

fn compare(path: &Path) -> io::Result<()> {
    let rows = generate(path)?;
    println!(
        "rows                {rows}, {:.0} MB",
        fs::metadata(path)?.len() as f64 / 1e6
    );
    for mode in ["structure", "parallel", "near"] {
        // A process of its own, so that its memory is known.
        let told = Command::new(std::env::current_exe()?)
            .args([mode.as_ref(), path.as_os_str()])
            .output()?;
        print!("{}", String::from_utf8_lossy(&told.stdout));
    }
    let peers = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers.py");
    let told = Command::new("python3")
        .args([peers.as_ref(), path.as_os_str()])
        .output()?;
    println!("peers, MB/s of CPU  {}", String::from_utf8_lossy(&told.stdout).trim());
    // The trainer knows tokenizers; `just bench validate` builds it.
    let Some(trainer) = std::env::var_os("CEREBROS_TRAINER") else {
        println!("tokens              not counted: CEREBROS_TRAINER names no built trainer");
        return Ok(());
    };
    let tokens = concat!(env!("CARGO_MANIFEST_DIR"), "/../trainer/benches/tokens.py");
    let told = Command::new("python3")
        .args([tokens.as_ref(), trainer.as_os_str(), path.as_os_str()])
        .status()?;
    if told.success() {
        Ok(())
    } else {
        Err(io::Error::other("the tokens could not be compared"))
    }
}

fn measure(mode: &str, path: &Path) -> io::Result<()> {
    let options = Options {
        near: mode == "near",
        threads: match mode {
            "structure" => 1,
            _ => std::thread::available_parallelism().map_or(1, usize::from),
        },
        ..Options::new(Form {
            format: Format::Chat,
            layout: Layout::Lines,
        })
    };
    let megabytes = fs::metadata(path)?.len() as f64 / 1e6;
    let (mut wall, mut cpu, mut rows) = (Vec::new(), Vec::new(), 0);
    for _ in 0..if options.near { 1 } else { RUNS } {
        let (start, before) = (Instant::now(), cpu_seconds()?);
        let report = validate(File::open(path)?, &options, None, |_| {}, |_| {})?;
        wall.push(megabytes / start.elapsed().as_secs_f64());
        cpu.push(megabytes / (cpu_seconds()? - before));
        assert_eq!(report.rejected, 0, "every generated row is sound");
        rows = report.accepted;
    }
    let (wall, cpu) = (median(wall), median(cpu));
    let beyond = peak_bytes()? as f64 - 8.0 * rows as f64;
    println!(
        "{mode:<19} {cpu:.0} MB/s of CPU, {wall:.0} MB/s of time on {} threads, {:.1} MB of memory and 8 bytes a line",
        options.threads,
        beyond / 1e6
    );
    Ok(())
}

/// That this process has taken so far; those of threads that ended included.
fn cpu_seconds() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / 100.0)
}

/// Resident memory at its peak.
fn peak_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    Ok(kilobytes.unwrap_or_default() * 1024)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Rows of one to four turns with some escapes and some multi-byte text, from a counter: the same in every run.
fn generate(path: &Path) -> io::Result<u64> {
    let mut out = BufWriter::new(File::create(path)?);
    const SENTENCES: [&str; 6] = [
        "The remote work allowance is 45 euros a month and is paid with the salary.",
        "Receipts must be submitted in the expense system within 90 days.",
        "She said \\\"send it before noon\\\" and then left the building.\\n",
        "Die Größe des Geräts beträgt 12 cm, das Gewicht 340 g.",
        "Customer data may not be stored on private devices or printed at home.",
        "リモートワークは週三日まで認められます。",
    ];
    let mut data = Vec::new();
    let mut written = 0;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let mut row = 0u64;
    while written < TARGET_BYTES {
        row += 1;
        data.clear();
        data.extend_from_slice(br#"{"messages":[{"role":"system","content":"You answer from the handbook."}"#);
        for turn in 0..=next(4) {
            for (role, sentences) in [("user", 1 + next(2)), ("assistant", 2 + next(12))] {
                data.extend_from_slice(format!(r#",{{"role":"{role}","content":"{row}.{turn} "#).as_bytes());
                for _ in 0..sentences {
                    data.extend_from_slice(SENTENCES[next(6) as usize].as_bytes());
                    data.push(b' ');
                }
                data.extend_from_slice(br#""}"#);
            }
        }
        data.extend_from_slice(b"]}\n");
        written += data.len() as u64;
        out.write_all(&data)?;
    }
    out.flush()?;
    Ok(row)
}
