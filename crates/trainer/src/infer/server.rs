//! The socket: connections, cancellation, the end of the parent.

use std::fmt::Display;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::embed;
use super::engine::{Engine, InferError};
use super::generate::{self, Ended};
use super::slots::{Limits, NoSlot, Slot, Slots};
use crate::protocol::{InferErrorCode, InferRequest, InferResponse};
use crate::train::watch::drain;

const LIMITS: Limits = Limits {
    running: 2,
    begun: 8,
    begun_by_one: 3,
    waiting_of_one: 32,
};
/// Connections open at once, those that wait included.
const CONNECTIONS: usize = 128;
const REQUEST_LIMIT: u64 = 8 << 20;
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// A client that reads nothing for so long is gone.
const SEND_TIME: Duration = Duration::from_secs(60);

/// Raised when a request's client has gone.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn check(&self) -> Result<(), Ended> {
        if self.is_raised() {
            Err(Ended::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// A request's place among those that compute.
pub struct Pace<'a> {
    cancel: Cancel,
    slot: Slot<'a>,
}

impl Pace<'_> {
    pub fn check(&self) -> Result<(), Ended> {
        self.cancel.check()
    }

    /// Lets others go first who have had less of the machine.
    pub fn give_way(&mut self) -> Result<(), Ended> {
        if self.slot.give_way(&self.cancel) {
            Ok(())
        } else {
            Err(Ended::Cancelled)
        }
    }
}

pub fn log(message: impl Display) {
    // Where stderr is gone, nobody reads.
    writeln!(io::stderr(), "{message}").ok();
}

struct Server {
    engine: Arc<Engine>,
    slots: Slots,
    open: AtomicUsize,
}

/// Returns only when the socket cannot be had; the end of stdin ends the process.
pub fn serve(socket: &Path, engine: Arc<Engine>) -> io::Result<()> {
    let listener = bind(socket)?;
    let path = socket.to_owned();
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        drain(&mut io::stdin());
        fs::remove_file(path).ok();
        std::process::exit(0);
    })?;
    let server = Arc::new(Server {
        engine,
        slots: Slots::new(LIMITS),
        open: AtomicUsize::new(0),
    });
    for stream in listener.incoming() {
        let accepted = stream.and_then(|stream| {
            let server = server.clone();
            std::thread::Builder::new()
                .name("request".into())
                .spawn(move || server.handle(&stream))
        });
        if let Err(error) = accepted {
            log(format_args!("a connection was lost: {error}"));
        }
    }
    Ok(())
}

/// Takes the place of a socket that a dead process has left, and of nothing else.
fn bind(socket: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(socket).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        fs::remove_file(socket)?;
    }
    let listener = UnixListener::bind(socket)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Server {
    fn handle(&self, stream: &UnixStream) {
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        let ended = if open < CONNECTIONS {
            self.answer(stream)
        } else {
            Err(Ended::Failed(InferError::new(
                InferErrorCode::Busy,
                "Too many requests are waiting; try again.",
            )))
        };
        if let Err(Ended::Failed(InferError { code, message })) = ended {
            // A client that has gone meanwhile needs no answer.
            send(stream, &InferResponse::Error { code, message }).ok();
        }
        stream.shutdown(Shutdown::Both).ok();
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn answer(&self, stream: &UnixStream) -> Result<(), Ended> {
        let request = read_request(stream)?;
        let cancel = Cancel::default();
        watch(stream, cancel.clone()).map_err(internal)?;
        let client = match &request {
            InferRequest::Generate(request) => request.client.as_str(),
            InferRequest::Embed(request) => request.client.as_str(),
            InferRequest::Logits(_) => "",
        };
        let slot = self.slots.wait(client, &cancel).map_err(|reason| match reason {
            NoSlot::Cancelled => Ended::Cancelled,
            NoSlot::TooMany => Ended::Failed(InferError::new(
                InferErrorCode::TooMany,
                "Too many of your questions wait for their answers.",
            )),
        })?;
        let mut pace = Pace { cancel, slot };
        let mut send = |response| send(stream, &response).map_err(|_| Ended::Cancelled);
        match request {
            InferRequest::Generate(request) => {
                generate::check(&request)?;
                let model = self.engine.model(&request.base_dir, request.adapter_dir.as_deref())?;
                generate::generate(&model, &request, &mut pace, &mut send)
            }
            InferRequest::Embed(request) => {
                let model = self.engine.model(&request.base_dir, request.adapter_dir.as_deref())?;
                embed::embed(&model, &request, &mut pace, &mut send)
            }
            InferRequest::Logits(request) => {
                let model = self.engine.model(&request.base_dir, request.adapter_dir.as_deref())?;
                let logits = generate::logits(&model, &request)?;
                send(InferResponse::Logits { logits })
            }
        }
    }
}

fn internal(error: io::Error) -> InferError {
    InferError::new(InferErrorCode::Internal, error)
}

fn read_request(stream: &UnixStream) -> Result<InferRequest, InferError> {
    stream.set_read_timeout(Some(REQUEST_TIME)).map_err(internal)?;
    stream.set_write_timeout(Some(SEND_TIME)).map_err(internal)?;
    let mut line = Vec::new();
    BufReader::new(stream)
        .take(REQUEST_LIMIT)
        .read_until(b'\n', &mut line)
        .map_err(|error| InferError::invalid(format!("The request cannot be read: {error}.")))?;
    if line.pop() != Some(b'\n') {
        return Err(InferError::invalid("The request must be one line of at most 8 MB."));
    }
    stream.set_read_timeout(None).map_err(internal)?;
    serde_json::from_slice(&line)
        .map_err(|error| InferError::invalid(format!("The request cannot be understood: {error}.")))
}

/// Raises `cancel` when the client closes; ends with the connection.
fn watch(stream: &UnixStream, cancel: Cancel) -> io::Result<()> {
    let mut stream = stream.try_clone()?;
    std::thread::Builder::new().name("client".into()).spawn(move || {
        drain(&mut stream);
        cancel.0.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}

fn send(mut stream: &UnixStream, response: &InferResponse) -> io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    stream.write_all(&line)
}
