//! The one place where a Pingora peer is made: `HttpPeer::new` looks names up on the calling thread and
//! panics where one does not resolve, so it is only ever given a socket address; and it has no timeouts
//! unless they are set.

use std::net::SocketAddr;

use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};

use crate::config::UpstreamConfig;

/// Whether a request may become a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrades {
    /// `Upgrade` is not forwarded.
    Deny,
    /// A WebSocket handshake is forwarded; any other `Upgrade` is not.
    WebSocketOnly,
}

/// A plain HTTP/1.1 peer with every timeout set.
pub(super) fn peer(addr: SocketAddr, config: &UpstreamConfig, upgrades: Upgrades) -> HttpPeer {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{IdentityHeaders, Origin};

    #[test]
    fn a_peer_has_every_timeout_and_its_upgrade_policy() {
        let config = UpstreamConfig {
            name: "tasks".to_owned(),
            origins: Vec::<Origin>::new(),
            secret_file: None,
            provision: None,
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(29),
            idle_timeout: Duration::from_secs(60),
            dns_refresh: Duration::from_secs(5),
            max_requests: 2,
            identity_headers: IdentityHeaders {
                user_id: None,
                user: None,
                email: None,
                roles: None,
                status: None,
            },
            preserve_host: true,
        };
        for upgrades in [Upgrades::Deny, Upgrades::WebSocketOnly] {
            let peer = peer(
                "127.0.0.1:8000".parse().expect("an address"),
                &config,
                upgrades,
            );
            let options = &peer.options;
            assert_eq!(options.connection_timeout, Some(Duration::from_secs(1)));
            assert_eq!(
                options.total_connection_timeout,
                Some(Duration::from_secs(2))
            );
            assert_eq!(options.read_timeout, Some(Duration::from_secs(30)));
            assert_eq!(options.write_timeout, Some(Duration::from_secs(29)));
            assert_eq!(options.idle_timeout, Some(Duration::from_secs(60)));
            let policy = format!("{:?}", options.http_upstream_request_policy.h1_upgrade);
            assert_eq!(policy, format!("{upgrades:?}"));
            assert!(options.http_upstream_request_policy.strip_hop_by_hop);
        }
    }
}
