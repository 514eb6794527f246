//! What is told of a job before it starts is what the trainer counts then. `ESTIMATES=20` tries more datasets.

use crate::{
    helpers::{Client, TestServer},
    training::{built_in_base, end_of, ready_dataset},
};
use cerebros_common::{
    datasets::{DatasetLengths, LongRow},
    errors::ErrorCode,
    jobs::{Job, JobEstimate, JobStatus},
};
use serde_json::{Value, json};

on_both_databases!(
    |config| config.training_prices.0 = vec![("gpu".to_owned(), 1), ("cpu".to_owned(), 3_600)];
    an_estimate_is_what_the_trainer_counts,
    what_does_not_fit_is_said_with_what_would,
    bad_estimates_are_refused,
    lengths_are_what_an_estimate_counts,
    lengths_name_lines_and_what_is_cut_off,
);

const ESTIMATE: &str = "/api/v1/jobs/estimate";

/// The same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn words(&mut self, most: u64) -> String {
        let words = [
            "shelf", "Größe", "binder", "1984", "𝄞", "and", "of the", "archive.", "\n",
        ];
        let count = 1 + self.below(most);
        let all: Vec<&str> = (0..count)
            .map(|_| words[self.below(words.len() as u64) as usize])
            .collect();
        all.join(" ")
    }

    /// Conversations of all kinds, some twice, some too long to learn from.
    fn rows(&mut self, count: u64) -> String {
        let mut rows: Vec<String> = Vec::new();
        for index in 0..count {
            if index > 2 && self.below(8) == 0 {
                let before = self.below(index) as usize;
                rows.push(rows[before].clone());
                continue;
            }
            let mut messages = Vec::new();
            if self.below(3) == 0 {
                messages.push(json!({"role": "system", "content": self.words(10)}));
            }
            let long = if self.below(6) == 0 { 80 } else { 6 };
            for _ in 0..=self.below(3) {
                messages.push(json!({"role": "user", "content": format!("{} {index}?", self.words(long))}));
                messages.push(json!({"role": "assistant", "content": self.words(20)}));
            }
            rows.push(format!("{}\n", json!({"messages": messages})));
        }
        rows.concat()
    }

    /// Pairs of answers, of which some are alike once they are cut.
    fn pairs(&mut self, count: u64) -> String {
        let mut pair = |index: u64| {
            let long = if self.below(6) == 0 { 80 } else { 6 };
            let mut prompt = vec![json!({"role": "user", "content": format!("{} {index}?", self.words(long))})];
            if self.below(3) == 0 {
                prompt.push(json!({"role": "assistant", "content": self.words(5)}));
                prompt.push(json!({"role": "user", "content": self.words(5)}));
            }
            let start = if self.below(4) == 0 {
                self.words(200)
            } else {
                String::new()
            };
            let mut answer =
                |mark| json!([{"role": "assistant", "content": format!("{start}{}{mark}", self.words(20))}]);
            format!(
                "{}\n",
                json!({"prompt": prompt, "chosen": answer("+"), "rejected": answer("-")})
            )
        };
        (0..count).map(&mut pair).collect()
    }

    fn parameters(&mut self) -> Value {
        let (quantization, again) = ([["none", "auto"], ["nf4", "on"], ["nf4", "off"]])[self.below(3) as usize].into();
        json!({
            "quantization": quantization, "gradient_checkpointing": again, "rank": 1 + self.below(8), "epochs": 1 + self.below(2), "batch_size": 1 + self.below(5),
            "gradient_accumulation_steps": 1 + self.below(3), "max_seq_length": 48 + self.below(200),
            "seed": self.below(1000),
        })
    }
}

async fn body(client: &Client, rows: &str, parameters: Value) -> Value {
    let dataset = ready_dataset(client, rows).await;
    let base = built_in_base(client).await;
    json!({"dataset_id": dataset.id, "base_id": base.id, "parameters": parameters})
}

async fn an_estimate_is_what_the_trainer_counts(server: TestServer) {
    let count = std::env::var("ESTIMATES").map_or(3, |count| count.parse().unwrap());
    let member = server.member().await;
    for seed in 0..count {
        let mut dice = Dice(seed);
        let size = 5 + dice.below(25);
        let rows = if seed % 3 == 1 {
            dice.pairs(size)
        } else {
            dice.rows(size)
        };
        let body = body(&member, &rows, dice.parameters()).await;
        if let Some(kept) = [None, Some(0.0), Some(0.1), Some(0.25)][dice.below(4) as usize] {
            let split = format!("/api/v1/datasets/{}/split", body["dataset_id"].as_str().unwrap());
            let chosen = json!({"validation_fraction": kept, "seed": seed});
            member.post(&split, chosen).await.data::<Value>();
        }
        let estimate: JobEstimate = member.post(ESTIMATE, body.clone()).await.data();
        let job: Job = member.post("/api/v1/jobs", body).await.data();
        let job = end_of(&member, &job).await;
        assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
        assert_eq!(job.plan, Some(estimate.plan.clone()), "seed {seed}");
        assert!(estimate.fits && estimate.fitting.is_none());
        assert!(estimate.longest_row_tokens > 0 && estimate.duration_s > 0);
        assert!(estimate.plan.device.starts_with("CPU"), "{}", estimate.plan.device);
        assert_eq!(
            estimate.cost_micros,
            Some(estimate.duration_s as i64),
            "a second costs one"
        );
    }
    let twice =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]}\n".repeat(4);
    let body = body(&member, &twice, json!({})).await;
    let estimate: JobEstimate = member.post(ESTIMATE, body).await.data();
    assert_eq!(estimate.duplicate_rows, 3);
    assert!(!estimate.recomputes);
    let least = json!({"quantization": "nf4", "gradient_checkpointing": "on"});
    let body = self::body(&member, &twice, least).await;
    let least: JobEstimate = member.post(ESTIMATE, body).await.data();
    // The tiny base's linear maps, at 4 bytes a value and at 4.5 bits, of which the largest is unpacked.
    assert!(
        least.memory_bytes + (2 << 20) < estimate.memory_bytes,
        "{least:?} {estimate:?}"
    );
    assert!(least.recomputes && least.plan == estimate.plan);
}

async fn what_does_not_fit_is_said_with_what_would(server: TestServer) {
    let member = server.member().await;
    let long = "word ".repeat(3_000);
    let row = json!({"messages": [{"role": "user", "content": "Say it."}, {"role": "assistant", "content": long}]});
    let rows: String = (0..70)
        .map(|index| format!("{}\n", row.to_string().replace("Say", &format!("Say {index}"))))
        .collect();
    let body = body(
        &member,
        &rows,
        json!({"batch_size": 64, "max_seq_length": 2048, "epochs": 1}),
    )
    .await;
    let estimate: JobEstimate = member.post(ESTIMATE, body).await.data();
    assert_eq!(estimate.plan.truncated_rows, 70);
    assert_eq!(estimate.longest_row_tokens, 2048);
    let least = estimate.available_bytes.unwrap();
    assert_eq!(estimate.fits, estimate.memory_bytes < least / 10 * 9);
    assert_eq!(estimate.fitting.is_some(), !estimate.fits);
}

async fn bad_estimates_are_refused(server: TestServer) {
    let member = server.member().await;
    let good = body(&member, &crate::training::rows(4), json!({})).await;
    for (field, value, named) in [
        ("parameters", json!({"rank": 0}), "parameters.rank"),
        ("surprise", json!(1), "surprise"),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let problem = member.post(ESTIMATE, bad).await.problem();
        assert_eq!(problem.details[0].path, named);
    }
    for field in ["dataset_id", "base_id"] {
        let mut bad = good.clone();
        bad[field] = json!(uuid::Uuid::nil());
        assert_eq!(member.post(ESTIMATE, bad).await.problem().error, ErrorCode::NotFound);
    }
    // Nothing in it can be learned: no assistant's word lies before the cut.
    let long = "word ".repeat(200);
    let row = json!({"messages": [{"role": "user", "content": long}, {"role": "assistant", "content": "b"}]});
    let body = body(&member, &format!("{row}\n"), json!({"max_seq_length": 16})).await;
    let problem = member.post(ESTIMATE, body).await.problem();
    assert_eq!(problem.error, ErrorCode::Conflict);
    assert!(problem.detail.contains("max_seq_length"), "{}", problem.detail);
}

/// The lengths of the rows of a job's body, and the address that tells them.
async fn lengths(client: &Client, body: &Value) -> (DatasetLengths, String) {
    let path = format!("/api/v1/datasets/{}/lengths", body["dataset_id"].as_str().unwrap());
    let length = &body["parameters"]["max_seq_length"];
    let choice = json!({"base_id": body["base_id"], "max_seq_length": length});
    (client.post(&path, choice).await.data(), path)
}

async fn lengths_are_what_an_estimate_counts(server: TestServer) {
    let member = server.member().await;
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let rows = if seed % 2 == 1 { dice.pairs(20) } else { dice.rows(20) };
        let length = [60, 120][seed as usize / 2];
        let body = body(&member, &rows, json!({"max_seq_length": length})).await;
        // All rows are trained on.
        let split = format!("/api/v1/datasets/{}/split", body["dataset_id"].as_str().unwrap());
        member
            .post(&split, json!({"validation_fraction": 0.0}))
            .await
            .data::<Value>();
        let plan = member.post(ESTIMATE, body.clone()).await.data::<JobEstimate>().plan;
        let (told, _) = lengths(&member, &body).await;
        assert!(plan.truncated_rows > 0, "seed {seed}");
        assert_eq!(
            (told.rows, told.truncated_rows, told.dropped_rows),
            (plan.train_rows, plan.truncated_rows, plan.dropped_rows)
        );
        assert_eq!(
            (told.tokens, told.trainable_tokens),
            (plan.train_tokens, plan.trainable_tokens)
        );
        assert_eq!(told.max_tokens, length);
        assert_eq!(
            told.spread.iter().map(|span| span.rows).sum::<u64>(),
            told.rows + told.dropped_rows
        );
        // Kept apart, rows are counted all the same.
        let other = ready_dataset(&member, &rows).await;
        let split = format!("/api/v1/datasets/{}/split", other.id);
        member
            .post(&split, json!({"validation_fraction": 0.5}))
            .await
            .data::<Value>();
        let mut body = body;
        body["dataset_id"] = json!(other.id);
        assert_eq!(lengths(&member, &body).await.0, told);
    }
}

async fn lengths_name_lines_and_what_is_cut_off(server: TestServer) {
    let member = server.member().await;
    let row = |asked: usize, answered: usize| {
        let [asked, answered] = [asked, answered].map(|count| "word ".repeat(count));
        json!({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]})
    };
    let rows = format!("{{\n{}\n\n{}\n{}\n", row(2, 2), row(90, 1), row(2, 60));
    let body = body(&member, &rows, json!({"max_seq_length": 128})).await;
    let (told, path) = lengths(&member, &body).await;
    assert_eq!((told.rows, told.truncated_rows), (2, 2));
    assert_eq!((told.dropped_rows, told.cut_off_rows), (1, 1));
    let lines: Vec<u64> = told.longest_rows.iter().map(|row| row.line).collect();
    assert_eq!(lines, [4, 5, 2], "of the file, what is rejected included");
    let longest = told.longest_row_tokens;
    assert_eq!(
        told.longest_rows[0],
        LongRow {
            line: 4,
            tokens: longest
        }
    );
    assert!(longest > 450 && told.p50_tokens < longest && told.p50_tokens > 300);
    // A length that nothing is left of still is an answer.
    let mut short = body.clone();
    short["parameters"]["max_seq_length"] = json!(16);
    let (told, _) = lengths(&member, &short).await;
    assert_eq!((told.rows, told.cut_off_rows, told.tokens), (0, 3, 0));
    for (field, value) in [("max_seq_length", json!(8)), ("surprise", json!(1))] {
        let mut bad = json!({"base_id": body["base_id"], "max_seq_length": 64});
        bad[field] = value;
        assert_eq!(member.post(&path, bad).await.problem().details[0].path, field);
    }
    let unknown = json!({"base_id": uuid::Uuid::nil(), "max_seq_length": 64});
    assert_eq!(member.post(&path, unknown).await.problem().error, ErrorCode::NotFound);
}
