//! Models written for other programs: what is written, what vouches for it, and what is refused.

use crate::{
    bucket::Bucket,
    helpers::{Answer, Client, Kind, TestServer},
    training::{end_of, ready_dataset, rows, start_job},
};
use cerebros_common::{
    errors::ErrorCode,
    model_exports::{ModelExport, ModelExportKind, ModelExportStatus},
    models::Model,
    wire::Page,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::{Cursor, Read};

on_both_databases!(
    a_model_is_written_in_each_form_and_vouched_for,
    an_export_goes_with_its_model_and_alone,
    an_export_that_does_not_fit_in_memory_says_so,
    what_learned_from_something_deleted_is_not_exported,
);

/// A model of a short job.
pub async fn trained(client: &Client) -> Model {
    let dataset = ready_dataset(client, &rows(12)).await;
    let job = end_of(client, &start_job(client, &dataset, None, 1).await).await;
    let id = job.model_id.unwrap();
    client.get(&format!("/api/v1/models/{id}")).await.data()
}

async fn ask(client: &Client, model: &Model, kind: &str) -> Answer {
    let path = format!("/api/v1/models/{}/exports", model.id);
    client.post(&path, json!({"kind": kind})).await
}

fn path(export: &ModelExport) -> String {
    format!("/api/v1/model-exports/{}", export.id)
}

/// The export once it is over.
pub async fn exported(client: &Client, model: &Model, kind: &str) -> ModelExport {
    let export: ModelExport = ask(client, model, kind).await.data();
    assert_eq!(export.status, ModelExportStatus::Queued);
    client
        .wait(&path(&export), |export: &ModelExport| export.status.is_over())
        .await
}

/// The names in an archive, and the content of one file.
pub fn in_archive(bytes: Vec<u8>, name: &str) -> (Vec<String>, Vec<u8>) {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let names = (0..archive.len()).map(|index| archive.by_index(index).unwrap().name().unwrap().into_owned());
    let names = names.collect();
    let mut content = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
    (names, content)
}

async fn a_model_is_written_in_each_form_and_vouched_for(server: TestServer) {
    let member = server.member().await;
    let model = trained(&member).await;
    for (kind, magic) in [("peft", b"PK".as_slice()), ("merged", b"PK"), ("gguf", b"GGUF")] {
        let export = exported(&member, &model, kind).await;
        assert_eq!(
            (export.status, &export.error),
            (ModelExportStatus::Ready, &None),
            "{kind}"
        );
        let certificate = export.certificate.unwrap();
        assert!(certificate.holds, "{certificate:?}");
        assert_eq!(
            (certificate.prompts, certificate.tokens, certificate.equal_tokens),
            (20, 160, 160)
        );
        assert!(certificate.largest_logit_gap.unwrap() <= certificate.bound);

        let content = format!("{}/content", path(&export));
        let whole = member.get(&content).await;
        assert!(whole.bytes.starts_with(magic), "{kind}");
        assert_eq!(Some(whole.bytes.len() as u64), export.size_bytes);
        assert_eq!(Some(hex::encode(Sha256::digest(&whole.bytes))), export.sha256);
        goes_on(&member, &content, &whole).await;

        let twice = ask(&member, &model, kind).await.problem();
        assert_eq!(twice.error, ErrorCode::Conflict);
        if kind == "merged" {
            let (names, config) = in_archive(whole.bytes, "config.json");
            assert!(names.iter().any(|name| name == "model.safetensors"), "{names:?}");
            assert!(String::from_utf8(config).unwrap().contains("float32"));
        } else if kind == "peft" {
            let card = member.get(&format!("/api/v1/models/{}/card", model.id)).await;
            assert_eq!(card.header("content-type"), Some("text/markdown; charset=utf-8"));
            let (_, readme) = in_archive(whole.bytes.clone(), "README.md");
            assert_eq!(readme, card.bytes);
            says_what_is_known(&card.text, &model);
            let (_, weights) = in_archive(whole.bytes, "adapter_model.safetensors");
            assert_eq!(hex::encode(Sha256::digest(weights)), model.sha256);
        }
    }
    let all: Page<ModelExport> = member.get(&format!("/api/v1/models/{}/exports", model.id)).await.data();
    let kinds: Vec<ModelExportKind> = all.items.iter().map(|export| export.kind).collect();
    assert_eq!(kinds, ModelExportKind::ALL);
    assert!(
        !server
            .config
            .work_dir()
            .join("model-exports")
            .read_dir()
            .unwrap()
            .any(|_| true)
    );
    let unknown = ask(&member, &model, "onnx").await.problem();
    assert_eq!(unknown.error, ErrorCode::InvalidRequest);
}

fn says_what_is_known(card: &str, model: &Model) {
    let stars = format!("{} of 5", model.quality.stars.unwrap());
    let seed = format!("| Seed | {} |", model.seed);
    let hash = format!("`{}`", model.sha256);
    for part in [
        &stars,
        &seed,
        &hash,
        "MIT OR Apache-2.0",
        "Not written yet",
        "Shelves",
        "| Device | CPU",
    ] {
        assert!(card.contains(part), "{part} is missing in {card}");
    }
}

/// A download that broke off goes on, and is not sent again to whoever has it.
async fn goes_on(member: &Client, content: &str, whole: &Answer) {
    let etag = whole.header("etag").unwrap();
    let get = async |name: &str, value: &str, also: &str| {
        let request = member.request(Method::GET, content).header(name, value);
        Answer::of(request.header("if-range", also)).await
    };
    let rest = get("range", "bytes=100-", etag).await;
    assert_eq!(rest.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(rest.bytes, whole.bytes[100..]);
    let size = whole.bytes.len();
    assert_eq!(
        rest.header("content-range"),
        Some(format!("bytes 100-{}/{size}", size - 1).as_str())
    );
    let last = get("range", "bytes=-4", etag).await;
    assert_eq!(last.bytes, whole.bytes[size - 4..]);
    let older = get("range", "bytes=100-", "\"older\"").await;
    assert_eq!((older.status, older.bytes.len()), (StatusCode::OK, size));
    assert_eq!(get("if-none-match", etag, etag).await.status, StatusCode::NOT_MODIFIED);
}

async fn an_export_goes_with_its_model_and_alone(server: TestServer) {
    let member = server.member().await;
    let model = trained(&member).await;
    let kept = || std::fs::read_dir(server.config.data_dir.join("blobs/models")).unwrap();
    let files = || {
        kept()
            .map(|workspace| workspace.unwrap().path().read_dir().unwrap().count())
            .sum::<usize>()
    };
    let alone = exported(&member, &model, "gguf").await;
    assert_eq!(files(), 2);
    assert_eq!(member.delete(&path(&alone)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get(&path(&alone)).await.problem().error, ErrorCode::NotFound);
    assert_eq!(files(), 1);

    let along = exported(&member, &model, "gguf").await;
    assert_eq!(alone.sha256, along.sha256, "the same model gives the same file");
    let deleted = member.delete(&format!("/api/v1/models/{}", model.id)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(member.get(&path(&along)).await.problem().error, ErrorCode::NotFound);
    assert_eq!(files(), 0);
}

async fn an_export_that_does_not_fit_in_memory_says_so(server: TestServer) {
    let member = server.member().await;
    let model = trained(&member).await;
    let small = server
        .restart_with(|config| config.export_memory_bytes = Some(4 << 20))
        .await;
    let member = small.client(&member);
    let export = exported(&member, &model, "merged").await;
    assert_eq!(export.status, ModelExportStatus::Failed);
    assert!(
        export.error.as_ref().unwrap().contains("EXPORT_MEMORY_BYTES"),
        "{:?}",
        export.error
    );
    let nothing = member.get(&format!("{}/content", path(&export))).await.problem();
    assert_eq!(nothing.error, ErrorCode::Conflict);

    // With room it takes the failed one's place.
    let large = small.restart_with(|config| config.export_memory_bytes = None).await;
    let member = large.client(&member);
    let again = exported(&member, &model, "merged").await;
    assert_eq!(again.status, ModelExportStatus::Ready, "{:?}", again.error);
    assert_eq!(member.get(&path(&export)).await.problem().error, ErrorCode::NotFound);
    large.stop().await;
}

async fn what_learned_from_something_deleted_is_not_exported(server: TestServer) {
    let member = server.member().await;
    let model = trained(&member).await;
    server.execute("update models set source_deleted_at = created_at").await;
    let refused = ask(&member, &model, "peft").await.problem();
    assert_eq!(refused.error, ErrorCode::SourceDeleted);
}

#[test]
fn an_export_is_kept_in_a_bucket() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let bucket = Bucket::start().await;
        let s3 = bucket.config();
        let server = TestServer::start_with(Kind::Sqlite, |config| config.s3 = Some(s3)).await;
        let member = server.member().await;
        let model = trained(&member).await;
        let export = exported(&member, &model, "gguf").await;
        assert_eq!(bucket.files(), 4, "dataset, adapter, that of a checkpoint, export");
        let content = format!("{}/content", path(&export));
        let whole = member.get(&content).await;
        assert_eq!(Some(hex::encode(Sha256::digest(&whole.bytes))), export.sha256);
        goes_on(&member, &content, &whole).await;
        member.delete(&path(&export)).await;
        assert_eq!(bucket.files(), 3);
        member.delete(&format!("/api/v1/models/{}", model.id)).await;
        assert_eq!(bucket.files(), 1, "the dataset");
        server.stop().await;
    });
}
