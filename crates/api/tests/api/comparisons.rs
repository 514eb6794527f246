//! Two models on the same prompts, and votes that do not know who is who.

use crate::{
    helpers::{Answer, Client, TestServer},
    model_exports::trained,
    wire::completion,
};
use cerebros_common::{
    comparisons::{Comparison, ComparisonRound, ComparisonStatus, Contender, Votes},
    errors::ErrorCode,
    models::Model,
    wire::Page,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

on_both_databases!(
    a_model_and_its_base_are_compared_blindly,
    two_models_are_counted_as_one_pair_whichever_comes_first,
    what_cannot_be_compared_is_refused,
    a_comparison_goes_with_its_model,
);

const PROMPTS: [&str; 4] = [
    "What is stored on shelf 3?",
    "What is stored on shelf 4?",
    "Who keeps the binders?",
    "Where is shelf 5?",
];

async fn begin(client: &Client, model: &Model, against: Option<&Model>, prompts: &[&str]) -> Comparison {
    let mut body = json!({"model_id": model.id, "prompts": prompts});
    if let Some(against) = against {
        body["against_id"] = json!(against.id);
    }
    client.post("/api/v1/comparisons", body).await.data()
}

pub fn path(comparison: &Comparison) -> String {
    format!("/api/v1/comparisons/{}", comparison.id)
}

pub async fn compared(client: &Client, model: &Model, against: Option<&Model>, prompts: &[&str]) -> Comparison {
    let comparison = begin(client, model, against, prompts).await;
    client
        .wait(&path(&comparison), |comparison: &Comparison| {
            comparison.status != ComparisonStatus::Running
        })
        .await
}

pub async fn rounds(client: &Client, comparison: &Comparison) -> Vec<ComparisonRound> {
    let page: Page<ComparisonRound> = client.get(&format!("{}/rounds", path(comparison))).await.data();
    page.items
}

pub async fn vote(client: &Client, round: &ComparisonRound, vote: &str) -> Answer {
    let request = client.request(Method::PUT, &format!("/api/v1/comparison-rounds/{}/vote", round.id));
    Answer::of(request.json(&json!({"vote": vote}))).await
}

/// What the chat answers, always by the likeliest token.
async fn chat(client: &Client, model: &str, prompt: &str) -> String {
    let body = json!({
        "model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": 256,
    });
    completion(client, body).await.choices[0]
        .message
        .content
        .clone()
        .unwrap()
}

async fn a_model_and_its_base_are_compared_blindly(server: TestServer) {
    let member = server.member().await;
    let model = trained(&member).await;
    let comparison = compared(&member, &model, None, &PROMPTS).await;
    assert_eq!(comparison.status, ComparisonStatus::Ready, "{:?}", comparison.error);
    assert_eq!(
        (comparison.rounds, comparison.against_name.as_str()),
        (4, model.base_name.as_str())
    );
    let blind = rounds(&member, &comparison).await;
    for (round, prompt) in blind.iter().zip(PROMPTS) {
        assert_eq!((round.prompt.as_str(), round.left_is, round.vote), (prompt, None, None));
        assert!(round.left.finished && round.right.finished);
    }
    let text = member.get(&format!("{}/rounds", path(&comparison))).await.text;
    assert!(
        !text.contains("\"model\"") && !text.contains("against"),
        "who is who stands in {text}"
    );

    let mut votes = Votes::default();
    for (round, choice) in blind.iter().zip(["left", "right", "tie", "both_bad"]) {
        let voted: ComparisonRound = vote(&member, round, choice).await.data();
        let left_is = voted.left_is.unwrap();
        match (choice, left_is) {
            ("tie", _) => votes.tie += 1,
            ("both_bad", _) => votes.both_bad += 1,
            ("left", Contender::Model) | ("right", Contender::Against) => votes.model += 1,
            _ => votes.against += 1,
        }
        let (of_model, of_base) = match left_is {
            Contender::Model => (&voted.left, &voted.right),
            Contender::Against => (&voted.right, &voted.left),
        };
        assert_eq!(of_model.text, chat(&member, &model.id.to_string(), &round.prompt).await);
        assert_eq!(
            of_base.text,
            chat(&member, &format!("base:{}", model.base_id), &round.prompt).await
        );
        // The same vote changes nothing, another one is too late.
        assert_eq!(vote(&member, round, choice).await.data::<ComparisonRound>(), voted);
        let other = if choice == "tie" { "left" } else { "tie" };
        assert_eq!(vote(&member, round, other).await.problem().error, ErrorCode::Conflict);
    }
    let comparison: Comparison = member.get(&path(&comparison)).await.data();
    assert_eq!((comparison.votes, comparison.votes_of_pair), (votes, votes));
    assert_eq!(votes.total(), 4);
}

async fn two_models_are_counted_as_one_pair_whichever_comes_first(server: TestServer) {
    let member = server.member().await;
    let (first, second) = (trained(&member).await, trained(&member).await);
    let mut of_first = 0;
    for (model, against) in [(&first, &second), (&second, &first)] {
        let comparison = compared(&member, model, Some(against), &PROMPTS[..1]).await;
        let round = rounds(&member, &comparison).await.remove(0);
        let voted: ComparisonRound = vote(&member, &round, "left").await.data();
        let is_model = voted.left_is == Some(Contender::Model);
        of_first += u32::from(is_model == (model.id == first.id));
    }
    let query = format!("/api/v1/comparisons?model_id={}", first.id);
    let all: Page<Comparison> = member.get(&query).await.data();
    assert_eq!(all.total, 2);
    for comparison in all.items {
        let pair = comparison.votes_of_pair;
        let (own, other) = if comparison.model_id == first.id {
            (pair.model, pair.against)
        } else {
            (pair.against, pair.model)
        };
        assert_eq!((own, other), (of_first, 2 - of_first));
        assert_eq!(comparison.votes.total(), 1);
    }
    let other = compared(&member, &first, None, &PROMPTS[..1]).await;
    assert_eq!(other.votes_of_pair, Votes::default(), "the base is another pair");
}

async fn what_cannot_be_compared_is_refused(server: TestServer) {
    let member = server.member().await;
    let model = trained(&member).await;
    let post = async |body: Value| member.post("/api/v1/comparisons", body).await.problem().error;
    let id = model.id;
    let long = "x".repeat(4001);
    for prompts in [json!([]), json!([" "]), json!([long]), json!(vec!["a"; 21])] {
        assert_eq!(
            post(json!({"model_id": id, "prompts": prompts})).await,
            ErrorCode::InvalidRequest
        );
    }
    let itself = json!({"model_id": id, "against_id": id, "prompts": ["a"]});
    assert_eq!(post(itself).await, ErrorCode::Conflict);
    // More than the base's context: nobody can answer it.
    let wide = "w ".repeat(1900);
    let comparison = compared(&member, &model, None, &[&wide]).await;
    assert_eq!(comparison.status, ComparisonStatus::Failed);
    assert!(!comparison.error.as_ref().unwrap().is_empty());
    let round = rounds(&member, &comparison).await.remove(0);
    assert_eq!(vote(&member, &round, "tie").await.problem().error, ErrorCode::Conflict);
    assert_eq!(member.delete(&path(&comparison)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        member.get(&path(&comparison)).await.problem().error,
        ErrorCode::NotFound
    );
    server.execute("update models set source_deleted_at = created_at").await;
    assert_eq!(
        post(json!({"model_id": id, "prompts": ["a"]})).await,
        ErrorCode::SourceDeleted
    );
}

async fn a_comparison_goes_with_its_model(server: TestServer) {
    let member = server.member().await;
    let (model, against) = (trained(&member).await, trained(&member).await);
    let comparison = compared(&member, &model, Some(&against), &PROMPTS[..1]).await;
    member.delete(&format!("/api/v1/models/{}", against.id)).await;
    assert_eq!(
        member.get(&path(&comparison)).await.problem().error,
        ErrorCode::NotFound
    );
    assert_eq!(server.number("select count(*) from comparison_rounds").await, 0);
}
