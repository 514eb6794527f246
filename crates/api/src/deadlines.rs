//! How long the server waits for a client or a handler, so that the slow hold nothing for ever.

use crate::{
    config::Config,
    error::{AppError, AppResult},
    extract,
};
use actix_web::{
    Error, HttpRequest,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Extensions, ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    rt,
};
use bytes::Bytes;
use cerebros_common::errors::ErrorCode;
use std::{
    any::Any,
    io::ErrorKind,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// They take as long as the model does, within bounds of its own.
const OF_MODELS: [&str; 2] = ["/v1/chat/completions", "/v1/embeddings"];
/// How soon it is noticed that a client has gone.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);
const PARTS: &str = "/api/v1/uploads/";

/// Waits for a part of a body.
///
/// # Errors
/// 408 when it does not come in time.
pub async fn arrival<T>(limit: Duration, part: impl Future<Output = T>) -> AppResult<T> {
    let detail = "The body took too long to arrive. Send it again.";
    let late = |_| AppError::new(ErrorCode::RequestTimeout, detail);
    timeout(limit, part).await.map_err(late)
}

/// Gives a handler up that does not answer in time. Uploads wait for their pieces, and streams are answers already.
pub async fn on_handlers(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let limit = extract::app(request.request())?.config.deadlines.handler;
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let upload = content_type.is_some_and(|value| value.as_bytes().starts_with(b"multipart/"));
    let part = request.method() == Method::PUT && request.path().starts_with(PARTS);
    if upload || part || OF_MODELS.contains(&request.path()) {
        return next.call(request).await;
    }
    let late = |_| AppError::unavailable("This takes too long right now. Try again in a moment.", 5);
    timeout(limit, next.call(request)).await.map_err(late)?
}

/// A connection. actix watches over the head of the first request alone; this one over those that follow, too.
pub struct Connection {
    socket: TcpStream,
    state: Mutex<State>,
}

struct State {
    /// Requests that are not answered to the end.
    open: usize,
    quiet_since: Instant,
}

impl Connection {
    /// Closes a connection on which nothing happens for longer than a request's head may take.
    pub fn watch(io: &dyn Any, extensions: &mut Extensions, config: &Config) {
        let stream = io.downcast_ref::<rt::net::TcpStream>();
        let Some(Ok(socket)) = stream.map(|stream| stream.as_fd().try_clone_to_owned()) else {
            return;
        };
        let state = State {
            open: 0,
            quiet_since: Instant::now(),
        };
        let connection = Arc::new(Self {
            socket: socket.into(),
            state: Mutex::new(state),
        });
        let limit = config.deadlines.head + config.deadlines.keep_alive;
        rt::spawn(close_when_quiet(Arc::downgrade(&connection), limit));
        extensions.insert(connection);
    }

    fn is_closed(&self) -> bool {
        match self.socket.peek(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Ends when the client has closed its connection. actix itself notices only when it answers.
pub async fn gone(request: &HttpRequest) {
    let Some(connection) = request.conn_data::<Arc<Connection>>().cloned() else {
        return std::future::pending().await;
    };
    while !connection.is_closed() {
        sleep(LOOK_AGAIN_AFTER).await;
    }
}

async fn close_when_quiet(connection: Weak<Connection>, limit: Duration) {
    loop {
        let deadline = {
            let Some(connection) = connection.upgrade() else { return };
            let mut deadline = Instant::now() + limit;
            connection.change(|state| {
                if state.open == 0 {
                    deadline = state.quiet_since + limit;
                }
            });
            if deadline <= Instant::now() {
                // It may be closed already.
                let _ = connection.socket.shutdown(Shutdown::Both);
                return;
            }
            deadline
        };
        sleep_until(deadline).await;
    }
}

/// Notes that a request is being answered, until the last byte is handed over.
pub async fn busy(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let busy = Busy::new(request.request().conn_data::<Arc<Connection>>().cloned());
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| Held {
        body: body.boxed(),
        _busy: busy,
    }))
}

struct Busy(Option<Arc<Connection>>);

impl Busy {
    fn new(connection: Option<Arc<Connection>>) -> Self {
        if let Some(connection) = &connection {
            connection.change(|state| state.open += 1);
        }
        Self(connection)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.change(|state| {
                state.open -= 1;
                state.quiet_since = Instant::now();
            });
        }
    }
}

struct Held {
    body: BoxBody,
    _busy: Busy,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, _busy } = self;
        body.try_into_bytes().map_err(|body| Self { body, _busy })
    }
}
