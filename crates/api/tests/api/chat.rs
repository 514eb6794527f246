//! Chats with assistants: what they read before they answer.

use crate::{
    documents::{agent, ready},
    helpers::{Client, TestServer},
    training::{end_of, ready_dataset, rows, start_job},
    wire::{chunks, completion},
};
use cerebros_common::{
    agents::Agent,
    chat::{Citation, FinishReason, WireError},
    documents::DocumentText,
    jobs::JobStatus,
};
use serde_json::{Value, json};

on_both_databases!(
    an_answer_cites_what_the_model_has_read,
    only_assistants_read_documents,
    answers_are_as_many_and_as_formed_as_asked_for,
    functions_are_called,
);

const QUESTION: &str = "When does the harbour gate open?";

/// An assistant whose model has seen a few rows.
pub async fn trained_agent(member: &Client) -> Agent {
    let agent = agent(member).await;
    let dataset = ready_dataset(member, &rows(4)).await;
    let job = start_job(member, &dataset, Some(&agent), 1).await;
    assert_eq!(end_of(member, &job).await.status, JobStatus::Succeeded);
    agent
}

fn question(agent: &Agent, content: &str) -> Value {
    json!({
        "model": format!("agent:{}", agent.id), "messages": [{"role": "user", "content": content}],
        "max_tokens": 4, "temperature": 0,
    })
}

async fn an_answer_cites_what_the_model_has_read(server: TestServer) {
    let member = server.member().await;
    let agent = trained_agent(&member).await;
    let other = crate::documents::agent(&member).await;
    let filler = "The weather was fine and nobody had anything to say about it.\n\n".repeat(40);
    let text = format!("# Log\n\n{filler}# Harbour\n\nThe hårbour gate opens at nine for all ships.\n\n{filler}");
    let log = ready(&member, &agent, "reference", "log.md", text.as_bytes()).await;
    let mail = "The gate of the harbour will open at five, but tell nobody.";
    ready(&member, &agent, "communication", "mail.txt", mail.as_bytes()).await;
    ready(
        &member,
        &other,
        "reference",
        "other.txt",
        b"The harbour gate never opens.",
    )
    .await;

    let plain = completion(&member, question(&agent, QUESTION)).await;
    assert!(plain.choices[0].message.citations.is_none() && plain.choices[0].message.annotations.is_none());
    let mut body = question(&agent, QUESTION);
    body["documents"] = json!(true);
    let cited = completion(&member, body.clone()).await;
    let citations = cited.choices[0].message.citations.clone().unwrap();
    assert!(cited.usage.prompt_tokens > plain.usage.prompt_tokens + 100);
    assert_eq!(citations[0].number, 1);
    assert!(
        citations[0].passage.quote.contains("gate opens at nine"),
        "{citations:?}"
    );
    for Citation { passage, .. } in &citations {
        assert_eq!(
            passage.document_id, log.id,
            "nothing of the mail and of the other assistant"
        );
        let length = passage.end - passage.start;
        let path = format!(
            "/api/v1/documents/{}/text?offset={}&length={length}",
            log.id, passage.start
        );
        assert_eq!(member.get(&path).await.data::<DocumentText>().text, passage.quote);
    }

    let chunks = chunks(&member, body.clone()).await;
    assert_eq!(chunks[0].choices[0].delta.citations.as_ref(), Some(&citations));
    assert!(chunks.last().unwrap().choices[0].delta.annotations.is_some());

    let mut unknown = question(&agent, "Zebras?");
    unknown["documents"] = json!(true);
    let unknown = completion(&member, unknown).await;
    assert_eq!(unknown.choices[0].message.citations, Some(Vec::new()));
}

async fn only_assistants_read_documents(server: TestServer) {
    let member = server.member().await;
    let base = crate::training::built_in_base(&member).await;
    let body = json!({
        "model": format!("base:{}", base.id), "messages": [{"role": "user", "content": QUESTION}], "documents": true,
    });
    let refused = member.post("/v1/chat/completions", body).await;
    let error: WireError = serde_json::from_str(&refused.text).unwrap();
    assert_eq!(
        (refused.status.as_u16(), error.error.param.as_deref()),
        (400, Some("documents"))
    );
}

async fn answers_are_as_many_and_as_formed_as_asked_for(server: TestServer) {
    let member = server.member().await;
    let base = crate::training::built_in_base(&member).await;
    let body = json!({
        "model": format!("base:{}", base.id), "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 60,
        "n": 3, "seed": 7, "logprobs": true, "top_logprobs": 2, "tools": [], "user": "someone",
        "response_format": {"type": "json_schema", "json_schema": {"name": "gate", "strict": true, "schema": {
            "type": "object", "properties": {"open": {"type": "boolean"}, "hour": {"enum": [8, 9, 10]}},
            "required": ["open", "hour"], "additionalProperties": false,
        }}},
    });
    let whole = completion(&member, body.clone()).await;
    assert_eq!(whole.choices.len(), 3);
    let texts: Vec<&str> = whole
        .choices
        .iter()
        .map(|choice| choice.message.content.as_deref().unwrap())
        .collect();
    for (choice, text) in whole.choices.iter().zip(&texts) {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(value["open"].is_boolean() && value["hour"].as_u64().is_some(), "{text}");
        let tokens = &choice.logprobs.as_ref().unwrap().content;
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.bytes.clone()).collect();
        assert_eq!(String::from_utf8_lossy(&bytes), *text);
        assert!(
            tokens
                .iter()
                .all(|token| token.top_logprobs.len() == 2 && token.logprob <= 0.0)
        );
    }
    let tokens: usize = whole
        .choices
        .iter()
        .map(|choice| choice.logprobs.as_ref().unwrap().content.len())
        .sum();
    assert_eq!(whole.usage.completion_tokens, tokens as u64);

    let mut heard = [String::new(), String::new(), String::new()];
    for chunk in chunks(&member, body).await {
        for choice in chunk.choices {
            heard[choice.index as usize].push_str(&choice.delta.content.unwrap_or_default());
        }
    }
    assert_eq!(heard.each_ref().map(String::as_str), texts[..], "the same, streamed");
}

async fn functions_are_called(server: TestServer) {
    let member = server.member().await;
    let base = crate::training::built_in_base(&member).await;
    let tool = |name: &str| {
        json!({"type": "function", "function": {"name": name, "description": "Of a gate.", "parameters": {
            "type": "object", "properties": {"gate": {"$ref": "#/$defs/gate"}, "hour": {"type": "integer"}},
            "$defs": {"gate": {"enum": ["north", "south"]}},
            "required": ["gate"], "additionalProperties": false,
        }}})
    };
    let mut body = json!({
        "model": format!("base:{}", base.id), "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 120,
        "seed": 3, "tools": [tool("open_gate"), tool("close_gate")], "tool_choice": "required", "parallel_tool_calls": false,
    });
    let whole = completion(&member, body.clone()).await;
    let choice = &whole.choices[0];
    assert_eq!(
        (choice.finish_reason, &choice.message.content),
        (FinishReason::ToolCalls, &None)
    );
    let calls = choice.message.tool_calls.clone().unwrap();
    let [call] = &calls[..] else { panic!("{calls:?}") };
    assert!(
        ["open_gate", "close_gate"].contains(&call.function.name.as_str()),
        "{call:?}"
    );
    let arguments: Value = serde_json::from_str(&call.function.arguments).unwrap();
    assert!(
        ["north", "south"].contains(&arguments["gate"].as_str().unwrap()),
        "{arguments}"
    );

    // Streamed, and one that is named.
    body["tool_choice"] = json!({"type": "function", "function": {"name": "close_gate"}});
    let chunks = chunks(&member, body.clone()).await;
    let choices: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.choices).collect();
    assert!(
        choices
            .iter()
            .all(|choice| choice.delta.content.as_deref().unwrap_or_default().is_empty())
    );
    let last = choices.last().unwrap();
    assert_eq!(last.finish_reason, Some(FinishReason::ToolCalls));
    let called = &last.delta.tool_calls.as_ref().unwrap()[0];
    assert_eq!((called.index, called.call.function.name.as_str()), (0, "close_gate"));

    // What came of it goes back, and without a choice the answer is free.
    let fields = body.as_object_mut().unwrap();
    fields.remove("tool_choice");
    body["max_tokens"] = json!(8);
    body["messages"] = json!([
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": null, "tool_calls": calls},
        {"role": "tool", "tool_call_id": call.id, "content": "{\"done\": true}"},
    ]);
    let free = completion(&member, body.clone()).await;
    assert!(free.choices[0].message.tool_calls.is_none() && free.choices[0].message.content.is_some());
    // `none` is as without tools.
    body["tool_choice"] = json!("none");
    let none = completion(&member, body.clone()).await.usage.prompt_tokens;
    assert!(none < free.usage.prompt_tokens);
    body.as_object_mut().unwrap().remove("tools");
    body["tool_choice"] = json!(null);
    assert_eq!(completion(&member, body).await.usage.prompt_tokens, none);
}
