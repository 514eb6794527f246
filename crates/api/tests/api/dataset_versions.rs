use crate::{
    datasets::{UPLOAD, path, read_all, row, validated},
    documents::{PDF, agent},
    examples::generated,
    helpers::{Client, TestServer},
    uploads::{end, send_all},
};
use cerebros_common::{
    datasets::{Dataset, DatasetDiff, DatasetFormat, DatasetRow, DatasetSource},
    deletions::DeletionPreview,
    errors::ErrorCode,
    uploads::{Upload, UploadStatus},
    wire::Page,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

on_both_databases!(
    versions_form_one_line_and_are_found_by_their_bytes,
    two_versions_are_compared_row_by_row,
    a_version_has_the_rows_that_pass,
    a_version_is_built_from_the_examples_approved_since,
    a_version_comes_in_parts,
    a_version_of_nothing_is_refused,
    the_part_to_measure_on_is_chosen_once,
);

/// Uploads rows, as the next version of a dataset.
async fn upload(client: &Client, of: Option<&Dataset>, rows: &str) -> Dataset {
    let of = of.map(|of| format!("?version_of={}", of.id)).unwrap_or_default();
    let answer = client
        .upload(&format!("{UPLOAD}{of}"), "x.jsonl", rows.to_owned())
        .await;
    validated(client, answer).await
}

async fn diff(client: &Client, from: &Dataset, to: &Dataset) -> DatasetDiff {
    client
        .get(&format!("{}/diff?from_id={}", path(to), from.id))
        .await
        .data()
}

/// What the first message of each row says.
async fn asked(client: &Client, path: &str) -> Vec<String> {
    let rows: Vec<DatasetRow> = read_all(client, path).await;
    let said = |row: DatasetRow| row.row["messages"][0]["content"].as_str().unwrap().to_owned();
    rows.into_iter().map(said).collect()
}

async fn versions_form_one_line_and_are_found_by_their_bytes(server: TestServer) {
    let member = server.member().await;
    let alone = upload(&member, None, &row("alone", "b")).await;
    assert_eq!((alone.line_id, alone.version, alone.parent_id), (alone.id, 1, None));
    let first = upload(&member, None, &row("a", "b")).await;
    let second = upload(&member, Some(&first), &row("a", "c")).await;
    // Of the first one again.
    let third = upload(&member, Some(&first), &row("a", "d")).await;
    let places = [&first, &second, &third].map(|dataset| (dataset.line_id, dataset.version, dataset.parent_id));
    assert_eq!(
        places,
        [
            (first.id, 1, None),
            (first.id, 2, Some(first.id)),
            (first.id, 3, Some(first.id))
        ]
    );

    for of in [&first, &third] {
        let page: Page<Dataset> = member.get(&format!("{}/versions?limit=2", path(of))).await.data();
        assert_eq!((page.total, &page.items), (3, &vec![third.clone(), second.clone()]));
    }
    let newest: Page<Dataset> = member.get("/api/v1/datasets").await.data();
    assert_eq!(newest.items, [third.clone(), alone]);
    let sha256 = second.sha256.clone().unwrap();
    let found: Page<Dataset> = member.get(&format!("/api/v1/datasets?sha256={sha256}")).await.data();
    assert_eq!(found.items, std::slice::from_ref(&second));

    let same = member
        .upload(&format!("{UPLOAD}?version_of={}", third.id), "x.jsonl", row("a", "c"))
        .await
        .problem();
    assert_eq!(same.error, ErrorCode::Conflict);
    assert!(same.detail.contains("Version 2"), "{}", same.detail);
    let problem = member.get("/api/v1/datasets?sha256=abc").await.problem();
    assert_eq!(problem.details[0].path, "sha256");
}

async fn two_versions_are_compared_row_by_row(server: TestServer) {
    let member = server.member().await;
    let rows = |asked: &[&str]| asked.iter().map(|asked| row(asked, "y")).collect::<String>();
    let first = upload(&member, None, &rows(&["a", "b", "c", "c", "d"])).await;
    // One copy less, three rows less, three more, of which one twice; and one in another notation.
    let second = rows(&["e", "a", "c", "f", "f"]).replacen("{\"messages\":", "{ \"messages\" : ", 2) + "broken\n";
    let second = upload(&member, Some(&first), &second).await;
    let expected = DatasetDiff {
        added: 3,
        removed: 3,
        unchanged: 2,
    };
    assert_eq!(diff(&member, &first, &second).await, expected);
    let (added, removed) = (
        format!("{}/diff/rows?from_id={}&side=added", path(&second), first.id),
        format!("{}/diff/rows?from_id={}&side=removed", path(&second), first.id),
    );
    assert_eq!(asked(&member, &added).await, ["e", "f", "f"]);
    assert_eq!(asked(&member, &removed).await, ["b", "c", "d"]);
    let back = diff(&member, &second, &first).await;
    assert_eq!((back.added, back.removed, back.unchanged), (3, 3, 2));
    let same = diff(&member, &second, &second).await;
    assert_eq!((same.added, same.removed, same.unchanged), (0, 0, 5));

    // The same conversations in another format are the same rows.
    let export = member.get(&format!("{}/export?format=sharegpt", path(&first))).await;
    let other = upload(&member, None, &export.text).await;
    assert_eq!(other.format, Some(DatasetFormat::Sharegpt));
    let across = diff(&member, &first, &other).await;
    assert_eq!((across.added, across.removed, across.unchanged), (0, 0, 5));

    let texts = upload(&member, None, "{\"text\": \"a\"}\n").await;
    let apart = format!("{}/diff?from_id={}", path(&first), texts.id);
    assert_eq!(member.get(&apart).await.problem().error, ErrorCode::Conflict);
    for query in ["", "?from_id=1", "/rows?side=added"] {
        let problem = member.get(&format!("{}/diff{query}", path(&first))).await.problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest, "{query}");
    }
    let problem = member.get(&format!("{added}&cursor=x")).await.problem();
    assert_eq!(problem.details[0].path, "cursor");
    let stranger = server.stranger().await;
    assert_eq!(stranger.get(&added).await.problem().error, ErrorCode::NotFound);
}

async fn a_version_has_the_rows_that_pass(server: TestServer) {
    let member = server.member().await;
    let long = "How many days may I work from abroad, and whom do I have to ask for it before I leave the country?";
    let rows = [
        row("short", "y"),
        row(long, "Twenty days a year."),
        "broken\n".to_owned(),
        row(&long.replace("country", "office"), "Twenty days a year."),
        row("short", "y"),
        row(&"x".repeat(300), "y"),
    ];
    let first = upload(&member, None, &rows.concat()).await;
    let made = async |filters: Value| {
        let made = member.post(&format!("{}/versions", path(&first)), filters).await;
        validated(&member, made).await
    };
    let sound = made(json!({"without_duplicates": true, "without_near_duplicates": true})).await;
    assert_eq!((sound.source, sound.version), (DatasetSource::Rows, 2));
    assert_eq!((sound.parent_id, sound.name.as_str()), (Some(first.id), "x.jsonl"));
    let filters = sound.filters.clone().unwrap();
    assert!(filters.without_duplicates && filters.without_near_duplicates && filters.min_tokens.is_none());
    let rows = asked(&member, &format!("{}/rows", path(&sound))).await;
    assert_eq!(rows, ["short", long, &"x".repeat(300)]);
    let report = sound.report.as_ref().unwrap();
    assert_eq!((report.rows_total, report.warnings), (3, 0));
    let removed = diff(&member, &first, &sound).await;
    assert_eq!((removed.added, removed.removed, removed.unchanged), (0, 2, 3));

    let bounded = made(json!({"min_tokens": 7, "max_tokens": 300, "format": "sharegpt"})).await;
    assert_eq!((bounded.version, bounded.format), (3, Some(DatasetFormat::Sharegpt)));
    assert_eq!(bounded.report.unwrap().rows_total, 2);

    for (filters, field) in [
        (json!({}), "without_duplicates"),
        (json!({"min_tokens": 0}), "min_tokens"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let problem = member
            .post(&format!("{}/versions", path(&first)), filters)
            .await
            .problem();
        assert_eq!(problem.details[0].path, field);
    }
    for filters in [json!({"min_tokens": 5000}), json!({"format": "text"})] {
        let problem = member
            .post(&format!("{}/versions", path(&first)), filters)
            .await
            .problem();
        assert_eq!(problem.error, ErrorCode::Conflict);
    }
}

async fn a_version_is_built_from_the_examples_approved_since(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    generated(&member, &agent, "policy.pdf", PDF).await;
    let approve = json!({"agent_id": agent.id, "status": "approved"});
    member
        .post("/api/v1/examples/review", approve.clone())
        .await
        .data::<Value>();
    let new = json!({"agent_id": agent.id, "name": "First"});
    let first = validated(&member, member.post("/api/v1/datasets", new).await).await;

    let next = json!({"agent_id": agent.id, "name": "First", "version_of": first.id});
    let same = member.post("/api/v1/datasets", next.clone()).await.problem();
    assert!(same.detail.contains("Version 1"), "{}", same.detail);
    let manual = json!({"agent_id": agent.id, "prompt": "No thought?", "response": "None."});
    member.post("/api/v1/examples", manual).await.data::<Value>();
    member.post("/api/v1/examples/review", approve).await.data::<Value>();
    let second = validated(&member, member.post("/api/v1/datasets", next).await).await;
    assert_eq!((second.version, second.line_id), (2, first.line_id));
    let grown = diff(&member, &first, &second).await;
    assert_eq!((grown.added, grown.removed), (1, 0));

    // What was made of the examples goes with their agent, whichever version.
    let filters = json!({"max_tokens": 20});
    let third = member.post(&format!("{}/versions", path(&second)), filters).await;
    let third = validated(&member, third).await;
    let subject = json!({"subject": "agent", "id": agent.id});
    let preview: DeletionPreview = member.post("/api/v1/deletions/preview", subject).await.data();
    let ids: Vec<_> = preview.datasets.iter().map(|dataset| dataset.id).collect();
    assert_eq!(ids, [third.id, second.id, first.id].map(|id| id.0));
}

async fn a_version_comes_in_parts(server: TestServer) {
    let member = server.member().await;
    let first = upload(&member, None, &row("a", "b")).await;
    let send = async |rows: String| {
        let new = json!({"version_of": first.id, "name": "more.jsonl", "size_bytes": rows.len()});
        let begun: Upload = member.post("/api/v1/uploads", new).await.data();
        assert_eq!(begun.version_of, Some(first.id));
        send_all(&member, &begun, rows.as_bytes()).await;
        end(&member, &begun, json!({})).await
    };
    let done = send(row("a", "c")).await;
    let second: Dataset = member
        .get(&format!("/api/v1/datasets/{}", done.dataset_id.unwrap()))
        .await
        .data();
    assert_eq!((second.version, second.parent_id), (2, Some(first.id)));
    let failed = send(row("a", "c")).await;
    assert_eq!(failed.status, UploadStatus::Failed);
    assert!(failed.error.unwrap().message.contains("Version 2"));
    let agent = agent(&member).await;
    let both = json!({"version_of": first.id, "agent_id": agent.id, "kind": "reference", "name": "a", "size_bytes": 1});
    let problem = member.post("/api/v1/uploads", both).await.problem();
    assert_eq!(problem.details[0].path, "version_of");
}

async fn a_version_of_nothing_is_refused(server: TestServer) {
    let (member, stranger) = (server.member().await, server.stranger().await);
    let mine = upload(&member, None, &row("a", "b")).await;
    let refused = stranger
        .upload(&format!("{UPLOAD}?version_of={}", mine.id), "x.jsonl", row("a", "c"))
        .await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let parts = json!({"version_of": mine.id, "name": "more.jsonl", "size_bytes": 5});
    let refused = stranger.post("/api/v1/uploads", parts).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let filters = json!({"without_duplicates": true});
    let refused = stranger.post(&format!("{}/versions", path(&mine)), filters).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let versions: Page<Dataset> = member.get(&format!("{}/versions", path(&mine))).await.data();
    assert_eq!(versions.total, 1);
}

async fn the_part_to_measure_on_is_chosen_once(server: TestServer) {
    let member = server.member().await;
    let rows: String = (0..20).map(|number| row(&format!("question {number}"), "y")).collect();
    let dataset = upload(&member, None, &(rows.clone() + "broken\n")).await;
    assert_eq!(dataset.split, None);
    let (split, export) = (
        format!("{}/split", path(&dataset)),
        format!("{}/export?part", path(&dataset)),
    );
    let too_early = member.get(&format!("{export}=train")).await.problem();
    assert_eq!(too_early.error, ErrorCode::Conflict);
    for (body, field) in [
        (json!({"validation_fraction": 0.6}), "validation_fraction"),
        (json!({"seed": -1}), "seed"),
        (json!({"share": 0.1}), "share"),
    ] {
        assert_eq!(member.post(&split, body).await.problem().details[0].path, field);
    }
    let chosen = json!({"validation_fraction": 0.25, "seed": 7});
    let stranger = server.stranger().await.post(&split, chosen.clone()).await;
    assert_eq!(stranger.problem().error, ErrorCode::NotFound);
    let parts = member
        .post(&split, chosen.clone())
        .await
        .data::<Dataset>()
        .split
        .unwrap();
    assert_eq!((parts.validation_fraction, parts.seed), (0.25, 7));
    assert_eq!((parts.train_rows, parts.validation_rows), (Some(15), Some(5)));
    assert_eq!(member.post(&split, chosen).await.problem().error, ErrorCode::Conflict);

    let train = member.get(&format!("{export}=train")).await.text;
    let validation = member.get(&format!("{export}=validation")).await.text;
    assert_eq!((train.lines().count(), validation.lines().count()), (15, 5));
    let mut all: Vec<&str> = train.lines().chain(validation.lines()).collect();
    all.sort_unstable();
    let mut whole: Vec<String> = rows.lines().map(str::to_owned).collect();
    whole.sort_unstable();
    assert_eq!(all, whole);
    // The same rows in another format.
    let converted = member.get(&format!("{export}=validation&format=sharegpt")).await.text;
    for (line, row) in converted.lines().zip(validation.lines()) {
        let (line, row): (Value, Value) = (serde_json::from_str(line).unwrap(), serde_json::from_str(row).unwrap());
        assert_eq!(line["conversations"][0]["value"], row["messages"][0]["content"]);
    }

    // A job trains on as many.
    let base = crate::training::built_in_base(&member).await;
    let parameters = json!({"rank": 2, "epochs": 1, "max_seq_length": 64});
    let order = json!({"dataset_id": dataset.id, "base_id": base.id, "parameters": parameters});
    let job = member.post("/api/v1/jobs", order).await.data();
    let job = crate::training::end_of(&member, &job).await;
    let plan = job.plan.unwrap();
    assert_eq!((plan.train_rows, plan.validation_rows), (15, 5));

    // Where nothing was chosen, the first job does.
    let other = upload(&member, None, &rows).await;
    let order = json!({"dataset_id": other.id, "base_id": base.id, "parameters": parameters});
    let job = member.post("/api/v1/jobs", order).await.data();
    crate::training::end_of(&member, &job).await;
    let parts = member.get(&path(&other)).await.data::<Dataset>().split.unwrap();
    assert_eq!(
        (parts.validation_fraction, parts.seed, parts.validation_rows),
        (0.1, 42, Some(2))
    );
}
