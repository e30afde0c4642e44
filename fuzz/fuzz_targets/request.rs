//! A request head in, facts out, read by Pingora as it is in the gateway.
//!
//! Input: a line of words (`h2`, `lenient`, `open`), then over HTTP/1 the head as it is sent, and over HTTP/2
//! one line for each pseudo-header and header.
#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use gateway::auth::credential::{Credential, Grammar};
use gateway::request::{Body, HeadLimits, RequestFacts, Upgrade};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::{Corpus, fuzz_target};
use pingora::http::RequestHeader;
use pingora::protocols::http::v1::server::HttpSession;

const LIMITS: HeadLimits = HeadLimits {
    target_bytes: 256,
    header_bytes: 1024,
    headers: 12,
};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(end) = data.iter().position(|b| *b == b'\n') else {
        return Corpus::Reject;
    };
    let (words, sent) = (&data[..end], &data[end + 1..]);
    let has = |word: &[u8]| words.split(|b| *b == b' ').any(|w| w == word);
    let grammar = if has(b"lenient") {
        Grammar::lenient()
    } else {
        Grammar::strict()
    };
    let read = if has(b"h2") {
        read_2(sent, has(b"open"))
    } else {
        read_1(sent)
    };
    let Some(request) = read else {
        return Corpus::Reject;
    };
    let facts = RequestFacts::parse(
        &request.header,
        request.raw.as_deref(),
        request.open,
        &LIMITS,
        &grammar,
    );
    if let Ok(facts) = facts {
        request.check_target(&facts);
        request.check_framing(&facts);
        request.check_host(&facts);
        request.check_rest(&facts);
    }
    Corpus::Keep
});

/// A request as the gateway gets it from the HTTP layer, and the header lines that arrived.
struct Request {
    header: Box<RequestHeader>,
    raw: Option<Vec<u8>>,
    open: bool,
    lines: Vec<(String, Vec<u8>)>,
}

/// HTTP/1 through Pingora's own reader.
fn read_1(sent: &[u8]) -> Option<Request> {
    let mut session = HttpSession::new(Box::new(std::io::Cursor::new(sent.to_vec())));
    {
        let reading = pin!(session.read_request());
        // Bytes in memory are always there, so nothing ever waits.
        let Poll::Ready(done) = reading.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("reading from memory waits");
        };
        done.ok()??;
    }
    let raw = session.get_headers_raw_bytes().to_vec();
    let mut lines = Vec::new();
    for line in raw.split(|b| *b == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut halves = line.splitn(2, |b| *b == b':');
        if let (Some(name), Some(value)) = (halves.next(), halves.next()) {
            let name = String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase();
            lines.push((name, value.trim_ascii().to_vec()));
        }
    }
    Some(Request {
        header: Box::new(session.req_header().clone()),
        raw: Some(raw),
        open: false,
        lines,
    })
}

/// HTTP/2: what the h2 crate makes of a header list, as Pingora takes it over.
fn read_2(sent: &[u8], open: bool) -> Option<Request> {
    let mut uri = http::uri::Parts::default();
    let mut method = None;
    let mut headers = HeaderMap::new();
    let mut lines = Vec::new();
    for line in sent.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let behind = line.iter().skip(1).position(|b| *b == b':')? + 1;
        let (name, value) = (&line[..behind], line[behind + 1..].trim_ascii_start());
        match name {
            b":method" => method = Some(http::Method::from_bytes(value).ok()?),
            b":scheme" => uri.scheme = Some(value.try_into().ok()?),
            b":authority" => uri.authority = Some(value.try_into().ok()?),
            b":path" => uri.path_and_query = Some(value.try_into().ok()?),
            _ => {
                let name = HeaderName::from_lowercase(name).ok()?;
                lines.push((name.as_str().to_owned(), value.to_vec()));
                headers.append(name, HeaderValue::from_bytes(value).ok()?);
            }
        }
    }
    let mut request = http::Request::builder()
        .version(http::Version::HTTP_2)
        .method(method?)
        .uri(http::Uri::from_parts(uri).ok()?)
        .body(())
        .ok()?;
    *request.headers_mut() = headers;
    Some(Request {
        header: Box::new(request.into_parts().0.into()),
        raw: None,
        open,
        lines,
    })
}

impl Request {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.lines.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// What was judged is what is forwarded, and can be read in one way.
    fn check_target(&self, facts: &RequestFacts) {
        let target = facts.target();
        assert_eq!(
            target.as_bytes(),
            self.header.raw_path(),
            "judged, and forwarded"
        );
        if let Some(raw) = &self.raw {
            let line = raw.split(|b| *b == b'\n').next().unwrap_or_default();
            let mut words = line.split(|b| *b == b' ');
            assert_eq!(words.next(), Some(facts.method.as_str().as_bytes()));
            assert_eq!(words.next(), Some(target.as_bytes()), "judged, and sent");
        }
        assert!(target.len() <= LIMITS.target_bytes);
        if target == "*" {
            assert_eq!(facts.method.as_str(), "OPTIONS");
            return;
        }
        assert!(target.starts_with('/'));
        assert!(
            target
                .bytes()
                .all(|b| (0x21..0x7f).contains(&b) && b != b'#'),
            "{target:?}"
        );
        let path = target.split('?').next().unwrap_or_default();
        assert_eq!(facts.path.raw(), path);
        let lower = path.to_ascii_lowercase();
        for odd in ["\\", "%2f", "%5c", "%00", "%0a", "%0d", "%7f"] {
            assert!(!lower.contains(odd), "{odd} in {path}");
        }
        let decoded = decode(path).expect("percent-encoding is whole");
        assert_eq!(facts.path.decoded().as_bytes(), decoded);
        let readings = facts.path.other_readings().map(str::as_bytes);
        for reading in readings.chain([decoded.as_slice(), path.as_bytes()]) {
            assert_eq!(reading.first(), Some(&b'/'));
            for segment in reading.split(|b| *b == b'/') {
                let bare = segment.split(|b| *b == b';').next().unwrap_or_default();
                assert!(
                    bare != b"." && bare != b"..",
                    "dot segment in {}",
                    reading.escape_ascii()
                );
            }
        }
    }

    /// One framing, and the one that the header lines say (RFC 9112 §6).
    fn check_framing(&self, facts: &RequestFacts) {
        let codings = self.values("transfer-encoding");
        let lengths = self.values("content-length");
        let number = |text: &[u8]| -> Option<u64> {
            let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
            digits.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
        };
        match (codings.as_slice(), lengths.as_slice()) {
            ([coding], []) => {
                assert!(coding.eq_ignore_ascii_case(b"chunked"));
                assert_eq!(facts.body, Body::Unknown);
            }
            ([], [length]) => match number(length) {
                Some(0) => assert_eq!(facts.body, Body::Empty),
                Some(n) => assert_eq!(facts.body, Body::Length(n)),
                None => panic!("{} is no length", length.escape_ascii()),
            },
            ([], []) if self.open => assert_eq!(facts.body, Body::Unknown),
            ([], []) => assert_eq!(facts.body, Body::Empty),
            _ => panic!("two framings"),
        }
    }

    fn check_host(&self, facts: &RequestFacts) {
        let host = facts.host.as_str();
        match self.values("host").as_slice() {
            [] if facts.authority.is_empty() => {
                assert_eq!(self.header.version, http::Version::HTTP_10);
                assert_eq!(host, "");
                return;
            }
            [] => assert_eq!(self.header.version, http::Version::HTTP_2),
            [sent] => assert_eq!(facts.authority.as_bytes(), *sent),
            _ => panic!("two hosts"),
        }
        assert!(!host.is_empty());
        let lower = facts.authority.to_ascii_lowercase();
        let behind = lower.strip_prefix(host).expect("the host stands in front");
        let port = behind.strip_prefix('.').unwrap_or(behind);
        let port = port.strip_prefix(':').unwrap_or(port);
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        assert!(
            port.is_empty() || (digits && port.parse::<u16>().is_ok()),
            "{behind:?} behind the host"
        );
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let odd =
            |b: u8| b <= b' ' || b >= 0x7f || b"/\\?#@<>\"".contains(&b) || b.is_ascii_uppercase();
        assert!(!host.bytes().any(odd), "{host:?}");
        assert!(
            inner.is_some() || !host.contains([':', '[', ']']),
            "{host:?}"
        );
    }

    fn check_rest(&self, facts: &RequestFacts) {
        match self.values(AUTHORIZATION.as_str()).as_slice() {
            [] => assert_eq!(facts.credential, Credential::None),
            [_] => {}
            _ => assert!(
                matches!(facts.credential, Credential::Malformed(_)),
                "two credentials"
            ),
        }
        assert!(
            self.lines.len() <= LIMITS.headers,
            "no line was dropped, and the limit counts"
        );
        if facts.upgrade == Upgrade::WebSocket {
            assert_eq!(facts.method.as_str(), "GET");
        }
        let read = matches!(facts.method.as_str(), "GET" | "HEAD");
        assert_eq!(facts.method.is_read(), read);
    }
}

/// Percent-decoding, once; `None` where a triplet is broken (RFC 3986 §2.1).
fn decode(path: &str) -> Option<Vec<u8>> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?].map(|b| char::from(b).to_digit(16));
            let [high, low] = digits;
            decoded.push(u8::try_from(high? * 16 + low?).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}
