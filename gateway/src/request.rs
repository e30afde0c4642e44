//! A request as the policy sees it: every fact that a decision may rest on, read once.
//!
//! Invariants: what cannot be read in exactly one way is an error ([`BadRequest`]), never a guess; the
//! facts hold no header but those named here, so nothing else can sway a decision.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use pingora::http::RequestHeader;

use crate::auth::credential::{Credential, Grammar};

mod head;
mod path;

pub use path::CanonicalPath;

use head::{
    check_header_size, names_another_method, read_framing, read_host, read_target, read_upgrade,
    request_target,
};

/// A request method. Case-sensitive, never folded (RFC 9110 §9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `TRACE`, `TRACK`, `CONNECT`: refused whatever a rule says (RFC 9110 §9.3.8).
    Never(String),
    /// Any other token: refused unless a rule names it.
    Other(String),
}

impl Method {
    /// Reads a method token.
    pub fn parse(text: &str) -> Self {
        match text {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "TRACE" | "TRACK" | "CONNECT" => Self::Never(text.to_owned()),
            other => Self::Other(other.to_owned()),
        }
    }

    /// The token as it was sent.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Never(text) | Self::Other(text) => text,
        }
    }

    /// A bounded name for metrics.
    pub fn label(&self) -> &str {
        match self {
            Self::Never(_) | Self::Other(_) => "_OTHER",
            known => known.as_str(),
        }
    }

    /// GET and HEAD, the only methods that may be open to everyone by default.
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// What the request line and the framing headers say of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// None, or `Content-Length: 0`.
    Empty,
    /// This many bytes.
    Length(u64),
    /// Chunked, or an open HTTP/2 stream.
    Unknown,
}

/// What the client wants to switch to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// Nothing.
    None,
    /// A WebSocket.
    WebSocket,
    /// Anything else: ignored and not forwarded.
    Other,
}

/// Bounds on a request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the target; more is 414.
    pub target_bytes: usize,
    /// Bytes of target and header lines together; more is 431.
    pub header_bytes: usize,
    /// Header lines; more is 431.
    pub headers: usize,
}

/// The facts of one request.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Method.
    pub method: Method,
    /// Path, both as it is forwarded and as it is judged.
    pub path: CanonicalPath,
    /// Query without `?`. Never part of a path decision.
    pub query: Option<String>,
    /// Host name in lower case, without port and last dot; empty for HTTP/1.0 without `Host`.
    pub host: String,
    /// `Host` as it was sent, for links in answers.
    pub authority: String,
    /// What the client presented to prove who it is.
    pub credential: Credential,
    /// Request body.
    pub body: Body,
    /// Protocol switch.
    pub upgrade: Upgrade,
    /// `OPTIONS` with `Origin` and `Access-Control-Request-Method`.
    pub preflight: bool,
    /// The query carries a `_method` that some frameworks take for the real one, and it is no read.
    pub query_overrides_method: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// Why a request cannot be judged at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// Longer than the configured limit.
    #[error("the request target is longer than the limit")]
    TargetTooLong,
    /// More bytes or lines than the configured limits.
    #[error("the header block is larger than the limits")]
    HeadersTooLarge,
    /// Absolute-form, authority-form, asterisk with another method than OPTIONS, not UTF-8 (RFC 9112 §3.2).
    #[error("the request target is not an origin-form path")]
    Target,
    /// Encoded slash, backslash, NUL, control byte, dot segment, broken percent-encoding.
    #[error("the path can be read in more than one way")]
    Path,
    /// No `Host` on HTTP/1.1, several, or not a host (RFC 9112 §3.2).
    #[error("the Host header is missing or malformed")]
    Host,
    /// `Content-Length` beside `Transfer-Encoding`, or any coding but one `chunked` (RFC 9112 §6.1).
    #[error("the message framing is ambiguous")]
    Framing,
    /// Two values of a header that may stand once.
    #[error("a header that may stand only once is repeated")]
    Repeated,
}

impl RequestFacts {
    /// Reads the facts. `body_follows`: the HTTP/2 stream is still open behind the head, whatever its headers
    /// say. `raw_head` is the header block as it arrived, where the protocol has one: the
    /// HTTP layer drops a `Content-Length` that stands beside `Transfer-Encoding` before anybody sees it.
    ///
    /// # Errors
    /// [`BadRequest`] for everything that two readers could read in two ways.
    pub fn parse(
        header: &RequestHeader,
        raw_head: Option<&[u8]>,
        body_follows: bool,
        limits: &HeadLimits,
        grammar: &Grammar,
    ) -> Result<Self, BadRequest> {
        let target = header.raw_path();
        if target.len() > limits.target_bytes {
            return Err(BadRequest::TargetTooLong);
        }
        if raw_head.is_some_and(|raw| request_target(raw) != Some(target)) {
            return Err(BadRequest::Target);
        }
        check_header_size(header, target.len(), limits)?;
        let body = read_framing(header, raw_head, body_follows)?;
        let method = Method::parse(header.method.as_str());
        let (path, query) = read_target(header, target, &method)?;
        let (authority, host) = read_host(header)?;
        Ok(Self {
            credential: Credential::read(
                &header.headers.get_all(http::header::AUTHORIZATION),
                grammar,
            ),
            preflight: method == Method::Options
                && header.headers.contains_key(http::header::ORIGIN)
                && header
                    .headers
                    .contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD),
            query_overrides_method: query.as_deref().is_some_and(names_another_method),
            upgrade: read_upgrade(header, &method),
            expects_continue: header
                .headers
                .get(http::header::EXPECT)
                .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue")),
            method,
            path,
            query,
            host,
            authority,
            body,
        })
    }

    /// The target as it is forwarded.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path.raw()),
            None => self.path.raw().to_owned(),
        }
    }
}

/// The address of the client: the right-most one that is not a trusted proxy, over all
/// `X-Forwarded-For` lines joined. A client can prepend to that list but never append to it.
pub fn client_address(peer: IpAddr, trusted: &[IpNet], header: &RequestHeader) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let mut nearest = peer;
    let lines: Vec<&str> = header
        .headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|v| v.to_str().unwrap_or("?"))
        .collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Ok(address) = entry.trim().parse::<IpAddr>() else {
            return nearest;
        };
        nearest = address.to_canonical();
        if !is_trusted(nearest, trusted) {
            return nearest;
        }
    }
    nearest
}

/// Who counts as one client: an IPv4 address, or the /64 that one subscriber of IPv6 gets at least
/// (RFC 6177).
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Says whether an address is one of the trusted proxies.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests;
