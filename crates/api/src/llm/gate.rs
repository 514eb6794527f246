//! The way to a workspace's language model: so many questions at once, and none before the provider takes it.

use super::{AskError, price_of};
use crate::{provider_keys, state::App};
use cerebros_common::{
    ids::WorkspaceId,
    llm_calls::{CallError, Category, Severity},
    llm_settings::LlmProvider,
    prices::Price,
};
use cerebros_db::{self as db, Scope};
use cerebros_llm::{Client, Dialect, Endpoint, Error, RateLimits, Reach};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// Ways that are kept open though nobody uses them.
const MAX_IDLE: usize = 200;
const LONGEST_WAIT: Duration = Duration::from_secs(90);

/// Where a workspace's questions go, as its settings are now.
#[derive(Debug, Clone)]
pub struct Route {
    pub provider: LlmProvider,
    pub model: String,
    pub price: Option<Price>,
    endpoint: Endpoint,
    parallel_calls: u32,
}

/// `None`: the workspace uses the extractive provider.
pub async fn route(app: &App, scope: &Scope) -> Result<Option<Route>, AskError> {
    let settings = db::llm_settings::find(scope, &app.db).await?;
    let Some(endpoint) = endpoint(app, scope, &settings).await? else {
        return Ok(None);
    };
    let model = settings.model.unwrap_or_default();
    let price = price_of(app, scope, settings.provider, settings.base_url.is_some(), &model).await?;
    Ok(Some(Route {
        provider: settings.provider,
        model,
        price,
        endpoint,
        parallel_calls: settings.parallel_calls,
    }))
}

async fn endpoint(app: &App, scope: &Scope, settings: &db::llm_settings::Stored) -> Result<Option<Endpoint>, AskError> {
    let (dialect, name) = match settings.provider {
        LlmProvider::Extractive => return Ok(None),
        LlmProvider::Openai => (Dialect::Openai, "OpenAI"),
        LlmProvider::Anthropic => (Dialect::Anthropic, "Anthropic"),
        LlmProvider::AzureOpenai => (Dialect::AzureOpenai, "Azure OpenAI"),
    };
    let wrong = |category, message: String| {
        let severity = Severity::Critical;
        AskError::failed(
            CallError {
                category,
                severity,
                message,
            },
            None,
        )
    };
    let address = settings.base_url.as_deref().or(settings.provider.default_base_url());
    let base_url = address.and_then(|address| address.parse().ok());
    let base_url = base_url.ok_or_else(|| wrong(Category::Permanent, format!("{name} needs a base URL.")))?;
    let key = match settings.provider.key() {
        Some(provider) => provider_keys::find(app, scope, provider).await?,
        None => None,
    };
    // A server of one's own may need none.
    if key.is_none() && settings.base_url.is_none() {
        let message = format!("This workspace has no {name} key. Store one in the settings.");
        return Err(wrong(Category::Authentication, message));
    }
    Ok(Some(Endpoint { dialect, base_url, key }))
}

/// A client for what settings say, unused by questions: for lists of models.
pub async fn client(app: &App, scope: &Scope) -> Result<Option<Client>, AskError> {
    let settings = db::llm_settings::find(scope, &app.db).await?;
    let Some(endpoint) = endpoint(app, scope, &settings).await? else {
        return Ok(None);
    };
    let client = connect(app, endpoint).map_err(|error| AskError::failed(super::wire_error(&error), None))?;
    Ok(Some(client))
}

fn connect(app: &App, endpoint: Endpoint) -> Result<Client, Error> {
    let reach = Reach::new(app.config.networks.clone());
    Client::new(endpoint, &reach, app.config.llm.deadlines)
}

pub struct Gate {
    pub client: Client,
    endpoint: Endpoint,
    parallel_calls: u32,
    turns: Arc<Semaphore>,
    pacing: Mutex<Pacing>,
}

#[derive(Default)]
struct Pacing {
    limits: RateLimits,
    /// The provider asked for quiet until then.
    quiet_until: Option<DateTime<Utc>>,
}

impl Gate {
    fn new(client: Client, route: &Route) -> Self {
        Self {
            client,
            endpoint: route.endpoint.clone(),
            parallel_calls: route.parallel_calls,
            turns: Arc::new(Semaphore::new(route.parallel_calls as usize)),
            pacing: Mutex::default(),
        }
    }

    fn fits(&self, route: &Route) -> bool {
        self.endpoint == route.endpoint && self.parallel_calls == route.parallel_calls
    }

    /// Waits until fewer questions are under way than may be. The semaphore is never closed.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().acquire_owned().await.ok()
    }

    /// Waits until the provider will take a question of so many tokens, and counts it.
    ///
    /// # Errors
    /// When it wants more patience than [`LONGEST_WAIT`]: how much.
    pub async fn pace(&self, tokens: u64) -> Result<(), Duration> {
        let spread = self.pacing().limits.spread(Utc::now(), tokens);
        tokio::time::sleep(spread.min(LONGEST_WAIT)).await;
        loop {
            let wait = self.wait(tokens);
            match wait {
                Duration::ZERO => return Ok(()),
                wait if wait > LONGEST_WAIT => return Err(wait),
                wait => tokio::time::sleep(wait).await,
            }
        }
    }

    fn wait(&self, tokens: u64) -> Duration {
        let mut pacing = self.pacing();
        let now = Utc::now();
        let quiet = pacing.quiet_until.and_then(|until| (until - now).to_std().ok());
        let wait = pacing.limits.wait(now, tokens).max(quiet.unwrap_or_default());
        if wait.is_zero() {
            pacing.limits.take(tokens);
        }
        wait
    }

    /// Takes over what an answer told of rate limits.
    pub fn learn(&self, limits: RateLimits, error: Option<&Error>) {
        let mut pacing = self.pacing();
        pacing.limits.update(limits);
        let limited = error.filter(|error| error.category == cerebros_llm::Category::RateLimit);
        if let Some(wait) = limited.and_then(|error| error.retry_after) {
            let until = TimeDelta::from_std(wait)
                .ok()
                .and_then(|wait| Utc::now().checked_add_signed(wait));
            pacing.quiet_until = until.max(pacing.quiet_until);
        }
    }

    fn pacing(&self) -> MutexGuard<'_, Pacing> {
        self.pacing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Named = (WorkspaceId, String);

/// The ways of all workspaces, and the questions that are under way.
#[derive(Default)]
pub struct Gates {
    gates: Mutex<HashMap<WorkspaceId, Arc<Gate>>>,
    asked: Mutex<HashMap<Named, Weak<tokio::sync::Mutex<()>>>>,
}

impl Gates {
    /// The way that fits the settings; another one takes the place of one that does not.
    pub fn gate(&self, app: &App, scope: &Scope, route: &Route) -> Result<Arc<Gate>, Error> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(&scope.workspace_id).filter(|gate| gate.fits(route)) {
            return Ok(gate.clone());
        }
        if gates.len() >= MAX_IDLE {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        let gate = Arc::new(Gate::new(connect(app, route.endpoint.clone())?, route));
        gates.insert(scope.workspace_id, gate.clone());
        Ok(gate)
    }

    /// Waits until nobody else in this process asks the same.
    pub async fn only(&self, workspace_id: WorkspaceId, key: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.retain(|_, lock| lock.strong_count() > 0);
            let named = (workspace_id, key.to_owned());
            let there = asked.get(&named).and_then(Weak::upgrade);
            let lock = there.unwrap_or_default();
            asked.insert(named, Arc::downgrade(&lock));
            lock
        };
        lock.lock_owned().await
    }
}
