//! What goes on by itself is judged again while it lasts: a WebSocket, and an event stream that a token opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::context::Context;
use crate::auth::token::Verified;
use crate::clock;
use crate::decision::{Decision, Permit, decide};
use crate::edge::{self, Leased};
use crate::endpoints::Endpoints;
use crate::equipment::Equipment;
use crate::request::RequestFacts;
use crate::state::Current;
use crate::user::UnixSeconds;

/// A permit that is looked at again: it ends with its token, and with whatever else would refuse the same
/// request now (a change of its user, of the rules, of the keys).
pub(super) struct PermitLease {
    endpoints: Arc<Endpoints>,
    facts: RequestFacts,
    /// When the token ends, in seconds since 1970, the leeway included.
    until: UnixSeconds,
    /// Where the request went, and whether as a WebSocket.
    upstream: String,
    websocket: bool,
    /// What the request was judged by the last time.
    judged: Mutex<Arc<Current<Equipment>>>,
    ended: AtomicBool,
}

impl std::fmt::Debug for PermitLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PermitLease")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl PermitLease {
    fn new(endpoints: &Arc<Endpoints>, ctx: &Context, permit: &Permit) -> Option<Self> {
        Some(Self {
            endpoints: Arc::clone(endpoints),
            facts: ctx.facts().ok()?.clone(),
            until: permit.identity().map_or(UnixSeconds::MAX, Verified::ends),
            upstream: ctx.upstreams().config(permit.upstream())?.name.clone(),
            websocket: permit.websocket(),
            judged: Mutex::new(Arc::clone(&ctx.current)),
            ended: AtomicBool::new(false),
        })
    }

    /// It was looked at and held no longer.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn still_holds(&self) -> bool {
        let now = clock::now();
        if now >= self.until {
            return false;
        }
        let current = self.endpoints.state.load();
        let mut judged = self.judged.lock();
        if Arc::ptr_eq(&judged, &current) {
            return true;
        }
        let judgement = decide(&current.snapshot, &self.facts, now);
        *judged = Arc::clone(&current);
        let Decision::Forward(permit) = judgement.decision else {
            return false;
        };
        let upstream = current.equipment.upstreams.config(permit.upstream());
        upstream.is_some_and(|u| u.name == self.upstream) && permit.websocket() == self.websocket
    }
}

impl edge::Lease for PermitLease {
    fn holds(&self) -> bool {
        let holds = !self.has_ended() && self.still_holds();
        self.ended.store(!holds, Ordering::Relaxed);
        holds
    }
}

/// Puts an answer that has no end of its own under a lease: a WebSocket, whoever opened it, and an event
/// stream where a token did. Any other answer is let to its end.
pub(super) fn put_under_lease(
    session: &mut Session,
    response: &ResponseHeader,
    ctx: &mut Context,
    endpoints: &Arc<Endpoints>,
) {
    let Some(permit) = &ctx.permit else {
        return;
    };
    let kind = if response.status == http::StatusCode::SWITCHING_PROTOCOLS {
        // A client that only listens is not slow.
        session.set_read_timeout(None);
        Leased::WebSocket
    } else if permit.identity().is_some() && is_event_stream(response) {
        Leased::Body
    } else {
        return;
    };
    let Some(lease) = PermitLease::new(endpoints, ctx, permit).map(Arc::new) else {
        return;
    };
    edge::lease(session.as_downstream(), kind, lease.clone());
    ctx.lease = Some(lease);
}

fn is_event_stream(response: &ResponseHeader) -> bool {
    let media = response.headers.get(http::header::CONTENT_TYPE);
    media.and_then(|v| v.to_str().ok()).is_some_and(|v| {
        let essence = v.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/event-stream")
    })
}
