//! The virus scanner: clamd's INSTREAM, in which a file is sent piece by piece and judged at its end.

use crate::{config::Clamd, storage::Blob};
use futures_util::{TryStreamExt, future};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// What the scanner said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    /// With the name of what was found.
    Infected(String),
    /// It takes no files of this size.
    TooLarge,
}

const MAX_ANSWER_BYTES: u64 = 4096;
const MAX_NAME_CHARS: usize = 100;

/// # Errors
/// When the scanner cannot be reached, stalls, or says something else.
pub async fn scan(clamd: &Clamd, blob: Blob, patience: Duration) -> io::Result<Verdict> {
    match clamd {
        Clamd::Tcp(address) => talk(in_time(patience, TcpStream::connect(address)).await?, blob, patience).await,
        Clamd::Socket(path) => talk(in_time(patience, UnixStream::connect(path)).await?, blob, patience).await,
    }
}

/// Listens while it sends: a scanner that takes no more says so in the middle, and hangs up.
async fn talk(stream: impl AsyncRead + AsyncWrite, blob: Blob, patience: Duration) -> io::Result<Verdict> {
    let (answers, mut pieces) = tokio::io::split(stream);
    let listen = async {
        let mut text = Vec::new();
        let mut answers = answers.take(MAX_ANSWER_BYTES);
        loop {
            let mut some = [0; 512];
            match answers.read(&mut some).await {
                Ok(0) | Err(_) => break,
                Ok(count) => text.extend_from_slice(&some[..count]),
            }
            if text.contains(&0) {
                break;
            }
        }
        text
    };
    let send = send(&mut pieces, blob, patience);
    let sending = std::pin::pin!(send);
    let listening = std::pin::pin!(listen);
    match future::select(sending, listening).await {
        future::Either::Left((sent, listening)) => {
            let text = timeout(patience, listening).await;
            judge(&text.map_err(|_| late())?).map_or_else(|error| sent.and(Err(error)), Ok)
        }
        // It said something before the end.
        future::Either::Right((text, _)) => judge(&text),
    }
}

async fn send(to: &mut (impl AsyncWrite + Unpin), mut blob: Blob, patience: Duration) -> io::Result<()> {
    in_time(patience, to.write_all(b"zINSTREAM\0")).await?;
    while let Some(piece) = blob.bytes.try_next().await? {
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        if length == 0 {
            continue;
        }
        in_time(patience, to.write_all(&length.to_be_bytes())).await?;
        in_time(patience, to.write_all(&piece)).await?;
    }
    in_time(patience, to.write_all(&[0; 4])).await?;
    in_time(patience, to.flush()).await
}

fn judge(text: &[u8]) -> io::Result<Verdict> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end_matches('\0').trim();
    if text.contains("size limit exceeded") {
        return Ok(Verdict::TooLarge);
    }
    let said = text.strip_prefix("stream: ").unwrap_or(text);
    match said.strip_suffix(" FOUND") {
        Some(name) => Ok(Verdict::Infected(
            name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect(),
        )),
        None if said == "OK" => Ok(Verdict::Clean),
        None => Err(io::Error::other("the virus scanner gave no verdict")),
    }
}

async fn in_time<T>(patience: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(patience, work).await.map_err(|_| late())?
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the virus scanner takes too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_one_of_three_or_none() {
        let judged = |text: &str| judge(text.as_bytes()).ok();
        assert_eq!(judged("stream: OK\0"), Some(Verdict::Clean));
        let found = Verdict::Infected("Eicar-Signature".to_owned());
        assert_eq!(judged("stream: Eicar-Signature FOUND\0"), Some(found));
        assert_eq!(judged("INSTREAM size limit exceeded. ERROR\0"), Some(Verdict::TooLarge));
        for other in [
            "",
            "stream: NOT OK\0",
            "UNKNOWN COMMAND\0",
            "stream: lstat() failed. ERROR\0",
        ] {
            assert_eq!(judged(other), None, "{other}");
        }
    }
}
