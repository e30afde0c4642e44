//! Answers, and the headers that each kind carries (docs/CONTRACT.md, "Every
//! answer"). Nothing else in this crate writes a header.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_FRAME_OPTIONS,
};
use hyper::{Method, Response, StatusCode};

use crate::error::Refusal;

/// One answer.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    allow: Option<&'static str>,
    vary: bool,
    challenge: Option<&'static str>,
    retry_after: Option<&'static str>,
    location: Option<String>,
}

impl Answer {
    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: StatusCode, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            allow: None,
            vary: false,
            challenge: None,
            retry_after: None,
            location: None,
        }
    }

    /// 204: done, nothing to say.
    #[must_use]
    pub fn no_content() -> Self {
        Self::json(StatusCode::NO_CONTENT, Vec::new())
    }

    /// To the same address with its last slash. A client repeats a 301 as GET
    /// and loses the body (RFC 9110 §15.4.2), so that other methods get 308.
    #[must_use]
    pub fn redirect(method: &Method, location: String) -> Self {
        let status = match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => StatusCode::MOVED_PERMANENTLY,
            _ => StatusCode::PERMANENT_REDIRECT,
        };
        Self {
            location: Some(location),
            ..Self::json(status, Vec::new())
        }
    }

    /// Says which methods the address has.
    #[must_use]
    pub fn allowing(self, allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..self
        }
    }

    /// Says that the answer depends on what the client accepts.
    #[must_use]
    pub fn negotiated(self) -> Self {
        Self { vary: true, ..self }
    }

    /// The status, for the log.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The response to send: the body left out for HEAD, its length not.
    #[must_use]
    pub fn into_response(self, method: &Method, keep_alive: bool) -> Response<Full<Bytes>> {
        let length = self.body.len();
        let body = if *method == Method::HEAD {
            Vec::new()
        } else {
            self.body
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut fixed = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        if self.location.is_some() {
            fixed(CONTENT_TYPE, "text/html; charset=utf-8");
        } else {
            if self.status != StatusCode::NO_CONTENT {
                fixed(CONTENT_TYPE, "application/json");
            }
            fixed(X_FRAME_OPTIONS, "SAMEORIGIN");
        }
        if self.vary {
            fixed(VARY, "Accept");
        }
        let optional = [
            (ALLOW, self.allow),
            (WWW_AUTHENTICATE, self.challenge),
            (RETRY_AFTER, self.retry_after),
            (CONNECTION, (!keep_alive).then_some("close")),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                fixed(name, value);
            }
        }
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        // Made of a parsed path and query: it always is a header value.
        if let Some(location) = self.location.and_then(|at| HeaderValue::try_from(at).ok()) {
            headers.insert(LOCATION, location);
        }
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self {
            challenge: refusal.challenge(),
            retry_after: refusal.retry_after(),
            ..Self::json(refusal.status(), refusal.body())
        }
    }
}
