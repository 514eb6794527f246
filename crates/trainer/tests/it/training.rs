//! What a job says and leaves, and what bad jobs get.

use cerebros_trainer::protocol::{Event, FailureCode, Parameters, RateSchedule};

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
