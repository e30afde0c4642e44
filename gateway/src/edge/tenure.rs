//! What goes on by itself after it was judged, a WebSocket or an event stream, goes on only as long as its
//! [`Lease`] holds.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pingora::protocols::http::ServerSession;
use tokio::time::{Sleep, sleep};

use super::stream::{HeadWatch, WatchedStream};

/// How often a lease is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long the last frame may take before the connection is cut.
const GRACE: Duration = Duration::from_secs(1);

/// Whether an exchange may go on.
pub trait Lease: Send + Sync {
    /// Asked about once a second, on the thread that serves the connection.
    fn holds(&self) -> bool;
}

/// What follows the head of an answer that has no end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// WebSocket frames: ended with a close frame.
    WebSocket,
    /// An HTTP body: cut.
    Body,
}

/// From now on the exchange goes on only while the lease holds. Asked for before the head of the answer is
/// written. HTTP/1.1 alone: a stream of HTTP/2 has no connection of its own to end.
pub fn lease(session: &ServerSession, stream: Stream, lease: Arc<dyn Lease>) {
    if let Some(watch) = session.stream().and_then(WatchedStream::watch_of) {
        watch.lease(stream, lease);
    }
}

/// Looks at the lease of one exchange.
#[derive(Debug, Default)]
pub(super) struct Tenure {
    next: Option<Pin<Box<Sleep>>>,
    ending: bool,
}

impl Tenure {
    /// Ready where the exchange has to be dropped; pending for good where it has no lease.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>, watch: &HeadWatch) -> Poll<()> {
        if !watch.is_leased() {
            return Poll::Pending;
        }
        loop {
            let next = self.next.get_or_insert_with(|| Box::pin(sleep(LOOK)));
            ready!(next.as_mut().poll(cx));
            if self.ending {
                return Poll::Ready(());
            }
            self.next = None;
            if !watch.lease_holds() {
                self.ending = true;
                self.next = Some(Box::pin(sleep(GRACE)));
                watch.end();
                // The next read of the exchange says farewell, and that there is nothing more.
                cx.waker().wake_by_ref();
            }
        }
    }
}
