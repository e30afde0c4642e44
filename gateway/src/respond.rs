//! The only writer of local answers: status, length, keep-alive, `100 Continue`, bounded drain.
//!
//! Invariants: every answer has exactly one length; a connection is kept only where the whole request
//! was read, so that the rest of a body is never taken for the next request; and a client that still
//! sends while it is refused gets to read the refusal.

use std::time::Duration;

use pingora::Result;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use tokio::time::timeout;

use crate::answer::Answer;

/// Most bytes of an unread body that are read and dropped so that the connection can be kept.
const DRAIN_BYTES: u64 = 64 * 1024;
/// Longest time that takes.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// Most bytes that are read after the last answer of a connection. A socket closed over unread bytes
/// is reset, and a reset can destroy the answer before the client has read it (RFC 9112 §9.6).
const LINGER_BYTES: u64 = 256 * 1024;
/// Longest time that takes.
const LINGER_TIME: Duration = Duration::from_millis(500);

/// What the answer may assume about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Keep it if the request was read whole.
    Keep,
    /// Close it, and let the client finish sending so that it reads the answer.
    Close,
    /// Close it at once: what comes next on it has no meaning.
    Drop,
}

/// Writes a local answer.
///
/// # Errors
/// Where the client is gone.
pub async fn respond(session: &mut Session, answer: &Answer, connection: Connection) -> Result<()> {
    let expects_continue = session
        .req_header()
        .headers
        .contains_key(http::header::EXPECT);
    // A body that a client holds back until it hears `100 Continue` is never asked for just to be dropped.
    // Pingora calls a body done that broke off in a bad chunk too: only a whole one is known to end where
    // the next request begins.
    let keep = connection == Connection::Keep
        && if expects_continue {
            session.as_downstream_mut().is_body_done()
        } else {
            drain(session, DRAIN_BYTES, DRAIN_TIME).await
        };
    if !keep {
        session.set_keepalive(None);
    }
    let is_head = session.req_header().method == http::Method::HEAD;
    let header = build(answer)?;
    let body = if is_head || answer.body.is_empty() {
        None
    } else {
        Some(answer.body.clone())
    };
    session
        .write_response_header(Box::new(header), body.is_none())
        .await?;
    if body.is_some() {
        session.write_response_body(body, true).await?;
    }
    if connection != Connection::Drop && !session.as_downstream_mut().is_body_done() {
        drain(session, LINGER_BYTES, LINGER_TIME).await;
    }
    Ok(())
}

fn build(answer: &Answer) -> Result<ResponseHeader> {
    let mut header = ResponseHeader::build(answer.status, Some(answer.headers.len() + 1))?;
    for (name, value) in &answer.headers {
        header.append_header(*name, value.as_str())?;
    }
    if answer.status != 204 {
        header.insert_header(http::header::CONTENT_LENGTH, answer.body.len().to_string())?;
    }
    Ok(header)
}

/// Reads and drops the rest of the body; says whether that was all of it.
async fn drain(session: &mut Session, max_bytes: u64, max_time: Duration) -> bool {
    let announced = session
        .req_header()
        .headers
        .get(http::header::CONTENT_LENGTH);
    let announced: Option<u64> = announced
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    if announced.is_some_and(|length| length > max_bytes) && max_bytes == DRAIN_BYTES {
        return false;
    }
    let downstream = session.as_downstream_mut();
    let reading = async {
        let mut left = max_bytes;
        while !downstream.is_body_done() {
            match downstream.read_request_body().await {
                Ok(Some(bytes)) => match left.checked_sub(bytes.len() as u64) {
                    Some(rest) => left = rest,
                    None => return false,
                },
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        true
    };
    timeout(max_time, reading).await.unwrap_or(false)
}
