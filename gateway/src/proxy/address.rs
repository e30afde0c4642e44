//! Who sent a request: the client's address, whether it came over https, and whether the address can be the
//! client's at all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use pingora::http::RequestHeader;
use pingora::proxy::Session;

use crate::config::ServerConfig;
use crate::request::{client_address, is_trusted};
use crate::telemetry::{AddressDoubt, Metrics};

/// What is known of where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) client: IpAddr,
    pub(super) https: bool,
    /// Many clients may stand behind the address.
    pub(super) doubt: Option<AddressDoubt>,
}

impl Origin {
    pub(super) fn read(session: &Session, server: &ServerConfig) -> Self {
        let header = session.req_header();
        let peer = session
            .client_addr()
            .and_then(|addr| addr.as_inet())
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::ip)
            .to_canonical();
        let trusted = is_trusted(peer, &server.trusted_proxies);
        let tls = session
            .digest()
            .is_some_and(|digest| digest.ssl_digest.is_some());
        let client = client_address(peer, &server.trusted_proxies, header);
        Self {
            client,
            https: tls || (trusted && was_told_https(header)),
            doubt: doubt(client, trusted, header, server),
        }
    }
}

/// Of several values the last is the nearest proxy's.
fn was_told_https(header: &RequestHeader) -> bool {
    let values = header.headers.get_all("x-forwarded-proto");
    let last = values.iter().next_back().and_then(|v| v.to_str().ok());
    last.is_some_and(|v| v.rsplit(',').next().unwrap_or(v).trim() == "https")
}

fn doubt(
    client: IpAddr,
    trusted: bool,
    header: &RequestHeader,
    server: &ServerConfig,
) -> Option<AddressDoubt> {
    if server.network_gateway == Some(client) {
        return Some(AddressDoubt::Translated);
    }
    let forwarded = ["x-forwarded-for", "forwarded"];
    let claims = !trusted
        && forwarded
            .iter()
            .any(|name| header.headers.contains_key(*name));
    claims.then_some(AddressDoubt::UntrustedProxy)
}

/// Counts a doubtful address, and says once what it means and what to do. Anybody can send such a header, so
/// what is said names no culprit.
pub(super) fn note(origin: &Origin, metrics: &Metrics) {
    static SAID: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];
    let Some(doubt) = origin.doubt else {
        return;
    };
    metrics.doubtful_address(doubt);
    let [translated, untrusted] = &SAID;
    let address = origin.client;
    match doubt {
        AddressDoubt::Translated if !translated.swap(true, Ordering::Relaxed) => tracing::warn!(
            %address,
            "requests come from the gateway of this container's network: address translation hides the clients, \
             and limits for each address count all of them as one; see \"Client addresses\" in docs/DEPLOYMENT.md"
        ),
        AddressDoubt::UntrustedProxy if !untrusted.swap(true, Ordering::Relaxed) => tracing::warn!(
            %address,
            "a request says who it was forwarded for, and the address it comes from is not in \
             server.trusted_proxies: if that is your proxy, name it there, or limits for each address count all \
             its clients as one"
        ),
        AddressDoubt::Translated | AddressDoubt::UntrustedProxy => {}
    }
}
