//! What an exchange may take: time, a place at its upstream, bytes. Pingora bounds nothing of this by itself.

use std::time::Duration;

use pingora::proxy::Session;

use super::context::Context;
use super::pace;
use crate::config::Limits;
use crate::decision::Permit;
use crate::refusal::Refusal;
use crate::upstream::Place;

/// Sets the time that each step of an exchange may take.
pub(super) fn set(session: &mut Session, limits: &Limits) {
    session.set_read_timeout(Some(limits.body_timeout));
    session.set_write_timeout(Some(limits.write_timeout));
    session
        .as_downstream_mut()
        .set_total_drain_timeout(Some(Duration::from_secs(2)));
}

/// Whether an upstream waited in vain because its request never became whole. Pingora has no clock for the
/// body of an HTTP/2 request, and none that chunks without bytes do not wind up again.
pub(super) fn owes_body(session: &mut Session, ctx: &Context) -> bool {
    let downstream = session.as_downstream_mut();
    let received = downstream.body_bytes_read() as u64;
    let limits = &ctx.current.equipment.server.limits;
    // HTTP/2: behind a body with trailers the stream is never done, because nobody takes them.
    let whole = ctx.body_whole || downstream.is_body_done();
    !whole && pace::is_late(received, ctx.age(), limits)
}

/// A place at the upstream, for a body that fits.
pub(super) fn take_place(
    session: &Session,
    ctx: &Context,
    permit: &Permit,
) -> Result<Place, Refusal> {
    let equipment = &ctx.current.equipment;
    let client = ctx
        .arrival()
        .map_err(|e| Refusal::Internal(e.to_string()))?
        .origin
        .client;
    let announced = session
        .req_header()
        .headers
        .get(http::header::CONTENT_LENGTH);
    let announced: u64 = announced
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    if announced > equipment.server.limits.body_bytes {
        return Err(Refusal::TooLarge);
    }
    equipment
        .upstreams
        .admit(permit.upstream(), client)
        .map_err(|why| Refusal::Overloaded(why.to_string()))
}
