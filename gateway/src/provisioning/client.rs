//! One provisioning request and what its answer means. Knows nothing of feeds and cursors.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use tokio::time::timeout;

use crate::config::UpstreamConfig;
use crate::policy::UpstreamId;
use crate::store::{User, UserId};
use crate::upstream::{SECRET_HEADER, UpstreamSet};

/// Bytes of an answer that are read, so that the connection can be used again.
const ANSWER_BYTES: usize = 64 * 1024;

/// Bytes of an upstream's reason that are kept.
const REASON_BYTES: usize = 200;

/// What an upstream made of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It knows now.
    Acknowledged,
    /// It will not have this entry.
    Refused {
        /// Status of the answer.
        status: u16,
        /// First bytes of its body.
        reason: String,
    },
    /// Nothing is known, or it asked to come again: why.
    Again(String),
}

/// Sends entries to one upstream.
#[derive(Debug)]
pub(super) struct Client {
    upstreams: Arc<UpstreamSet>,
    id: UpstreamId,
    prefix: String,
    timeout: Duration,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
}

/// A user on the wire.
#[derive(Serialize)]
struct Entry<'a> {
    id: u64,
    username: &'a str,
    email: &'a str,
    active: bool,
}

impl Client {
    pub(super) fn new(
        upstreams: Arc<UpstreamSet>,
        id: UpstreamId,
        config: &UpstreamConfig,
        prefix: &str,
    ) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(config.connect_timeout));
        connector.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_timeout)
            .pool_max_idle_per_host(1)
            .build(connector);
        Self {
            upstreams,
            id,
            prefix: prefix.to_owned(),
            timeout: config.connect_timeout + config.write_timeout + config.read_timeout,
            http,
        }
    }

    /// Tells the upstream that the user is as given.
    pub(super) async fn put(&self, user: &User) -> Verdict {
        let entry = Entry {
            id: user.id.0,
            username: &user.username,
            email: &user.email,
            active: user.active,
        };
        match serde_json::to_vec(&entry) {
            Ok(body) => self.send(Method::PUT, user.id, body.into()).await,
            Err(e) => Verdict::Again(e.to_string()),
        }
    }

    /// Tells the upstream that there is no such user.
    pub(super) async fn delete(&self, id: UserId) -> Verdict {
        self.send(Method::DELETE, id, Bytes::new()).await
    }

    async fn send(&self, method: Method, id: UserId, body: Bytes) -> Verdict {
        match self.exchange(&method, id, body).await {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Again(why),
        }
    }

    /// Takes no place at the upstream: there is one such request at a time, and a flood of clients must
    /// not keep the news of a disabled user from arriving.
    async fn exchange(&self, method: &Method, id: UserId, body: Bytes) -> Result<Verdict, String> {
        let picked = self.upstreams.pick(self.id).map_err(|e| e.to_string())?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{}/{}", picked.addr, self.prefix, id.0))
            .header(HOST, picked.authority);
        if let Some(secret) = self.upstreams.secret(self.id) {
            request = request.header(SECRET_HEADER, secret);
        }
        if *method == Method::PUT {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = request.body(Full::new(body)).map_err(|e| e.to_string())?;
        match timeout(self.timeout, self.http.request(request)).await {
            Ok(Ok(response)) => {
                self.upstreams.connected(self.id, picked.addr);
                let status = response.status();
                Ok(verdict(method, status, &self.body_of(response).await))
            }
            Ok(Err(e)) => {
                if e.is_connect() {
                    self.upstreams.connect_failed(self.id, picked.addr);
                }
                Err(chain(&e))
            }
            Err(_) => Err(format!("no answer within {:?}", self.timeout)),
        }
    }

    /// An answer whose body breaks off or stalls is an answer all the same.
    async fn body_of(&self, response: Response<Incoming>) -> Bytes {
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect();
        match timeout(self.timeout, body).await {
            Ok(Ok(whole)) => whole.to_bytes(),
            Ok(Err(_)) | Err(_) => Bytes::new(),
        }
    }
}

fn verdict(method: &Method, status: StatusCode, body: &[u8]) -> Verdict {
    let gone = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
    if status.is_success() || (*method == Method::DELETE && gone) {
        return Verdict::Acknowledged;
    }
    // These three speak of the moment, not of the entry (RFC 9110 §15.5.9, RFC 8470, RFC 6585).
    let passing = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_server_error() || passing {
        return Verdict::Again(format!("answered {status}"));
    }
    Verdict::Refused {
        status: status.as_u16(),
        reason: reason(body),
    }
}

/// The beginning of a body as text for the operator's terminal: at most 200 bytes, no control characters.
fn reason(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..REASON_BYTES).unwrap_or(body));
    let mut clean = String::with_capacity(REASON_BYTES);
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if clean.len() + c.len_utf8() > REASON_BYTES {
            break;
        }
        clean.push(c);
    }
    clean.trim().to_owned()
}

/// An error with its causes: the outermost alone says only that the request failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
