//! How long a connection may take to send a request's header, and how long it
//! may leave an answer unread.
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

/// A socket that fails when a header takes too long, or a write gets nowhere.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    socket: S,
    phase: Phase,
    header_timeout: Duration,
    header_deadline: Pin<Box<Sleep>>,
    write_timeout: Duration,
    /// While a write waits.
    write_deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(crate) fn new(
        socket: S,
        header_timeout: Duration,
        write_timeout: Duration,
    ) -> (Self, Phase) {
        let phase = Phase::default();
        let patient = Self {
            socket,
            phase: phase.clone(),
            header_timeout,
            header_deadline: Box::pin(tokio::time::sleep(header_timeout)),
            write_timeout,
            write_deadline: None,
        };
        (patient, phase)
    }

    /// Bounds the wait between two writes that get anywhere.
    fn bounded(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let timeout = self.write_timeout;
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
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
                    this.header_deadline
                        .as_mut()
                        .reset(Instant::now() + this.header_timeout);
                }
                Poll::Ready(read)
            }
            Poll::Pending if this.phase.0.load(Ordering::Relaxed) == HEADER => {
                ready!(this.header_deadline.as_mut().poll(cx));
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
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.bounded(cx, written)
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
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
