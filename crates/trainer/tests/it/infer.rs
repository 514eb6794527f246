//! The inference process on its socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use cerebros_trainer::protocol::infer::{Format, TokenLogProbability};
use cerebros_trainer::protocol::{
    Event, FinishReason, Generate, InferErrorCode, InferRequest, InferResponse, Logits, Parameters,
};

use crate::child::{BINARY, Job, run};

pub struct Server {
    child: Child,
    socket: PathBuf,
}

impl Server {
    pub fn start(job: &Job) -> Self {
        let socket = job.dir().join("infer.sock");
        let child = Command::new(BINARY)
            .arg("infer")
            .arg(&socket)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, socket }
    }

    /// Waits for the socket to be there, which is the process's only sign of life.
    fn connect(&self) -> UnixStream {
        loop {
            if let Ok(stream) = UnixStream::connect(&self.socket) {
                return stream;
            }
            std::thread::yield_now();
        }
    }

    pub fn send(&self, line: &str) -> BufReader<UnixStream> {
        let mut stream = self.connect();
        writeln!(stream, "{line}").unwrap();
        BufReader::new(stream)
    }

    pub fn ask(&self, request: &InferRequest) -> Vec<InferResponse> {
        let lines = self.send(&serde_json::to_string(request).unwrap()).lines();
        lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    }

    /// The answer's text and how it ended.
    pub fn generate(&self, request: Generate) -> (String, FinishReason, usize) {
        let mut text = String::new();
        for response in self.ask(&InferRequest::Generate(Box::new(request))) {
            match response {
                InferResponse::Token { text: part, .. } => {
                    assert!(!part.is_empty());
                    text.push_str(&part);
                }
                InferResponse::Done {
                    finish_reason,
                    completion_tokens,
                    ..
                } => {
                    return (text, finish_reason, completion_tokens);
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("no end after {text:?}");
    }

    pub fn error(&self, request: &InferRequest) -> InferErrorCode {
        match self.ask(request).as_slice() {
            [InferResponse::Error { code, .. }] => *code,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        assert!(!self.socket.exists());
    }
}

pub fn question(job: &Job, content: &str) -> Generate {
    serde_json::from_value(serde_json::json!({
        "base_dir": job.base(),
        "messages": [{ "role": "user", "content": content }],
        "max_tokens": 40,
        "temperature": 0.0,
        "top_p": 1.0,
    }))
    .unwrap()
}

/// A base and an adapter that has learned one sentence by heart.
fn trained() -> Job {
    let messages = serde_json::json!([
        { "role": "user", "content": "Say it." },
        { "role": "assistant", "content": "Sé fuerte €5." },
    ]);
    let row = format!("{}\n", serde_json::json!({ "messages": messages }));
    let parameters = Parameters {
        learning_rate: 5e-3,
        epochs: 80,
        batch_size: 2,
        validation_fraction: 0.0,
        checkpoint_every_steps: 1000,
        ..Parameters::default()
    };
    let job = Job::with_data(parameters, &row.repeat(2));
    let (events, code) = run(&job.dir());
    assert!(
        code == 0 && matches!(events.last(), Some(Event::Done { .. })),
        "{events:?}"
    );
    job
}

#[test]
fn a_trained_adapter_answers_what_it_learned() {
    let job = trained();
    let server = Server::start(&job);
    let ask = Generate {
        adapter_dir: Some(job.dir().join("adapter")),
        ..question(&job, "Say it.")
    };
    let (text, reason, tokens) = server.generate(ask.clone());
    assert_eq!(
        (text.as_str(), reason, tokens),
        ("Sé fuerte €5.", FinishReason::Stop, "Sé fuerte €5.".len())
    );

    let (text, reason, _) = server.generate(Generate {
        stop: vec!["rte".into()],
        ..ask.clone()
    });
    assert_eq!((text.as_str(), reason), ("Sé fue", FinishReason::Stop));

    let (text, reason, tokens) = server.generate(Generate {
        max_tokens: 2,
        ..ask.clone()
    });
    assert_eq!((text.as_str(), reason, tokens), ("S", FinishReason::Length, 2));

    let (other, ..) = server.generate(question(&job, "Say it."));
    assert_ne!(other, "Sé fuerte €5.");
}

#[test]
fn a_seed_fixes_the_answer() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    let ask = |seed| {
        server
            .generate(Generate {
                temperature: 1.0,
                top_p: 0.9,
                seed: Some(seed),
                ..question(&job, "Hello?")
            })
            .0
    };
    assert_eq!(ask(1), ask(1));
    assert_ne!(ask(1), ask(2));
}

#[test]
fn bad_requests_get_their_code() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    let good = question(&job, "Hello?");
    let error = |request: Generate| server.error(&InferRequest::Generate(Box::new(request)));
    assert_eq!(error(question(&job, &"x".repeat(2100))), InferErrorCode::ContextLength);
    assert_eq!(
        error(Generate {
            base_dir: "/nowhere".into(),
            ..good.clone()
        }),
        InferErrorCode::InvalidBase
    );
    assert_eq!(
        error(Generate {
            adapter_dir: Some(job.base()),
            ..good.clone()
        }),
        InferErrorCode::InvalidAdapter
    );
    assert_eq!(error(Generate { top_p: 0.0, ..good }), InferErrorCode::InvalidRequest);
    let outside = Logits {
        base_dir: job.base(),
        adapter_dir: None,
        token_ids: vec![1, 260],
    };
    assert_eq!(
        server.error(&InferRequest::Logits(outside)),
        InferErrorCode::InvalidRequest
    );
    let mut answer = String::new();
    server
        .send("{\"type\":\"generate\"}")
        .read_to_string(&mut answer)
        .unwrap();
    assert!(answer.contains("\"code\":\"invalid_request\""), "{answer}");
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    let endless = Generate {
        temperature: 1.0,
        max_tokens: 2000,
        seed: Some(1),
        ..question(&job, "Hello?")
    };
    let line = serde_json::to_string(&InferRequest::Generate(Box::new(endless))).unwrap();
    // More than compute at once: without cancellation the last answer would wait for all of them.
    for _ in 0..6 {
        let mut first = String::new();
        server.send(&line).read_line(&mut first).unwrap();
        assert!(first.contains("\"token\""), "{first}");
    }
    assert!(
        server
            .generate(Generate {
                max_tokens: 3,
                ..question(&job, "Hello?")
            })
            .2
            <= 3
    );
}

/// One answer: its text, and its tokens with their probabilities.
fn heard(responses: &[InferResponse], choice: usize) -> (String, Vec<TokenLogProbability>) {
    let (mut all, mut tokens) = (String::new(), Vec::new());
    for response in responses {
        match response {
            InferResponse::Token {
                choice: of,
                text,
                logprobs,
            } if *of == choice => {
                all.push_str(text);
                tokens.extend(logprobs.iter().flatten().cloned());
            }
            InferResponse::Token { .. } | InferResponse::Done { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    (all, tokens)
}

#[test]
fn several_answers_differ_and_the_first_is_the_one_asked_for_alone() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    let ask = |n| {
        server.ask(&InferRequest::Generate(Box::new(Generate {
            n,
            temperature: 1.0,
            seed: Some(5),
            ..question(&job, "Hello?")
        })))
    };
    let (one, three) = (ask(1), ask(3));
    let ends = three
        .iter()
        .filter(|response| matches!(response, InferResponse::Done { .. }));
    assert_eq!(ends.count(), 3);
    let answers: Vec<String> = (0..3).map(|choice| heard(&three, choice).0).collect();
    assert_eq!(answers[0], heard(&one, 0).0);
    assert!(answers[0] != answers[1] && answers[1] != answers[2], "{answers:?}");
}

#[test]
fn tokens_come_with_how_likely_they_were() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    let responses = server.ask(&InferRequest::Generate(Box::new(Generate {
        top_logprobs: Some(3),
        ..question(&job, "Hello?")
    })));
    let (text, tokens) = heard(&responses, 0);
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.chosen.bytes.clone()).collect();
    let said = String::from_utf8_lossy(&bytes);
    assert!(
        said.starts_with(text.trim_end_matches(char::REPLACEMENT_CHARACTER)),
        "{said:?} {text:?}"
    );
    assert!(!tokens.is_empty());
    for token in &tokens {
        assert_eq!(token.top.len(), 3);
        assert_eq!(token.top[0], token.chosen, "a greedy choice is the likeliest");
        assert!(token.top.is_sorted_by(|left, right| left.logprob >= right.logprob));
        assert!(token.chosen.logprob < 0.0 && token.top.iter().map(|top| top.logprob.exp()).sum::<f32>() < 1.0);
    }
}

#[test]
fn an_answer_keeps_to_its_schema_even_where_the_model_says_noise() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 6},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "tags": {"type": "array", "items": {"enum": ["old", "new"]}, "minItems": 1, "maxItems": 3},
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": false,
    });
    let ask = |seed| Generate {
        format: Some(Format::JsonSchema {
            schema: Box::new(schema.clone()),
        }),
        temperature: 1.5,
        seed: Some(seed),
        max_tokens: 400,
        ..question(&job, "Who?")
    };
    for seed in 0..12 {
        let (text, reason, _) = server.generate(ask(seed));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(reason, FinishReason::Stop);
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), 3, "{text}");
        assert!(value["name"].as_str().unwrap().chars().count() <= 6, "{text}");
        assert!(value["age"].as_u64().unwrap() <= 150, "{text}");
        assert!((1..=3).contains(&value["tags"].as_array().unwrap().len()), "{text}");
    }
    let (text, ..) = server.generate(Generate {
        format: Some(Format::JsonObject),
        ..ask(1)
    });
    assert!(text.starts_with('{'), "{text}");
    let nonsense = Format::JsonSchema {
        schema: Box::new(serde_json::json!({"type": "no such type"})),
    };
    let refused = Generate {
        format: Some(nonsense),
        ..ask(1)
    };
    assert_eq!(
        server.error(&InferRequest::Generate(Box::new(refused))),
        InferErrorCode::InvalidFormat
    );
}
