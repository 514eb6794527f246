//! Answers that are files.

use crate::storage::{Blob, Storage};
use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use bytes::Bytes;
use futures_util::TryStreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    io::{self, Write},
    time::Duration,
};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;

/// For the reader to take the next piece.
const STALLED: Duration = Duration::from_secs(60);
pub const PIECE_BYTES: usize = 64 * 1024;

/// What RFC 5987 lets stand unencoded, as far as it is needed.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Streams a file that a browser saves and never shows.
pub fn attachment(blob: Blob, media_type: &'static str, name: &str) -> HttpResponse {
    let bytes = blob.bytes.map_err(actix_web::Error::from);
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CONTENT_DISPOSITION, disposition(name)))
        .body(SizedStream::new(blob.size_bytes, bytes))
}

/// A file that may also be asked for in part, so that a download that broke off goes on.
pub struct Kept<'a> {
    pub key: &'a str,
    pub size_bytes: u64,
    /// Hexadecimal; its `ETag`.
    pub sha256: &'a str,
    pub media_type: &'static str,
    pub name: &'a str,
}

/// Streams all of a stored file, or the one part that `Range` names. A range that it does not have, or of an older file,
/// gives all of it.
pub async fn resumable(request: &HttpRequest, storage: &Storage, file: Kept<'_>) -> io::Result<HttpResponse> {
    let etag = format!("\"{}\"", file.sha256);
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let same = text(header::IF_RANGE).is_none_or(|known| known == etag);
    let range = text(header::RANGE).filter(|_| same);
    let mut response = match range.and_then(|range| part(range, file.size_bytes)) {
        Some((first, last)) => {
            let blob = storage.read_part(file.key, first, last - first + 1).await?;
            let mut response = attachment(blob, file.media_type, file.name);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {first}-{last}/{}", file.size_bytes);
            let range = HeaderValue::try_from(range).map_err(io::Error::other)?;
            response.headers_mut().insert(header::CONTENT_RANGE, range);
            response
        }
        None => attachment(storage.read(file.key).await?, file.media_type, file.name),
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, HeaderValue::try_from(etag).map_err(io::Error::other)?);
    Ok(response)
}

/// First and last byte of the one range in a `Range` header.
fn part(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let end = size.checked_sub(1).filter(|_| digits(first) && digits(last))?;
    let (first, last) = match (first, last) {
        ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

/// A file that a browser saves, written on a thread of its own while it is sent. A failure breaks it off.
pub fn written(
    media_type: &'static str,
    name: &str,
    write: impl FnOnce(&mut Output) -> io::Result<()> + Send + 'static,
) -> HttpResponse {
    let (body, reader) = mpsc::channel(4);
    let mut output = Output::new(body.clone());
    tokio::task::spawn_blocking(move || {
        if let Err(error) = write(&mut output).and_then(|()| output.flush()) {
            tracing::warn!(error = %error, "a download was given up");
            // Whether anybody still reads makes no difference.
            let _ = body.try_send(Err(io::Error::other("the download was given up")));
        }
    });
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CONTENT_DISPOSITION, disposition(name)))
        .streaming(ReceiverStream::new(reader))
}

/// Sends what is written on to whoever reads the answer.
pub struct Output {
    body: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
    handle: Handle,
}

impl Output {
    /// With where its pieces arrive.
    pub fn pair() -> (Self, mpsc::Receiver<io::Result<Bytes>>) {
        let (body, pieces) = mpsc::channel(4);
        (Self::new(body), pieces)
    }

    pub fn new(body: mpsc::Sender<io::Result<Bytes>>) -> Self {
        Self {
            body,
            buffer: Vec::with_capacity(PIECE_BYTES),
            handle: Handle::current(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES)));
        let sent = self
            .handle
            .block_on(tokio::time::timeout(STALLED, self.body.send(Ok(piece))));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::other("the reader went away")),
            Err(_) => Err(io::Error::other("the reader takes nothing more")),
        }
    }
}

/// RFC 6266: a plain name for old readers, and the real one.
pub fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect();
    let encoded = utf8_percent_encode(name, PLAIN);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::{disposition, part};

    #[test]
    fn a_range_is_one_part_that_the_file_has() {
        for (range, found) in [
            ("bytes=0-", Some((0, 9))),
            ("bytes=4-6", Some((4, 6))),
            ("bytes=4-600", Some((4, 9))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=-30", Some((0, 9))),
            ("bytes=9-9", Some((9, 9))),
            ("bytes=10-", None),
            ("bytes=-0", None),
            ("bytes=6-4", None),
            ("bytes=0-1,3-4", None),
            ("bytes=+1-2", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(part(range, 10), found, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), None);
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(
            disposition("Büro\"; x=\r\n1.pdf"),
            "attachment; filename=\"B_ro_; x=__1.pdf\"; filename*=UTF-8''B%C3%BCro%22%3B%20x%3D%0D%0A1.pdf"
        );
    }
}
