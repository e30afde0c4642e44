//! An upstream that records every request, as hyper parsed it and as raw bytes, and answers from a closure.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::eventually;

/// A request that an upstream has seen.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
    /// Method.
    pub(crate) method: String,
    /// Request target as it was sent.
    pub(crate) target: String,
    /// Header lines; names in lower case, the values of one name in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Body without its framing.
    pub(crate) body: Bytes,
}

impl Recorded {
    /// The values of a header, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
            .collect()
    }

    /// The value of a header that is there at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} stands there {} times", all.len());
        all.first().copied()
    }

    /// `METHOD target`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What an upstream answers.
pub(crate) type Answer = http::Response<Full<Bytes>>;

/// A response with a status and a text.
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    http::Response::builder()
        .status(status)
        .header("content-type", "text/plain")
        .body(Full::new(body.into()))
        .expect("an answer")
}

/// A running upstream; stops when dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    seen: Arc<Seen>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Recorded>>,
    raw: Mutex<Vec<Vec<u8>>>,
    serving: Mutex<Vec<AbortHandle>>,
}

impl Recording {
    /// Answers every request from `respond`.
    pub(crate) async fn start(
        respond: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        Self::start_on(listener, respond)
    }

    /// Answers on a listener that the test has bound, e.g. to come back on the same port.
    pub(crate) fn start_on(
        listener: TcpListener,
        respond: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let addr = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let respond = Arc::new(respond);
        let accepting = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let task = tokio::spawn(serve(stream, Arc::clone(&seen), respond.clone()));
                    seen.serving
                        .lock()
                        .expect("a lock")
                        .push(task.abort_handle());
                }
            }
        });
        Self {
            addr,
            seen,
            accepting: accepting.abort_handle(),
        }
    }

    /// Answers every request with 200 and `ok`.
    pub(crate) async fn ok() -> Self {
        Self::start(|_| answer(200, "ok")).await
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Every request so far, in the order of their ends.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.seen.requests.lock().expect("a lock").clone()
    }

    /// `METHOD target` of every request so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Recorded::line).collect()
    }

    /// Waits until there are at least so many requests, and gives all.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Recorded> {
        eventually("requests at the upstream", async || {
            let requests = self.requests();
            (requests.len() >= count).then_some(requests)
        })
        .await
    }

    /// The bytes of each connection so far, as they came off the socket.
    pub(crate) fn raw(&self) -> Vec<Vec<u8>> {
        self.seen.raw.lock().expect("a lock").clone()
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.seen.raw.lock().expect("a lock").len()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.accepting.abort();
        for task in self.seen.serving.lock().expect("a lock").drain(..) {
            task.abort();
        }
    }
}

async fn serve<R>(stream: TcpStream, seen: Arc<Seen>, respond: Arc<R>)
where
    R: Fn(&Recorded) -> Answer + Send + Sync + 'static,
{
    stream.set_nodelay(true).expect("nodelay");
    let connection = {
        let mut raw = seen.raw.lock().expect("a lock");
        raw.push(Vec::new());
        raw.len() - 1
    };
    let tap = Tap {
        stream,
        connection,
        seen: Arc::clone(&seen),
    };
    let service = service_fn(move |request: http::Request<Incoming>| {
        let seen = Arc::clone(&seen);
        let respond = Arc::clone(&respond);
        async move {
            let (head, body) = request.into_parts();
            let recorded = Recorded {
                connection,
                method: head.method.to_string(),
                target: head.uri.to_string(),
                headers: head
                    .headers
                    .iter()
                    .map(|(n, v)| {
                        let value = String::from_utf8_lossy(v.as_bytes()).into_owned();
                        (n.to_string(), value)
                    })
                    .collect(),
                body: body.collect().await?.to_bytes(),
            };
            let response = respond(&recorded);
            seen.requests.lock().expect("a lock").push(recorded);
            Ok::<_, hyper::Error>(response)
        }
    });
    // A client that goes away in mid-request is not the upstream's failure.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(tap), service)
        .await;
}

/// A connection that keeps a copy of what it reads.
struct Tap {
    stream: TcpStream,
    connection: usize,
    seen: Arc<Seen>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.seen.raw.lock().expect("a lock")[self.connection]
            .extend_from_slice(&buf.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
