//! A client connection that tells whether bytes have arrived since the last request.
//!
//! Invariant: it changes nothing of what is read or written.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is known of the request head that a connection waits for. Set and read within the one task that
/// serves the connection, so no waking is needed.
#[derive(Debug, Default)]
pub(super) struct HeadWatch {
    served_one: AtomicBool,
    bytes_seen: AtomicBool,
    head_pending: AtomicBool,
}

impl HeadWatch {
    /// A request head is awaited from now on. Says whether it is the connection's first.
    pub(super) fn begin(&self) -> bool {
        self.bytes_seen.store(false, Ordering::Release);
        self.head_pending.store(true, Ordering::Release);
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
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct WatchedStream {
    inner: Stream,
    watch: Arc<HeadWatch>,
}

impl WatchedStream {
    pub(super) fn new(inner: Stream) -> Self {
        Self {
            inner,
            watch: Arc::default(),
        }
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
        Pin::new(&mut self.inner).poll_write(cx, buf)
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
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
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
