//! Whatever interrupts a job, its next run ends with the same bytes.

use std::fs;

use cerebros_trainer::protocol::{Event, FailureCode, Method, Parameters, Precision, Quantization, RateSchedule};

use crate::child::{Job, Trainer, metrics, run};

/// Nine steps with everything on that carries state: dropout, accumulation, validation, warm-up, decay.
fn parameters() -> Parameters {
    Parameters {
        rank: 4,
        alpha: 8,
        dropout: 0.1,
        learning_rate: 5e-3,
        epochs: 3,
        batch_size: 2,
        gradient_accumulation_steps: 2,
        warmup_ratio: 0.2,
        weight_decay: 0.01,
        validation_fraction: 0.2,
        checkpoint_every_steps: 2,
        threads: Some(1),
        ..Parameters::default()
    }
}

fn at_step(wanted: u64) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Metric { step, .. } if *step == wanted)
}

fn resumed_from(events: &[Event]) -> u64 {
    match events.first() {
        Some(Event::Started { resumed_from_step, .. }) => *resumed_from_step,
        other => panic!("{other:?}"),
    }
}

/// An unbroken run: its job and its events.
fn unbroken() -> (Job, Vec<Event>) {
    unbroken_with(parameters())
}

fn unbroken_with(parameters: Parameters) -> (Job, Vec<Event>) {
    let job = Job::new(parameters, 15);
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    (job, events)
}

#[test]
fn killed_again_and_again_it_ends_with_the_same_bytes() {
    kill_again_and_again(parameters());
}

#[test]
fn killed_again_and_again_in_bf16_it_ends_with_the_same_bytes() {
    kill_again_and_again(Parameters {
        precision: Some(Precision::Bf16),
        ..parameters()
    });
}

#[test]
fn killed_again_and_again_over_four_bits_it_ends_with_the_same_bytes() {
    kill_again_and_again(Parameters {
        quantization: Quantization::Nf4,
        ..parameters()
    });
}

#[test]
fn killed_again_and_again_on_pairs_it_ends_with_the_same_bytes() {
    kill_again_and_again(Parameters {
        method: Method::Dpo,
        ..parameters()
    });
}

fn kill_again_and_again(parameters: Parameters) {
    let (whole, whole_events) = unbroken_with(parameters.clone());
    let expected = metrics(&whole_events);
    assert_eq!(expected.len(), 10);
    let job = Job::new(parameters, 15);
    let kill_at = |step| {
        let mut trainer = Trainer::start(&job.dir());
        let events = trainer.read_until(at_step(step));
        trainer.child.kill().unwrap();
        trainer.child.wait().unwrap();
        events
    };
    let mut resumed = Vec::new();
    for step in [0, 1, 3, 4, 7, 9] {
        let events = kill_at(step);
        resumed.push(resumed_from(&events));
        for metric in metrics(&events) {
            assert!(expected.contains(&metric), "{metric:?} is not in {expected:?}");
        }
    }
    assert!(resumed.is_sorted() && resumed[5] >= 4, "{resumed:?}");
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    assert_eq!(events.last(), whole_events.last());
    assert_eq!(job.adapter(), whole.adapter());
}

#[test]
fn killed_after_its_best_evaluation_it_stops_early_with_the_same_bytes() {
    let parameters = || Parameters {
        alpha: 64,
        learning_rate: 0.05,
        schedule: RateSchedule::Constant,
        epochs: 12,
        early_stopping_patience: Some(2),
        ..parameters()
    };
    let whole = Job::new(parameters(), 15);
    let (whole_events, code) = run(&whole.dir());
    assert_eq!(code, 0, "{whole_events:?}");
    let Some(Event::Done {
        validation_loss: Some(kept),
        steps,
        best_step: Some(best),
        ..
    }) = whole_events.last()
    else {
        panic!("{whole_events:?}");
    };
    let validations: Vec<(u64, f64)> = whole_events
        .iter()
        .filter_map(|event| match event {
            Event::Metric {
                step,
                validation_loss: Some(loss),
                ..
            } if *step > 0 => Some((*step, *loss)),
            _ => None,
        })
        .collect();
    // Two evaluations of three steps each came after the best; all twelve epochs would be 36 steps.
    assert!(*steps == best + 6 && *steps < 36, "{validations:?}");
    assert!(
        validations
            .iter()
            .all(|(step, loss)| loss >= kept && (loss > kept || step == best))
    );

    let job = Job::new(parameters(), 15);
    for step in [best + 1, best + 4] {
        let mut trainer = Trainer::start(&job.dir());
        trainer.read_until(at_step(step));
        trainer.child.kill().unwrap();
        trainer.child.wait().unwrap();
    }
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    assert!(resumed_from(&events) > *best);
    assert_eq!(events.last(), whole_events.last());
    assert_eq!(job.adapter(), whole.adapter());
}

#[test]
fn a_step_that_was_not_measured_yet_is_measured_by_the_next_run() {
    // So many rows to measure on that the interruption falls into measuring.
    let measured = |job: &Job| {
        let rows = Job::new(parameters(), 400);
        fs::copy(rows.dir().join("data.jsonl"), job.dir().join("measured.jsonl")).unwrap();
        let mut spec = job.spec();
        spec.validation_dataset = Some("measured.jsonl".into());
        job.write_spec(&spec);
    };
    let small = Parameters {
        epochs: 2,
        checkpoint_every_steps: 1000,
        ..parameters()
    };
    let whole = Job::new(small.clone(), 4);
    measured(&whole);
    let (whole_events, code) = run(&whole.dir());
    assert_eq!(code, 0, "{whole_events:?}");

    let job = Job::new(small, 4);
    measured(&job);
    let mut found = Vec::new();
    for step in [0, 1] {
        let mut trainer = Trainer::start(&job.dir());
        let events = trainer.read_until(at_step(step));
        drop(trainer.stdin.take());
        found.extend(metrics(&events));
        let (events, code) = trainer.finish();
        assert_eq!(code, 10, "{events:?}");
        found.extend(metrics(&events));
    }
    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    found.extend(metrics(&events));
    // What came before a checkpoint is said again.
    let mut once = Vec::new();
    for metric in found {
        if !once.contains(&metric) {
            once.push(metric);
        }
    }
    assert_eq!(once, metrics(&whole_events), "no gap");
    assert_eq!(events.last(), whole_events.last());
}

#[test]
fn end_of_stdin_and_sigterm_leave_a_checkpoint() {
    let (whole, _) = unbroken();
    let job = Job::new(
        Parameters {
            checkpoint_every_steps: 1000,
            ..parameters()
        },
        15,
    );
    let mut trainer = Trainer::start(&job.dir());
    trainer.read_until(at_step(3));
    drop(trainer.stdin.take());
    let (events, code) = trainer.finish();
    assert_eq!(code, 10, "{events:?}");
    assert!(
        matches!(events.last(), Some(Event::Checkpoint { step }) if *step >= 3),
        "{events:?}"
    );

    let mut trainer = Trainer::start(&job.dir());
    let events = trainer.read_until(at_step(6));
    assert!(resumed_from(&events) >= 3);
    let pid = trainer.child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let (events, code) = trainer.finish();
    assert_eq!(code, 10, "{events:?}");

    let (events, code) = run(&job.dir());
    assert_eq!(code, 0, "{events:?}");
    assert_eq!(job.adapter(), whole.adapter());
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let (whole, whole_events) = unbroken();
    let (job, _) = unbroken();
    fs::remove_file(job.dir().join("result.json")).unwrap();
    let newest = job.dir().join("checkpoints/step-9/optimizer.safetensors");
    let mut bytes = fs::read(&newest).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let (events, code) = run(&job.dir());
    assert_eq!((code, resumed_from(&events)), (0, 8));
    assert_eq!(events.last(), whole_events.last());
    assert_eq!(job.adapter(), whole.adapter());
}

#[test]
fn a_finished_job_repeats_its_measurements_and_its_end() {
    let (job, events) = unbroken();
    let (again, code) = run(&job.dir());
    assert_eq!(code, 0);
    // Whoever listened to the first run may have died before it stored them.
    let metrics = events.iter().filter(|event| matches!(event, Event::Metric { .. }));
    let newest = |is: fn(&Event) -> bool| events.iter().rev().find(|event| is(event)).unwrap();
    let end = [
        newest(|event| matches!(event, Event::Checkpoint { .. })),
        newest(|event| matches!(event, Event::Samples { .. })),
        newest(|event| matches!(event, Event::Done { .. })),
    ];
    let expected: Vec<Event> = metrics.chain(end).cloned().collect();
    assert_eq!(again, expected);
    let checkpoints = fs::read_dir(job.dir().join("checkpoints")).unwrap().count();
    assert_eq!(checkpoints, 2);
}

#[test]
fn a_changed_job_is_refused() {
    let (job, _) = unbroken();
    fs::remove_file(job.dir().join("result.json")).unwrap();
    let mut spec = job.spec();
    spec.parameters.seed += 1;
    job.write_spec(&spec);
    let (events, code) = run(&job.dir());
    assert_eq!(code, 20);
    assert!(
        matches!(
            events[..],
            [Event::Failed {
                code: FailureCode::JobChanged,
                ..
            }]
        ),
        "{events:?}"
    );
}
