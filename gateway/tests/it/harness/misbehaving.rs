//! Upstreams named by how they misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// What an upstream does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misbehaviour {
    /// Takes the request and says nothing.
    NeverAnswers,
    /// Takes the request and resets the connection.
    Resets,
    /// Answers what is not HTTP.
    Garbage,
    /// Ends in the middle of the status line.
    HalfHead,
    /// Announces 100 bytes, sends 10 and closes.
    HalfResponse,
    /// Sends a whole response, one byte each 20 ms.
    Slow,
    /// Announces a body and closes after the head.
    ClosesAfterHeaders,
    /// Closes as soon as the request has come.
    ClosesSilently,
    /// Sends the head and one chunk, then nothing.
    StallsInBody,
    /// Answers the first request of a connection, and closes on the second one.
    AnswersOnceThenCloses,
}

/// A running upstream; stops when dropped.
#[derive(Debug)]
pub(crate) struct Misbehaving {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    taken: Arc<AtomicUsize>,
    heads: Arc<AtomicUsize>,
    accepting: AbortHandle,
}

impl Misbehaving {
    /// Does the same to every connection.
    pub(crate) async fn start(how: Misbehaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let addr = listener.local_addr().expect("an address");
        let taken = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(AtomicUsize::new(0));
        let (counter, head_counter) = (Arc::clone(&taken), Arc::clone(&heads));
        let accepting = tokio::spawn(async move {
            // Dropped together with this task.
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                serving.spawn(misbehave(stream, how, Arc::clone(&head_counter)));
            }
        });
        Self {
            addr,
            taken,
            heads,
            accepting: accepting.abort_handle(),
        }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Connections so far.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Request heads so far.
    pub(crate) fn heads(&self) -> usize {
        self.heads.load(Ordering::SeqCst)
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// An address that refuses connections for as long as the socket lives: bound, but never listening.
pub(crate) fn refusing() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("bind");
    (socket.local_addr().expect("an address"), socket)
}

async fn misbehave(mut stream: TcpStream, how: Misbehaviour, heads: Arc<AtomicUsize>) {
    if !read_head(&mut stream).await {
        return;
    }
    heads.fetch_add(1, Ordering::SeqCst);
    let bytes: &[u8] = match how {
        Misbehaviour::NeverAnswers => b"",
        Misbehaviour::Resets => {
            stream.set_zero_linger().expect("linger");
            return;
        }
        Misbehaviour::Garbage => b"\x16\x03\x01 this is not HTTP\r\n\r\n",
        Misbehaviour::HalfHead => b"HTTP/1.1 20",
        Misbehaviour::HalfResponse => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789",
        Misbehaviour::Slow => {
            return slowly(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow",
            )
            .await;
        }
        Misbehaviour::ClosesAfterHeaders => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n",
        Misbehaviour::ClosesSilently => return,
        Misbehaviour::AnswersOnceThenCloses => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await;
            if read_head(&mut stream).await {
                heads.fetch_add(1, Ordering::SeqCst);
            }
            return;
        }
        Misbehaviour::StallsInBody => {
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
        }
    };
    let _ = stream.write_all(bytes).await;
    if matches!(how, Misbehaviour::NeverAnswers | Misbehaviour::StallsInBody) {
        // Until the other side has had enough.
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
    }
}

async fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.map_or(true, |n| n == 0) {
            return false;
        }
    }
    true
}

async fn slowly(stream: &mut TcpStream, bytes: &[u8]) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for byte in bytes {
        tick.tick().await;
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}
