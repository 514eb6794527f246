//! The same losses, gradient norms and final adapter as PyTorch PEFT. `fixtures/make_llama.py` made the numbers.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::Deserialize;

use crate::child::{metrics, run};

#[derive(Deserialize)]
struct Expected {
    losses: Vec<f64>,
    grad_norms: Vec<f64>,
}

/// A copy of the fixture that may be written to.
fn fixture(target: &Path) {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llama");
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

#[test]
fn training_follows_peft_step_by_step() {
    let dir = tempfile::tempdir().unwrap();
    fixture(dir.path());
    let (events, code) = run(dir.path());
    assert_eq!(code, 0, "{events:?}");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llama");
    let expected: Expected = serde_json::from_slice(&fs::read(fixtures.join("expected.json")).unwrap()).unwrap();
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
    let theirs = load(fixtures.join("final/adapter_model.safetensors"));
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
}
