//! The one place where a Pingora peer is made: `HttpPeer::new` looks names up on the calling thread and
//! panics where one does not resolve, so it is only ever given a socket address; and it has no timeouts
//! unless they are set.

use std::net::SocketAddr;

use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};

use crate::config::UpstreamConfig;

/// Whether a request may become a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrades {
    /// `Upgrade` is not forwarded.
    Deny,
    /// A WebSocket handshake is forwarded; any other `Upgrade` is not.
    WebSocketOnly,
}

/// A plain HTTP/1.1 peer with every timeout set.
pub fn peer(addr: SocketAddr, config: &UpstreamConfig, upgrades: Upgrades) -> HttpPeer {
    let mut peer = HttpPeer::new(addr, false, String::new());
    let options = &mut peer.options;
    options.connection_timeout = Some(config.connect_timeout);
    // With TLS in front of it a connection is more than one round trip.
    options.total_connection_timeout = Some(config.connect_timeout.saturating_mul(2));
    options.read_timeout = Some(config.read_timeout);
    options.write_timeout = Some(config.write_timeout);
    options.idle_timeout = Some(config.idle_timeout);
    options.http_upstream_request_policy = match upgrades {
        Upgrades::Deny => HttpUpstreamRequestPolicy::deny_upgrades(),
        Upgrades::WebSocketOnly => HttpUpstreamRequestPolicy::standard(),
    };
    peer
}
