//! MB/s of full validation on one core, beside `serde_json::Value` parsing the same lines. Median of five.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use cerebros_datasets::format::{Form, Format, Layout};
use cerebros_datasets::{Options, validate};

const TARGET_BYTES: usize = 100 << 20;
const RUNS: usize = 5;

fn main() {
    let data = generate();
    let megabytes = data.len() as f64 / 1e6;
    let rows = data.iter().filter(|&&byte| byte == b'\n').count();
    let options = Options::new(Form {
        format: Format::Chat,
        layout: Layout::Lines,
    });
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    // In turns, so that a change of the machine's speed meets both.
    for _ in 0..RUNS {
        let start = Instant::now();
        let report = validate(
            data.as_slice(),
            &options,
            &|text| text.len().div_ceil(4),
            |row| {
                black_box(row);
            },
            |finding| {
                black_box(finding);
            },
        );
        ours.push(megabytes / start.elapsed().as_secs_f64());
        let accepted = report.map_or(0, |report| report.accepted);
        assert_eq!(accepted, rows as u64, "every generated row is valid");

        let start = Instant::now();
        for line in data.split(|&byte| byte == b'\n') {
            black_box(serde_json::from_slice::<serde_json::Value>(line).ok());
        }
        peer.push(megabytes / start.elapsed().as_secs_f64());
    }
    let (ours, peer) = (median(ours), median(peer));
    println!("rows                      {rows}, {megabytes:.0} MB");
    println!("full validation           {ours:.0} MB/s");
    println!("serde_json::Value, parse  {peer:.0} MB/s");
    println!("ratio                     {:.2}", ours / peer);
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
