//! Adapters written for other programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cerebros_trainer::logits_of_text;
use cerebros_trainer::protocol::{AdapterFile, Certificate, ExportOutcome, FailureCode};

use crate::child::BINARY;

fn fixture(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(family)
}

fn export(base: &Path, adapter: &Path, format: &str, out: &Path) -> (ExportOutcome, Option<i32>) {
    let mut child = Command::new(BINARY)
        .arg("export")
        .args([base, adapter])
        .arg(format)
        .arg(out)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Held open until the end: its end would mean that the parent has died.
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code())
}

fn exported(family: &str, format: &str, out: &Path) -> (Vec<AdapterFile>, Certificate) {
    let dir = fixture(family);
    match export(&dir.join("base"), &dir.join("final"), format, out) {
        (ExportOutcome::Done { files, certificate }, Some(0)) => (files, certificate),
        other => panic!("{family}: {other:?}"),
    }
}

#[test]
fn every_family_is_exported_with_a_certificate() {
    let root = tempfile::tempdir().unwrap();
    for family in ["llama", "mistral", "qwen2", "qwen3"] {
        let merged = root.path().join(format!("{family}-merged"));
        let (files, certificate) = exported(family, "merged", &merged);
        assert_eq!((certificate.prompts, certificate.tokens), (20, 160));
        assert!(
            certificate.largest_logit_gap.unwrap() < 1e-3,
            "{family}: {certificate:?}"
        );
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert!(
            ["config.json", "model.safetensors", "tokenizer.json"]
                .iter()
                .all(|name| names.contains(name))
        );
        let dir = fixture(family);
        let text = "w3 w1 w4 w1 w5 w9 w2 w6";
        let (_, expected) = logits_of_text(&dir.join("base"), Some(&dir.join("final")), text).unwrap();
        let (_, found) = logits_of_text(&merged, None, text).unwrap();
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-3, "{family}: {found} {expected}");
        }
        assert_eq!(cerebros_trainer::inspect_base(&merged).unwrap().dtype, "float32");

        let peft = root.path().join(format!("{family}-peft"));
        let (files, certificate) = exported(family, "peft", &peft);
        assert_eq!(
            (certificate.equal_tokens, certificate.largest_logit_gap),
            (160, Some(0.0))
        );
        for file in &files {
            let read = |dir: &Path| fs::read(dir.join(&file.name)).unwrap();
            assert_eq!(read(&peft), read(&dir.join("final")), "{family}: {}", file.name);
        }

        let (files, certificate) = exported(family, "gguf", &root.path().join(format!("{family}-gguf")));
        assert_eq!((files.len(), files[0].name.as_str()), (1, "adapter.gguf"));
        assert!(
            certificate.largest_logit_gap.unwrap() < 1e-3,
            "{family}: {certificate:?}"
        );
    }
}

#[test]
fn an_adapter_of_another_base_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let base = root.path().join("cerebros-tiny");
    cerebros_trainer::write_tiny_base(&base).unwrap();
    let (outcome, code) = export(&base, &fixture("llama").join("final"), "merged", &out);
    assert_eq!(code, Some(20));
    assert!(
        matches!(
            &outcome,
            ExportOutcome::Failed {
                code: FailureCode::InvalidAdapter,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert!(!out.exists());
    // What stands in the way stays.
    fs::create_dir(&out).unwrap();
    let dir = fixture("llama");
    let (_, code) = export(&dir.join("base"), &dir.join("final"), "gguf", &out);
    assert_eq!(code, Some(1));
    assert!(out.exists());
}
