//! What a browser says of the page that a request comes from (Fetch standard, "CORS protocol").

use http::HeaderMap;
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN,
};

use super::Method;

/// A genuine preflight: `OPTIONS` with one `Origin` and one `Access-Control-Request-Method`. What repeats
/// one of them no browser has sent: it is an OPTIONS like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// The origin of the page.
    pub origin: String,
    /// The method of the request that the page wants to send.
    pub method: Method,
    /// Names of its headers, in lower case.
    pub headers: Vec<String>,
}

impl Preflight {
    /// Reads what a request with this method asks, where it is a preflight.
    pub(super) fn read(method: &Method, headers: &HeaderMap) -> Option<Self> {
        if *method != Method::Options {
            return None;
        }
        // Bytes that are no text become a name that nobody allows.
        let names = headers
            .get_all(ACCESS_CONTROL_REQUEST_HEADERS)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase())
            .flat_map(|line| {
                line.split(',')
                    .map(|n| n.trim().to_owned())
                    .collect::<Vec<_>>()
            })
            .filter(|name| !name.is_empty());
        Some(Self {
            origin: origin(headers)?.to_owned(),
            method: Method::parse(only(headers, &ACCESS_CONTROL_REQUEST_METHOD)?),
            headers: names.collect(),
        })
    }
}

/// The origin of the page that sent a request, where exactly one is named (RFC 6454 §7.3).
pub fn origin(headers: &HeaderMap) -> Option<&str> {
    only(headers, &ORIGIN)
}

/// The value of a header that stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
