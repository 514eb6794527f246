//! Running the built binary and reading its event lines.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use candle_core::{Device, Tensor};
use cerebros_trainer::protocol::{Event, EventLine, JobSpec, Method, Parameters, VERSION};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_cerebros-trainer");

/// A running trainer. Its stdin stays open until it is dropped.
pub struct Trainer {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Trainer {
    pub fn start(job_dir: &Path) -> Self {
        let mut child = Command::new(BINARY)
            .arg("train")
            .arg(job_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, stdin, lines }
    }

    pub fn next(&mut self) -> Option<Event> {
        let line: EventLine = serde_json::from_str(&self.lines.next()?.unwrap()).unwrap();
        assert_eq!(line.v, VERSION);
        Some(line.event)
    }

    /// Reads on until an event that `wanted` accepts; its events so far.
    pub fn read_until(&mut self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next() {
            let found = wanted(&event);
            events.push(event);
            if found {
                return events;
            }
        }
        panic!("the trainer ended before: {events:?}");
    }

    /// The rest of its events and its exit code.
    pub fn finish(mut self) -> (Vec<Event>, i32) {
        let mut events = Vec::new();
        while let Some(event) = self.next() {
            events.push(event);
        }
        let code = self.child.wait().unwrap().code().unwrap();
        (events, code)
    }
}

pub fn run(job_dir: &Path) -> (Vec<Event>, i32) {
    Trainer::start(job_dir).finish()
}

/// A job directory over the tiny base.
pub struct Job {
    root: TempDir,
}

impl Job {
    /// A job on `rows` small conversations.
    pub fn new(parameters: Parameters, rows: usize) -> Self {
        let row = |index: usize| {
            let said = |role, content: String| serde_json::json!({ "role": role, "content": content });
            let question = said("user", format!("What about month {index}?"));
            let grown = index * 7 % 10;
            let answer = said(
                "assistant",
                format!("The report of month {index} says that sales grew by {grown} percent."),
            );
            let row = match parameters.method {
                Method::Supervised => serde_json::json!({ "messages": [question, answer] }),
                Method::Text => serde_json::json!({ "text": format!("The report of month {index}.") }),
                Method::Dpo => {
                    let worse = said("assistant", format!("Who knows what month {index} was like."));
                    serde_json::json!({ "prompt": [question], "chosen": [answer], "rejected": [worse] })
                }
            };
            format!("{row}\n")
        };
        let text: String = (0..rows).map(row).collect();
        Self::with_data(parameters, &text)
    }

    pub fn with_data(parameters: Parameters, data: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        cerebros_trainer::write_tiny_base(&root.path().join("cerebros-tiny")).unwrap();
        let job = Self { root };
        fs::create_dir(job.dir()).unwrap();
        fs::write(job.dir().join("data.jsonl"), data).unwrap();
        job.write_spec(&JobSpec {
            version: VERSION,
            job_id: "job".into(),
            base_dir: job.base(),
            dataset: "data.jsonl".into(),
            validation_dataset: None,
            initial_adapter: None,
            parameters,
        });
        job
    }

    /// The same job over a wider base, whose linear maps take 75 MB in fp32.
    pub fn widened(self) -> Self {
        let path = self.base().join("config.json");
        let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for (name, value) in [
            ("hidden_size", 512),
            ("intermediate_size", 1536),
            ("num_hidden_layers", 6),
            ("num_attention_heads", 8),
            ("num_key_value_heads", 4),
            ("head_dim", 64),
        ] {
            config[name] = value.into();
        }
        fs::write(path, config.to_string()).unwrap();
        let shape = |rows: usize, columns: usize| vec![rows, columns];
        let mut shapes = vec![
            ("model.embed_tokens".to_owned(), shape(260, 512)),
            ("lm_head".to_owned(), shape(260, 512)),
            ("model.norm".to_owned(), vec![512]),
        ];
        for layer in 0..6 {
            let maps = [
                ("self_attn.q_proj", shape(512, 512)),
                ("self_attn.k_proj", shape(256, 512)),
                ("self_attn.v_proj", shape(256, 512)),
                ("self_attn.o_proj", shape(512, 512)),
                ("mlp.gate_proj", shape(1536, 512)),
                ("mlp.up_proj", shape(1536, 512)),
                ("mlp.down_proj", shape(512, 1536)),
                ("input_layernorm", vec![512]),
                ("post_attention_layernorm", vec![512]),
            ];
            shapes.extend(maps.map(|(name, shape)| (format!("model.layers.{layer}.{name}"), shape)));
        }
        let tensor = |(name, shape): (String, Vec<usize>)| {
            let count = shape.iter().product::<usize>();
            // Golden-ratio steps fill -1 to 1 evenly.
            let unit = |index: usize| (index as f64 * 0.618_033_988_749).fract() as f32 * 2.0 - 1.0;
            let values: Vec<f32> = match shape.len() {
                1 => vec![1.0; count],
                _ => (0..count).map(|index| unit(index + count) * 0.05).collect(),
            };
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            (format!("{name}.weight"), tensor)
        };
        let tensors: HashMap<String, Tensor> = shapes.into_iter().map(tensor).collect();
        candle_core::safetensors::save(&tensors, self.base().join("model.safetensors")).unwrap();
        self
    }

    pub fn dir(&self) -> PathBuf {
        self.root.path().join("job")
    }

    pub fn base(&self) -> PathBuf {
        self.root.path().join("cerebros-tiny")
    }

    pub fn write_spec(&self, spec: &JobSpec) {
        fs::write(self.dir().join("job.json"), serde_json::to_vec(spec).unwrap()).unwrap();
    }

    pub fn spec(&self) -> JobSpec {
        serde_json::from_slice(&fs::read(self.dir().join("job.json")).unwrap()).unwrap()
    }

    /// The adapter's files, by name.
    pub fn adapter(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.dir().join("adapter")).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    fs::read(entry.path()).unwrap(),
                )
            })
            .collect();
        files.sort();
        files
    }
}

/// Step, loss and gradient norm of the metrics.
pub fn metrics(events: &[Event]) -> Vec<(u64, f64, f64)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Metric {
                step, loss, grad_norm, ..
            } => Some((*step, *loss, *grad_norm)),
            _ => None,
        })
        .collect()
}
