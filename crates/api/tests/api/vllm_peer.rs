//! A server that behaves as vLLM's code says (`vllm serve BASE --enable-lora`, with runtime updating allowed), and keeps
//! what it was asked.

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    web::{self, Bytes, Data, Json},
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

pub const KEY: &str = "the-key-of-vllm";
/// Longest prompt, in characters: here a token is one.
const CONTEXT: usize = 1500;

pub struct State {
    pub base: String,
    pub max_rank: u64,
    /// Adapters by name, with their paths.
    pub loaded: BTreeMap<String, String>,
    pub loads: u32,
    /// Questions that were answered.
    pub asked: Vec<Value>,
    /// Answers that nobody wanted any more.
    gone: watch::Sender<u32>,
}

pub struct Peer {
    pub url: String,
    state: Arc<Mutex<State>>,
    handle: ServerHandle,
}

impl Peer {
    pub fn start(base: &str) -> Self {
        let state = Arc::new(Mutex::new(State {
            base: base.to_owned(),
            max_rank: 16,
            loaded: BTreeMap::new(),
            loads: 0,
            asked: Vec::new(),
            gone: watch::channel(0).0,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let data = Data::new(state.clone());
        let app = move || {
            App::new()
                .app_data(data.clone())
                .route("/v1/models", web::get().to(models))
                .route("/v1/load_lora_adapter", web::post().to(load))
                .route("/v1/unload_lora_adapter", web::post().to(unload))
                .route("/v1/chat/completions", web::post().to(chat))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, state, handle }
    }

    pub fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.lock().unwrap())
    }

    /// Waits until so many answers were given up.
    pub async fn until_gone(&self, count: u32) {
        let mut gone = self.with(|state| state.gone.subscribe());
        let waited = tokio::time::timeout(crate::helpers::DEADLINE, gone.wait_for(|gone| *gone == count));
        waited.await.unwrap().unwrap();
    }

    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }
}

type Shared = Data<Arc<Mutex<State>>>;

fn error(status: u16, kind: &str, message: &str) -> HttpResponse {
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": status}});
    HttpResponse::build(status.try_into().unwrap()).json(body)
}

fn refusal(request: &HttpRequest) -> Option<HttpResponse> {
    let sent = request.headers().get("authorization");
    let is_known = sent.is_some_and(|value| value.as_bytes() == format!("Bearer {KEY}").as_bytes());
    (!is_known).then(|| HttpResponse::Unauthorized().json(json!({"error": "Unauthorized"})))
}

async fn models(request: HttpRequest, shared: Shared) -> HttpResponse {
    if let Some(refusal) = refusal(&request) {
        return refusal;
    }
    let state = shared.lock().unwrap();
    let mut data = vec![json!({
        "id": state.base, "object": "model", "created": 0, "owned_by": "vllm", "root": state.base, "parent": null,
        "max_model_len": CONTEXT, "permission": [],
    })];
    data.extend(state.loaded.iter().map(|(name, path)| {
        json!({
            "id": name, "object": "model", "created": 0, "owned_by": "vllm", "root": path, "parent": state.base,
            "permission": [],
        })
    }));
    HttpResponse::Ok().json(json!({"object": "list", "data": data}))
}

async fn load(request: HttpRequest, shared: Shared, body: Json<Value>) -> HttpResponse {
    if let Some(refusal) = refusal(&request) {
        return refusal;
    }
    let mut state = shared.lock().unwrap();
    state.loads += 1;
    let (name, path) = (body["lora_name"].as_str().unwrap(), body["lora_path"].as_str().unwrap());
    if state.loaded.contains_key(name) {
        let message = format!(
            "The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set \
             'load_inplace' to True."
        );
        return error(400, "InvalidUserInput", &message);
    }
    let Ok(config) = std::fs::read(Path::new(path).join("adapter_config.json")) else {
        let message = format!("Loading lora {name} failed: No adapter found for {path}");
        return error(404, "NotFoundError", &message);
    };
    assert!(Path::new(path).join("adapter_model.safetensors").exists());
    let config: Value = serde_json::from_slice(&config).unwrap();
    let (rank, most) = (config["r"].as_u64().unwrap(), state.max_rank);
    if rank > most {
        let message = format!("LoRA rank {rank} is greater than max_lora_rank {most}.");
        return error(500, "InternalServerError", &message);
    }
    state.loaded.insert(name.to_owned(), path.to_owned());
    HttpResponse::Ok().body(format!("Success: LoRA adapter '{name}' added successfully."))
}

async fn unload(request: HttpRequest, shared: Shared, body: Json<Value>) -> HttpResponse {
    if let Some(refusal) = refusal(&request) {
        return refusal;
    }
    let name = body["lora_name"].as_str().unwrap();
    match shared.lock().unwrap().loaded.remove(name) {
        Some(_) => HttpResponse::Ok().body(format!("Success: LoRA adapter '{name}' removed successfully.")),
        None => error(
            404,
            "NotFoundError",
            &format!("The lora adapter '{name}' cannot be found."),
        ),
    }
}

/// Says the last message back, word by word; calls the first function where there are some; has no end where `endless` is
/// asked for.
async fn chat(request: HttpRequest, shared: Shared, body: Json<Value>) -> HttpResponse {
    if let Some(refusal) = refusal(&request) {
        return refusal;
    }
    let model = body["model"].as_str().unwrap();
    let mut state = shared.lock().unwrap();
    if !state.loaded.contains_key(model) && model != state.base {
        return error(404, "NotFoundError", &format!("The model `{model}` does not exist."));
    }
    let messages = body["messages"].as_array().unwrap();
    let mut contents = messages.iter().filter_map(|message| message["content"].as_str());
    let length: usize = contents.clone().map(|content| content.chars().count()).sum();
    let wanted = length as u64 + body["max_tokens"].as_u64().unwrap_or(1);
    if wanted > CONTEXT as u64 {
        let message =
            format!("This model's maximum context length is {CONTEXT} tokens. However, you requested {wanted} tokens.");
        return error(400, "BadRequestError", &message);
    }
    let last = contents.next_back().unwrap().to_owned();
    let (head, words) = (format!("chunk of {model}"), pieces(&body, &last));
    state.asked.push(body.into_inner());
    let chunk = move |choices: Value, usage: Value| {
        let chunk = json!({
            "id": head, "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": choices, "usage": usage,
        });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let mut streamed = HttpResponse::Ok();
    streamed.content_type("text/event-stream");
    if last.contains("endless") {
        let left = Left(state.gone.clone());
        let ticks = tokio_stream::wrappers::IntervalStream::new(tokio::time::interval(Duration::from_millis(5)));
        return streamed.streaming(ticks.map(move |_| {
            let _left = &left;
            let choices = json!([{"index": 0, "delta": {"content": "on "}, "logprobs": null, "finish_reason": null}]);
            Ok::<_, std::io::Error>(chunk(choices, Value::Null))
        }));
    }
    let count = words.len();
    let usage = json!({"prompt_tokens": length, "completion_tokens": count, "total_tokens": length + count});
    let mut said: Vec<Bytes> = words
        .into_iter()
        .map(|word| chunk(json!([word]), Value::Null))
        .collect();
    said.push(chunk(json!([]), usage));
    said.push(Bytes::from_static(b"data: [DONE]\n\n"));
    // Cut where a chunk is not at its end: what arrives together is up to the network.
    let all = said.concat();
    let parts: Vec<_> = all
        .chunks(100)
        .map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part)))
        .collect();
    streamed.streaming(futures_util::stream::iter(parts))
}

/// Notes that an answer was dropped.
struct Left(watch::Sender<u32>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.send_modify(|gone| *gone += 1);
    }
}

fn pieces(body: &Value, last: &str) -> Vec<Value> {
    let n = body["n"].as_u64().unwrap();
    let tool = body["tools"].get(0).map(|tool| tool["function"]["name"].clone());
    let mut pieces = Vec::new();
    for index in 0..n {
        let piece = |delta: Value, logprobs: Value, finish: Value| json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish});
        pieces.push(piece(
            json!({"role": "assistant", "content": ""}),
            Value::Null,
            Value::Null,
        ));
        if let Some(name) = &tool {
            let first = json!([{"index": 0, "id": "call-1", "type": "function", "function": {"name": name, "arguments": "{\"gate\": "}}]);
            let second = json!([{"index": 0, "function": {"arguments": "\"north\"}"}}]);
            pieces.push(piece(json!({"tool_calls": first}), Value::Null, Value::Null));
            pieces.push(piece(json!({"tool_calls": second}), Value::Null, json!("tool_calls")));
            continue;
        }
        for word in last.split_inclusive(' ') {
            let token = json!({"token": word, "logprob": -0.5, "bytes": word.as_bytes(), "top_logprobs": []});
            let logprobs = match body["logprobs"].as_bool() {
                Some(true) => json!({"content": [token]}),
                _ => Value::Null,
            };
            pieces.push(piece(json!({"content": word}), logprobs, Value::Null));
        }
        pieces.push(piece(json!({"content": ""}), Value::Null, json!("stop")));
    }
    pieces
}
