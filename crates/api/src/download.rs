//! Answers that are files.

use crate::storage::Blob;
use actix_web::{HttpResponse, body::SizedStream, http::header};
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
    use super::disposition;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(
            disposition("Büro\"; x=\r\n1.pdf"),
            "attachment; filename=\"B_ro_; x=__1.pdf\"; filename*=UTF-8''B%C3%BCro%22%3B%20x%3D%0D%0A1.pdf"
        );
    }
}
