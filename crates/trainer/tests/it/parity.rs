//! The same logits, losses, gradient norms and final adapter as PyTorch PEFT, in every family.
//! `fixtures/make_parity.py` made the numbers.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use cerebros_trainer::protocol::{Event, Rewards};
use serde::Deserialize;

use crate::child::{metrics, run};

#[derive(Deserialize)]
struct Expected {
    #[serde(default)]
    text: String,
    /// Of the text's last tokens.
    #[serde(default)]
    last_logits: Vec<Vec<f32>>,
    losses: Vec<f64>,
    grad_norms: Vec<f64>,
    /// Of pairs.
    #[serde(default)]
    margins: Vec<f64>,
    #[serde(default)]
    accuracies: Vec<f64>,
}

pub fn fixtures(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(family)
}

/// A copy of the fixture that may be written to.
fn copy_fixture(family: &str, target: &Path) {
    let source = fixtures(family);
    for directory in ["base", "initial"] {
        fs::create_dir(target.join(directory)).unwrap();
        for entry in fs::read_dir(source.join(directory)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), target.join(directory).join(entry.file_name())).unwrap();
        }
    }
    for file in ["data.jsonl", "job.json"] {
        fs::copy(source.join(file), target.join(file)).unwrap();
    }
}

fn expected(family: &str) -> Expected {
    serde_json::from_slice(&fs::read(fixtures(family).join("expected.json")).unwrap()).unwrap()
}

#[test]
fn llama_with_its_rope_scaling_follows_peft() {
    logits_agree("llama");
    training_agrees("llama");
}

#[test]
fn mistral_at_a_constant_rate_follows_peft() {
    logits_agree("mistral");
    training_agrees("mistral");
}

#[test]
fn qwen2_with_rank_stabilized_scale_on_some_modules_follows_peft() {
    logits_agree("qwen2");
    training_agrees("qwen2");
}

#[test]
fn qwen3_follows_peft() {
    logits_agree("qwen3");
    training_agrees("qwen3");
}

#[test]
fn pairs_of_answers_follow_the_loss_of_trl() {
    let events = training_agrees("dpo");
    let expected = expected("dpo");
    let found: Vec<Rewards> = events
        .iter()
        .filter_map(|event| match event {
            Event::Metric { rewards, .. } => *rewards,
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), expected.margins.len());
    for (found, (margin, accuracy)) in found.iter().zip(expected.margins.iter().zip(&expected.accuracies)) {
        assert!(
            (found.margin - margin).abs() < 5e-5,
            "margin {}, PyTorch {margin}",
            found.margin
        );
        assert!((found.accuracy - accuracy).abs() < 1e-12 || margin.abs() < 1e-5);
    }
    let last = found.last().unwrap();
    assert!(last.margin > 0.1 && last.accuracy > 0.5, "{last:?}");
}

#[test]
fn bf16_follows_peft_within_a_percent() {
    for family in ["llama", "mistral", "qwen2", "qwen3"] {
        let dir = tempfile::tempdir().unwrap();
        copy_fixture(family, dir.path());
        let path = dir.path().join("job.json");
        let job = fs::read_to_string(&path).unwrap();
        fs::write(&path, job.replace("\"fp32\"", "\"bf16\"")).unwrap();
        let (events, code) = run(dir.path());
        assert_eq!(code, 0, "{events:?}");
        let expected = expected(family);
        let found = metrics(&events);
        assert_eq!(found.len(), expected.losses.len());
        let pairs = found.iter().zip(&expected.losses);
        let errors: Vec<f64> = pairs.map(|((_, loss, _), exact)| (loss / exact - 1.0).abs()).collect();
        let furthest = errors.iter().copied().fold(0.0, f64::max);
        assert!(furthest > 1e-6, "{family}: nothing was rounded");
        assert!(furthest < 0.01, "{family}: {errors:?}");
        let adapter = dir.path().join("adapter/adapter_model.safetensors");
        let adapter = candle_core::safetensors::load(adapter, &Device::Cpu).unwrap();
        assert!(adapter.values().all(|tensor| tensor.dtype() == candle_core::DType::F32));
    }
}

fn logits_agree(family: &str) {
    let (dir, expected) = (fixtures(family), expected(family));
    let (base, adapter) = (dir.join("base"), dir.join("initial"));
    let (_, logits) = cerebros_trainer::logits_of_text(&base, Some(&adapter), &expected.text).unwrap();
    let ours = &logits[logits.len() - expected.last_logits.len()..];
    for (ours, theirs) in ours.iter().flatten().zip(expected.last_logits.iter().flatten()) {
        assert!((ours - theirs).abs() < 1e-4, "{family}: {ours}, transformers {theirs}");
    }
}

fn training_agrees(family: &str) -> Vec<Event> {
    let dir = tempfile::tempdir().unwrap();
    copy_fixture(family, dir.path());
    let (events, code) = run(dir.path());
    assert_eq!(code, 0, "{events:?}");
    let expected = expected(family);
    let found = metrics(&events);
    assert_eq!(found.len(), expected.losses.len());
    for ((step, loss, norm), (expected_loss, expected_norm)) in
        found.iter().zip(expected.losses.iter().zip(&expected.grad_norms))
    {
        assert!(
            (loss - expected_loss).abs() < 2e-5,
            "step {step}: loss {loss}, PEFT {expected_loss}"
        );
        assert!(
            (norm / expected_norm - 1.0).abs() < 1e-4,
            "step {step}: norm {norm}, PEFT {expected_norm}"
        );
    }
    let load = |path: PathBuf| candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let ours = load(dir.path().join("adapter/adapter_model.safetensors"));
    let theirs = load(fixtures(family).join("final/adapter_model.safetensors"));
    assert_eq!(ours.len(), theirs.len());
    for (name, tensor) in &theirs {
        let difference = (tensor - &ours[name])
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(difference < 1e-4, "{name} differs by {difference}");
    }
    events
}
