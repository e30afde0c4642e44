//! How long a connection may take to send a request's header.
//!
//! hyper has one timer for both waiting for a request and reading its header. A
//! gateway keeps idle connections for minutes, which is good, while a header
//! that drips in is an attack, so that the two need two limits: hyper's timer is
//! the longer one, for idleness, and [`Patient`] adds the shorter one, which
//! starts with the first byte of a request (and with the connection).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

const HEADER: u8 = 0;
const ANSWERING: u8 = 1;
const IDLE: u8 = 2;

/// What a connection is at. The service tells, the socket obeys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// A request is being answered; its body has limits of its own.
    pub(crate) fn answering(&self) {
        self.0.store(ANSWERING, Ordering::Relaxed);
    }

    /// The answer is ready; the next byte begins a request.
    pub(crate) fn idle(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }
}

/// A socket that fails when a header takes too long.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    socket: S,
    phase: Phase,
    timeout: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Patient<S> {
    pub(crate) fn new(socket: S, timeout: Duration) -> (Self, Phase) {
        let phase = Phase::default();
        let patient = Self {
            socket,
            phase: phase.clone(),
            timeout,
            deadline: Box::pin(tokio::time::sleep(timeout)),
        };
        (patient, phase)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.socket).poll_read(cx, buf) {
            Poll::Ready(read) => {
                let begun = this.phase.0.compare_exchange(
                    IDLE,
                    HEADER,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                if begun.is_ok() {
                    this.deadline.as_mut().reset(Instant::now() + this.timeout);
                }
                Poll::Ready(read)
            }
            Poll::Pending if this.phase.0.load(Ordering::Relaxed) == HEADER => {
                ready!(this.deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
