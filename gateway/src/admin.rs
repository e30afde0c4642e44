//! The second listener: `/livez`, `/readyz` and `/metrics`, for operators and orchestrators, off the
//! public network.
//!
//! Invariants: addresses and methods match exactly, so that nothing else is served by accident; readiness
//! speaks of the gateway alone, never of an upstream (a dead upstream must not take the login down with
//! it); every answer has a length.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::json;

/// A part of the gateway that must work before requests are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The key ring is loaded.
    Keys,
    /// The store answers.
    Store,
    /// The view of users is as new as the store.
    View,
}

/// Whether the gateway can serve, as its parts report. Shared; starts as not ready.
#[derive(Debug, Default)]
pub struct Readiness {
    keys: AtomicBool,
    store: AtomicBool,
    view: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    /// Records whether a part works.
    pub fn set(&self, part: Part, works: bool) {
        self.flag(part).store(works, Ordering::Release);
    }

    /// The gateway is stopping: not ready from now on, for good.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Says whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Says whether requests can be served.
    pub fn is_ready(&self) -> bool {
        self.reasons().is_empty()
    }

    /// Why not, one text for each part that does not work; empty when ready.
    pub fn reasons(&self) -> Vec<&'static str> {
        [
            (self.is_draining(), "stopping"),
            (!self.works(Part::Store), "the store does not answer"),
            (!self.works(Part::Keys), "the signing keys are not loaded"),
            (!self.works(Part::View), "the view of users is out of date"),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .collect()
    }

    fn works(&self, part: Part) -> bool {
        self.flag(part).load(Ordering::Acquire)
    }

    fn flag(&self, part: Part) -> &AtomicBool {
        match part {
            Part::Keys => &self.keys,
            Part::Store => &self.store,
            Part::View => &self.view,
        }
    }
}

/// Writes the metrics page.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// The application of the admin listener.
pub struct Admin {
    readiness: Arc<Readiness>,
    metrics: MetricsText,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

impl Admin {
    /// Answers from `readiness` and `metrics`.
    pub fn new(readiness: Arc<Readiness>, metrics: MetricsText) -> Self {
        Self { readiness, metrics }
    }

    fn answer(&self, method: &Method, target: &[u8]) -> Response<Vec<u8>> {
        if !matches!(target, b"/livez" | b"/readyz" | b"/metrics") {
            return response(StatusCode::NOT_FOUND, TEXT, "not found\n");
        }
        if *method != Method::GET && *method != Method::HEAD {
            let mut refused =
                response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "method not allowed\n");
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match target {
            b"/livez" => response(StatusCode::OK, TEXT, "ok\n"),
            b"/readyz" => self.ready(),
            _ => response(StatusCode::OK, OPENMETRICS, (self.metrics)()),
        }
    }

    fn ready(&self) -> Response<Vec<u8>> {
        let reasons = self.readiness.reasons();
        let status = if reasons.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let body = json!({ "ready": reasons.is_empty(), "reasons": reasons });
        response(status, "application/json", body.to_string())
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// What prometheus-client writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn response(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Vec<u8>>,
) -> Response<Vec<u8>> {
    let body = body.into();
    let length = body.len();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Without a length the body would end with the connection.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, http_session: &mut ServerSession) -> Response<Vec<u8>> {
        let head = http_session.req_header();
        self.answer(&head.method, head.raw_path())
    }
}

#[cfg(test)]
mod tests;
