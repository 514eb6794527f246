//! Reviewing examples: filters, quality, near duplicates, whose turn it is, undoing, and whether quotations stand.

use crate::{
    documents::{PDF, agent},
    examples::{all, generated},
    helpers::{Answer, Client, TestServer},
    members::{self, join},
};
use cerebros_common::{
    agents::Agent,
    errors::ErrorCode,
    examples::{
        ClaimedExamples, Example, ExampleLine, ExampleReviewResult, ExampleStatus, ExampleSummary, FindingKind,
        Grounding, SplitExamples, VerifiedExamples,
    },
    wire::CursorPage,
    workspaces::Role,
};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::collections::HashSet;

on_both_databases!(
    filters_and_orders_find_what_they_say,
    near_duplicates_are_grouped_and_grouped_anew,
    two_reviewers_never_hold_one_example,
    a_change_is_undone_as_often_as_it_was_made,
    an_example_is_split_and_made_whole_again,
    many_are_judged_by_filter_with_the_count_before,
    every_grounded_quotation_stands_and_a_changed_letter_is_noticed,
    bad_review_requests_are_refused_by_field,
);

const EXAMPLES: &str = "/api/v1/examples";

fn path(example: &Example) -> String {
    format!("{EXAMPLES}/{}", example.id)
}

async fn written(client: &Client, agent: &Agent, prompt: &str, response: &str) -> Example {
    let body = json!({"agent_id": agent.id, "prompt": prompt, "reasoning": "Known.", "response": response});
    client.post(EXAMPLES, body).await.data()
}

/// Pending examples that say different things.
async fn pending(client: &Client, agent: &Agent, count: usize) -> Vec<Example> {
    let mut made = Vec::new();
    for number in 0..count {
        let words = format!("alpha{number} beta{number} gamma{number} delta{number}");
        let example = written(client, agent, &format!("What of {words}?"), &format!("It is {words}.")).await;
        made.push(judged(client, &example, example.version, "pending").await.data());
    }
    made
}

async fn judged(client: &Client, example: &Example, version: i64, status: &str) -> Answer {
    let request = client
        .request(Method::POST, &format!("{}/judge", path(example)))
        .header(header::IF_MATCH, format!("\"{version}\""));
    Answer::of(request.json(&json!({"status": status}))).await
}

async fn undone(client: &Client, example: &Example, version: i64) -> Answer {
    let request = client
        .request(Method::POST, &format!("{}/undo", path(example)))
        .header(header::IF_MATCH, format!("\"{version}\""));
    Answer::of(request).await
}

async fn claimed(client: &Client, body: Value) -> Vec<Example> {
    let answer = client.post(&format!("{EXAMPLES}/claim"), body).await;
    answer.data::<ClaimedExamples>().items
}

async fn now(client: &Client, example: &Example) -> Example {
    client.get(&path(example)).await.data()
}

async fn lines(client: &Client, query: &str) -> Vec<ExampleLine> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{EXAMPLES}/outline?limit=5&{query}{cursor}");
        let page: CursorPage<ExampleLine> = client.get(&path).await.data();
        found.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

async fn filters_and_orders_find_what_they_say(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let (document, made) = generated(&member, &agent, "policy.pdf", PDF).await;
    let poor = written(
        &member,
        &agent,
        "Why 100%?",
        "As an AI language model, I cannot say: \\_ why.",
    )
    .await;
    let short = written(&member, &agent, "What is the Größe?", "Small").await;
    server.until_idle("group_examples").await;
    assert_eq!((poor.score, poor.findings[0].kind), (70, FindingKind::Leakage));
    assert_eq!((short.score, short.findings[0].kind), (90, FindingKind::Length));
    assert!(made.iter().all(|example| example.grounding == Grounding::Grounded));
    let good = made.iter().filter(|example| example.score >= 80).count();
    assert!(good * 10 >= made.len() * 8, "{good} of {} score 80 or more", made.len());

    let ids = async |query: &str| -> Vec<_> {
        let found = all(&member, query).await;
        let outlined = lines(&member, query).await;
        for (example, line) in found.iter().zip(&outlined) {
            assert_eq!(ExampleLine::from(example), *line, "{query}");
        }
        assert_eq!(found.len(), outlined.len());
        found.into_iter().map(|example| example.id).collect()
    };
    let every = all(&member, "").await;
    let of = |holds: &dyn Fn(&Example) -> bool| -> Vec<_> {
        every.iter().filter(|one| holds(one)).map(|one| one.id).collect()
    };
    assert_eq!(ids("grounding=none").await, [short.id, poor.id]);
    assert_eq!(ids("origin=manual").await, [short.id, poor.id]);
    assert_eq!(ids("origin=manual&min_score=71").await, [short.id]);
    assert_eq!(ids("origin=manual&max_score=70").await, [poor.id]);
    assert_eq!(ids(&format!("document_id={}", document.id)).await.len(), made.len());
    assert_eq!(ids("grounding=grounded&status=pending").await.len(), made.len());
    assert_eq!(ids("search=AS%20an%20ai").await, [poor.id]);
    assert_eq!(ids("search=100%25").await, [poor.id]);
    assert_eq!(ids("search=%5C_").await, [poor.id]);
    assert_eq!(
        ids("search=size").await,
        of(&|one| {
            format!("{} {} {}", one.prompt, one.reasoning, one.response)
                .to_lowercase()
                .contains("size")
        })
    );
    assert_eq!(ids("duplicates=true").await, of(&|one| one.duplicate_of.is_some()));
    assert_eq!(
        ids("duplicates=false").await,
        of(&|one| one.duplicate_of.is_none_or(|first| first == one.id))
    );
    for (sort, sign) in [("score_up", 1), ("score_down", -1)] {
        let mut expected: Vec<_> = every.iter().collect();
        expected.sort_by_key(|one| (sign * i32::from(one.score), std::cmp::Reverse(one.id)));
        let expected: Vec<_> = expected.into_iter().map(|one| one.id).collect();
        assert_eq!(ids(&format!("sort={sort}")).await, expected);
    }
    let summary: ExampleSummary = member
        .get(&format!("{EXAMPLES}/summary?agent_id={}", agent.id))
        .await
        .data();
    let count = made.len() as u64;
    assert_eq!(
        (summary.total, summary.pending, summary.approved),
        (count + 2, count, 2)
    );
    assert_eq!((summary.grounded, summary.unquoted, summary.ungrounded), (count, 2, 0));
    assert_eq!(summary.scores.iter().map(|band| band.examples).sum::<u64>(), count);
}

async fn near_duplicates_are_grouped_and_grouped_anew(server: TestServer) {
    let member = server.member().await;
    let (one, other) = (agent(&member).await, agent(&member).await);
    let text = "Employees may work from abroad for up to twenty days a year if their manager agrees beforehand.";
    let first = written(&member, &one, "How long may I work from abroad?", text).await;
    let apart = written(
        &member,
        &one,
        "How much holiday is there?",
        "Everybody has thirty days of paid holiday.",
    )
    .await;
    let copy = written(
        &member,
        &one,
        "How long may I work from abroad?",
        &text.replace("twenty", "thirty"),
    )
    .await;
    let elsewhere = written(&member, &other, "How long may I work from abroad?", text).await;
    server.until_idle("group_examples").await;
    let group = async |example: &Example| now(&member, example).await.duplicate_of;
    assert_eq!(group(&first).await, Some(first.id));
    assert_eq!(group(&copy).await, Some(first.id));
    assert_eq!(group(&apart).await, None);
    assert_eq!(group(&elsewhere).await, None);
    let found = now(&member, &copy).await;
    assert_eq!(
        (found.score, found.findings[0].kind, found.version),
        (80, FindingKind::Duplication, 1)
    );
    assert_eq!(now(&member, &first).await.score, 100);
    let query = format!("duplicate_of={}", first.id);
    assert_eq!(all(&member, &query).await.len(), 2);

    // Judging keeps the group; rewording leaves it.
    judged(&member, &copy, 1, "rejected").await.data::<Example>();
    assert_eq!(group(&copy).await, Some(first.id));
    let new = json!({"prompt": "May I bring my dog?", "response": "Dogs are welcome in every office on Fridays."});
    let reworded: Example = member.patch(&path(&copy), 2, new).await.data();
    assert_eq!((reworded.duplicate_of, reworded.score), (None, 100));
    server.until_idle("group_examples").await;
    assert_eq!((group(&first).await, group(&copy).await), (None, None));
    // Undoing brings the group back.
    undone(&member, &copy, 3).await.data::<Example>();
    server.until_idle("group_examples").await;
    assert_eq!(
        (group(&first).await, group(&copy).await),
        (Some(first.id), Some(first.id))
    );
    member.delete_any_version(&path(&first)).await;
    server.until_idle("group_examples").await;
    assert_eq!(group(&copy).await, None);
    assert_eq!(now(&member, &copy).await.score, 100);
}

async fn two_reviewers_never_hold_one_example(server: TestServer) {
    let owner = server.sign_up("owner@example.org").await;
    let workspace = members::workspace(&owner, "Team").await;
    let mut people = vec![owner.within(&workspace)];
    for name in ["grace", "alan", "edith"] {
        let person = server.sign_up(&format!("{name}@example.org")).await;
        join(&owner, &workspace, &person, Role::Reviewer).await;
        people.push(person.within(&workspace));
    }
    let agent = agent(&people[0]).await;
    let made = pending(&people[0], &agent, 30).await;
    // All at once, several times: nobody gets what another has.
    let claim = json!({"agent_id": agent.id, "count": 7});
    for _ in 0..3 {
        let held = join_all(people.iter().map(|person| claimed(person, claim.clone()))).await;
        let ids: HashSet<_> = held.iter().flatten().map(|example| example.id).collect();
        assert_eq!(held.iter().map(Vec::len).collect::<Vec<_>>(), [7; 4]);
        assert_eq!(ids.len(), 28);
    }
    let [mine, other] = [&people[1], &people[2]];
    let held = claimed(mine, claim.clone()).await;
    let example = &held[0];
    let hold = example.held.clone().unwrap();
    assert_eq!(hold.user_id, members::session(mine).await.user.id);
    let refused = judged(other, example, example.version, "approved").await.problem();
    assert_eq!(refused.error, ErrorCode::Conflict);
    assert!(refused.detail.contains(&hold.name), "{}", refused.detail);
    let refused = people[0]
        .patch(&path(example), example.version, json!({"prompt": "Mine?"}))
        .await;
    assert_eq!(refused.problem().error, ErrorCode::Conflict);
    let asked = json!({"agent_id": agent.id, "count": 1, "ids": [example.id]});
    assert_eq!(claimed(other, asked.clone()).await, []);
    // The holder judges it, which ends the hold.
    let approved: Example = judged(mine, example, example.version, "approved").await.data();
    assert_eq!((approved.status, approved.held), (ExampleStatus::Approved, None));
    let summary: ExampleSummary = mine
        .get(&format!("{EXAMPLES}/summary?agent_id={}", agent.id))
        .await
        .data();
    let me = summary
        .reviewers
        .iter()
        .find(|one| one.user_id == hold.user_id)
        .unwrap();
    assert_eq!((me.reviewed, me.reviewed_last_hour, me.held), (1, 1, 6));
    // What is released, or has run out, is free.
    let release = json!({"agent_id": agent.id});
    let released = mine.post(&format!("{EXAMPLES}/release"), release).await;
    assert_eq!(released.status, StatusCode::NO_CONTENT);
    let asked = json!({"agent_id": agent.id, "count": 1, "ids": [held[1].id]});
    assert_eq!(claimed(other, asked.clone()).await.len(), 1);
    assert_eq!(claimed(mine, asked.clone()).await, []);
    server
        .execute("update example_holds set until = '2020-01-01T00:00:00+00:00'")
        .await;
    assert_eq!(claimed(mine, asked).await.len(), 1);
    assert!(made.iter().any(|one| one.id == held[1].id));
    let viewer = server.sign_up("viewer@example.org").await;
    join(&owner, &workspace, &viewer, Role::Viewer).await;
    let refused = viewer
        .within(&workspace)
        .post(&format!("{EXAMPLES}/claim"), claim)
        .await;
    assert_eq!(refused.problem().error, ErrorCode::Forbidden);
}

async fn a_change_is_undone_as_often_as_it_was_made(server: TestServer) {
    let owner = server.sign_up("owner@example.org").await;
    let workspace = members::workspace(&owner, "Team").await;
    let reviewer = server.sign_up("reviewer@example.org").await;
    join(&owner, &workspace, &reviewer, Role::Reviewer).await;
    let (owner, reviewer) = (owner.within(&workspace), reviewer.within(&workspace));
    let agent = agent(&owner).await;
    let example = written(&owner, &agent, "What floats?", "Boats float on water.").await;
    let same = |one: &Example| (one.prompt.clone(), one.response.clone(), one.status, one.edited);
    let mut states = vec![same(&example)];
    let mut version = 1;
    for number in 0..25 {
        let changed: Example = match number % 3 {
            0 => judged(&owner, &example, version, "rejected").await.data(),
            1 => {
                let body = json!({"response": format!("Boats float, {number} of them.")});
                owner.patch(&path(&example), version, body).await.data()
            }
            _ => judged(&owner, &example, version, "approved").await.data(),
        };
        version = changed.version;
        states.push(same(&changed));
    }
    let stale = undone(&owner, &example, 1).await.problem();
    assert_eq!(stale.error, ErrorCode::StaleVersion);
    // The last change was a judgement, the one before it of words.
    states.pop();
    let back: Example = undone(&reviewer, &example, version).await.data();
    assert_eq!(same(&back), *states.last().unwrap());
    let again: Example = undone(&reviewer, &example, back.version).await.data();
    states.pop();
    assert_eq!(same(&again), *states.last().unwrap());
    let refused = undone(&reviewer, &example, again.version).await.problem();
    assert_eq!(refused.error, ErrorCode::Forbidden);
    version = again.version;
    for _ in 0..18 {
        let back: Example = undone(&owner, &example, version).await.data();
        states.pop();
        assert_eq!(
            (same(&back), back.version),
            (states.last().unwrap().clone(), version + 1)
        );
        version = back.version;
    }
    let nothing = undone(&owner, &example, version).await.problem();
    assert_eq!(nothing.error, ErrorCode::Conflict);
}

async fn an_example_is_split_and_made_whole_again(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let (_, made) = generated(&member, &agent, "policy.pdf", PDF).await;
    server.until_idle("group_examples").await;
    let whole = now(&member, &made[0]).await;
    let part = |number: usize| {
        let words = format!("one{number} two{number} three{number}");
        json!({"prompt": format!("What of {words}?"), "reasoning": "Said.", "response": format!("It is {words}.")})
    };
    let split = async |version: i64, parts: Value| {
        let request = member.request(Method::POST, &format!("{}/split", path(&whole)));
        let request = request.header(header::IF_MATCH, format!("\"{version}\""));
        Answer::of(request.json(&json!({"parts": parts}))).await
    };
    let parts: SplitExamples = split(1, json!([part(1), part(2), part(3)])).await.data();
    let prompts: Vec<_> = parts.items.iter().map(|one| one.prompt.clone()).collect();
    assert_eq!(
        prompts,
        [
            "What of one1 two1 three1?",
            "What of one2 two2 three2?",
            "What of one3 two3 three3?"
        ]
    );
    assert_eq!(parts.items[0].id, whole.id);
    for one in &parts.items {
        assert_eq!(
            (one.source.as_ref(), one.status, one.edited),
            (whole.source.as_ref(), ExampleStatus::Pending, true)
        );
        assert_eq!(one.grounding, Grounding::Grounded);
    }
    assert_eq!(
        split(1, json!([part(1), part(2)])).await.problem().error,
        ErrorCode::StaleVersion
    );
    // One part was worked on: it stays when the rest is undone.
    judged(&member, &parts.items[2], 1, "approved").await.data::<Example>();
    let back: Example = undone(&member, &whole, 2).await.data();
    assert_eq!(
        (&back.prompt, &back.response, back.edited),
        (&whole.prompt, &whole.response, false)
    );
    assert_eq!(
        member.get(&path(&parts.items[1])).await.problem().error,
        ErrorCode::NotFound
    );
    assert_eq!(now(&member, &parts.items[2]).await.status, ExampleStatus::Approved);
    assert_eq!(all(&member, "").await.len(), made.len() + 1);
}

async fn many_are_judged_by_filter_with_the_count_before(server: TestServer) {
    let owner = server.sign_up("owner@example.org").await;
    let workspace = members::workspace(&owner, "Team").await;
    let reviewer = server.sign_up("reviewer@example.org").await;
    join(&owner, &workspace, &reviewer, Role::Reviewer).await;
    let (owner, reviewer) = (owner.within(&workspace), reviewer.within(&workspace));
    let agent = agent(&owner).await;
    let made = pending(&owner, &agent, 12).await;
    let held = claimed(
        &reviewer,
        json!({"agent_id": agent.id, "count": 2, "ids": [made[3].id, made[4].id]}),
    )
    .await;
    assert_eq!(held.len(), 2);
    let review = async |body: &Value| -> ExampleReviewResult {
        owner.post(&format!("{EXAMPLES}/review"), body.clone()).await.data()
    };
    let mut body = json!({"agent_id": agent.id, "status": "approved", "filter": {"search": "ALPHA1"}, "dry_run": true});
    let expected = |changed, held| ExampleReviewResult { changed, held };
    assert_eq!(review(&body).await, expected(3, 0));
    assert_eq!(all(&owner, "status=approved").await.len(), 0);
    body["dry_run"] = json!(false);
    assert_eq!(review(&body).await, expected(3, 0));
    assert_eq!(review(&body).await, expected(0, 0));
    let rest = json!({"agent_id": agent.id, "status": "rejected", "filter": {"status": "pending"}, "dry_run": true});
    assert_eq!(review(&rest).await, expected(7, 2));
    let rest = json!({"agent_id": agent.id, "status": "rejected"});
    assert_eq!(review(&rest).await, expected(7, 2));
    assert_eq!(now(&owner, &made[3]).await.status, ExampleStatus::Pending);
    // Each can still be undone by itself.
    let one = now(&owner, &made[1]).await;
    let back: Example = undone(&owner, &one, one.version).await.data();
    assert_eq!(
        (one.status, back.status),
        (ExampleStatus::Approved, ExampleStatus::Pending)
    );
    let summary: ExampleSummary = owner
        .get(&format!("{EXAMPLES}/summary?agent_id={}", agent.id))
        .await
        .data();
    assert_eq!((summary.approved, summary.rejected, summary.pending), (2, 7, 3));
    assert_eq!(summary.reviewed_last_hour, 9);
}

async fn every_grounded_quotation_stands_and_a_changed_letter_is_noticed(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let (document, made) = generated(&member, &agent, "policy.pdf", PDF).await;
    server.until_idle("group_examples").await;
    let verify = async || -> VerifiedExamples {
        let body = json!({"document_id": document.id});
        member.post(&format!("{EXAMPLES}/verify"), body).await.data()
    };
    let count = made.len() as u64;
    let checked = |grounded, changed| VerifiedExamples {
        checked: count,
        grounded,
        changed,
    };
    assert_eq!(verify().await, checked(count, 0));
    // Every letter of one quotation, one after the other.
    let query = format!("document_id={}", document.id);
    let first = &all(&member, &query).await[0];
    let quote: Vec<char> = first.source.as_ref().unwrap().quote.chars().collect();
    let prompt = first.prompt.replace('\'', "''");
    let store = async |quote: &str| {
        let quote = quote.replace('\'', "''");
        server
            .execute(&format!(
                "update examples set quote = '{quote}' where prompt = '{prompt}'"
            ))
            .await;
    };
    let letters: Vec<usize> = (0..quote.len()).filter(|at| quote[*at].is_alphanumeric()).collect();
    for at in letters.into_iter().take(12) {
        let mut changed = quote.clone();
        changed[at] = if changed[at] == 'x' { 'y' } else { 'x' };
        store(&changed.iter().collect::<String>()).await;
        assert_eq!(verify().await, checked(count - 1, 1), "letter {at}");
        let found = now(&member, first).await;
        assert_eq!(
            (found.grounding, found.findings[0].kind),
            (Grounding::Ungrounded, FindingKind::Grounding)
        );
        assert!(found.score <= 60);
        store(&quote.iter().collect::<String>()).await;
        assert_eq!(verify().await, checked(count, 1));
    }
    // Whoever judges it notices, too.
    let mut changed = quote.clone();
    changed[0] = if changed[0] == 'x' { 'y' } else { 'x' };
    store(&changed.iter().collect::<String>()).await;
    let found: Example = judged(&member, first, first.version, "approved").await.data();
    assert_eq!(found.grounding, Grounding::Ungrounded);
    let query = format!("{query}&grounding=ungrounded");
    assert_eq!(all(&member, &query).await.len(), 1);
}

async fn bad_review_requests_are_refused_by_field(server: TestServer) {
    let member = server.member().await;
    let agent = agent(&member).await;
    let id = agent.id;
    for (query, field) in [
        ("min_score=101", "min_score"),
        ("max_score=-1", "max_score"),
        ("sort=best", "sort"),
        ("grounding=maybe", "grounding"),
        ("sort=score_up&cursor=01900000-0000-7000-8000-000000000000", "cursor"),
        ("cursor=80.01900000-0000-7000-8000-000000000000", "cursor"),
    ] {
        for path in [EXAMPLES.to_owned(), format!("{EXAMPLES}/outline")] {
            let problem = member.get(&format!("{path}?{query}")).await.problem();
            assert_eq!(problem.error, ErrorCode::InvalidRequest, "{query}");
            assert_eq!(problem.details[0].path, field, "{query}");
        }
    }
    for (path, body, field) in [
        ("claim", json!({"agent_id": id, "count": 0}), "count"),
        ("claim", json!({"agent_id": id, "count": 51}), "count"),
        ("claim", json!({"agent_id": id, "count": 1, "ids": []}), "ids"),
        (
            "claim",
            json!({"agent_id": id, "count": 1, "filter": {"min_score": 101}}),
            "filter.min_score",
        ),
        (
            "review",
            json!({"agent_id": id, "status": "approved", "filter": {"x": 1}}),
            "filter.x",
        ),
        ("verify", json!({}), "document_id"),
    ] {
        let problem = member.post(&format!("{EXAMPLES}/{path}"), body).await.problem();
        assert_eq!(
            (problem.error, problem.details[0].path.as_str()),
            (ErrorCode::InvalidRequest, field)
        );
    }
    let example = written(&member, &agent, "Why?", "Because it is so.").await;
    for (body, field) in [
        (json!({"parts": [{"prompt": "a", "response": "b"}]}), "parts"),
        (
            json!({"parts": [{"prompt": "a", "response": "b"}, {"prompt": " ", "response": "b"}]}),
            "parts.1.prompt",
        ),
    ] {
        let request = member.request(Method::POST, &format!("{}/split", path(&example)));
        let problem = Answer::of(request.header(header::IF_MATCH, "*").json(&body))
            .await
            .problem();
        assert_eq!(
            (problem.error, problem.details[0].path.as_str()),
            (ErrorCode::InvalidRequest, field)
        );
    }
    let missing = member.post_nothing(&format!("{}/undo", path(&example))).await.problem();
    assert_eq!(missing.error, ErrorCode::PreconditionRequired);
    let stranger = server.stranger().await;
    for action in ["claim", "release"] {
        let body = if action == "claim" {
            json!({"agent_id": id, "count": 1})
        } else {
            json!({"agent_id": id})
        };
        let problem = stranger.post(&format!("{EXAMPLES}/{action}"), body).await.problem();
        assert_eq!(problem.error, ErrorCode::NotFound);
    }
    assert_eq!(
        undone(&stranger, &example, 1).await.problem().error,
        ErrorCode::NotFound
    );
    assert_eq!(
        judged(&stranger, &example, 1, "rejected").await.problem().error,
        ErrorCode::NotFound
    );
}
