//! A client connection that tells whether bytes have arrived since the last request, and that can be ended
//! from outside: what reads it then finds its end, and a WebSocket is told so before.
//!
//! Invariant: until it is ended it changes nothing of what is read or written.
//!
//! What comes first for a request is read ahead here, so that everything else that serves a request is made
//! when there is one: a connection that rests is small.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{Frames, farewell};
use super::tenure::{self, Lease};

/// So many bytes are read ahead at most; most heads are shorter.
const AHEAD: usize = 4096;

/// What is known of the request head that a connection waits for, and of the lease under which its answer
/// goes on. Set and read within the one task that serves the connection, so no waking is needed.
#[derive(Default)]
pub(super) struct HeadWatch {
    served_one: AtomicBool,
    bytes_seen: AtomicBool,
    head_pending: AtomicBool,
    leased: AtomicBool,
    is_websocket: AtomicBool,
    ended: AtomicBool,
    lease: Mutex<Option<Arc<dyn Lease>>>,
}

impl fmt::Debug for HeadWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeadWatch")
            .field("head_pending", &self.head_pending)
            .field("leased", &self.leased)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl HeadWatch {
    /// A request head is awaited from now on. Says whether it is the connection's first.
    pub(super) fn begin(&self) -> bool {
        self.bytes_seen.store(false, Ordering::Release);
        self.head_pending.store(true, Ordering::Release);
        if self.leased.swap(false, Ordering::AcqRel) {
            *self.lease.lock() = None;
        }
        !self.served_one.swap(true, Ordering::AcqRel)
    }

    /// The head is read.
    pub(super) fn head_arrived(&self) {
        self.head_pending.store(false, Ordering::Release);
    }

    pub(super) fn head_pending(&self) -> bool {
        self.head_pending.load(Ordering::Acquire)
    }

    /// Bytes have come in since [`Self::begin`].
    pub(super) fn bytes_seen(&self) -> bool {
        self.bytes_seen.load(Ordering::Acquire)
    }

    /// The exchange goes on only while the lease holds.
    pub(super) fn lease(&self, stream: tenure::Stream, lease: Arc<dyn Lease>) {
        let websocket = stream == tenure::Stream::WebSocket;
        self.is_websocket.store(websocket, Ordering::Release);
        *self.lease.lock() = Some(lease);
        self.leased.store(true, Ordering::Release);
    }

    pub(super) fn is_leased(&self) -> bool {
        self.leased.load(Ordering::Acquire)
    }

    pub(super) fn lease_holds(&self) -> bool {
        let lease = self.lease.lock().clone();
        lease.is_none_or(|lease| lease.holds())
    }

    /// Ends the connection: the next read finds nothing more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn is_websocket(&self) -> bool {
        self.is_leased() && self.is_websocket.load(Ordering::Acquire)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct WatchedStream {
    inner: Stream,
    watch: Arc<HeadWatch>,
    /// Read and not yet asked for.
    ahead: Bytes,
    frames: Option<Frames>,
    farewell: Option<Farewell>,
}

/// The last bytes to the client, and how many of them are written.
#[derive(Debug)]
struct Farewell {
    bytes: Vec<u8>,
    written: usize,
}

impl WatchedStream {
    pub(super) fn new(inner: Stream) -> Self {
        Self {
            inner,
            watch: Arc::default(),
            ahead: Bytes::new(),
            frames: None,
            farewell: None,
        }
    }

    /// Writes the close frame where one may stand.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let may_stand = self.frames.as_ref().is_some_and(Frames::is_between);
        let last = self.farewell.get_or_insert_with(|| Farewell {
            bytes: if may_stand { farewell() } else { Vec::new() },
            written: 0,
        });
        while let Some(rest) = last.bytes.get(last.written..).filter(|r| !r.is_empty()) {
            let n = ready!(Pin::new(&mut self.inner).poll_write(cx, rest))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            last.written += n;
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Notes what was written to a WebSocket.
    fn written(&mut self, bytes: &[u8]) {
        if self.watch.is_websocket() {
            self.frames.get_or_insert_with(Frames::new).follow(bytes);
        }
    }

    /// Waits until something has come, and keeps it for the next read; `false` where nothing comes any more.
    pub(super) fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.watch.is_ended() {
            return Poll::Ready(false);
        }
        if self.ahead.is_empty() {
            let mut room = [MaybeUninit::uninit(); AHEAD];
            let mut read = ReadBuf::uninit(&mut room);
            if ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read)).is_err() {
                return Poll::Ready(false);
            }
            self.ahead = Bytes::copy_from_slice(read.filled());
        }
        let came = !self.ahead.is_empty();
        self.watch.bytes_seen.store(came, Ordering::Release);
        Poll::Ready(came)
    }

    pub(super) fn watch(&self) -> Arc<HeadWatch> {
        Arc::clone(&self.watch)
    }

    /// The watched stream that a connection was served on, back.
    pub(super) fn back(stream: Stream) -> Option<Box<Self>> {
        stream.into_any().downcast().ok()
    }

    /// The watch of a stream, where it is a watched one.
    pub(super) fn watch_of(stream: &Stream) -> Option<Arc<HeadWatch>> {
        (**stream)
            .as_any()
            .downcast_ref::<Self>()
            .map(|s| Arc::clone(&s.watch))
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.is_ended() {
            return self.poll_farewell(cx);
        }
        if !self.ahead.is_empty() {
            let taken = self.ahead.len().min(buf.remaining());
            // Whole, it leaves no memory behind (`Bytes::advance` would).
            let piece = self.ahead.split_to(taken);
            buf.put_slice(&piece);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before && !self.watch.bytes_seen() {
            self.watch.bytes_seen.store(true, Ordering::Release);
        }
        polled
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.farewell.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.written(buf.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.farewell.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        if self.watch.is_websocket() {
            let mut left = written;
            for buf in bufs {
                let taken = buf.get(..left.min(buf.len())).unwrap_or_default();
                self.written(taken);
                left -= taken.len();
            }
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for WatchedStream {
    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }
}

impl UniqueID for WatchedStream {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for WatchedStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for WatchedStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for WatchedStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.inner.set_proxy_digest(digest);
    }
}

impl GetSocketDigest for WatchedStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.inner.set_socket_digest(digest);
    }
}

#[async_trait]
impl Peek for WatchedStream {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buf).await
    }
}
