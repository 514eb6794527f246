//! Puts the parts together and runs them until told to stop.

use crate::{
    auth::Hasher,
    config::{Config, MailConfig},
    deadlines::{self, Connection},
    headers,
    idempotency::InFlight,
    infer::Inference,
    keys::{Keys, Purpose},
    legal::Legal,
    limits::{self, Limits},
    llm::Gates,
    mail::Mailer,
    openapi, origins, respond, routes, spa,
    state::App,
    storage::Storage,
    tasks,
    telemetry::RequestSpan,
    uses::Uses,
    vllm::Vllm,
};
use actix_web::{HttpServer, dev::ServerHandle, middleware::from_fn, web};
use anyhow::Context;
use cerebros_db::{Db, DbOptions};
use cerebros_migrations::{Migrate, Migrator};
use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

/// How long running requests may take to end at a shutdown.
const SHUTDOWN_S: u64 = 10;
const CONNECTIONS_PER_WORKER: usize = 2_000;

/// A running server; dropping it stops nothing, [`Running::stop`] does.
pub struct Running {
    pub(crate) app: Arc<App>,
    pub address: SocketAddr,
    pub url: String,
    http: Option<(ServerHandle, JoinHandle<std::io::Result<()>>)>,
    background: Vec<JoinHandle<anyhow::Result<()>>>,
    _lock: Option<File>,
}

/// What runs in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// HTTP and tasks.
    All,
    /// Tasks alone.
    Work,
}

/// Brings the schema up to date.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    make_data_dir(config)?;
    migrated(config, &Keys::load(config)?).await.map(|_| ())
}

async fn migrated(config: &Config, keys: &Keys) -> anyhow::Result<Db> {
    let db = connect(config, keys).await?;
    Migrator::up(db.write_connection(), None)
        .await
        .context("the schema could not be brought up to date")?;
    Ok(db)
}

fn make_data_dir(config: &Config) -> anyhow::Result<()> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("DATA_DIR {} cannot be made", config.data_dir.display()))
}

/// Starts the server or a worker and returns once it answers.
pub async fn start(config: Config, parts: Parts) -> anyhow::Result<Running> {
    let legal = Legal::read(config.legal_dir.as_deref())?;
    // One TLS provider per process; a second call finds it in place.
    let _ = rustls::crypto::ring::default_provider().install_default();
    anyhow::ensure!(
        parts == Parts::All || !matches!(config.mail, MailConfig::Outbox),
        "OUTBOX is 1, but only the server itself can show the mail that it keeps"
    );
    make_data_dir(&config)?;
    let keys = Keys::load(&config)?;
    let db = migrated(&config, &keys).await?;
    let lock = lock_data_dir(&config, &db)?;
    keys.check(&db).await?;
    if db.is_sqlite() {
        cerebros_queue::void_leases(db.write_connection()).await?;
    }
    let storage = Storage::open(&config).await.context(match config.s3 {
        Some(_) => "the S3 bucket cannot be reached, or DATA_DIR cannot be written",
        None => "DATA_DIR cannot be written",
    })?;
    if db.is_sqlite() {
        // No other process can be writing here.
        storage
            .remove_unfinished(Duration::ZERO)
            .await
            .context("DATA_DIR cannot be written")?;
    }
    let built_in = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || crate::bases::write_built_in(&config)).await??
    };
    let (listener, address) = match parts {
        Parts::Work => (None, config.bind),
        Parts::All => {
            let listener =
                TcpListener::bind(config.bind).with_context(|| format!("BIND {} cannot be used", config.bind))?;
            let address = listener.local_addr()?;
            (Some(listener), address)
        }
    };
    let app = Arc::new(App {
        legal,
        built_in,
        hasher: Hasher::new()?,
        inference: Inference::new(&config),
        vllm: config.vllm.as_ref().map(Vllm::new).transpose()?,
        uses: Uses::default(),
        mailer: Mailer::new(&config)?,
        origin: config.origin(address),
        in_flight: InFlight::default(),
        limits: Limits::new(&config, keys.current(Purpose::Addresses).1),
        llm: Gates::default(),
        shutdown: CancellationToken::new(),
        keys,
        exports: Arc::new(tokio::sync::Semaphore::new(crate::exports::AT_ONCE)),
        estimates: tokio::sync::Semaphore::new(1),
        written: Arc::new(tokio::sync::Semaphore::new(crate::datasets::written::AT_ONCE)),
        db,
        storage,
        config,
    });
    let mut background = tasks::start(&app)?;
    background.extend(crate::wake::start(&app).await?);
    let http = listener.map(|listener| serve(app.clone(), listener)).transpose()?;
    Ok(Running {
        url: app.origin.clone(),
        app,
        address,
        http,
        background,
        _lock: lock,
    })
}

impl Running {
    /// Changes its value after each commit of this process: tests wait on it instead of sleeping.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.app.db.subscribe()
    }

    /// Lets requests and tasks end within their deadlines.
    pub async fn stop(mut self) {
        self.app.shutdown.cancel();
        if let Some((handle, server)) = self.http.take() {
            handle.stop(true).await;
            if let Ok(Err(error)) = server.await {
                tracing::error!(error = ?error, "the HTTP server failed");
            }
        }
        self.app.inference.stop().await;
        for part in self.background.drain(..) {
            if let Ok(Err(error)) = part.await {
                tracing::error!(error = ?error, "a background part failed");
            }
        }
    }
}

/// Connects to the database as it is.
pub async fn connect(config: &Config, keys: &Keys) -> anyhow::Result<Db> {
    let options = DbOptions {
        url: config.database_url.clone(),
        max_connections: config.database_connections,
        audit_keys: keys.audit(),
    };
    Db::connect(&options)
        .await
        .context("DATABASE_URL cannot be connected to")
}

/// On SQLite one process owns the data directory, so that a start may void all leases.
pub fn lock_data_dir(config: &Config, db: &Db) -> anyhow::Result<Option<File>> {
    if !db.is_sqlite() {
        return Ok(None);
    }
    let path = config.data_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    file.try_lock().map_err(|_| {
        anyhow::anyhow!(
            "another process uses the data directory {}. Stop it, choose another DATA_DIR, or use PostgreSQL to run \
             several processes",
            config.data_dir.display()
        )
    })?;
    Ok(Some(file))
}

fn serve(app: Arc<App>, listener: TcpListener) -> anyhow::Result<(ServerHandle, JoinHandle<std::io::Result<()>>)> {
    allow_many_connections();
    let app = web::Data::from(app);
    let (config, watched) = (app.config.clone(), app.clone());
    let mut document = openapi::document();
    let known = web::Data::new(openapi::Routes::new(&mut document));
    let server = HttpServer::new(move || {
        let (actix, _) = actix_web::App::new()
            .app_data(app.clone())
            .app_data(known.clone())
            .into_utoipa_app()
            .configure(routes::configure)
            .split_for_parts();
        actix
            .route("/livez", web::get().to(routes::health::livez))
            .route("/readyz", web::get().to(routes::health::readyz))
            .route(
                "/.well-known/cerebros-receipts.json",
                web::get().to(routes::deletions::receipt_keys),
            )
            .service(web::redirect("/docs", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").url("/docs/openapi.json", document.clone()))
            .default_service(web::to(spa::fallback))
            .wrap(from_fn(deadlines::on_handlers))
            .wrap(from_fn(origins::guard))
            .wrap(from_fn(limits::by_address))
            .wrap(from_fn(respond::envelope))
            .wrap(TracingLogger::<RequestSpan>::new())
            .wrap(from_fn(headers::on_every_answer))
            .wrap(from_fn(deadlines::busy))
    })
    .on_connect(move |io, extensions| Connection::watch(io, extensions, &watched.config))
    .workers(std::thread::available_parallelism().map_or(2, usize::from).min(8))
    .shutdown_timeout(SHUTDOWN_S)
    .max_connections(CONNECTIONS_PER_WORKER)
    .keep_alive(config.deadlines.keep_alive)
    .client_request_timeout(config.deadlines.head)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    Ok((handle, tokio::spawn(server)))
}

/// Shells allow few open files by default, but as many as the system has on request.
fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(error = %error, "the limit of open files could not be raised");
    }
}
