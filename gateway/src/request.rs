//! A request as the policy sees it: every fact that a decision may rest on, read once.
//!
//! Invariants: what cannot be read in exactly one way is an error ([`BadRequest`]), never a guess; the
//! facts hold no header but those named here, so nothing else can sway a decision.

use std::net::IpAddr;

use ipnet::IpNet;
use pingora::http::RequestHeader;

use crate::auth::credential::{Credential, Grammar};

mod path;

pub use path::CanonicalPath;

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
    /// Reads the facts. `raw_head` is the header block as it arrived, where the protocol has one: the
    /// HTTP layer drops a `Content-Length` that stands beside `Transfer-Encoding` before anybody sees it.
    ///
    /// # Errors
    /// [`BadRequest`] for everything that two readers could read in two ways.
    pub fn parse(
        header: &RequestHeader,
        raw_head: Option<&[u8]>,
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
        let body = read_framing(header, raw_head)?;
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

    /// A read that opens no channel: what an open GET may be.
    pub fn is_plain_read(&self) -> bool {
        self.method.is_read() && self.upgrade != Upgrade::WebSocket
    }

    /// The target as it is forwarded.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path.raw()),
            None => self.path.raw().to_owned(),
        }
    }
}

/// The target as it stood on the request line. The HTTP layer drops fragments and mends illegal bytes:
/// what it read is then not what was sent (RFC 9112 §3.2).
fn request_target(raw_head: &[u8]) -> Option<&[u8]> {
    raw_head
        .split(|b| *b == b'\n')
        .next()?
        .split(|b| *b == b' ')
        .nth(1)
}

fn check_header_size(
    header: &RequestHeader,
    target: usize,
    limits: &HeadLimits,
) -> Result<(), BadRequest> {
    if header.headers.len() > limits.headers {
        return Err(BadRequest::HeadersTooLarge);
    }
    // Four bytes a line for ": " and CRLF.
    let lines: usize = header
        .headers
        .iter()
        .map(|(n, v)| n.as_str().len() + v.len() + 4)
        .sum();
    if target + lines > limits.header_bytes {
        return Err(BadRequest::HeadersTooLarge);
    }
    Ok(())
}

fn read_target(
    header: &RequestHeader,
    target: &[u8],
    method: &Method,
) -> Result<(CanonicalPath, Option<String>), BadRequest> {
    if target == b"*" {
        return if *method == Method::Options {
            Ok((CanonicalPath::asterisk(), None))
        } else {
            Err(BadRequest::Target)
        };
    }
    let text = std::str::from_utf8(target).map_err(|_| BadRequest::Target)?;
    if !text.starts_with('/') {
        return Err(BadRequest::Target);
    }
    // The HTTP layer's own reading must be the bytes that go upstream, or two readers differ already.
    if header
        .uri
        .path_and_query()
        .map(http::uri::PathAndQuery::as_str)
        != Some(text)
    {
        return Err(BadRequest::Target);
    }
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    if query.is_some_and(|q| q.bytes().any(|b| b <= b' ' || b >= 0x7f || b == b'#')) {
        return Err(BadRequest::Target);
    }
    Ok((
        CanonicalPath::parse(path).ok_or(BadRequest::Path)?,
        query.map(str::to_owned),
    ))
}

/// RFC 9112 §6: one framing, or no request.
fn read_framing(header: &RequestHeader, raw_head: Option<&[u8]>) -> Result<Body, BadRequest> {
    let mut codings = header
        .headers
        .get_all(http::header::TRANSFER_ENCODING)
        .iter();
    if let Some(coding) = codings.next() {
        let one_chunked =
            codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked");
        let beside_length = header.headers.contains_key(http::header::CONTENT_LENGTH)
            || raw_head.is_some_and(has_content_length_line);
        return if one_chunked && !beside_length {
            Ok(Body::Unknown)
        } else {
            Err(BadRequest::Framing)
        };
    }
    let mut lengths = header.headers.get_all(http::header::CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _)
            if header.version == http::Version::HTTP_2
                && !header.send_end_stream().unwrap_or(true) =>
        {
            Ok(Body::Unknown)
        }
        (None, _) => Ok(Body::Empty),
        (Some(_), Some(_)) => Err(BadRequest::Framing),
        (Some(length), None) => {
            if raw_head.is_some_and(|raw| content_length_lines(raw) > 1) {
                return Err(BadRequest::Framing);
            }
            let text = length.to_str().map_err(|_| BadRequest::Framing)?;
            if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
                return Err(BadRequest::Framing);
            }
            match text.parse::<u64>() {
                Ok(0) => Ok(Body::Empty),
                Ok(n) if i64::try_from(n).is_ok() => Ok(Body::Length(n)),
                _ => Err(BadRequest::Framing),
            }
        }
    }
}

fn has_content_length_line(raw: &[u8]) -> bool {
    content_length_lines(raw) > 0
}

fn content_length_lines(raw: &[u8]) -> usize {
    raw.split(|b| *b == b'\n')
        .skip(1)
        .filter(|line| {
            let name = line.split(|b| *b == b':').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"content-length")
        })
        .count()
}

/// The authority as sent and the bare host name. RFC 9112 §3.2: exactly one, and a host.
fn read_host(header: &RequestHeader) -> Result<(String, String), BadRequest> {
    let mut hosts = header.headers.get_all(http::header::HOST).iter();
    let authority = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(BadRequest::Host),
        (Some(host), None) => host.to_str().map_err(|_| BadRequest::Host)?.to_owned(),
        (None, _) => match header.uri.authority() {
            Some(authority) if header.version == http::Version::HTTP_2 => {
                authority.as_str().to_owned()
            }
            _ if header.version == http::Version::HTTP_10 => {
                return Ok((String::new(), String::new()));
            }
            _ => return Err(BadRequest::Host),
        },
    };
    let parsed: http::uri::Authority = authority.parse().map_err(|_| BadRequest::Host)?;
    if authority.contains('@') || parsed.host().is_empty() {
        return Err(BadRequest::Host);
    }
    let port = &authority[parsed.host().len()..];
    if !(port.is_empty() || port == ":" || parsed.port_u16().is_some()) {
        return Err(BadRequest::Host);
    }
    let host = parsed
        .host()
        .strip_suffix('.')
        .unwrap_or_else(|| parsed.host())
        .to_ascii_lowercase();
    Ok((authority, host))
}

fn read_upgrade(header: &RequestHeader, method: &Method) -> Upgrade {
    let mut values = header.headers.get_all(http::header::UPGRADE).iter();
    match (values.next(), values.next()) {
        (None, _) => Upgrade::None,
        (Some(v), None)
            if *method == Method::Get && v.as_bytes().eq_ignore_ascii_case(b"websocket") =>
        {
            Upgrade::WebSocket
        }
        _ => Upgrade::Other,
    }
}

/// Frameworks in several languages let `_method=DELETE` in the query replace the method.
fn names_another_method(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
        name.eq_ignore_ascii_case("_method")
            && !matches!(value.to_ascii_uppercase().as_str(), "GET" | "HEAD" | "")
    })
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

/// Says whether an address is one of the trusted proxies.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests;
