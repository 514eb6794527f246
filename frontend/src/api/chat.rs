//! Streamed chat over the OpenAI surface.

use super::{Answer, ApiError, refusal};
use crate::browser;
use cerebros_common::chat::{ChatCompletionChunk, ChatCompletionRequest, Delta, FinishReason, WireError};
use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, ReadableStreamDefaultReader, RequestInit, Response, TextDecodeOptions, TextDecoder,
};

/// Hands each piece of the answer to `piece` as it comes. Says why the answer ended; `None` if the stream broke off.
pub async fn stream_chat(
    request: &ChatCompletionRequest,
    abort: &AbortSignal,
    mut piece: impl FnMut(Delta),
) -> Answer<Option<FinishReason>> {
    let response = send(request, abort).await?;
    let body = response
        .body()
        .ok_or_else(|| ApiError::Unreadable("The answer is empty.".to_owned()))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let decoder = TextDecoder::new().map_err(failed)?;
    let more = TextDecodeOptions::new();
    more.set_stream(true);
    let mut messages = Messages::default();
    let mut finish = None;
    loop {
        let result = JsFuture::from(reader.read()).await.map_err(failed)?;
        if Reflect::get(&result, &"done".into()).is_ok_and(|done| done.is_truthy()) {
            return Ok(finish);
        }
        let bytes: Uint8Array = Reflect::get(&result, &"value".into()).map_err(failed)?.unchecked_into();
        let text = decoder
            .decode_with_buffer_source_and_options(bytes.as_ref(), &more)
            .map_err(failed)?;
        for data in messages.push(&text) {
            if data == "[DONE]" {
                return Ok(finish);
            }
            let chunk = read_chunk(&data)?;
            for choice in chunk.choices {
                finish = choice.finish_reason.or(finish);
                piece(choice.delta);
            }
        }
    }
}

fn read_chunk(data: &str) -> Answer<ChatCompletionChunk> {
    serde_json::from_str(data).map_err(|error| match serde_json::from_str::<WireError>(data) {
        Ok(wire) => ApiError::Unreadable(wire.error.message),
        Err(_) => ApiError::Unreadable(error.to_string()),
    })
}

async fn send(request: &ChatCompletionRequest, abort: &AbortSignal) -> Answer<Response> {
    let headers = Headers::new().map_err(failed)?;
    headers.set("Content-Type", "application/json").map_err(failed)?;
    if let Some(id) = super::workspace() {
        headers.set(super::WORKSPACE_HEADER, &id.to_string()).map_err(failed)?;
    }
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers_headers(&headers);
    init.set_signal(Some(abort));
    init.set_body(&JsValue::from_str(&super::encode(request)?));
    let promise = browser::window().fetch_with_str_and_init("/v1/chat/completions", &init);
    let response: Response = JsFuture::from(promise).await.map_err(failed)?.unchecked_into();
    if response.ok() {
        return Ok(response);
    }
    let body = JsFuture::from(response.text().map_err(failed)?)
        .await
        .map_err(failed)?
        .as_string()
        .unwrap_or_default();
    Err(match serde_json::from_str::<WireError>(&body) {
        Ok(wire) => ApiError::Unreadable(wire.error.message),
        Err(_) => refusal(response.status(), &body),
    })
}

fn failed(cause: JsValue) -> ApiError {
    let name = Reflect::get(cause.unchecked_ref::<Object>(), &"name".into())
        .ok()
        .and_then(|name| name.as_string());
    if name.as_deref() == Some("AbortError") {
        return ApiError::Cancelled;
    }
    ApiError::Network(format!("{cause:?}"))
}

/// Cuts a stream of text into the data of its server-sent messages.
#[derive(Default)]
struct Messages {
    rest: String,
}

impl Messages {
    fn push(&mut self, text: &str) -> Vec<String> {
        self.rest.extend(text.chars().filter(|character| *character != '\r'));
        let mut whole = Vec::new();
        while let Some(end) = self.rest.find("\n\n") {
            let data: Vec<&str> = self.rest[..end]
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .map(str::trim_start)
                .collect();
            if !data.is_empty() {
                whole.push(data.join("\n"));
            }
            self.rest.drain(..end + 2);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::Messages;

    #[test]
    fn messages_may_come_in_any_pieces() {
        let stream = ": hello\n\ndata: {\"a\":1}\r\n\r\ndata: two\ndata: lines\n\ndata: [DONE]\n\n";
        for size in 1..stream.len() {
            let mut messages = Messages::default();
            let pieces: Vec<char> = stream.chars().collect();
            let read: Vec<String> = pieces
                .chunks(size)
                .flat_map(|piece| messages.push(&piece.iter().collect::<String>()))
                .collect();
            assert_eq!(read, ["{\"a\":1}", "two\nlines", "[DONE]"], "pieces of {size}");
        }
    }
}
