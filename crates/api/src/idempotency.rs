//! `Idempotency-Key`: a request that is sent again gets the answer of the first one, and has no second effect. The
//! answer is stored in the transaction that did the work, so neither is there without the other.

use crate::{
    error::{AppError, AppResult},
    respond,
    state::App,
};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{
        StatusCode,
        header::{self, ContentType},
    },
};
use cerebros_common::{errors::ErrorCode, ids::UserId, wire::Envelope};
use cerebros_db::{
    Actor, Scope, Write,
    idempotency::{self, Claim, StoredAnswer},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    future::{Ready, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const HEADER: &str = "idempotency-key";
const MAX_KEY_LENGTH: usize = 255;

/// [`Once`] in the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKeyHeader {
    /// Any text of your own. The same request sent again with it within a day gets the first answer again, marked
    /// `Idempotency-Replayed: true`, and has no second effect.
    #[expect(dead_code, reason = "only its description is used")]
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    idempotency_key: Option<String>,
}

/// The keys of this process that are being worked on.
#[derive(Default)]
pub struct InFlight(Mutex<HashSet<(UserId, String)>>);

/// Does a request's work once per key. Without the header it is just done.
#[derive(Default)]
pub struct Once {
    key: Option<String>,
    /// Method, path and query.
    target: String,
}

/// What [`Once::begin`] found.
pub enum Begun {
    /// It was done before; this is its answer.
    Before(HttpResponse),
    Now(Turn),
}

/// The right to work on a request.
pub struct Turn {
    app: Arc<App>,
    scope: Scope,
    claim: Option<Claimed>,
}

struct Claimed {
    app: Arc<App>,
    user_id: UserId,
    key: String,
    fingerprint: String,
}

/// An answer that can be stored.
pub struct Answer {
    status: StatusCode,
    location: Option<String>,
    version: Option<i64>,
    body: Vec<u8>,
}

impl Answer {
    pub fn ok<T: Serialize>(data: T) -> AppResult<Self> {
        Ok(Self {
            status: StatusCode::OK,
            location: None,
            version: None,
            body: serde_json::to_vec(&Envelope::new(data)).map_err(AppError::internal)?,
        })
    }

    pub fn created<T: Serialize>(location: String, data: T) -> AppResult<Self> {
        Ok(Self {
            status: StatusCode::CREATED,
            location: Some(location),
            ..Self::ok(data)?
        })
    }

    /// Without the native envelope, as OpenAI's wire has it.
    pub fn plain<T: Serialize>(data: T) -> AppResult<Self> {
        Ok(Self {
            status: StatusCode::OK,
            location: None,
            version: None,
            body: serde_json::to_vec(&data).map_err(AppError::internal)?,
        })
    }

    /// With the version that `If-Match` takes.
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }
}

impl FromRequest for Once {
    type Error = AppError;
    type Future = Ready<AppResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(key(request).map(|key| Self {
            key,
            target: format!("{} {}?{}", request.method(), request.path(), request.query_string()),
        }))
    }
}

fn key(request: &HttpRequest) -> AppResult<Option<String>> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if values.next().is_some()
        || !(1..=MAX_KEY_LENGTH).contains(&text.len())
        || !text.bytes().all(|b| b.is_ascii_graphic())
    {
        let message = "must be one text of 1 to 255 visible ASCII characters";
        return Err(AppError::field("Idempotency-Key", "type", message));
    }
    Ok(Some(text.to_owned()))
}

impl Once {
    /// Whether an earlier answer may count more than what stands now.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Does `work` and stores its answer in one transaction, or gives the stored answer of the same request. What fails
    /// is not stored.
    ///
    /// # Errors
    /// 422 when the key belongs to another request, 409 while that one is worked on, and what `work` gives.
    pub async fn run<W>(self, app: &Arc<App>, scope: &Scope, request: &impl Serialize, work: W) -> AppResult
    where
        W: AsyncFnOnce(&mut Write) -> AppResult<Answer>,
    {
        match self.begin(app, scope, request).await? {
            Begun::Before(answer) => Ok(answer),
            Begun::Now(turn) => turn.run(work).await,
        }
    }

    /// The first half of [`Once::run`], for work that starts outside the transaction. `request` is the parsed body, or
    /// what stands for it.
    pub async fn begin(self, app: &Arc<App>, scope: &Scope, request: &impl Serialize) -> AppResult<Begun> {
        let turn = |claim| Turn {
            app: app.clone(),
            scope: *scope,
            claim,
        };
        let Some(key) = self.key else {
            return Ok(Begun::Now(turn(None)));
        };
        let (Actor::User(user_id) | Actor::ApiKey(_, user_id)) = scope.actor else {
            return Err(AppError::internal(anyhow::anyhow!("a task sent a request")));
        };
        let fingerprint = fingerprint(&self.target, scope, request)?;
        let claimed = Claimed::take(app, user_id, key, fingerprint)?;
        let stored = idempotency::find_unscoped(&app.db, user_id, &claimed.key).await?;
        match stored {
            Some(stored) => Ok(Begun::Before(claimed.replay(stored)?)),
            None => Ok(Begun::Now(turn(Some(claimed)))),
        }
    }
}

fn fingerprint(target: &str, scope: &Scope, request: &impl Serialize) -> AppResult<String> {
    // Through a value, so that the members have one order.
    let request = serde_json::to_value(request).map_err(AppError::internal)?;
    let text = serde_json::to_vec(&(target, scope.workspace_id, request)).map_err(AppError::internal)?;
    Ok(hex::encode(Sha256::digest(text)))
}

impl Turn {
    /// The second half of [`Once::run`].
    pub async fn run<W>(self, work: W) -> AppResult
    where
        W: AsyncFnOnce(&mut Write) -> AppResult<Answer>,
    {
        let mut write = self.app.db.write(&self.scope).await?;
        if let Some(claimed) = &self.claim {
            match idempotency::claim_unscoped(&mut write, claimed.user_id, &claimed.key).await? {
                Claim::Free => {}
                Claim::Busy => return Err(in_flight()),
                Claim::Answered(stored) => return claimed.replay(stored),
            }
        }
        let answer = work(&mut write).await?;
        let answer = StoredAnswer {
            workspace_id: self.scope.workspace_id,
            fingerprint: self
                .claim
                .as_ref()
                .map(|claimed| claimed.fingerprint.clone())
                .unwrap_or_default(),
            status: answer.status.as_u16(),
            location: answer.location,
            etag: answer.version.map(|version| respond::etag(version, &answer.body)),
            body: answer.body,
        };
        if let Some(claimed) = &self.claim {
            idempotency::insert_unscoped(&mut write, claimed.user_id, &claimed.key, answer.clone()).await?;
        }
        write.commit().await?;
        respond_with(answer, false)
    }
}

impl Claimed {
    fn take(app: &Arc<App>, user_id: UserId, key: String, fingerprint: String) -> AppResult<Self> {
        if !app.in_flight.lock().insert((user_id, key.clone())) {
            return Err(in_flight());
        }
        Ok(Self {
            app: app.clone(),
            user_id,
            key,
            fingerprint,
        })
    }

    fn replay(&self, stored: StoredAnswer) -> AppResult {
        if stored.fingerprint != self.fingerprint {
            let detail = "This `Idempotency-Key` was used for another request. Choose a new one for each request.";
            return Err(AppError::new(ErrorCode::IdempotencyKeyReused, detail));
        }
        respond_with(stored, true)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let key = std::mem::take(&mut self.key);
        self.app.in_flight.lock().remove(&(self.user_id, key));
    }
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, HashSet<(UserId, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_flight() -> AppError {
    let detail = "A request with this `Idempotency-Key` is being worked on. Ask again in a moment for its answer.";
    AppError::new(ErrorCode::InFlight, detail).retry_after(1)
}

fn respond_with(answer: StoredAnswer, replayed: bool) -> AppResult {
    let status = StatusCode::from_u16(answer.status).map_err(AppError::internal)?;
    let mut response = HttpResponse::build(status);
    response.content_type(ContentType::json());
    if let Some(location) = answer.location {
        response.insert_header((header::LOCATION, location));
    }
    if let Some(etag) = answer.etag {
        response.insert_header((header::ETAG, etag));
    }
    if replayed {
        response.insert_header(("idempotency-replayed", "true"));
    }
    Ok(response.body(answer.body))
}
