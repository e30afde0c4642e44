//! A request's body: read within limits of size and time, then parsed by its
//! media type.
//!
//! Whatever is left unread when the answer is ready is read and thrown away, up
//! to a limit, so that the connection stays usable after a refusal.

mod form;
mod json;
mod value;

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, EXPECT, HeaderMap};

pub use self::form::pairs;
pub use self::value::{Fields, Text, Value};
use crate::error::Refusal;

/// How much of a body is read, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// A longer body is refused with 413.
    pub max_bytes: usize,
    /// A body that takes longer is refused with 408.
    pub timeout: Duration,
    /// What may be thrown away unread before the connection is closed instead.
    pub discard_bytes: usize,
}

/// The body of the request being answered.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    limits: BodyLimits,
    content_type: Option<String>,
    /// The client waits for `100 Continue`, which reading would send.
    expects_continue: bool,
    /// The body will not be read on: its connection must close.
    abandoned: bool,
}

impl Body {
    /// Takes the body of a request with these headers.
    #[must_use]
    pub fn new(incoming: Incoming, headers: &HeaderMap, limits: BodyLimits) -> Self {
        let content_type = headers
            .get(CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self {
            incoming,
            limits,
            content_type,
            expects_continue: headers.contains_key(EXPECT),
            abandoned: false,
        }
    }

    /// The fields sent; none for an empty body, whatever its type.
    ///
    /// # Errors
    /// The refusal to answer with: too long, too slow, cut, of an unsupported
    /// media type, or malformed.
    pub async fn fields(&mut self) -> Result<Fields, Refusal> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() {
            return Ok(Fields::default());
        }
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => json::parse(&bytes),
            "application/x-www-form-urlencoded" => form::parse_urlencoded(&bytes),
            "multipart/form-data" => form::parse_multipart(content_type, &bytes).await,
            _ => Err(Refusal::UnsupportedMediaType(content_type.to_owned())),
        }
    }

    async fn bytes(&mut self) -> Result<Bytes, Refusal> {
        let too_large = Refusal::BodyTooLarge(self.limits.max_bytes);
        // A declared length is believed before a byte is read.
        if self.incoming.size_hint().lower() > self.limits.max_bytes as u64 {
            return Err(too_large);
        }
        self.expects_continue = false;
        let whole = async {
            let mut bytes = BytesMut::new();
            while let Some(frame) = self.incoming.frame().await {
                let Ok(frame) = frame else {
                    return Err(Refusal::BodyCut);
                };
                if let Some(data) = frame.data_ref() {
                    if bytes.len() + data.len() > self.limits.max_bytes {
                        return Err(too_large);
                    }
                    bytes.extend_from_slice(data);
                }
            }
            Ok(bytes.freeze())
        };
        let outcome = tokio::time::timeout(self.limits.timeout, whole)
            .await
            .unwrap_or(Err(Refusal::BodyTooSlow));
        if matches!(outcome, Err(Refusal::BodyCut | Refusal::BodyTooSlow)) {
            self.abandon();
        }
        outcome
    }

    /// Gives the body up: its connection will not take another request.
    pub fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// Throws away what was not read. Says whether the connection can take
    /// another request.
    pub async fn discard(self) -> bool {
        if self.abandoned {
            return false;
        }
        if self.incoming.is_end_stream() {
            return true;
        }
        // Reading would ask a waiting client for a body nobody wants
        // (RFC 9110 §10.1.1).
        if self.expects_continue
            || self.incoming.size_hint().lower() > self.limits.discard_bytes as u64
        {
            return false;
        }
        let rest = async {
            let mut incoming = pin!(self.incoming);
            let mut budget = self.limits.discard_bytes;
            while let Some(frame) = incoming.frame().await {
                let Ok(frame) = frame else { return false };
                let length = frame.data_ref().map_or(0, Bytes::len);
                let Some(left) = budget.checked_sub(length) else {
                    return false;
                };
                budget = left;
            }
            true
        };
        tokio::time::timeout(self.limits.timeout, rest)
            .await
            .unwrap_or(false)
    }
}
