//! The HTTP/1 requests of a connection, one after the other, and one clock over the whole head of each.
//!
//! How the clock stops: Pingora takes the connection's user context out of the session before it reads the
//! head and lets go of it right after the head is parsed. A value put there therefore lives exactly as long
//! as the head is awaited, and its `Drop` stops the clock. The clock is polled in the same task, after the proxy.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::ShutdownWatch;
use tokio::time::{Instant, Sleep, sleep};

use super::stream::{HeadWatch, WatchedStream};
use super::tenure::Tenure;
use super::{EdgeCounters, EdgeLimits};

/// Closes connections whose next request head does not begin or does not end in time. Made by
/// [`super::guard`].
#[derive(Debug)]
pub struct HeadDeadline<P> {
    app: Arc<P>,
    options: HttpServerOptions,
    header_timeout: Duration,
    keep_alive: Duration,
    counters: Arc<EdgeCounters>,
}

impl<P: HttpServerApp> HeadDeadline<P> {
    pub(super) fn new(app: P, limits: &EdgeLimits, counters: Arc<EdgeCounters>) -> Self {
        let mut options = app.server_options().cloned().unwrap_or_default();
        // Pingora counts reuses: a connection with n left serves n + 1 requests.
        options.h2_idle_timeout = Some(limits.keep_alive);
        options.keepalive_request_limit = Some(limits.keep_alive_requests.saturating_sub(1));
        Self {
            app: Arc::new(app),
            options,
            header_timeout: limits.header_timeout,
            keep_alive: limits.keep_alive,
            counters,
        }
    }
}

/// Lives in the session while its head is awaited.
struct HeadPending(Arc<HeadWatch>);

impl Drop for HeadPending {
    fn drop(&mut self) {
        self.0.head_arrived();
    }
}

impl<P> HeadDeadline<P>
where
    P: HttpServerApp + Send + Sync + 'static,
{
    /// Serves the HTTP/1 requests of a connection one after the other, in place of the loop that Pingora has
    /// for it (`ServerApp::process_new` of an [`HttpServerApp`]): that one makes a session and the future of a
    /// whole exchange, 19 KiB, before anything has come.
    pub(super) async fn serve(&self, mut stream: Box<WatchedStream>, shutdown: &ShutdownWatch) {
        let watch = stream.watch();
        let mut stopping = shutdown.clone();
        let mut kept: Option<HttpPersistentSettings> = None;
        loop {
            let mut clock = HeadClock::begin(Arc::clone(&watch), self);
            if !something_comes(&mut stream, &mut clock, &mut stopping).await {
                return;
            }
            let mut session = ServerSession::new_http1(stream);
            match kept.take() {
                Some(kept) => kept.apply_to_session(&mut session),
                None => {
                    let stops = *shutdown.borrow();
                    // 0: no timeout per read, since ours is over the whole head.
                    session.set_keepalive((!stops).then_some(0));
                    session.set_keepalive_reuses_remaining(self.options.keepalive_request_limit);
                }
            }
            let reused = self.exchange(session, &watch, clock, shutdown).await;
            let Some((returned, settings)) = reused.map(ReusedHttpStream::consume) else {
                return;
            };
            let Some(returned) = WatchedStream::back(returned) else {
                return;
            };
            (stream, kept) = (returned, settings);
        }
    }

    /// One request and its answer.
    async fn exchange(
        &self,
        mut session: ServerSession,
        watch: &Arc<HeadWatch>,
        mut clock: HeadClock<'_>,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let mut tenure = Tenure::default();
        session.set_connection_user_context(Some(Box::new(HeadPending(Arc::clone(watch)))));
        if session.get_keepalive().is_some() {
            // Never turned on where it is off, because Pingora turns it off for a stop.
            session.set_keepalive(Some(0));
        }
        let mut exchange = self.app.process_new_http(session, shutdown);
        poll_fn(|cx| {
            if let Poll::Ready(reused) = exchange.as_mut().poll(cx) {
                return Poll::Ready(reused);
            }
            // Dropping the exchange closes the socket.
            if clock.poll_expired(cx).is_ready() || tenure.poll_over(cx, watch).is_ready() {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }
}

/// Waits for the first bytes of a request; `false` where none are to be waited for any longer.
async fn something_comes(
    stream: &mut WatchedStream,
    clock: &mut HeadClock<'_>,
    stopping: &mut ShutdownWatch,
) -> bool {
    let came = poll_fn(|cx| match stream.poll_ahead(cx) {
        Poll::Ready(came) => Poll::Ready(came),
        Poll::Pending => clock.poll_expired(cx).map(|()| false),
    });
    tokio::select! {
        biased;
        came = came => came,
        _ = stopping.wait_for(|stops| *stops) => false,
    }
}

#[async_trait]
impl<P> HttpServerApp for HeadDeadline<P>
where
    P: HttpServerApp + Send + Sync + 'static,
{
    /// HTTP/2 streams begin with a complete head, and the connection has `h2_idle_timeout`.
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        self.app.process_new_http(session, shutdown).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.app.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }

    async fn http_cleanup(&self) {
        self.app.http_cleanup().await;
    }
}

/// The clock of one request head.
struct HeadClock<'a> {
    watch: Arc<HeadWatch>,
    first: bool,
    begun: bool,
    header_timeout: Duration,
    keep_alive: Duration,
    counters: &'a EdgeCounters,
    /// Made only where the head is not there at once, so that a busy connection registers no timer.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<'a> HeadClock<'a> {
    fn begin<P>(watch: Arc<HeadWatch>, deadline: &'a HeadDeadline<P>) -> Self {
        let first = watch.begin();
        Self {
            watch,
            first,
            begun: false,
            header_timeout: deadline.header_timeout,
            keep_alive: deadline.keep_alive,
            counters: &deadline.counters,
            sleep: None,
        }
    }

    /// Ready when the head is too late; pending for good once it is read.
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.watch.head_pending() {
            self.sleep = None;
            return Poll::Pending;
        }
        let first_byte = self.watch.bytes_seen() && !self.begun;
        self.begun |= first_byte;
        // A new connection has nothing to wait for: its head is due from the beginning. A kept one may
        // rest, and its head is due from the first byte on.
        let wait = if self.first || self.begun {
            self.header_timeout
        } else {
            self.keep_alive
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(wait)));
        if first_byte && !self.first {
            sleep.as_mut().reset(Instant::now() + wait);
        }
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        EdgeCounters::count(if self.first || self.begun {
            &self.counters.head_timeouts
        } else {
            &self.counters.idle_closed
        });
        Poll::Ready(())
    }
}
