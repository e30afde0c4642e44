//! Builds the gateway from its configuration, runs it, and stops it without losing a request.
//!
//! Pingora's services are run here rather than by its `Server`, which hides the bound port, sleeps its
//! whole grace period on every stop and can only be configured by its own file.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::admin::{Part, Readiness};
use crate::auth::cache::TokenCache;
use crate::auth::keys::{KeyError, KeyRing};
use crate::auth::password::PasswordWorkers;
use crate::auth::view::View;
use crate::config::{Config, ConfigProblems, Resolved, ServerConfig};
use crate::decision::Snapshot;
use crate::edge::EdgeCounters;
use crate::endpoints::Endpoints;
use crate::equipment::Equipment;
use crate::first_start::{self, FirstStartError, Prepared};
use crate::limits::LoginThrottle;
use crate::state::State;
use crate::store::redb::RedbStore;
use crate::store::{ServerLock, Store, StoreError};
use crate::telemetry::Metrics;
use crate::tls::{Certificates, TlsError};
use crate::upstream::SecretError;

mod greeting;
mod listen;
mod reload;
mod signals;
mod tasks;

pub(crate) use greeting::reachable;
use listen::Listeners;
use reload::Reloader;
use signals::Signals;

/// The store's file in the data folder.
pub const STORE_FILE: &str = "gateway.redb";

/// How long open connections may take to close after the last answer was written.
const LINGER: Duration = Duration::from_secs(1);

/// Reads the configuration again, from where it came the first time.
pub type Reread = Arc<dyn Fn() -> Result<Resolved, ConfigProblems> + Send + Sync>;

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {why}\n  {remedy}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
        /// What to do.
        remedy: String,
    },
    /// The data folder is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first start cannot be completed.
    #[error(transparent)]
    FirstStart(#[from] FirstStartError),
    /// An upstream's secret can neither be read nor made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The certificate of the client listener cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A signing key is no key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The system refuses something that nothing can be done without.
    #[error("cannot {what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        why: String,
    },
}

impl ServeError {
    /// The fault lies in the configuration or in what it points to.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Listen { why, .. } => why.kind() != std::io::ErrorKind::AddrInUse,
            Self::Store(StoreError::Busy) | Self::System { .. } => false,
            Self::Store(_)
            | Self::FirstStart(_)
            | Self::Secret(_)
            | Self::Key(_)
            | Self::Tls(_) => true,
        }
    }
}

/// What was built before anything listens.
struct Built {
    endpoints: Arc<Endpoints>,
    prepared: Prepared,
    certificates: Option<Arc<Certificates>>,
    _lock: ServerLock,
}

/// Runs until a signal ends it. `out` gets the bound addresses and a greeting.
///
/// # Errors
/// [`ServeError`] where the gateway cannot start. Nothing listens before everything else is ready.
pub fn run(resolved: &Resolved, reread: Reread, out: &mut dyn Write) -> Result<(), ServeError> {
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| ServeError::System {
            what: "start a runtime",
            why: e.to_string(),
        })?;
    let built = control.block_on(build(resolved))?;
    let listeners = Listeners::bind(&resolved.config.server)?;
    let result = control.block_on(serve(&resolved.config, &built, reread, listeners, out));
    control.shutdown_timeout(LINGER);
    result
}

async fn build(resolved: &Resolved) -> Result<Built, ServeError> {
    let config = &resolved.config;
    let data_dir = &config.server.data_dir;
    first_start::make_data_dir(data_dir)?;
    let lock = ServerLock::take(data_dir)?;
    first_start::sweep_drafts(data_dir)?;
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&data_dir.join(STORE_FILE))?);
    let kek_file = resolved.kek_file.as_deref();
    let now = crate::clock::now();
    let prepared = first_start::prepare_with_kek(config, kek_file, store.as_ref(), now).await?;
    let everything = store.snapshot().await?;
    let keys = first_start::key_ring(&prepared.signing_keys, config.auth.algorithm)?;
    let view = View::new(everything.version, everything.users);
    let snapshot = settings(config, Arc::new(keys), Arc::new(view));
    store.note_seen(everything.version).await;
    let certificates = config
        .server
        .tls
        .as_ref()
        .map(Certificates::load)
        .transpose()?
        .map(Arc::new);
    let equipment = Arc::new(Equipment::new(config, Arc::clone(&store))?);
    let passwords =
        PasswordWorkers::new(&config.auth.password).map_err(|e| ServeError::System {
            what: "set up password hashing",
            why: e.to_string(),
        })?;
    let endpoints = Arc::new(Endpoints {
        state: Arc::new(State::new(snapshot, equipment, store)),
        data_dir: data_dir.clone(),
        insecure_dev: config.server.insecure_dev,
        passwords,
        throttle: LoginThrottle::new(&config.auth.throttle),
        metrics: Arc::new(Metrics::new()),
    });
    Ok(Built {
        endpoints,
        prepared,
        certificates,
        _lock: lock,
    })
}

/// What requests are judged by under a configuration.
fn settings(config: &Config, keys: Arc<KeyRing>, view: Arc<View>) -> Snapshot {
    Snapshot {
        policy: Arc::new(config.policy.clone()),
        habits: Arc::new(config.auth.habits.clone()),
        token_rules: Arc::new(config.token_rules()),
        keys,
        view,
        external: Arc::new(config.auth.external.clone()),
        tokens: Arc::new(TokenCache::new(config.auth.token_cache)),
        cors: config.cors.clone(),
    }
}

async fn serve(
    config: &Config,
    built: &Built,
    reread: Reread,
    listeners: Listeners,
    out: &mut dyn Write,
) -> Result<(), ServeError> {
    let mut signals = Signals::listen();
    let (stop, stopping) = watch::channel(false);
    let readiness = Arc::new(Readiness::default());
    let counters = Arc::new(EdgeCounters::default());
    let state = &built.endpoints.state;
    state.load().equipment.start().await;
    tokio::spawn(tasks::follow_feed(state.clone(), readiness.clone()));
    tokio::spawn(tasks::retire_first_password(config.server.data_dir.clone()));
    tokio::spawn(reload::on_hangup(Reloader {
        endpoints: built.endpoints.clone(),
        certificates: built.certificates.clone(),
        reread,
    }));

    let (address, admin_address) = listeners.addresses();
    let proxy = listeners.start_proxy(&config.server, built, &counters, &stopping)?;
    let admin = proxy.start_admin(&built.endpoints, &counters, &readiness, &stopping)?;
    readiness.set(Part::Keys, true);
    greeting::write(out, config, &built.prepared, address, admin_address);

    let signal = signals.next().await;
    tracing::info!(signal, "stopping: requests in flight are finished");
    readiness.drain();
    let hurry = tokio::select! {
        hurry = wind_down(&stop, &counters, &config.server) => hurry,
        _ = signals.next() => true,
    };
    if hurry {
        tracing::warn!(open = counters.open(), "open connections are cut");
    }
    // Where the second signal came first, listeners are still open.
    stop.send_replace(true);
    admin.shut_down();
    state.load().equipment.retire();
    tracing::info!("stopped");
    Ok(())
}

/// Lets a load balancer notice, stops to listen, and waits until the last connection is closed, for at most
/// the drain time. Says whether that was over before they were.
async fn wind_down(
    stop: &watch::Sender<bool>,
    counters: &EdgeCounters,
    server: &ServerConfig,
) -> bool {
    sleep(server.drain_delay).await;
    stop.send_replace(true);
    let deadline = Instant::now() + server.drain;
    while counters.open() > 0 {
        if Instant::now() >= deadline {
            return true;
        }
        sleep(Duration::from_millis(10)).await;
    }
    false
}
