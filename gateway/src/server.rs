//! Builds the gateway from its configuration, runs it, and stops it without losing a request.
//!
//! Pingora's services are run here rather than by its `Server`, which hides the bound port, sleeps its
//! whole grace period on every stop and can only be configured by its own file.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora_runtime::{BlockingPoolOpts, Runtime, RuntimeBuilder};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::admin::{Admin, Part, Readiness};
use crate::auth::keys::{KeyError, KeyMaterial, KeyRing, TokenAlgorithm};
use crate::auth::password::PasswordWorkers;
use crate::auth::token::TokenRules;
use crate::auth::view::View;
use crate::config::Config;
use crate::decision::Snapshot;
use crate::edge::{self, EdgeCounters, EdgeLimits};
use crate::endpoints::Endpoints;
use crate::first_start::{self, FirstStartError, OpenedKey, Prepared, Retire};
use crate::identity_headers::HeaderPlan;
use crate::limits::LoginThrottle;
use crate::provisioning::Provisioning;
use crate::proxy::Gateway;
use crate::state::{POLL, State};
use crate::store::redb::RedbStore;
use crate::store::{ServerLock, Store, StoreError};
use crate::telemetry::{Metrics, RouteLabel};
use crate::upstream::{SecretError, UpstreamSet};

mod greeting;
mod signals;

/// The store's file in the data folder.
pub const STORE_FILE: &str = "gateway.redb";

/// How long open connections may take to close after the last answer was written.
const LINGER: Duration = Duration::from_secs(1);

const HOUR: Duration = Duration::from_secs(3600);

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
            Self::Store(_) | Self::FirstStart(_) | Self::Secret(_) | Self::Key(_) => true,
        }
    }
}

/// Everything that runs, before it runs.
struct Parts {
    state: Arc<State>,
    upstreams: Arc<UpstreamSet>,
    provisioning: Arc<Provisioning>,
    endpoints: Arc<Endpoints>,
    metrics: Arc<Metrics>,
    _lock: ServerLock,
}

/// Runs until a signal ends it. `out` gets the bound addresses and a greeting.
///
/// # Errors
/// [`ServeError`] where the gateway cannot start. Nothing listens before everything else is ready.
pub fn run(
    config: &Config,
    kek_file: Option<&Path>,
    out: &mut dyn Write,
) -> Result<(), ServeError> {
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| ServeError::System {
            what: "start a runtime",
            why: e.to_string(),
        })?;
    let (parts, prepared) = control.block_on(build(config, kek_file))?;
    let listener = bind(config.server.listen)?;
    let admin_listener = bind(config.server.admin_listen)?;
    let result = control.block_on(serve(
        config,
        parts,
        &prepared,
        listener,
        admin_listener,
        out,
    ));
    control.shutdown_timeout(LINGER);
    result
}

async fn build(config: &Config, kek_file: Option<&Path>) -> Result<(Parts, Prepared), ServeError> {
    let now = crate::clock::now();
    first_start::make_data_dir(&config.server.data_dir)?;
    let lock = ServerLock::take(&config.server.data_dir)?;
    let store: Arc<dyn Store> =
        Arc::new(RedbStore::open(&config.server.data_dir.join(STORE_FILE))?);
    let prepared = first_start::prepare_with_kek(config, kek_file, store.as_ref(), now).await?;
    let everything = store.snapshot().await?;
    let snapshot = Snapshot {
        policy: Arc::new(config.policy.clone()),
        habits: Arc::new(config.auth.habits.clone()),
        token_rules: Arc::new(token_rules(config)),
        keys: Arc::new(KeyRing::new(&key_material(
            &prepared.signing_keys,
            config.auth.algorithm,
        ))?),
        view: Arc::new(View::new(everything.version, everything.users)),
    };
    store.note_seen(everything.version).await;
    let state = Arc::new(State::new(snapshot, Arc::clone(&store)));
    let upstreams = Arc::new(UpstreamSet::new(&config.upstreams)?);
    let provisioning = Arc::new(Provisioning::new(
        store,
        Arc::clone(&upstreams),
        crate::clock::now,
    ));
    let metrics = Arc::new(Metrics::new());
    let passwords =
        PasswordWorkers::new(&config.auth.password).map_err(|e| ServeError::System {
            what: "set up password hashing",
            why: e.to_string(),
        })?;
    let endpoints = Arc::new(Endpoints {
        state: Arc::clone(&state),
        auth: config.auth.clone(),
        max_body: config.server.limits.auth_body_bytes,
        require_https: config.server.require_https,
        insecure_dev: config.server.insecure_dev,
        data_dir: config.server.data_dir.clone(),
        passwords,
        throttle: LoginThrottle::new(&config.auth.throttle),
        provisioning: Arc::clone(&provisioning),
        metrics: Arc::clone(&metrics),
    });
    Ok((
        Parts {
            state,
            upstreams,
            provisioning,
            endpoints,
            metrics,
            _lock: lock,
        },
        prepared,
    ))
}

/// What our tokens must look like under this configuration.
pub fn token_rules(config: &Config) -> TokenRules {
    TokenRules {
        claims: config.auth.habits.claims,
        issuer: config.auth.issuer.clone(),
        audience: config.auth.audience.clone(),
        ttl: config.auth.access_ttl.as_secs(),
        leeway: config.auth.leeway.as_secs(),
        refresh_limit: config.auth.refresh_limit.as_secs(),
        legacy: config.auth.legacy_tokens,
    }
}

/// The keys of a data folder as the key ring takes them: the youngest of the configured algorithm signs.
pub fn key_material(opened: &[OpenedKey], signing: TokenAlgorithm) -> Vec<KeyMaterial> {
    let mut keys: Vec<KeyMaterial> = opened
        .iter()
        .filter_map(|key| {
            let algorithm = TokenAlgorithm::from_name(&key.algorithm)?;
            Some(KeyMaterial {
                kid: key.kid.clone(),
                algorithm,
                bytes: key.bytes.clone(),
            })
        })
        .collect();
    keys.reverse();
    keys.sort_by_key(|key| key.algorithm != signing);
    keys
}

/// Listens before anything is served, so that a port in use is an error and not a retry, and so that
/// port 0 can be told.
fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listen().map_err(|why: std::io::Error| ServeError::Listen {
        address,
        remedy: remedy(&why, address),
        why,
    })
}

fn remedy(why: &std::io::Error, address: SocketAddr) -> String {
    match why.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "another program listens there: stop it (`ss -ltnp 'sport = :{}'` names it), or choose another \
             address with server.listen, server.admin_listen, --listen or --admin-listen",
            address.port()
        ),
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: choose one above, or let the service manager pass it on".to_owned()
        }
        _ => "choose an address of this machine with server.listen or --listen".to_owned(),
    }
}

async fn serve(
    config: &Config,
    parts: Parts,
    prepared: &Prepared,
    listener: TcpListener,
    admin_listener: TcpListener,
    out: &mut dyn Write,
) -> Result<(), ServeError> {
    let (stop, stopping) = watch::channel(false);
    let readiness = Arc::new(Readiness::default());
    let edge_counters = Arc::new(EdgeCounters::default());
    tokio::spawn(parts.upstreams.clone().refresh_loop(stopping.clone()));
    tokio::spawn(parts.provisioning.clone().run(stopping.clone()));
    tokio::spawn(follow_feed(
        parts.state.clone(),
        parts.provisioning.clone(),
        readiness.clone(),
    ));
    tokio::spawn(retire_first_password(config.server.data_dir.clone()));
    parts.upstreams.resolve_all().await;

    let local = |l: &TcpListener| {
        l.local_addr().map_err(|e| ServeError::System {
            what: "ask for the bound address",
            why: e.to_string(),
        })
    };
    let (address, admin_address) = (local(&listener)?, local(&admin_listener)?);
    let proxy = start_proxy(config, &parts, listener, address, &edge_counters, &stopping);
    let admin = start_admin(
        &parts,
        admin_listener,
        admin_address,
        &edge_counters,
        &readiness,
        &stopping,
    );
    readiness.set(Part::Keys, true);
    greeting::write(out, config, prepared, address, admin_address);

    let stop_now = signals::wait(&readiness, config.server.drain_delay).await;
    let _ = stop.send(true);
    if !stop_now {
        drain(&edge_counters, config.server.drain).await;
    }
    proxy.shutdown_timeout(Duration::ZERO);
    admin.shutdown_timeout(Duration::ZERO);
    tracing::info!("stopped");
    Ok(())
}

fn start_proxy(
    config: &Config,
    parts: &Parts,
    listener: TcpListener,
    address: SocketAddr,
    counters: &Arc<EdgeCounters>,
    stopping: &watch::Receiver<bool>,
) -> Runtime {
    let plans = parts
        .upstreams
        .ids()
        .filter_map(|id| {
            let upstream = parts.upstreams.config(id)?;
            Some(HeaderPlan::new(
                upstream.identity_headers.clone(),
                parts.upstreams.secret(id).cloned(),
            ))
        })
        .collect();
    let gateway = Gateway {
        server: config.server.clone(),
        endpoints: parts.endpoints.clone(),
        upstreams: parts.upstreams.clone(),
        plans,
        route_labels: config
            .policy
            .rules()
            .iter()
            .map(|rule| RouteLabel::new(rule.path()))
            .collect(),
    };
    let conf = Arc::new(ServerConf {
        threads: config.server.threads,
        max_retries: 2,
        ..ServerConf::default()
    });
    let http = pingora::proxy::http_proxy(&conf, gateway);
    let app = edge::guard(
        http,
        &EdgeLimits::from(&config.server),
        Arc::clone(counters),
    );
    start(
        "proxy",
        app,
        listener,
        address,
        config.server.threads,
        stopping,
    )
}

fn start_admin(
    parts: &Parts,
    listener: TcpListener,
    address: SocketAddr,
    counters: &Arc<EdgeCounters>,
    readiness: &Arc<Readiness>,
    stopping: &watch::Receiver<bool>,
) -> Runtime {
    let (metrics, state) = (parts.metrics.clone(), parts.state.clone());
    let (counters, endpoints) = (counters.clone(), parts.endpoints.clone());
    let text = Arc::new(move || {
        metrics.set_connections(counters.open());
        metrics.set_view_version(state.load().view.version.0);
        metrics.set_login_queue(endpoints.passwords.waiting());
        metrics.encode()
    });
    let app = pingora::apps::http_app::HttpServer::new_app(Admin::new(Arc::clone(readiness), text));
    start("admin", app, listener, address, 1, stopping)
}

/// Runs one Pingora service on threads of its own, on a listener that is already bound.
fn start<A: ServerApp + Send + Sync + 'static>(
    name: &'static str,
    app: A,
    listener: TcpListener,
    address: SocketAddr,
    threads: usize,
    stopping: &watch::Receiver<bool>,
) -> Runtime {
    // No work stealing: a connection stays on its thread, which costs a fifth less CPU per request.
    let runtime = RuntimeBuilder::new(threads, name)
        .work_steal(false)
        .blocking_pool_opts(BlockingPoolOpts {
            max_threads: Some(16),
            thread_keep_alive: None,
        })
        .build();
    let mut fds = pingora::server::Fds::new();
    fds.add(address.to_string(), listener.into_raw_fd());
    let fds = Arc::new(Mutex::new(fds));
    let mut service = Service::new(name.to_owned(), app);
    service.add_tcp(&address.to_string());
    let stopping = stopping.clone();
    runtime
        .get_handle()
        .spawn(async move { service.start_service(Some(fds), stopping, threads).await });
    runtime
}

/// Takes in what other processes (the command line) change in the store.
async fn follow_feed(
    state: Arc<State>,
    provisioning: Arc<Provisioning>,
    readiness: Arc<Readiness>,
) {
    let mut failing = false;
    loop {
        let before = state.load().view.version;
        match state.catch_up().await {
            Ok(version) => {
                if version != before {
                    provisioning.changed();
                }
                if failing {
                    tracing::info!("the store answers again");
                }
                failing = false;
            }
            Err(error) if !failing => {
                tracing::error!(%error, "the store does not answer: users are as they were");
                failing = true;
            }
            Err(_) => {}
        }
        readiness.set(Part::Store, !failing);
        readiness.set(Part::View, !failing);
        sleep(POLL).await;
    }
}

/// The file with the first password stays for a day and no longer.
async fn retire_first_password(data_dir: PathBuf) {
    loop {
        let when = Retire::IfExpired {
            now: crate::clock::now(),
        };
        match first_start::retire_initial_password(&data_dir, when) {
            Ok(true) => {
                tracing::info!("the file with the first password was removed: it was a day old");
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "the file with the first password is a day old and still there");
            }
        }
        sleep(HOUR).await;
    }
}

/// Waits until the last connection is closed, for at most `limit`.
async fn drain(counters: &EdgeCounters, limit: Duration) {
    let deadline = Instant::now() + limit;
    while counters.open() > 0 {
        if Instant::now() >= deadline {
            tracing::warn!(
                open = counters.open(),
                "the drain time is over: open connections are cut"
            );
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
}
