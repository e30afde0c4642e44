//! What is kept of one request from phase to phase, and what is told of it at the end.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};

use super::address::{self, Origin};
use super::lease::PermitLease;
use super::pace::BodyPace;
use crate::answer::Answer;
use crate::auth::token::Verified;
use crate::config::ServerConfig;
use crate::decision::{Permit, Snapshot};
use crate::equipment::Equipment;
use crate::policy::{Access, Rule, RuleId};
use crate::refusal::{ErrorShape, Refusal, Telling};
use crate::request::{BadRequest, Body, RequestFacts};
use crate::state::Current;
use crate::telemetry::{AccessLine, Metrics, RequestSample, RouteLabel};
use crate::upstream::{Picked, Place, UpstreamSet};
use crate::user::{UnixSeconds, UserId};

/// What was read of a request when it came in.
#[derive(Debug)]
pub struct Arrival {
    /// The facts, or why there are none.
    pub facts: std::result::Result<RequestFacts, BadRequest>,
    /// Where it comes from.
    pub(super) origin: Origin,
}

impl Arrival {
    /// Reads a request once.
    pub fn read(session: &mut Session, snapshot: &Snapshot, server: &ServerConfig) -> Self {
        let downstream = session.as_downstream_mut();
        let body_follows = downstream.is_http2() && !downstream.is_body_empty();
        let header = session.req_header();
        let limits = server.limits.head();
        let raw = session
            .as_downstream()
            .as_http1()
            .map(|h1| h1.get_headers_raw_bytes());
        let facts = RequestFacts::parse(
            header,
            raw.as_deref(),
            body_follows,
            &limits,
            &snapshot.habits.grammar,
        );
        Self {
            facts,
            origin: Origin::read(session, server),
        }
    }

    /// On HTTP/2 a length of 0 may be announced before the stream ends. Whether the client keeps its word
    /// shows only then, and the request is no request where it does not (RFC 9113 §8.1.1).
    /// Says whether there was anything to wait for.
    pub async fn await_promised_end(&mut self, session: &mut Session, patience: Duration) -> bool {
        let empty = matches!(&self.facts, Ok(facts) if facts.body == Body::Empty);
        if !empty || !session.as_downstream().is_http2() {
            return false;
        }
        let ended = async {
            let downstream = session.as_downstream_mut();
            loop {
                match downstream.read_request_body().await {
                    Ok(None) => return true,
                    Ok(Some(data)) if data.is_empty() => {}
                    _ => return false,
                }
            }
        };
        if !matches!(tokio::time::timeout(patience, ended).await, Ok(true)) {
            self.facts = Err(BadRequest::Framing);
        }
        true
    }

    /// Reads the same request under another configuration. What was no request stays none.
    pub fn again(self, session: &mut Session, snapshot: &Snapshot, server: &ServerConfig) -> Self {
        match self.facts {
            Ok(_) => Self::read(session, snapshot, server),
            Err(_) => self,
        }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.origin.https { "https" } else { "http" }
    }
}

/// One request.
#[derive(Debug)]
pub struct Context {
    /// What it is judged by and served with, from start to end.
    pub current: Arc<Current<Equipment>>,
    /// When it came in, seconds since 1970.
    pub now: UnixSeconds,
    /// Ties log lines together.
    pub request_id: String,
    /// What was read of it.
    pub arrival: Option<Arrival>,
    /// The rule it met.
    pub rule: Option<RuleId>,
    /// Leave to forward it.
    pub permit: Option<Permit>,
    /// Its place at the upstream.
    pub place: Option<Place>,
    /// The address it goes to.
    pub picked: Option<Picked>,
    /// `answer`, `forward` or `refuse`.
    pub decision: &'static str,
    /// How fast its body comes.
    pub(super) pace: BodyPace,
    /// All of its body has come.
    pub(super) body_whole: bool,
    /// What it goes on under, where its answer has no end of its own.
    pub(super) lease: Option<Arc<PermitLease>>,
    /// How the upstream failed.
    pub upstream_failure: Option<&'static str>,
    user: Option<UserId>,
    reason: &'static str,
    cause: Option<String>,
    started: Instant,
}

impl Context {
    /// A request that has just come in.
    pub fn new(current: Arc<Current<Equipment>>, now: UnixSeconds) -> Self {
        Self {
            current,
            now,
            request_id: next_request_id(),
            arrival: None,
            rule: None,
            permit: None,
            place: None,
            picked: None,
            decision: "refuse",
            pace: BodyPace::default(),
            body_whole: false,
            lease: None,
            upstream_failure: None,
            user: None,
            reason: "",
            cause: None,
            started: Instant::now(),
        }
    }

    /// Nothing was judged yet: what is true now judges the request. Says whether that is something else.
    pub fn renew(&mut self, current: Arc<Current<Equipment>>, now: UnixSeconds) -> bool {
        self.now = now;
        let other = !Arc::ptr_eq(&self.current, &current);
        self.current = current;
        other
    }

    /// How long ago it came in.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The facts of the request.
    ///
    /// # Errors
    /// The refusal of a request that could not be read.
    pub fn facts(&self) -> std::result::Result<&RequestFacts, Refusal> {
        match &self.arrival {
            Some(Arrival {
                facts: Ok(facts), ..
            }) => Ok(facts),
            Some(Arrival {
                facts: Err(why), ..
            }) => Err(Refusal::BadRequest(*why)),
            None => Err(Refusal::Internal(
                "a request that was never read".to_owned(),
            )),
        }
    }

    /// What was read of the request.
    ///
    /// # Errors
    /// 500 where it was not: phases out of order.
    pub fn arrival(&self) -> Result<&Arrival> {
        self.arrival
            .as_ref()
            .ok_or_else(|| Error::new(ErrorType::InternalError))
    }

    /// Leave to forward the request.
    ///
    /// # Errors
    /// 500 where there is none: never a guess.
    pub fn permit(&self) -> Result<&Permit> {
        self.permit
            .as_ref()
            .ok_or_else(|| Error::new(ErrorType::InternalError))
    }

    /// The services behind.
    pub fn upstreams(&self) -> &UpstreamSet {
        &self.current.equipment.upstreams
    }

    /// The rule that the request met.
    pub fn met(&self) -> Option<&Rule> {
        self.rule
            .and_then(|id| self.current.snapshot.policy.rule(id))
    }

    /// `Allow` of that rule.
    pub fn allow(&self) -> Option<&str> {
        self.met().and_then(|rule| rule.allow.as_deref())
    }

    /// Notes who sent the request, for the log.
    pub fn identify(&mut self, identity: Option<&Verified>) {
        self.user = identity.and_then(Verified::local).map(|user| user.id);
    }

    /// The code of its refusal, or of what ended it; empty where there is none.
    fn reason(&self) -> &'static str {
        match &self.lease {
            Some(lease) if lease.has_ended() => "sign_in_ended",
            _ => self.reason,
        }
    }

    /// The answer to a refusal, and a note of it.
    pub fn refuse(&mut self, refusal: &Refusal) -> Answer {
        self.decision = "refuse";
        self.reason = refusal.code();
        self.cause = Some(refusal.to_string());
        refusal.answer(Telling {
            habits: &self.current.snapshot.habits,
            allow: self.allow(),
        })
    }
}

/// A number that no other request of this process has, behind a prefix that no other process has.
fn next_request_id() -> String {
    static PREFIX: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
        let mut bytes = [0u8; 4];
        // Without random numbers two processes may share a prefix; nothing rests on it.
        getrandom::fill(&mut bytes).map_or(0, |()| u32::from_le_bytes(bytes))
    });
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:08x}-{:x}", *PREFIX, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Where an address is open and a token is still looked at, an answer may depend on who asked: it must not
/// be shared (RFC 9111 §4.1). Where a token is needed, caches do not share it anyway (§3.5).
///
/// # Errors
/// Where the HTTP layer refuses the header.
pub(super) fn vary_by_credential(response: &mut ResponseHeader, ctx: &Context) -> Result<()> {
    let mixed = ctx
        .met()
        .is_some_and(|rule| matches!(rule.access, Access::Public | Access::ReadPublic));
    if mixed && ctx.current.snapshot.habits.errors == ErrorShape::Problem {
        response.append_header(http::header::VARY, "Authorization")?;
    }
    Ok(())
}

/// Counts and logs a request that is over.
pub(super) fn record(session: &Session, error: Option<&Error>, ctx: &Context, metrics: &Metrics) {
    let code = session
        .response_written()
        .map_or(0, |response| response.status.as_u16());
    let facts = ctx.facts().ok();
    let duration = ctx.age();
    let method = facts.map_or("-", |f| f.method.as_str());
    if let Some(arrival) = &ctx.arrival {
        address::note(&arrival.origin, metrics);
    }
    let none = RouteLabel::none();
    let route = ctx
        .rule
        .and_then(|id| ctx.current.equipment.route_labels.get(id.index()))
        .unwrap_or(&none);
    metrics.request(&RequestSample {
        method,
        code,
        route,
        decision: ctx.decision,
        duration,
    });
    let judged = match (ctx.decision, ctx.user) {
        ("refuse", _) => "refused",
        (_, Some(_)) => "ok",
        (_, None) => "anonymous",
    };
    let reason = ctx.reason();
    metrics.auth_decision(judged, reason);
    if let (Some(kind), Some(permit)) = (ctx.upstream_failure, &ctx.permit)
        && let Some(upstream) = ctx.upstreams().config(permit.upstream())
    {
        metrics.upstream_error(&upstream.name, kind);
    }
    let request_id = &ctx.request_id;
    match (&ctx.cause, error) {
        // What is our side's fault wants an operator; what is the client's is in the access log.
        (Some(cause), _) if code >= 500 => tracing::warn!(request_id, reason, cause, "not served"),
        (Some(cause), _) => tracing::debug!(request_id, reason, cause, "refused"),
        (None, Some(error)) => {
            tracing::debug!(request_id, %error, "the client or the upstream broke off");
        }
        (None, None) => {}
    }
    AccessLine {
        method,
        route: ctx.met().map_or("", Rule::path),
        path: facts.map_or("", |f| f.path.raw()),
        status: code,
        duration,
        bytes: session.body_bytes_sent() as u64,
        user: ctx.user.map(|id| id.0),
        decision: ctx.decision,
        reason,
        client: ctx
            .arrival
            .as_ref()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.origin.client),
        request_id: &ctx.request_id,
    }
    .log();
}
