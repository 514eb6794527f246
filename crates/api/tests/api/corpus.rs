//! Files of all kinds, hostile ones among them, at a real server: each ends well or with a sentence that helps, and the
//! server stays small. `CORPUS=10` makes the large ones as large as a person's.

#![expect(clippy::print_stdout, reason = "figures for whoever runs it by hand")]

use crate::{
    corpus_files::{self, CorpusFile, End},
    documents::{agent, is_settled, path, upload_path},
    helpers::{Client, ServerProcess, TestServer},
};
use cerebros_common::{
    agents::Agent,
    documents::{Document, DocumentStatus, DocumentText},
};

on_both_databases!(hostile_files_end_with_a_sentence_and_the_server_stays_small);

const MOST_MEMORY: u64 = 300 << 20;

async fn hostile_files_end_with_a_sentence_and_the_server_stays_small(server: TestServer) {
    let size = std::env::var("CORPUS")
        .ok()
        .and_then(|size| size.parse().ok())
        .unwrap_or(1);
    let process = ServerProcess::start(server.kind).await;
    let client = process.member().await;
    let mut agents: Vec<Agent> = Vec::new();
    let mut taken: Vec<(Document, CorpusFile)> = Vec::new();
    for file in corpus_files::all(size) {
        if taken.len() >= agents.len() * 10 {
            agents.push(agent(&client).await);
        }
        let here = upload_path(agents.last().unwrap(), "work_product");
        let answer = client.upload(&here, file.name, file.bytes.clone()).await;
        if matches!(file.end, End::Refused) {
            assert!(answer.status.is_client_error(), "{}: {}", file.name, answer.text);
            let problem = answer.problem();
            let sentence = problem
                .details
                .first()
                .map_or(problem.detail, |field| format!("It {}.", field.message));
            assert_says_what_to_do(file.name, &sentence);
        } else {
            assert_eq!(answer.status, 201, "{}: {}", file.name, answer.text);
            taken.push((answer.data(), file));
        }
    }
    for (document, file) in &taken {
        check(&client, document, file).await;
    }
    let examples = |documents: &Document| documents.examples > 0;
    client.wait(&path(&taken[0].0), examples).await;
    let peak = process.peak_memory();
    println!(
        "{} files taken, the server's peak memory was {} MiB",
        taken.len(),
        peak >> 20
    );
    assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);
}

async fn check(client: &Client, document: &Document, file: &CorpusFile) {
    let settled = client.wait(&path(document), is_settled).await;
    let error = settled.error.as_ref();
    match file.end {
        End::Ready => {
            assert_eq!(settled.status, DocumentStatus::Ready, "{}: {error:?}", file.name);
            let text: DocumentText = client
                .get(&format!("{}/text?length=100000", path(document)))
                .await
                .data();
            let is_long = text.total > 100_000;
            assert!(
                is_long || text.text.contains(file.holds),
                "{}: {}",
                file.name,
                text.text
            );
            assert!(settled.tokens.unwrap() > 0 && settled.chunks > 0);
        }
        End::Error(code) => {
            let error = error.unwrap_or_else(|| panic!("{} was read", file.name));
            assert_eq!(error.code, code, "{}: {}", file.name, error.message);
            assert_says_what_to_do(file.name, &error.message);
        }
        End::Refused => {}
    }
}

fn assert_says_what_to_do(name: &str, sentence: &str) {
    assert!(sentence.ends_with('.') && sentence.len() > 10, "{name}: {sentence}");
}
