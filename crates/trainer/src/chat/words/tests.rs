#![expect(clippy::unwrap_used, reason = "a broken expectation fails the test")]

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::{Words, encode};

const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK: [&str; 3] = [
    r"\p{N}{1,3}",
    "[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+",
    r"[!#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// What texts are made of, words that are merged often among them.
const PARTS: [&str; 40] = [
    "the",
    "The",
    " remote",
    " work",
    "allow",
    "ance",
    " ",
    "  ",
    "   ",
    "\n",
    "\r\n",
    "\t",
    " \n ",
    "12",
    "4567",
    "'s",
    "'LL",
    "\u{2019}t",
    "don't",
    "é",
    "e\u{301}",
    "Größe",
    "リモート",
    "ワーク",
    "週",
    "😀",
    "👩‍👩‍👧",
    "\u{a0}",
    "\u{3000}",
    "\u{200b}",
    "…",
    "--",
    "?!",
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "<|im",
    "٣",
    "½",
    "{\"a\": [1, 2]}",
];

fn texts() -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut below = |bound: usize| (random.next_u64() % bound as u64) as usize;
    let mut texts: Vec<String> = PARTS.iter().map(|part| (*part).to_owned()).collect();
    texts.push(String::new());
    for _ in 0..1500 {
        let parts = 1 + below(40);
        texts.push((0..parts).map(|_| PARTS[below(PARTS.len())]).collect());
    }
    texts
}

/// A tokenizer with merges of the most frequent pairs of the parts, as training finds them.
fn tokenizer(style: &Value) -> Tokenizer {
    let bytes = style["pre_tokenizer"].is_object();
    let (mut vocab, mut words) = (Vec::new(), Vec::new());
    let alphabet = crate::base::tiny::byte_characters();
    if bytes {
        vocab.extend(alphabet.iter().map(char::to_string));
    } else {
        vocab.push("<unk>".to_owned());
        vocab.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
        vocab.extend(('!'..='~').chain(['▁', 'é', 'ー']).map(String::from));
    }
    for part in PARTS.iter().flat_map(|part| [(*part).to_owned(), format!(" {part}")]) {
        let letters: Vec<String> = match bytes {
            true => part
                .bytes()
                .map(|byte| alphabet[usize::from(byte)].to_string())
                .collect(),
            false => part.replace(' ', "▁").chars().map(String::from).collect(),
        };
        words.push(letters);
    }
    let mut merges = Vec::new();
    for _ in 0..120 {
        let mut counts = std::collections::BTreeMap::new();
        for pair in words.iter().flat_map(|word| word.windows(2)) {
            let joined = format!("{}{}", pair[0], pair[1]);
            let known = pair.iter().all(|letter| vocab.contains(letter));
            // As sentencepiece has it: nothing goes over the beginning of a word.
            if known && !joined.trim_start_matches('▁').contains('▁') {
                *counts.entry((pair[0].clone(), pair[1].clone())).or_insert(0) += 1;
            }
        }
        let Some((pair, _)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
            break;
        };
        let joined = format!("{}{}", pair.0, pair.1);
        for word in &mut words {
            let mut at = 0;
            while at + 1 < word.len() {
                if word[at] == pair.0 && word[at + 1] == pair.1 {
                    word[at] = joined.clone();
                    word.remove(at + 1);
                }
                at += 1;
            }
        }
        merges.push(format!("{} {}", pair.0, pair.1));
        vocab.push(joined);
    }
    let vocab: serde_json::Map<String, Value> = vocab
        .into_iter()
        .enumerate()
        .map(|(id, token)| (token, json!(id)))
        .collect();
    let size = vocab.len();
    let added = |(index, token): (usize, &str)| {
        json!({ "id": size + index, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": token == "<think>" && bytes, "special": token != "<think>" })
    };
    let added: Vec<Value> = ["<|im_start|>", "<|im_end|>", "<think>", "<s>"]
        .into_iter()
        .enumerate()
        .map(added)
        .collect();
    let mut whole = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": if bytes { Value::Null } else { json!("<unk>") },
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": !bytes,
            "byte_fallback": !bytes, "ignore_merges": false, "vocab": vocab, "merges": merges,
        },
    });
    for (name, value) in style.as_object().unwrap() {
        if name != "ignore_merges" {
            whole[name] = value.clone();
        }
    }
    whole["model"]["ignore_merges"] = json!(style["ignore_merges"] == true);
    Tokenizer::from_bytes(whole.to_string()).unwrap()
}

fn split(pattern: &str) -> Value {
    json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false })
}

fn byte_level(use_regex: bool, trim_offsets: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": trim_offsets, "use_regex": use_regex })
}

fn sequence(mut before: Vec<Value>, last: Value) -> Value {
    before.push(last);
    json!({ "type": "Sequence", "pretokenizers": before })
}

fn framing(bos: u32) -> Value {
    json!({
        "type": "TemplateProcessing",
        "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
        "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
        "special_tokens": { "<s>": { "id": "<s>", "ids": [bos], "tokens": ["<s>"] } },
    })
}

fn assert_equal(name: &str, tokenizer: &Tokenizer) {
    let words = Words::of(tokenizer).unwrap_or_else(|| panic!("{name} is cut here"));
    let mut quick = 0;
    for text in texts() {
        for framed in [false, true] {
            let expected = encode(tokenizer, &text, framed).unwrap();
            if let Some(found) = words.encode(tokenizer, &text, framed) {
                let ids = |pieces: &[super::Piece]| pieces.iter().map(|piece| piece.id).collect::<Vec<_>>();
                assert_eq!(ids(&found), ids(&expected), "{name}: {text:?}");
                if !framed {
                    assert_eq!(found.get(1..), expected.get(1..), "{name}: {text:?}");
                }
                quick += 1;
            }
        }
    }
    assert!(quick > 1500, "{name}: only {quick} texts");
}

#[test]
fn words_are_cut_as_tokenizers_cuts_them() {
    let gpt2 = json!({ "pre_tokenizer": byte_level(true, true), "post_processor": byte_level(true, true) });
    let llama3 = json!({
        "pre_tokenizer": sequence(vec![split(LLAMA_3)], byte_level(false, true)),
        "post_processor": { "type": "Sequence", "processors": [byte_level(true, false), framing(3)] },
        "ignore_merges": true,
    });
    let qwen = json!({
        "normalizer": { "type": "NFC" },
        "pre_tokenizer": sequence(vec![split(&LLAMA_3.replace("{1,3}", ""))], byte_level(false, false)),
        "post_processor": byte_level(false, false),
    });
    let smollm = json!({
        "pre_tokenizer": sequence(vec![json!({ "type": "Digits", "individual_digits": true })], byte_level(true, true)),
    });
    let deepseek = json!({
        "normalizer": { "type": "Sequence", "normalizers": [] },
        "pre_tokenizer": sequence(DEEPSEEK.iter().map(|pattern| split(pattern)).collect(), byte_level(false, true)),
        "post_processor": byte_level(true, false),
    });
    let llama2 = json!({
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        ] },
        "post_processor": framing(1),
    });
    for (name, style) in [
        ("gpt2", gpt2),
        ("llama3", llama3),
        ("qwen", qwen),
        ("smollm", smollm),
        ("deepseek", deepseek),
        ("llama2", llama2),
    ] {
        assert_equal(name, &tokenizer(&style));
    }
}

#[test]
fn a_way_to_cut_that_is_not_known_is_left_to_tokenizers() {
    let prefixed = json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true });
    let looking = sequence(vec![split(r"\p{L}+(?=\s)|.")], byte_level(false, true));
    for pre_tokenizer in [prefixed, looking, json!({ "type": "Whitespace" })] {
        assert!(Words::of(&tokenizer(&json!({ "pre_tokenizer": pre_tokenizer }))).is_none());
    }
    let lowered = json!({ "pre_tokenizer": byte_level(true, true), "normalizer": { "type": "Lowercase" } });
    assert!(Words::of(&tokenizer(&lowered)).is_none());
}
