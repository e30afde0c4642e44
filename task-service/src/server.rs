//! Listens, answers, and stops in good order.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::api::Api;
use crate::body::Body;
use crate::config::{Config, Limits};
use crate::error::Refusal;
use crate::patience::Patient;
use crate::proof::{Proof, SecretFile};
use crate::route::Route;
use crate::store::{Store, StoreError};
use crate::writer::Writer;

/// Before accepting again when the system is out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be opened or closed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no thread or signal.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// When it cannot start, or the store cannot be closed.
pub fn run(config: &Config) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(config));
    // Whatever has outlived its grace period is let go.
    runtime.shutdown_background();
    outcome
}

async fn serve(config: &Config) -> Result<(), ServeError> {
    let store = Arc::new(Store::open(&config.data_dir, config.cache_bytes)?);
    let (writer, writer_thread) = Writer::start(Arc::clone(&store), config.limits.write_queue)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| ServeError::Listen {
            address: config.listen,
            source,
        })?;
    let address = listener.local_addr()?;
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let api = Arc::new(Api {
        store: Arc::clone(&store),
        writer,
        proof: proof(config, address),
        identity_headers: config.gateway.identity.clone(),
    });
    announce(address);

    let graceful = GracefulShutdown::new();
    let accepting = accept(&listener, &api, config.limits, &graceful);
    tokio::select! {
        () = accepting => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(listener);
    tracing::info!(connections = graceful.count(), "stopping");
    let grace = config.limits.shutdown_grace;
    if tokio::time::timeout(grace, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(?grace, "some requests did not end in time");
    }
    writer_thread.stop().await;
    drop(api);
    if let Some(store) = Arc::into_inner(store) {
        store.close()?;
    }
    tracing::info!("stopped");
    Ok(())
}

fn proof(config: &Config, address: SocketAddr) -> Proof {
    match &config.gateway.secret_file {
        Some(path) => {
            let header = config.gateway.secret_header.clone();
            Proof::Secret(SecretFile::open(path.clone(), header))
        }
        None => {
            if !address.ip().is_loopback() {
                tracing::warn!(
                    %address,
                    "no [gateway] secret_file: every request from another machine will be refused"
                );
            }
            Proof::Loopback
        }
    }
}

/// The one line on standard output: who starts this service can read the port.
fn announce(address: SocketAddr) {
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    let mut stdout = io::stdout().lock();
    let told = writeln!(stdout, "listening on {address}").and_then(|()| stdout.flush());
    if let Err(error) = told {
        tracing::warn!(%error, "nobody reads the standard output");
    }
}

async fn accept(
    listener: &TcpListener,
    api: &Arc<Api>,
    limits: Limits,
    graceful: &GracefulShutdown,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        // Never closed, so never an error.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((socket, peer)) => {
                let (api, watcher) = (Arc::clone(api), graceful.watcher());
                tokio::spawn(async move {
                    connection(socket, peer.ip(), &api, limits, watcher).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(socket: TcpStream, peer: IpAddr, api: &Api, limits: Limits, watcher: Watcher) {
    // Answers are written whole: waiting to fill a packet only delays them.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let (socket, phase) = Patient::new(socket, limits.header_timeout, limits.write_timeout);
    let service = service_fn(|request| {
        phase.answering();
        let phase = &phase;
        async move {
            let response = answer(api, limits, request, peer).await;
            phase.idle();
            Ok::<_, Infallible>(response)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(limits.header_bytes)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = watcher.watch(serving).await {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

/// Answers a request and writes its line in the log.
async fn answer(
    api: &Api,
    limits: Limits,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response<Full<Bytes>> {
    let begun = Instant::now();
    let (parts, incoming) = request.into_parts();
    let route = Route::parse(parts.uri.path());
    let mut body = Body::new(incoming, &parts.headers, limits.body);
    let answering = api.answer(&route, &parts, &mut body, peer);
    let answer = tokio::time::timeout(limits.request_timeout, answering)
        .await
        .unwrap_or_else(|_| {
            body.abandon();
            Answer::from(Refusal::Slow)
        });
    let keep_alive = body.discard().await;
    tracing::info!(
        target: "access",
        method = parts.method.as_str(),
        route = route.name(),
        path = parts.uri.path(),
        status = answer.status().as_u16(),
        micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    );
    answer.into_response(&parts.method, keep_alive)
}
