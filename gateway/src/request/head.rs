//! How single parts of a request's head are read: in one way, or not at all.

use std::net::Ipv6Addr;

use pingora::http::RequestHeader;

use super::{BadRequest, Body, CanonicalPath, HeadLimits, Method, Upgrade};

/// The target as it stood on the request line. The HTTP layer drops fragments and mends illegal bytes:
/// what it read is then not what was sent (RFC 9112 §3.2).
pub(super) fn request_target(raw_head: &[u8]) -> Option<&[u8]> {
    raw_head
        .split(|b| *b == b'\n')
        .next()?
        .split(|b| *b == b' ')
        .nth(1)
}

pub(super) fn check_header_size(
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

pub(super) fn read_target(
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
    // HTTP/2 names the scheme; another than these two is for another kind of server (RFC 9113 §8.3.1).
    if header
        .uri
        .scheme_str()
        .is_some_and(|scheme| scheme != "http" && scheme != "https")
    {
        return Err(BadRequest::Target);
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
pub(super) fn read_framing(
    header: &RequestHeader,
    raw_head: Option<&[u8]>,
    body_follows: bool,
) -> Result<Body, BadRequest> {
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
        (None, _) if body_follows => Ok(Body::Unknown),
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

pub(super) fn has_content_length_line(raw: &[u8]) -> bool {
    content_length_lines(raw) > 0
}

fn content_length_lines(raw: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length";
    memchr::memchr_iter(b'\n', raw)
        .filter_map(|end| raw.get(end + 1..))
        .filter_map(|line| trim_line_start(line).split_at_checked(NAME.len()))
        .filter(|(name, rest)| {
            let behind = trim_line_start(rest).first();
            name.eq_ignore_ascii_case(NAME) && matches!(behind, Some(b':' | b'\n') | None)
        })
        .count()
}

/// Without the white space it begins with, within its line.
fn trim_line_start(line: &[u8]) -> &[u8] {
    let blank = |b: &u8| b.is_ascii_whitespace() && *b != b'\n';
    let start = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
    line.get(start..).unwrap_or_default()
}

/// The authority as sent and the bare host name. RFC 9112 §3.2: exactly one, and a host.
pub(super) fn read_host(header: &RequestHeader) -> Result<(String, String), BadRequest> {
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
    let behind = authority.strip_prefix(parsed.host());
    if !is_host(parsed.host()) || !behind.is_some_and(is_port) {
        return Err(BadRequest::Host);
    }
    let host = parsed
        .host()
        .strip_suffix('.')
        .unwrap_or_else(|| parsed.host());
    if host.is_empty() {
        return Err(BadRequest::Host);
    }
    let host = host.to_ascii_lowercase();
    Ok((authority, host))
}

/// The library splits at the first colon and reads the port behind the last one: `a:[b]:80` and `a[::1]` are
/// hosts to it. Brackets stand around an IPv6 address and nowhere else (RFC 3986 §3.2.2).
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.contains(['[', ']', ':']),
    }
}

/// What stands behind a host: nothing, or a colon and perhaps digits.
fn is_port(behind: &str) -> bool {
    let Some(port) = behind.strip_prefix(':') else {
        return behind.is_empty();
    };
    port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

pub(super) fn read_upgrade(header: &RequestHeader, method: &Method) -> Upgrade {
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

/// Frameworks in several languages let `_method=DELETE` in the query replace the method. Some of them take
/// `;` for `&`.
pub(super) fn names_another_method(query: &str) -> bool {
    let parted = query.replace(';', "&");
    [query, &parted]
        .into_iter()
        .flat_map(|reading| form_urlencoded::parse(reading.as_bytes()))
        .any(|(name, value)| {
            is_method_parameter(&name)
                && !matches!(value.to_ascii_uppercase().as_str(), "GET" | "HEAD" | "")
        })
}

/// `_method`, and what is the same in PHP: a NUL ends a name, `.`, `[` and a blank stand for `_`, and what
/// follows in brackets is an index.
fn is_method_parameter(name: &str) -> bool {
    let bare = name
        .trim()
        .strip_prefix(['_', '.', '['])
        .unwrap_or_default();
    let bare = bare.split(['[', '\0']).next().unwrap_or_default();
    bare.trim_end().eq_ignore_ascii_case("method")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by splitting.
    fn plainly(raw: &[u8]) -> usize {
        let lines = raw.split(|b| *b == b'\n').skip(1);
        let names = lines.filter_map(|line| line.split(|b| *b == b':').next());
        names
            .filter(|name| name.trim_ascii().eq_ignore_ascii_case(b"content-length"))
            .count()
    }

    proptest! {
        #[test]
        fn p003_lines_with_a_length_are_counted_as_by_splitting(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "POST / HTTP/1.1", "\r\n", "\n", "\r", " ", "\t", ":", "Content-Length", "content-length",
                    "content-lengths", "x", "5", "\u{c}",
                ]),
                0..24,
            ),
        ) {
            let raw = pieces.concat();
            prop_assert_eq!(content_length_lines(raw.as_bytes()), plainly(raw.as_bytes()));
        }
    }
}
