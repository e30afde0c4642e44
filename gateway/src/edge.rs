//! What stands between the listener and Pingora's HTTP proxy: how many connections there may be, how many
//! from one address, how long a request head may take, and when an exchange that has no end of its own ends.
//!
//! Pingora bounds each *read* of a request head, not the head as a whole, and bounds nothing at all from
//! the second request of a kept-alive connection on (pingora#447). [`guard`] wraps the proxy so that
//! both hold. Remove the head deadline when Pingora bounds whole heads on reused connections itself.
//!
//! Invariants: a connection that was refused is never read; what waits for a request head is always under
//! a clock; a request whose head is read is under none of these clocks, however long its body and its
//! response take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use parking_lot::Mutex;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::{ALPN, Stream};
use pingora::server::ShutdownWatch;

use crate::config::ServerConfig;
use crate::request::client_network;

mod frames;
mod head;
mod stream;
mod tenure;

pub use head::HeadDeadline;
use stream::WatchedStream;
pub use tenure::{Lease, Stream as Leased, lease};

/// Bounds on client connections. The meaning of each is that of the field of the same name in
/// [`crate::config::Limits`].
#[derive(Debug, Clone)]
pub struct EdgeLimits {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections from one address (IPv6: one /64, which is what one customer is given).
    pub connections_per_ip: usize,
    /// From the moment a first byte is wanted (first request) or seen (later ones) to the head's last byte.
    pub header_timeout: Duration,
    /// From the end of one request to the first byte of the next.
    pub keep_alive: Duration,
    /// Requests on one connection, at least 1.
    pub keep_alive_requests: u32,
    /// Peers that carry many clients on one address: the bound per address is not for them.
    pub trusted_proxies: Vec<IpNet>,
}

impl From<&ServerConfig> for EdgeLimits {
    fn from(server: &ServerConfig) -> Self {
        Self {
            connections: server.limits.connections,
            connections_per_ip: server.limits.connections_per_ip,
            header_timeout: server.limits.header_timeout,
            keep_alive: server.limits.keep_alive,
            keep_alive_requests: server.limits.keep_alive_requests,
            trusted_proxies: server.trusted_proxies.clone(),
        }
    }
}

/// What the edge has done so far; read by the metrics endpoint.
#[derive(Debug, Default)]
pub struct EdgeCounters {
    open: AtomicU64,
    accepted: AtomicU64,
    refused_total: AtomicU64,
    refused_per_ip: AtomicU64,
    head_timeouts: AtomicU64,
    idle_closed: AtomicU64,
}

impl EdgeCounters {
    /// Connections open now.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections let in since start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections closed unread because too many were open in all.
    pub fn refused_total(&self) -> u64 {
        self.refused_total.load(Ordering::Relaxed)
    }

    /// Connections closed unread because too many were open from their address.
    pub fn refused_per_ip(&self) -> u64 {
        self.refused_per_ip.load(Ordering::Relaxed)
    }

    /// Connections closed because a request head was not complete in time.
    pub fn head_timeouts(&self) -> u64 {
        self.head_timeouts.load(Ordering::Relaxed)
    }

    /// Connections closed because no further request began in time.
    pub fn idle_closed(&self) -> u64 {
        self.idle_closed.load(Ordering::Relaxed)
    }

    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Puts connection limits and the head deadline around an HTTP application; the result goes into
/// [`pingora::services::listening::Service`].
///
/// The head clock stops when the application drops or takes over the connection's user context, which
/// Pingora's proxy does right after the head is parsed (`ProxyHttp::on_connection_reuse`, whose default
/// drops it). So `persist_connection_context` of the wrapped proxy has no effect. An application that
/// leaves the context alone (`ServeHttp`) has the deadline over the whole exchange.
pub fn guard<P>(app: P, limits: &EdgeLimits, counters: Arc<EdgeCounters>) -> Edge<P>
where
    P: HttpServerApp + Send + Sync + 'static,
{
    ConnectionLimit {
        app: Arc::new(HeadDeadline::new(app, limits, Arc::clone(&counters))),
        connections: limits.connections,
        connections_per_ip: limits.connections_per_ip,
        trusted_proxies: limits.trusted_proxies.clone(),
        open: Arc::new(Mutex::new(Open::default())),
        counters,
    }
}

/// An HTTP application behind connection limits and the head deadline.
pub type Edge<P> = ConnectionLimit<HeadDeadline<P>>;

/// Refuses connections beyond a number in all and from one address. Made by [`guard`].
#[derive(Debug)]
pub struct ConnectionLimit<A> {
    app: Arc<A>,
    connections: usize,
    connections_per_ip: usize,
    trusted_proxies: Vec<IpNet>,
    open: Arc<Mutex<Open>>,
    counters: Arc<EdgeCounters>,
}

/// Open connections. The map holds only addresses with an open connection, so it is never larger than
/// the limit on connections.
#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// A place among the open connections, given back when dropped.
#[derive(Debug)]
struct Slot {
    ip: Option<IpAddr>,
    open: Arc<Mutex<Open>>,
    counters: Arc<EdgeCounters>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        open.all = open.all.saturating_sub(1);
        if let Some(ip) = self.ip
            && let Some(count) = open.by_ip.get_mut(&ip)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_ip.remove(&ip);
            }
        }
        drop(open);
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<A> ConnectionLimit<A> {
    /// The counters that [`guard`] was given.
    pub fn counters(&self) -> &Arc<EdgeCounters> {
        &self.counters
    }

    fn admit(&self, peer: Option<IpAddr>) -> Option<Slot> {
        let ip = peer
            .map(|ip| ip.to_canonical())
            .filter(|ip| !self.trusted_proxies.iter().any(|net| net.contains(ip)))
            .map(client_network);
        let mut open = self.open.lock();
        if open.all >= self.connections {
            EdgeCounters::count(&self.counters.refused_total);
            return None;
        }
        if let Some(ip) = ip {
            let count = open.by_ip.get(&ip).copied().unwrap_or(0);
            if count >= self.connections_per_ip {
                EdgeCounters::count(&self.counters.refused_per_ip);
                return None;
            }
            open.by_ip.insert(ip, count + 1);
        }
        open.all += 1;
        drop(open);
        self.counters.open.fetch_add(1, Ordering::Relaxed);
        EdgeCounters::count(&self.counters.accepted);
        Some(Slot {
            ip,
            open: Arc::clone(&self.open),
            counters: Arc::clone(&self.counters),
        })
    }
}

#[async_trait]
impl<P> ServerApp for ConnectionLimit<HeadDeadline<P>>
where
    P: HttpServerApp + Send + Sync + 'static,
{
    async fn process_new(
        self: &Arc<Self>,
        session: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let digest = session.get_socket_digest();
        let peer = digest
            .as_ref()
            .and_then(|d| d.peer_addr())
            .and_then(|addr| addr.as_inet())
            .map(|addr| addr.ip());
        // Dropping the stream closes the socket.
        let _slot = self.admit(peer)?;
        let is_http2 = session.selected_alpn_proto() == Some(ALPN::H2);
        let watched = Box::new(WatchedStream::new(session));
        if is_http2 {
            return self.app.process_new(watched, shutdown).await;
        }
        self.app.serve(watched, shutdown).await;
        None
    }

    async fn cleanup(&self) {
        // Wakes the connections that wait for a request, so that a stop does not wait for them.
        self.app.cleanup().await;
    }
}

#[cfg(test)]
mod tests;
