//! The access log: one line for each request.

use std::net::IpAddr;
use std::time::Duration;

/// Target of the access log; `log.access` switches it, whatever `log.filter` says.
pub const ACCESS_TARGET: &str = "gateway::access";

/// Longest part of a path that is logged, in bytes.
const MAX_PATH_BYTES: usize = 1024;

/// What is logged of a request. There is no field for a token, cookie, query or password.
#[derive(Debug, Clone, Copy)]
pub struct AccessLine<'a> {
    /// Method as sent.
    pub method: &'a str,
    /// Pattern of the rule that was met; empty where none was.
    pub route: &'a str,
    /// Path as sent; anything from a `?` on is left out.
    pub path: &'a str,
    /// Status of the answer.
    pub status: u16,
    /// From the header to the end of the answer.
    pub duration: Duration,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Number of the user, where somebody is signed in.
    pub user: Option<u64>,
    /// `answer`, `refuse` or `forward`.
    pub decision: &'a str,
    /// Code of the refusal ([`crate::refusal::Refusal::code`]); empty where there is none.
    pub reason: &'a str,
    /// Address of the client, behind trusted proxies.
    pub client: IpAddr,
    /// Id of the request, for finding it in other logs.
    pub request_id: &'a str,
}

impl AccessLine<'_> {
    /// Writes the line. Text goes through the formatter as values, never as part of the message, so
    /// that quotes and control characters arrive escaped.
    pub fn log(&self) {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        let us = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            target: ACCESS_TARGET,
            method = cut(self.method, 32),
            route = self.route,
            path = cut(path, MAX_PATH_BYTES),
            status = self.status,
            us,
            bytes = self.bytes,
            user = self.user,
            decision = self.decision,
            reason = self.reason,
            client = %self.client,
            request_id = cut(self.request_id, 128),
            "request"
        );
    }
}

/// At most `max` bytes, ending on a character.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max))
        .unwrap_or_default()
}
