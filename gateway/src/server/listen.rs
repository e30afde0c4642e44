//! Listeners: bound before anything is served, then handed to Pingora's services.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::apps::http_app::HttpServer;
use pingora::listeners::tls::TlsSettings;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::protocols::http::v2::server::default_h2_options;
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora_runtime::{BlockingPoolOpts, Runtime, RuntimeBuilder};
use tokio::sync::watch;

use super::{Built, ServeError};
use crate::admin::{Admin, Readiness};
use crate::config::ServerConfig;
use crate::edge::{self, EdgeCounters, EdgeLimits};
use crate::endpoints::Endpoints;
use crate::proxy::Gateway;
use crate::tls::Certificates;

/// Tries of one request against an upstream, the first included.
const TRIES: usize = 2;

/// Bytes written to a client at once: a small answer, head and body, is one write. Every open connection has it.
const WRITE_BUFFER_BYTES: usize = 3072;

/// Requests that one HTTP/2 connection may have open. Browsers ask for a dozen at once.
const H2_STREAMS: u32 = 32;

/// Threads for work that blocks (the store's disk), per proxy thread.
const BLOCKING_THREADS: usize = 16;

/// Whoever operates the gateway is few.
const ADMIN_LIMITS: EdgeLimits = EdgeLimits {
    connections: 128,
    connections_per_ip: 128,
    header_timeout: Duration::from_secs(10),
    keep_alive: Duration::from_secs(60),
    keep_alive_requests: 1_000,
    trusted_proxies: Vec::new(),
};

/// A socket that is bound, and where.
#[derive(Debug)]
struct Bound {
    socket: TcpListener,
    address: SocketAddr,
}

/// Both listeners.
#[derive(Debug)]
pub(super) struct Listeners {
    clients: Bound,
    admin: Bound,
}

/// The client listener is at work, the admin listener waits for its turn.
pub(super) struct ProxyRunning {
    proxy: Runtime,
    admin: Bound,
}

/// Both listeners are at work.
pub(super) struct Running {
    proxy: Runtime,
    admin: Runtime,
}

impl Listeners {
    /// Binds both, so that a port in use is an error and not a retry, and so that port 0 can be told.
    pub(super) fn bind(server: &ServerConfig) -> Result<Self, ServeError> {
        Ok(Self {
            clients: bind(server.listen)?,
            admin: bind(server.admin_listen)?,
        })
    }

    /// Where clients connect, and where operators do.
    pub(super) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        (self.clients.address, self.admin.address)
    }

    /// Serves clients.
    pub(super) fn start_proxy(
        self,
        server: &ServerConfig,
        built: &Built,
        counters: &Arc<EdgeCounters>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<ProxyRunning, ServeError> {
        let conf = ServerConf {
            threads: server.threads,
            max_retries: TRIES,
            upstream_keepalive_pool_size: resting_connections(built)
                .div_ceil(server.threads.max(1)),
            ..ServerConf::default()
        };
        let gateway = Gateway {
            endpoints: Arc::clone(&built.endpoints),
        };
        let mut http = pingora::proxy::http_proxy(&Arc::new(conf), gateway);
        let mut h2 = default_h2_options();
        h2.max_concurrent_streams(H2_STREAMS);
        http.h2_options = Some(h2);
        let app = edge::guard(http, &EdgeLimits::from(server), Arc::clone(counters));
        let tls = built.certificates.clone();
        let proxy = start("proxy", app, self.clients, tls, server.threads, stopping)?;
        Ok(ProxyRunning {
            proxy,
            admin: self.admin,
        })
    }
}

/// How many connections to upstreams may rest: as many as there may be requests, or those beyond are opened
/// anew for each. Pingora multiplies what it is given by its threads.
fn resting_connections(built: &Built) -> usize {
    let current = built.endpoints.state.load();
    let upstreams = &current.equipment.upstreams;
    upstreams
        .ids()
        .filter_map(|id| upstreams.config(id))
        .map(|upstream| upstream.max_requests)
        .fold(0, usize::saturating_add)
        .min(current.equipment.server.limits.connections)
}

impl ProxyRunning {
    /// Serves operators.
    pub(super) fn start_admin(
        self,
        endpoints: &Arc<Endpoints>,
        counters: &Arc<EdgeCounters>,
        readiness: &Arc<Readiness>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Running, ServeError> {
        let (endpoints, counters) = (Arc::clone(endpoints), Arc::clone(counters));
        let text = Arc::new(move || {
            let metrics = &endpoints.metrics;
            metrics.set_connections(counters.open());
            metrics.set_view_version(endpoints.state.load().snapshot.view.version.0);
            metrics.set_login_queue(endpoints.passwords.waiting());
            metrics.set_login_networks(endpoints.throttle.networks());
            metrics.encode()
        });
        let app = HttpServer::new_app(Admin::new(Arc::clone(readiness), text));
        let app = edge::guard(app, &ADMIN_LIMITS, Arc::new(EdgeCounters::default()));
        let admin = start("admin", app, self.admin, None, 1, stopping)?;
        Ok(Running {
            proxy: self.proxy,
            admin,
        })
    }
}

impl Running {
    /// Cuts what is still open.
    pub(super) fn shut_down(self) {
        self.proxy.shutdown_timeout(Duration::ZERO);
        self.admin.shutdown_timeout(Duration::ZERO);
    }
}

fn bind(address: SocketAddr) -> Result<Bound, ServeError> {
    let listen = || {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Bound {
            address: socket.local_addr()?,
            socket,
        })
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

/// Runs one Pingora service on threads of its own, on a listener that is already bound.
fn start<A: ServerApp + Send + Sync + 'static>(
    name: &'static str,
    app: A,
    bound: Bound,
    tls: Option<Arc<Certificates>>,
    threads: usize,
    stopping: &watch::Receiver<bool>,
) -> Result<Runtime, ServeError> {
    // No work stealing: a connection stays on its thread, which costs a fifth less CPU per request.
    let runtime = RuntimeBuilder::new(threads, name)
        .work_steal(false)
        .blocking_pool_opts(BlockingPoolOpts {
            max_threads: Some(BLOCKING_THREADS),
            thread_keep_alive: None,
        })
        .build();
    let address = bound.address.to_string();
    let mut fds = Fds::new();
    fds.add(address.clone(), bound.socket.into_raw_fd());
    let fds = Arc::new(Mutex::new(fds));
    let mut service = Service::new(name.to_owned(), app);
    // Pingora's default of 64 KiB to read with is resident for every open connection: 100 KiB each, resting
    // or not. Its own parser reads in larger pieces anyway.
    let mut listener =
        ListenerConfig::tcp(address).l4_buffer(L4BufferSettings::new(0, WRITE_BUFFER_BYTES));
    if let Some(certificates) = tls {
        listener = listener.tls(tls_settings(certificates)?);
    }
    service.add_listener(listener);
    let stopping = stopping.clone();
    runtime
        .get_handle()
        .spawn(async move { service.start_service(Some(fds), stopping, threads).await });
    Ok(runtime)
}

/// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN (RFC 7301).
fn tls_settings(certificates: Arc<Certificates>) -> Result<TlsSettings, ServeError> {
    // The resolver takes the place of the two files.
    let mut settings = TlsSettings::intermediate("", "").map_err(|e| ServeError::System {
        what: "set TLS up",
        why: e.to_string(),
    })?;
    settings.set_cert_resolver(certificates);
    settings.enable_h2();
    Ok(settings)
}
