//! Bases on disk, good and bad.

use std::fs;
use std::path::Path;

use cerebros_trainer::{inspect_base, write_tiny_base};

fn tiny() -> (tempfile::TempDir, std::path::PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("cerebros-tiny");
    write_tiny_base(&dir).unwrap();
    (root, dir)
}

fn refusal(dir: &Path) -> String {
    inspect_base(dir).unwrap_err().to_string()
}

#[test]
fn the_tiny_base_is_complete_and_written_once() {
    let (root, dir) = tiny();
    let info = write_tiny_base(&dir).unwrap();
    assert_eq!(info, inspect_base(&dir).unwrap());
    assert_eq!(
        (info.name.as_str(), info.architecture.as_str()),
        ("cerebros-tiny", "LlamaForCausalLM")
    );
    assert_eq!(
        (info.context_length, info.vocab_size, info.dtype.as_str()),
        (2048, 260, "float32")
    );
    assert_eq!(info.license.as_deref(), Some("MIT OR Apache-2.0"));
    assert!(info.has_chat_template && info.size_bytes > 4 * info.parameters);

    let weights = fs::read(dir.join("model.safetensors")).unwrap();
    fs::write(dir.join("model.safetensors"), "half").unwrap();
    write_tiny_base(&dir).unwrap();
    assert!(fs::read(dir.join("model.safetensors")).unwrap() == weights);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn each_fault_has_its_own_sentence() {
    let (root, dir) = tiny();
    let end = |text: String| text.replace(&format!("{} ", root.path().join("cerebros-tiny").display()), "");
    assert!(refusal(&root.path().join("absent")).contains("does not exist"));
    assert!(refusal(&dir.join("config.json")).contains("is not a directory"));

    let config = fs::read_to_string(dir.join("config.json")).unwrap();
    let with = |from: &str, to: &str| {
        assert!(config.contains(from));
        fs::write(dir.join("config.json"), config.replace(from, to)).unwrap();
        let refusal = refusal(&dir);
        fs::write(dir.join("config.json"), &config).unwrap();
        refusal
    };
    assert_eq!(
        with("\"model_type\": \"llama\"", "\"model_type\": \"gpt2\"")
            .split('.')
            .next(),
        Some("The architecture LlamaForCausalLM is not supported")
    );
    assert!(with("\"hidden_size\": 128", "\"hidden_size\": 4000000000").contains("hidden_size is 4000000000"));
    assert!(with("\"hidden_size\": 128", "\"hidden_size\": 64").contains("has the shape"));
    assert!(with("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5").contains("lack model.layers.4."));
    let yarn = "\"rope_scaling\": {\"rope_type\": \"yarn\"}, \"rope_theta\"";
    assert!(with("\"rope_theta\"", yarn).contains("the rope scaling \"yarn\""));
    fs::remove_file(dir.join("config.json")).unwrap();
    assert!(end(refusal(&dir)).starts_with("has no config.json"));
    fs::write(dir.join("config.json"), &config).unwrap();

    fs::rename(dir.join("tokenizer.json"), dir.join("kept")).unwrap();
    assert!(end(refusal(&dir)).starts_with("has no tokenizer.json"));
    fs::rename(dir.join("kept"), dir.join("tokenizer.json")).unwrap();

    let weights = fs::read(dir.join("model.safetensors")).unwrap();
    fs::write(dir.join("model.safetensors"), &weights[..weights.len() - 1]).unwrap();
    assert!(refusal(&dir).contains("model.safetensors is damaged or incomplete: the file ends before"));
    fs::write(dir.join("model.safetensors"), [0xFF; 64]).unwrap();
    assert!(refusal(&dir).contains("its header claims more bytes"));
    fs::remove_file(dir.join("model.safetensors")).unwrap();
    assert!(end(refusal(&dir)).starts_with("has no model.safetensors"));
    let index = |file: &str| format!("{{\"weight_map\": {{\"a\": \"{file}\"}}}}");
    fs::write(dir.join("model.safetensors.index.json"), index("../../etc/passwd")).unwrap();
    assert!(refusal(&dir).contains("outside the directory"));
    std::os::unix::fs::symlink("model.safetensors", dir.join("model.safetensors")).unwrap();
    assert!(refusal(&dir).contains("cannot be read"));
}

#[test]
fn a_window_of_attention_bounds_the_context() {
    let (_root, dir) = tiny();
    let config = fs::read_to_string(dir.join("config.json")).unwrap();
    let context = |model_type: &str, more: &str| {
        let changed = config.replace(
            "\"model_type\": \"llama\"",
            &format!("\"model_type\": \"{model_type}\", {more}"),
        );
        fs::write(dir.join("config.json"), changed).unwrap();
        inspect_base(&dir).unwrap().context_length
    };
    assert_eq!(context("mistral", "\"sliding_window\": 512"), 512);
    assert_eq!(context("mistral", "\"sliding_window\": null"), 2048);
    let long = "\"max_position_embeddings\": 8192, \"unused\"";
    fs::write(
        dir.join("config.json"),
        config
            .replace("\"max_position_embeddings\"", long)
            .replace("\"llama\"", "\"mistral\""),
    )
    .unwrap();
    assert_eq!(inspect_base(&dir).unwrap().context_length, 4096);
    assert_eq!(context("llama", "\"sliding_window\": 512"), 2048);
    let refused = |model_type: &str| {
        let changed = config.replace("\"llama\"", &format!("\"{model_type}\""));
        fs::write(dir.join("config.json"), changed).unwrap();
        refusal(&dir)
    };
    assert!(refused("qwen2").contains("lack model.layers.0.self_attn.q_proj.bias"));
    assert!(refused("qwen3").contains("lack model.layers.0.self_attn.q_norm.weight"));
}

#[test]
fn shards_read_like_one_file() {
    let (_root, dir) = tiny();
    let whole = inspect_base(&dir).unwrap();
    let text = "<|im_start|>user\nhi";
    let (_, expected) = cerebros_trainer::logits_of_text(&dir, None, text).unwrap();
    let tensors = candle_core::safetensors::load(dir.join("model.safetensors"), &candle_core::Device::Cpu).unwrap();
    let (first, second): (Vec<_>, Vec<_>) = tensors.into_iter().partition(|(name, _)| name.contains("layers.1"));
    let mut weight_map = serde_json::Map::new();
    for (file, part) in [("one.safetensors", first), ("two.safetensors", second)] {
        weight_map.extend(part.iter().map(|(name, _)| (name.clone(), file.into())));
        candle_core::safetensors::save(&part.into_iter().collect(), dir.join(file)).unwrap();
    }
    let index = serde_json::json!({ "weight_map": weight_map });
    fs::write(dir.join("model.safetensors.index.json"), index.to_string()).unwrap();
    fs::remove_file(dir.join("model.safetensors")).unwrap();
    assert_eq!(inspect_base(&dir).unwrap().parameters, whole.parameters);
    assert_eq!(cerebros_trainer::logits_of_text(&dir, None, text).unwrap().1, expected);
}
