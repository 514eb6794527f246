//! Texts as vectors, by the inference process.

use std::io::BufRead;
use std::path::Path;

use candle_core::{DType, Device};
use cerebros_trainer::protocol::infer::Input;
use cerebros_trainer::protocol::{Embed, InferErrorCode, InferRequest, InferResponse, Parameters};

use crate::child::Job;
use crate::infer::{Server, question};
use crate::parity::fixtures;

const TEXT: &str = "w5 w61 w12 w12 w30 w3 w44 w8 w19";

fn inputs(texts: &[&str]) -> Vec<Input> {
    texts.iter().map(|text| Input::Text((*text).to_owned())).collect()
}

fn of(job: &Job, inputs: Vec<Input>) -> Embed {
    Embed {
        base_dir: job.base(),
        adapter_dir: None,
        client: String::new(),
        inputs,
        dimensions: None,
    }
}

/// Each input's vector and its tokens.
fn vectors(server: &Server, request: Embed) -> Vec<(Vec<f32>, usize)> {
    let responses = server.ask(&InferRequest::Embed(request)).into_iter();
    let vectors = responses.map(|response| match response {
        InferResponse::Embedding { values, tokens } => (values, tokens),
        other => panic!("{other:?}"),
    });
    vectors.collect()
}

/// The rows of the matrix that makes logits of states.
fn head(base: &Path) -> Vec<Vec<f32>> {
    let tensors = candle_core::safetensors::load(base.join("model.safetensors"), &Device::Cpu).unwrap();
    let head = tensors
        .get("lm_head.weight")
        .unwrap_or(&tensors["model.embed_tokens.weight"]);
    head.to_dtype(DType::F32).unwrap().to_vec2().unwrap()
}

/// Logits are known to be those of transformers, and the head has more rows than columns: a vector whose logits are the
/// mean logits up to a factor is the mean state up to a factor.
#[test]
fn a_vector_is_the_mean_of_the_last_states_in_every_family() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    for family in ["llama", "mistral", "qwen2", "qwen3"] {
        let (base, initial) = (fixtures(family).join("base"), fixtures(family).join("initial"));
        let head = head(&base);
        let mut found = Vec::new();
        for adapter_dir in [None, Some(initial)] {
            let (ids, logits) = cerebros_trainer::logits_of_text(&base, adapter_dir.as_deref(), TEXT).unwrap();
            let mean = (0..head.len()).map(|id| logits.iter().map(|row| f64::from(row[id])).sum::<f64>());
            let mean: Vec<f64> = mean.map(|sum| sum / ids.len() as f64).collect();
            let request = Embed {
                base_dir: base.clone(),
                adapter_dir,
                ..of(&job, inputs(&[TEXT]))
            };
            let (vector, tokens) = vectors(&server, request).remove(0);
            assert_eq!((vector.len(), tokens), (head[0].len(), 9));
            let dot = |row: &[f32]| {
                row.iter()
                    .zip(&vector)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum::<f64>()
            };
            assert!((dot(&vector) - 1.0).abs() < 1e-6, "of length 1");
            let ours: Vec<f64> = head.iter().map(|row| dot(row)).collect();
            let length = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
            let scale = length(&mean) / length(&ours);
            let furthest = ours.iter().zip(&mean).map(|(ours, mean)| (ours * scale - mean).abs());
            let furthest = furthest.fold(0.0, f64::max);
            assert!(furthest < 1e-4, "{family}: {furthest}");
            found.push(vector);
        }
        assert_ne!(found[0], found[1], "{family}: the adapter counts");
    }
}

#[test]
fn several_inputs_give_what_each_gives_alone() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    // Longer than what is computed at once.
    let long = "The harbour gate opens at nine. ".repeat(20);
    let texts = ["When does it open?", long.as_str(), "é€"];
    let mut all = inputs(&texts);
    let ids: Vec<u32> = "When does it open?".bytes().map(u32::from).collect();
    all.push(Input::Tokens(ids));
    let together = vectors(&server, of(&job, all.clone()));
    assert_eq!(together.len(), all.len());
    for (input, vector) in all.into_iter().zip(&together) {
        assert_eq!(vectors(&server, of(&job, vec![input])).first(), Some(vector));
    }
    assert_eq!(
        together[0].1,
        texts[0].len(),
        "the built-in base has a token for each byte"
    );
    assert_eq!(together[0], together[3], "a text and its tokens are the same");
    assert_ne!(together[0].0, together[2].0);
}

#[test]
fn what_cannot_be_embedded_gets_its_code() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    let error = |request: Embed| server.error(&InferRequest::Embed(request));
    let refused = [
        vec![],
        inputs(&[""]),
        inputs(&["a", &"x".repeat(2049)]),
        vec![Input::Tokens(vec![])],
        vec![Input::Tokens(vec![1, 100_000])],
        inputs(&["a"; 2049]),
        inputs(&["x".repeat(2000).as_str(); 151]),
    ];
    for inputs in refused {
        assert_eq!(error(of(&job, inputs)), InferErrorCode::InvalidInput);
    }
    let own = vectors(&server, of(&job, inputs(&["a"])))[0].0.len();
    let sized = |dimensions| Embed {
        dimensions: Some(dimensions),
        ..of(&job, inputs(&["a"]))
    };
    assert_eq!(vectors(&server, sized(own))[0].0.len(), own);
    assert_eq!(error(sized(own / 2)), InferErrorCode::InvalidDimensions);
}

#[test]
fn a_client_that_leaves_stops_its_vectors() {
    let job = Job::new(Parameters::default(), 1);
    let server = Server::start(&job);
    let endless = of(&job, inputs(&["x".repeat(146).as_str(); 2048]));
    let line = serde_json::to_string(&InferRequest::Embed(endless)).unwrap();
    for _ in 0..6 {
        let mut first = String::new();
        server.send(&line).read_line(&mut first).unwrap();
        assert!(first.contains("\"embedding\""), "{first}");
    }
    assert!(server.generate(question(&job, "Hello?")).2 > 0);
}
