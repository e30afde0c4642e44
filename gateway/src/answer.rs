//! An answer that the gateway gives itself, as plain data. `respond.rs` is the only place that writes one.

use bytes::Bytes;
use serde::Serialize;

/// Status, headers and body of a local answer. `Content-Length` is added when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header lines in order; names as they go on the wire.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for 204 and redirects.
    pub body: Bytes,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Compact JSON.
    pub fn json<T: Serialize>(status: u16, body: &T) -> Self {
        // Only maps with non-text keys can fail to serialise, and none is built here.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self {
            status,
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: body.into(),
        }
    }

    /// Sets a header, replacing one of the same name.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        match self
            .headers
            .iter_mut()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
        {
            Some(line) => line.1 = value,
            None => self.headers.push((name, value)),
        }
        self
    }

    /// Adds names to `Vary`.
    #[must_use]
    pub fn vary(self, names: &str) -> Self {
        let known = self.headers.iter().find(|(name, _)| *name == "Vary");
        let value = match known {
            Some((_, known)) => format!("{known}, {names}"),
            None => names.to_owned(),
        };
        self.header("Vary", value)
    }
}
