//! A server that speaks OpenAI's wire as a test wants it: it answers, or fails in one of many ways, and keeps its own count.

use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What every answer says that it cost.
pub const PROMPT_TOKENS: u64 = 120;
pub const COMPLETION_TOKENS: u64 = 45;

/// How one request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Good,
    RateLimited,
    Fault,
    /// The connection breaks before anything was answered.
    Reset,
    /// Nothing comes any more, and the connection stays.
    Stall,
    HalfJson,
    WrongSchema,
    /// The key is refused.
    Refused,
    /// The account has no credit.
    Unpaid,
}

/// A request as a plan sees it.
pub struct Asked<'a> {
    /// The number of this request, and of those that asked the same, from 1.
    pub all: u64,
    pub same: u64,
    pub user: &'a str,
}

#[derive(Default)]
pub struct Counts {
    /// Requests that came in whole.
    pub asked: u64,
    /// By the text that was asked about.
    pub same: HashMap<String, u64>,
    /// Good answers, likewise.
    pub answered: HashMap<String, u64>,
    /// Answers that the provider would bill.
    pub billed: u64,
    /// Each way to end, and how often.
    pub turns: HashMap<String, u64>,
    /// The last question.
    pub last: Value,
}

type Plan = Box<dyn Fn(&Asked) -> Turn + Send + Sync>;
type Write = Box<dyn Fn(&str) -> Value + Send + Sync>;

pub struct Peer {
    pub url: String,
    counts: Arc<Mutex<Counts>>,
    plan: Arc<Mutex<Plan>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// `plan` says how a request ends, `write` what a good answer to the user's message holds.
    pub async fn start(
        plan: impl Fn(&Asked) -> Turn + Send + Sync + 'static,
        write: impl Fn(&str) -> Value + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let counts = Arc::new(Mutex::new(Counts::default()));
        let plan: Arc<Mutex<Plan>> = Arc::new(Mutex::new(Box::new(plan)));
        let write: Arc<Write> = Arc::new(Box::new(write));
        let (kept, planned) = (counts.clone(), plan.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else {
                    continue;
                };
                let (counts, plan, write) = (kept.clone(), planned.clone(), write.clone());
                tokio::spawn(async move { serve(socket, &counts, &plan, &write).await });
            }
        });
        Self {
            url,
            counts,
            plan,
            task,
        }
    }

    pub fn with<R>(&self, read: impl FnOnce(&Counts) -> R) -> R {
        read(&self.counts.lock().unwrap())
    }

    pub fn change(&self, plan: impl Fn(&Asked) -> Turn + Send + Sync + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }
}

async fn serve(mut socket: TcpStream, counts: &Mutex<Counts>, plan: &Mutex<Plan>, write: &Write) {
    let Some(body) = request(&mut socket).await else { return };
    let body: Value = serde_json::from_slice(&body).unwrap();
    let asked = body["messages"]
        .as_array()
        .and_then(|messages| messages.iter().rev().find(|message| message["role"] == "user"))
        .and_then(|message| message["content"].as_str())
        .unwrap_or_default()
        .to_owned();
    let turn = {
        let mut counts = counts.lock().unwrap();
        counts.asked += 1;
        counts.last = body;
        let same = counts.same.get(&asked).copied().unwrap_or_default() + 1;
        counts.same.insert(asked.clone(), same);
        let request = Asked {
            same,
            all: counts.asked,
            user: &asked,
        };
        let turn = plan.lock().unwrap()(&request);
        *counts.turns.entry(format!("{turn:?}")).or_default() += 1;
        if matches!(turn, Turn::Good | Turn::WrongSchema | Turn::HalfJson) {
            counts.billed += 1;
        }
        if turn == Turn::Good {
            *counts.answered.entry(asked.clone()).or_default() += 1;
        }
        turn
    };
    let answer = match turn {
        Turn::Reset => return,
        Turn::Stall => {
            // Until the other side has had enough.
            let _ = socket.read(&mut [0; 64]).await;
            return;
        }
        Turn::RateLimited => reply(429, "retry-after: 0\r\n", &error("rate_limit_exceeded")),
        Turn::Fault => reply(500, "", &error("server_error")),
        Turn::Refused => reply(401, "", &error("invalid_api_key")),
        Turn::Unpaid => reply(402, "", &error("billing_error")),
        Turn::WrongSchema => reply(200, "", &completion(&json!({"examples": "all of them are approved"}))),
        Turn::HalfJson => {
            let whole = completion(&write(&asked));
            reply(200, "", &whole[..whole.len() / 2])
        }
        Turn::Good => reply(200, "", &completion(&write(&asked))),
    };
    let _ = socket.write_all(answer.as_bytes()).await;
    let _ = socket.shutdown().await;
}

/// The body of a request; `None` when it breaks off.
async fn request(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= at + 4 + length {
                return Some(bytes[at + 4..at + 4 + length].to_vec());
            }
        }
        let mut piece = [0; 8192];
        match socket.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

fn reply(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\
         {headers}\r\n{body}",
        body.len()
    )
}

fn error(code: &str) -> String {
    json!({"error": {"message": "As the test wants it.", "type": code, "code": code}}).to_string()
}

fn completion(value: &Value) -> String {
    let message = json!({"role": "assistant", "content": value.to_string()});
    let usage = json!({
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    });
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "scripted-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage,
    })
    .to_string()
}
