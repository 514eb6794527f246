//! MB/s of validation on one core, its structure alone and with tokens counted, beside `serde_json::Value` parsing the
//! same lines. Median of five.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::io::BufReader;
use std::time::Instant;

use cerebros_datasets::format::{Form, Format, Layout};
use cerebros_datasets::{Options, validate};

const TARGET_BYTES: usize = 500_000_000;
const RUNS: usize = 5;

fn main() {
    let data = generate();
    let megabytes = data.len() as f64 / 1e6;
    let rows = data.iter().filter(|&&byte| byte == b'\n').count();
    let (mut structure, mut full, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    // In turns, so that a change of the machine's speed meets all.
    for _ in 0..RUNS {
        structure.push(megabytes / ours(&data, rows, None));
        full.push(megabytes / ours(&data, rows, Some(&|text| text.len().div_ceil(4))));
        let start = Instant::now();
        for line in data.split(|&byte| byte == b'\n') {
            black_box(serde_json::from_slice::<serde_json::Value>(line).ok());
        }
        peer.push(megabytes / start.elapsed().as_secs_f64());
    }
    let (structure, full, peer) = (median(structure), median(full), median(peer));
    println!("rows                      {rows}, {megabytes:.0} MB");
    println!("structure                 {structure:.0} MB/s");
    println!("with tokens               {full:.0} MB/s");
    println!("serde_json::Value, parse  {peer:.0} MB/s");
    println!("ratio                     {:.2}", structure / peer);
}

/// Seconds to read through a buffered reader, as from a file.
fn ours(data: &[u8], rows: usize, count_tokens: Option<&dyn Fn(&str) -> usize>) -> f64 {
    let options = Options::new(Form {
        format: Format::Chat,
        layout: Layout::Lines,
    });
    let start = Instant::now();
    let report = validate(
        BufReader::with_capacity(256 * 1024, data),
        &options,
        count_tokens,
        |row| {
            black_box(row);
        },
        |finding| {
            black_box(finding);
        },
    );
    let seconds = start.elapsed().as_secs_f64();
    let accepted = report.map_or(0, |report| report.accepted);
    assert_eq!(accepted, rows as u64, "every generated row is valid");
    seconds
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Rows of one to four turns with some escapes and some multi-byte text, from a counter: the same in every run.
fn generate() -> Vec<u8> {
    const SENTENCES: [&str; 6] = [
        "The remote work allowance is 45 euros a month and is paid with the salary.",
        "Receipts must be submitted in the expense system within 90 days.",
        "She said \\\"send it before noon\\\" and then left the building.\\n",
        "Die Größe des Geräts beträgt 12 cm, das Gewicht 340 g.",
        "Customer data may not be stored on private devices or printed at home.",
        "リモートワークは週三日まで認められます。",
    ];
    let mut data = Vec::with_capacity(TARGET_BYTES + 4096);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % bound
    };
    let mut row = 0u64;
    while data.len() < TARGET_BYTES {
        row += 1;
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
    }
    data
}
