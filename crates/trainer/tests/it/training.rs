//! What a job says and leaves, and what bad jobs get.

use std::fs;

use cerebros_trainer::protocol::{
    Checkpointing, Event, FailureCode, Method, Parameters, Precision, Quantization, RateSchedule,
};

use crate::child::{Job, metrics, run};

fn quick() -> Parameters {
    Parameters {
        rank: 4,
        alpha: 8,
        epochs: 1,
        threads: Some(1),
        ..Parameters::default()
    }
}

fn failure(job: &Job) -> (FailureCode, String, i32) {
    let (events, exit) = run(&job.dir());
    match events.as_slice() {
        [Event::Failed { code, message, .. }] => (*code, message.clone(), exit),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_tiny_base_learns_with_default_rates() {
    let job = Job::new(
        Parameters {
            epochs: 6,
            threads: Some(1),
            ..Parameters::default()
        },
        30,
    );
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    let Some(Event::Started {
        train_rows,
        validation_rows,
        train_tokens,
        trainable_tokens,
        ..
    }) = events.first()
    else {
        panic!("{events:?}");
    };
    assert_eq!((*train_rows, *validation_rows), (27, 3));
    assert!(trainable_tokens < train_tokens && *trainable_tokens > 0);
    let Some(Event::Done {
        initial_validation_loss: Some(before),
        validation_loss: Some(after),
        ..
    }) = events.last()
    else {
        panic!("{events:?}");
    };
    assert!(
        after + 0.5 < *before,
        "validation loss fell only from {before} to {after}"
    );
}

#[test]
fn rows_are_cut_dropped_and_counted() {
    let row = |user: &str, assistant: &str, weight: u8| {
        let messages = serde_json::json!([
            { "role": "user", "content": user },
            { "role": "assistant", "content": assistant, "weight": weight },
        ]);
        format!("{}\n", serde_json::json!({ "messages": messages }))
    };
    let long = "long ".repeat(100);
    let data = [
        row("hi", "hello", 1),
        row("hi", "unweighted", 0),
        row(&long, "unseen", 1),
        row("cut", &long, 1),
        "\n".into(),
    ];
    let parameters = Parameters {
        max_seq_length: 64,
        validation_fraction: 0.0,
        ..quick()
    };
    let (events, code) = run(&Job::with_data(parameters, &data.concat()).dir());
    assert_eq!(code, 0, "{events:?}");
    let Some(Event::Started {
        train_rows,
        truncated_rows,
        dropped_rows,
        trainable_tokens,
        ..
    }) = events.first()
    else {
        panic!("{events:?}");
    };
    assert_eq!((*train_rows, *truncated_rows, *dropped_rows), (2, 2, 2));
    // "hello", its end token and newline; of the cut row what 64 tokens leave after the 22 of its prompt.
    assert_eq!(*trainable_tokens, 7 + 64 - 22);
}

#[test]
fn pairs_of_answers_are_counted_with_both_and_learned_from_where_training_starts() {
    let said = |role: &str, content: &str| serde_json::json!([{ "role": role, "content": content }]);
    let pair = |prompt: &str, chosen: &str, rejected: &str| {
        let (chosen, rejected) = (said("assistant", chosen), said("assistant", rejected));
        format!(
            "{}\n",
            serde_json::json!({ "prompt": said("user", prompt), "chosen": chosen, "rejected": rejected })
        )
    };
    let long = "long ".repeat(100);
    let good: String = (0..8)
        .map(|index| pair(&format!("{index}?"), "yes", "not at all"))
        .collect();
    let data = [
        good,
        pair("cut", &long, "short"),
        pair("alike where it is cut", &format!("{long}a"), &format!("{long}b")),
        pair(&long, "unseen", "unseen too"),
    ];
    let parameters = Parameters {
        method: Method::Dpo,
        learning_rate: 5e-3,
        epochs: 8,
        max_seq_length: 64,
        validation_fraction: 0.3,
        ..quick()
    };
    let job = Job::with_data(parameters, &data.concat());
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    let Some(Event::Started {
        method: Method::Dpo,
        train_rows: 6,
        validation_rows: 3,
        train_tokens,
        trainable_tokens,
        truncated_rows: 3,
        dropped_rows: 2,
        ..
    }) = events.first()
    else {
        panic!("{events:?}");
    };
    assert!(trainable_tokens < train_tokens);
    let start = events.iter().find_map(|event| match event {
        Event::Metric {
            step: 0,
            loss,
            validation_rewards: Some(rewards),
            token_accuracy: None,
            ..
        } => Some((*loss, *rewards)),
        _ => None,
    });
    let (loss, rewards) = start.unwrap();
    assert!((loss - 2.0_f64.ln()).abs() < 1e-6, "{loss}");
    assert!(rewards.margin.abs() < 1e-5, "{rewards:?}");
    let end = events.iter().rev().find_map(|event| match event {
        Event::Metric {
            validation_rewards: Some(rewards),
            validation_loss: Some(loss),
            ..
        } => Some((*loss, *rewards)),
        _ => None,
    });
    let (loss, rewards) = end.unwrap();
    assert!(loss < 0.5 && rewards.margin > 0.3, "{loss} {rewards:?}");
    assert!((rewards.accuracy - 1.0).abs() < 1e-9, "{rewards:?}");
    let samples = events.iter().rev().find_map(|event| match event {
        Event::Samples { best, worst, .. } => Some((best, worst)),
        _ => None,
    });
    let (best, worst) = samples.unwrap();
    assert!(best[0].margin > worst[0].margin);
    assert!(best.iter().all(|pair| pair.rejected.is_some()));

    let (code, message, _) = failure(&Job::with_data(
        Parameters {
            method: Method::Dpo,
            ..quick()
        },
        "{\"messages\": []}\n",
    ));
    assert_eq!(code, FailureCode::InvalidDataset);
    assert!(
        message.starts_with("Line 1 of the dataset is no pair of answers"),
        "{message}"
    );
}

#[test]
fn the_best_and_the_worst_validation_rows_are_told_with_their_text() {
    let row = |question: &str, answer: String| {
        let messages = serde_json::json!([
            { "role": "user", "content": question },
            { "role": "assistant", "content": answer },
        ]);
        format!("{}\n", serde_json::json!({ "messages": messages }))
    };
    let known: String = (0..40).map(|_| row("What is it?", "aaaaaaaaaaaaaaaa".into())).collect();
    let job = Job::with_data(
        Parameters {
            learning_rate: 1e-2,
            epochs: 3,
            ..quick()
        },
        &known,
    );
    let strange = format!("{}Zebra {}", "q7".repeat(20), "long ".repeat(120));
    let measured = [
        row("What is it?", "aaaaaaaaaaaaaaaa".into()),
        row("And that?", strange),
        row("What is it?", "aaaaaaaaaaaaaaaab".into()),
    ];
    std::fs::write(job.dir().join("measured.jsonl"), measured.concat()).unwrap();
    let mut spec = job.spec();
    spec.validation_dataset = Some("measured.jsonl".into());
    job.write_spec(&spec);
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Samples { step, best, worst } => Some((*step, best, worst)),
            _ => None,
        })
        .collect();
    assert_eq!(told.iter().map(|(step, ..)| *step).collect::<Vec<_>>(), [10, 20, 30]);
    let (_, best, worst) = told[2];
    assert_eq!(best.iter().map(|sample| sample.row).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((best[0].answer.as_str(), best[0].margin), ("aaaaaaaaaaaaaaaa", None));
    assert!(best[0].prompt.contains("What is it?"), "{best:?}");
    let [worst] = worst.as_slice() else { panic!("{worst:?}") };
    assert_eq!((worst.row, worst.rejected.as_ref()), (2, None));
    assert!(worst.loss > best[1].loss && best[1].loss > best[0].loss);
    assert!(worst.answer.starts_with("q7q7") && worst.answer.ends_with('…'));
    assert_eq!(worst.answer.chars().count(), 501);
    // The mean over tokens is the validation loss.
    let all = best.iter().chain([worst]);
    let (sum, count) = all.fold((0.0, 0), |(sum, count), sample| {
        (sum + sample.loss * sample.tokens as f64, count + sample.tokens)
    });
    let Some(Event::Done {
        validation_loss: Some(loss),
        ..
    }) = events.last()
    else {
        panic!("{events:?}");
    };
    assert!((sum / count as f64 - loss).abs() < 1e-9);
}

#[test]
fn a_validation_part_without_a_usable_row_is_left_out() {
    let job = Job::new(quick(), 6);
    let long = "word ".repeat(2000);
    let row = format!(
        "{{\"messages\":[{{\"role\":\"user\",\"content\":\"{long}\"}},{{\"role\":\"assistant\",\"content\":\"b\"}}]}}\n"
    );
    std::fs::write(job.dir().join("measured.jsonl"), row).unwrap();
    let mut spec = job.spec();
    spec.validation_dataset = Some("measured.jsonl".into());
    job.write_spec(&spec);
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    let started = events.iter().find_map(|event| match event {
        Event::Started {
            train_rows,
            validation_rows,
            dropped_rows,
            ..
        } => Some((*train_rows, *validation_rows, *dropped_rows)),
        _ => None,
    });
    assert_eq!(started, Some((6, 0, 1)));
    let told = events
        .iter()
        .any(|event| matches!(event, Event::Log { message, .. } if message.contains("not measured")));
    assert!(told, "{events:?}");
}

#[test]
fn validation_rows_may_have_a_file_of_their_own() {
    let job = Job::new(quick(), 20);
    let other = Job::new(quick(), 5);
    let rows = std::fs::read(other.dir().join("data.jsonl")).unwrap();
    std::fs::write(job.dir().join("measured.jsonl"), rows).unwrap();
    let mut spec = job.spec();
    spec.validation_dataset = Some("measured.jsonl".into());
    job.write_spec(&spec);
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    let Some(Event::Started {
        train_rows,
        validation_rows,
        ..
    }) = events.first()
    else {
        panic!("{events:?}");
    };
    assert_eq!((*train_rows, *validation_rows), (20, 5));
    let measured = events.iter().any(|event| {
        matches!(
            event,
            Event::Metric {
                token_accuracy: Some(_),
                validation_loss: Some(_),
                ..
            }
        )
    });
    assert!(measured, "{events:?}");
}

#[test]
fn bad_jobs_fail_with_a_code_and_a_sentence() {
    let (code, message, exit) = failure(&Job::with_data(quick(), ""));
    assert_eq!(
        (code, exit, message.as_str()),
        (FailureCode::InvalidDataset, 20, "The dataset is empty.")
    );

    let (code, message, _) = failure(&Job::with_data(quick(), "{\"messages\": []}\n{broken\n"));
    assert_eq!(code, FailureCode::InvalidDataset);
    assert!(message.starts_with("Line 2 of the dataset is no chat row"), "{message}");

    let (code, message, exit) = failure(&Job::new(Parameters { rank: 0, ..quick() }, 2));
    assert_eq!((code, exit), (FailureCode::InvalidParameters, 20));
    assert_eq!(message, "rank: must be a whole number from 1 to 256.");

    let never_measured = Parameters {
        early_stopping_patience: Some(1),
        validation_fraction: 0.0,
        ..quick()
    };
    let (_, message, _) = failure(&Job::new(never_measured, 2));
    assert_eq!(
        message,
        "early_stopping_patience: must be absent where validation_fraction is 0."
    );

    let job = Job::new(quick(), 2);
    let mut spec = job.spec();
    spec.base_dir = "nowhere".into();
    job.write_spec(&spec);
    let (code, message, exit) = failure(&job);
    assert_eq!((code, exit), (FailureCode::InvalidBase, 20));
    assert!(
        message.ends_with("does not exist. Check the path of the base model."),
        "{message}"
    );

    std::fs::write(job.dir().join("job.json"), "{}").unwrap();
    assert_eq!(failure(&job).0, FailureCode::InvalidJob);
}

#[test]
fn a_run_that_diverges_is_given_up_with_a_reason() {
    let learned = Parameters {
        learning_rate: 1e-2,
        batch_size: 1,
        epochs: 15,
        ..quick()
    };
    let first = Job::new(learned.clone(), 10);
    assert_eq!(run(&first.dir()).1, 0);
    let second = Job::new(
        Parameters {
            learning_rate: 0.1,
            warmup_ratio: 0.0,
            schedule: RateSchedule::Constant,
            ..learned
        },
        10,
    );
    let mut spec = second.spec();
    spec.initial_adapter = Some(first.dir().join("adapter"));
    second.write_spec(&spec);
    let (events, code) = run(&second.dir());
    assert_eq!(code, 20, "{:?}", metrics(&events));
    let Some(Event::Failed { code, message, .. }) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(*code, FailureCode::Diverged);
    assert!(message.starts_with("Training diverged: at step "), "{message}");
}

/// The most memory that a metric tells of, and the losses.
fn measured(parameters: Parameters) -> (u64, Vec<f64>, Job) {
    let job = Job::new(parameters, 12).widened();
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    let memory = events.iter().filter_map(|event| match event {
        Event::Metric { memory_bytes, .. } => Some(*memory_bytes),
        _ => None,
    });
    let losses = metrics(&events).into_iter().map(|(_, loss, _)| loss).collect();
    (memory.max().unwrap(), losses, job)
}

#[test]
fn a_base_of_four_bits_takes_less_memory_and_is_learned_over_alike() {
    let parameters = Parameters {
        learning_rate: 3e-3,
        epochs: 4,
        precision: Some(Precision::Fp32),
        ..quick()
    };
    let (whole, losses, _) = measured(parameters.clone());
    let packed = |precision| {
        measured(Parameters {
            quantization: Quantization::Nf4,
            precision: Some(precision),
            ..parameters.clone()
        })
    };
    let (four_bits, packed_losses, job) = packed(Precision::Fp32);
    assert!(four_bits + (55 << 20) < whole, "{four_bits} {whole}");
    let (first, last) = (losses[1], *losses.last().unwrap());
    assert!(last + 0.2 < first, "{losses:?}");
    assert!(
        packed_losses.last().unwrap() + 0.2 < packed_losses[1],
        "{packed_losses:?}"
    );
    for (packed, whole) in packed_losses.iter().zip(&losses) {
        assert!((packed / whole - 1.0).abs() < 0.05, "{packed_losses:?} {losses:?}");
    }
    assert!(packed_losses != losses, "nothing was packed");
    let card = job
        .adapter()
        .into_iter()
        .find(|(name, _)| name == "README.md")
        .unwrap()
        .1;
    assert!(String::from_utf8(card).unwrap().contains("NF4 (blocks of 64"));
    let (_, half_losses, _) = packed(Precision::Bf16);
    for (half, whole) in half_losses.iter().zip(&packed_losses) {
        assert!((half / whole - 1.0).abs() < 0.02, "{half_losses:?} {packed_losses:?}");
    }
}

#[test]
fn computing_layers_again_takes_less_memory_and_changes_nothing() {
    let with = |gradient_checkpointing| {
        measured(Parameters {
            gradient_checkpointing,
            dropout: 0.1,
            batch_size: 8,
            ..quick()
        })
    };
    let (kept, losses, job) = with(Checkpointing::Off);
    let (again, same_losses, same_job) = with(Checkpointing::On);
    assert_eq!(losses, same_losses);
    let weights = |job: &Job| fs::read(job.dir().join("adapter/adapter_model.safetensors")).unwrap();
    assert!(weights(&job) == weights(&same_job));
    assert!(again + (20 << 20) < kept, "{again} {kept}");
}

#[test]
fn one_and_two_threads_compute_the_same() {
    let losses = |threads| {
        let job = Job::new(
            Parameters {
                threads: Some(threads),
                ..quick()
            },
            12,
        );
        metrics(&run(&job.dir()).0)
    };
    let one = losses(1);
    assert_eq!(one.len(), 4);
    assert_eq!(one, losses(2));
}

#[test]
fn every_token_of_a_text_is_learned() {
    let text = |text: &str| format!("{}\n", serde_json::json!({ "text": text }));
    let data = [text(&"sea ".repeat(40)), text("abcd"), text("x"), text("")];
    let parameters = Parameters {
        method: Method::Text,
        max_seq_length: 64,
        validation_fraction: 0.0,
        ..quick()
    };
    let (events, code) = run(&Job::with_data(parameters, &data.concat()).dir());
    assert_eq!(code, 0, "{events:?}");
    let Some(Event::Started {
        method: Method::Text,
        train_rows: 2,
        train_tokens,
        trainable_tokens,
        truncated_rows: 1,
        dropped_rows: 2,
        ..
    }) = events.first()
    else {
        panic!("{events:?}");
    };
    // The first token of each has nothing before it, and one that stands alone teaches nothing.
    assert_eq!((*train_tokens, *trainable_tokens), (64 + 4, 63 + 3));
}
