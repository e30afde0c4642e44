//! The path of a request through Pingora's phases: calls only. What is decided, is decided in
//! [`decision`](crate::decision); what is answered, is written in [`respond`](crate::respond).

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

use crate::decision::{Decision, decide};
use crate::edge::Lease as _;
use crate::endpoints::{Call, Endpoints};
use crate::identity_headers::{self, Forwarding};
use crate::policy::Rule;
use crate::refusal::Refusal;
use crate::respond::{Connection, respond};

mod address;
mod bounds;
mod context;
mod cross_origin;
mod failure;
mod lease;
mod pace;
mod peer;
mod upload;

pub use context::{Arrival, Context};
use peer::Upgrades;
use upload::SessionUpload;

/// The gateway as Pingora sees it.
#[derive(Debug)]
pub struct Gateway {
    /// Our own addresses, and with them state, store and counters.
    pub endpoints: Arc<Endpoints>,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.endpoints.state.load(), crate::clock::now())
    }

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<()> {
        let server = &ctx.current.equipment.server;
        bounds::set(session, &server.limits);
        let mut arrival = Arrival::read(session, &ctx.current.snapshot, server);
        if arrival
            .await_promised_end(session, server.limits.body_timeout)
            .await
        {
            // What is true when the whole request is there judges it.
            if ctx.renew(self.endpoints.state.load(), crate::clock::now()) {
                let server = &ctx.current.equipment.server;
                arrival = arrival.again(session, &ctx.current.snapshot, server);
            }
        }
        ctx.arrival = Some(arrival);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        let decision = match ctx.facts() {
            Ok(facts) => {
                let judgement = decide(&ctx.current.snapshot, facts, ctx.now);
                ctx.rule = judgement.rule;
                judgement.decision
            }
            Err(refusal) => Decision::Refuse(refusal),
        };
        match decision {
            Decision::Answer(builtin, identity) => {
                ctx.identify(identity.as_ref());
                ctx.decision = "answer";
                let result = self.serve(session, ctx, builtin, identity.as_ref()).await;
                match result {
                    Ok(answer) => {
                        let answer = cross_origin::dress(answer, session.req_header(), ctx);
                        respond(session, &answer, Connection::Keep).await?;
                    }
                    Err(refusal) => self.refuse(session, ctx, refusal).await?,
                }
                Ok(true)
            }
            Decision::Preflight(answer) => {
                ctx.decision = "answer";
                respond(session, &answer, Connection::Keep).await?;
                Ok(true)
            }
            Decision::Refuse(refusal) => {
                self.refuse(session, ctx, refusal).await?;
                Ok(true)
            }
            Decision::Forward(permit) => match bounds::take_place(session, ctx, &permit) {
                Ok(place) => {
                    ctx.identify(permit.identity());
                    ctx.decision = "forward";
                    ctx.place = Some(place);
                    ctx.permit = Some(permit);
                    Ok(false)
                }
                Err(refusal) => {
                    self.refuse(session, ctx, refusal).await?;
                    Ok(true)
                }
            },
        }
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        ctx: &mut Context,
    ) -> Result<Box<HttpPeer>> {
        let permit = ctx.permit()?;
        let id = permit.upstream();
        let config = ctx
            .upstreams()
            .config(id)
            .ok_or_else(|| Error::new(ErrorType::InternalError))?;
        let picked = ctx
            .upstreams()
            .pick(id)
            .map_err(|why| failure::unavailable(&why))?;
        let upgrades = if permit.websocket() {
            Upgrades::WebSocketOnly
        } else {
            Upgrades::Deny
        };
        let peer = peer::peer(picked.addr, config, upgrades);
        ctx.picked = Some(picked);
        Ok(Box::new(peer))
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Context,
        mut e: Box<Error>,
    ) -> Box<Error> {
        if let (Some(permit), Some(picked)) = (&ctx.permit, &ctx.picked) {
            ctx.upstreams()
                .connect_failed(permit.upstream(), picked.addr);
        }
        // Nothing was sent, so another address may be tried, whatever the method (RFC 9110 §9.2.2).
        e.set_retry(true);
        e
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        _reused: bool,
        _peer: &HttpPeer,
        #[cfg(unix)] _fd: std::os::unix::io::RawFd,
        _digest: Option<&pingora::protocols::Digest>,
        ctx: &mut Context,
    ) -> Result<()> {
        if let (Some(permit), Some(picked)) = (&ctx.permit, &ctx.picked) {
            ctx.upstreams().connected(permit.upstream(), picked.addr);
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        let permit = ctx.permit()?;
        let arrival = ctx.arrival()?;
        let facts = arrival
            .facts
            .as_ref()
            .map_err(|_| Error::new(ErrorType::InternalError))?;
        // What was judged is what is forwarded; anything else is a bug, and not a request of the client.
        if request.raw_path() != facts.target().as_bytes() {
            return Error::e_explain(
                ErrorType::InternalError,
                "the target changed after it was judged",
            );
        }
        let plan = ctx
            .current
            .equipment
            .plans
            .get(permit.upstream().index())
            .ok_or_else(|| Error::new(ErrorType::InternalError))?;
        let keep_host = ctx
            .upstreams()
            .config(permit.upstream())
            .is_some_and(|c| c.preserve_host);
        if let (Some(picked), true) = (&ctx.picked, !keep_host || facts.authority.is_empty()) {
            request.insert_header(http::header::HOST, picked.authority.clone())?;
        }
        identity_headers::join_cookies(request)?;
        let forwarding = Forwarding {
            client: arrival.origin.client,
            scheme: arrival.scheme(),
            authority: &facts.authority,
            request_id: &ctx.request_id,
        };
        plan.apply(request, permit, &forwarding)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Context,
    ) -> Result<()> {
        ctx.body_whole |= end_of_stream;
        // Written as a chunk of no bytes, it would end the body before its end does
        // (pingora-core `do_write_chunked_body`).
        if end_of_stream && body.as_ref().is_some_and(Bytes::is_empty) {
            *body = None;
        }
        // Not a sum of our own: a retry replays what was buffered through this filter again.
        let received = session.as_downstream().body_bytes_read() as u64;
        let limits = &ctx.current.equipment.server.limits;
        if session.was_upgraded() {
            return Ok(());
        }
        ctx.pace.check(received, Instant::now(), limits)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()>
    where
        Self::CTX: Send + Sync,
    {
        // An intermediary speaks for itself (RFC 9110 §2.5): what the upstream speaks is between it and us.
        if response.version == http::Version::HTTP_10 {
            response.set_version(http::Version::HTTP_11);
        }
        lease::put_under_lease(session, response, ctx, &self.endpoints);
        context::vary_by_credential(response, ctx)?;
        cross_origin::tell(response, session.req_header(), ctx)
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        _body: &mut Option<Bytes>,
        _end_of_stream: bool,
        ctx: &mut Context,
    ) -> Result<Option<Duration>> {
        // On HTTP/1.1 the edge ends the connection, with a farewell.
        match &ctx.lease {
            Some(lease) if session.as_downstream().is_http2() && !lease.holds() => {
                Error::e_explain(ErrorType::HTTPStatus(401), "the sign-in has ended")
            }
            _ => Ok(None),
        }
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        e: &Error,
        ctx: &mut Context,
    ) -> FailToProxy {
        let refusal = match failure::refusal_of(e) {
            Refusal::UpstreamTimeout(_)
                if *e.etype() == ErrorType::ReadTimedout && bounds::owes_body(session, ctx) =>
            {
                Refusal::TooSlow
            }
            refusal => refusal,
        };
        let code = refusal.status(&ctx.current.snapshot.habits);
        // A `101` is an answer: what follows it are the frames of others.
        let unanswered = !session.was_upgraded()
            && session
                .response_written()
                .is_none_or(|r| r.status.is_informational());
        if unanswered && !failure::is_client_gone(e) {
            ctx.upstream_failure = failure::kind(&refusal);
            if let Err(error) = self.refuse(session, ctx, refusal).await {
                tracing::debug!(%error, "the client was gone before it could be answered");
            }
        }
        FailToProxy {
            error_code: code,
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, e: Option<&Error>, ctx: &mut Context) {
        context::record(session, e, ctx, &self.endpoints.metrics);
    }

    /// Our own line has the request's id, the reason and the cause.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Context, _error: &Error) -> bool {
        true
    }

    /// Pingora's own error lines: no query, no header.
    fn request_summary(&self, _session: &Session, ctx: &Context) -> String {
        format!("request {}", ctx.request_id)
    }
}

impl Gateway {
    async fn serve(
        &self,
        session: &mut Session,
        ctx: &Context,
        builtin: crate::policy::Builtin,
        identity: Option<&crate::auth::token::Verified>,
    ) -> std::result::Result<crate::answer::Answer, Refusal> {
        let arrival = ctx
            .arrival()
            .map_err(|e| Refusal::Internal(e.to_string()))?;
        let facts = arrival
            .facts
            .as_ref()
            .map_err(|why| Refusal::BadRequest(*why))?;
        let accept = session.req_header().headers.get_all(http::header::ACCEPT);
        let accept: Vec<&str> = accept
            .iter()
            .map(|v| v.to_str().unwrap_or_default())
            .collect();
        let accept = (!accept.is_empty()).then(|| accept.join(","));
        let call = Call {
            facts,
            snapshot: &ctx.current.snapshot,
            equipment: &ctx.current.equipment,
            identity,
            fixed_segments: ctx.met().map_or(0, Rule::fixed_segments),
            accept,
            client: arrival.origin.client,
            https: arrival.origin.https,
            now: ctx.now,
        };
        self.endpoints
            .answer(
                builtin,
                &call,
                &mut SessionUpload::new(session),
                ctx.allow(),
            )
            .await
    }

    async fn refuse(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        refusal: Refusal,
    ) -> Result<()> {
        let answer = cross_origin::dress(ctx.refuse(&refusal), session.req_header(), ctx);
        let connection = match (refusal.has_no_end(), refusal.closes()) {
            (true, _) => Connection::Drop,
            (false, true) => Connection::Close,
            (false, false) => Connection::Keep,
        };
        respond(session, &answer, connection).await
    }
}
