//! An HTTP/1.1 client that sends what it is given, byte for byte, and reads one response at a time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// Headers that a response of the gateway or of a well-behaved upstream may carry. Anything else is a
/// leak until a test says otherwise with [`Client::allowing`].
pub(crate) const ALLOWED_HEADERS: &[&str] = &[
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "location",
    "retry-after",
    "transfer-encoding",
    "vary",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
];

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    allowed: Vec<String>,
}

/// How a response's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There can be no body (HEAD, 1xx, 204, 304).
    None,
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The connection's end.
    Close,
}

/// A whole response.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// Status code.
    pub(crate) status: u16,
    /// `1.0` or `1.1`.
    pub(crate) version: &'static str,
    /// Header lines as they were sent, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Body without its framing.
    pub(crate) body: Vec<u8>,
    /// How the body ended.
    pub(crate) framing: Framing,
    /// The statuses of 1xx responses before it.
    pub(crate) interim: Vec<u16>,
}

impl Response {
    /// The values of a header, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
            .collect()
    }

    /// The value of a header that is there at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} stands there {} times", all.len());
        all.first().copied()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.text()))
    }

    /// The server says that the connection ends here.
    pub(crate) fn closes(&self) -> bool {
        self.framing == Framing::Close
            || self
                .all("connection")
                .iter()
                .any(|v| v.eq_ignore_ascii_case("close"))
    }

    /// Fails on a header that is neither in the list nor among `more` (lower case).
    #[track_caller]
    pub(crate) fn assert_only_headers(&self, more: &[String]) {
        // Pingora itself answers a head that does not parse, and CONNECT.
        let pingoras_own = matches!(self.status, 400 | 405) && self.body.is_empty();
        for (name, value) in &self.headers {
            let name = name.to_ascii_lowercase();
            assert!(
                ALLOWED_HEADERS.contains(&name.as_str())
                    || more.contains(&name)
                    || (pingoras_own && name == "server"),
                "the response carries `{name}: {value}`, which no test allows"
            );
        }
    }
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = within("connect", TcpStream::connect(addr))
            .await
            .expect("connect");
        stream.set_nodelay(true).expect("nodelay");
        Self {
            stream,
            unread: Vec::new(),
            allowed: Vec::new(),
        }
    }

    /// Lets responses carry these headers too.
    pub(crate) fn allowing(mut self, names: &[&str]) -> Self {
        self.allowed
            .extend(names.iter().map(|n| n.to_ascii_lowercase()));
        self
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("send", self.stream.write_all(bytes.as_ref()))
            .await
            .expect("send");
    }

    /// Sends bytes where the server may have closed already. Says whether they were taken.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within("send", self.stream.write_all(bytes.as_ref()))
            .await
            .is_ok()
    }

    /// Says that nothing more is sent.
    pub(crate) async fn finish(&mut self) {
        within("shut down", self.stream.shutdown())
            .await
            .expect("shut down");
    }

    /// Sends a request and reads the response to it.
    pub(crate) async fn request(&mut self, bytes: impl AsRef<[u8]>) -> Response {
        let head = bytes.as_ref().starts_with(b"HEAD ");
        self.send(bytes).await;
        self.read(head).await
    }

    /// Reads one response to anything but HEAD.
    pub(crate) async fn response(&mut self) -> Response {
        self.read(false).await
    }

    /// Reads one response to HEAD.
    pub(crate) async fn response_to_head(&mut self) -> Response {
        self.read(true).await
    }

    /// The next response, or `None` where the server closes without one.
    pub(crate) async fn next(&mut self) -> Option<Response> {
        if self.unread.is_empty() && !within("a response or the end", self.fill()).await {
            return None;
        }
        Some(self.read(false).await)
    }

    /// The next response, or `None` where the server is gone before the whole of it has come.
    pub(crate) async fn next_whole(&mut self) -> Option<Response> {
        loop {
            if let Some((head, length)) = parse_head(&self.unread) {
                let whole = match head.framing {
                    Framing::Length => head.header("content-length")?.parse::<usize>().ok()?,
                    Framing::None | Framing::Chunked | Framing::Close => 0,
                };
                if self.unread.len() >= length + whole {
                    return Some(self.read(false).await);
                }
            }
            if !within("a response or the end", self.fill()).await {
                return None;
            }
        }
    }

    /// Reads `100 Continue`.
    pub(crate) async fn expect_continue(&mut self) {
        let head = within("100 Continue", self.head()).await;
        assert_eq!(head.status, 100);
    }

    /// Fails unless the connection is kept: a second request on it is answered, and nothing else.
    pub(crate) async fn expect_kept(&mut self, what: &str) {
        assert!(
            self.unread.is_empty(),
            "{what}: stray bytes: {}",
            self.unread.escape_ascii()
        );
        let answer = self
            .request("GET /api-auth/kept HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        assert_eq!(answer.status, 404, "{what}: {}", answer.text());
        assert!(self.unread.is_empty(), "{what}: stray bytes afterwards");
    }

    /// Fails unless the server closes (or has closed) without sending anything more.
    pub(crate) async fn expect_close(&mut self) {
        let rest = self.rest().await;
        assert!(
            rest.is_empty(),
            "bytes instead of the end: {}",
            rest.escape_ascii()
        );
    }

    /// Everything up to the connection's end, a reset being an end too.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while within("the connection's end", self.fill()).await {}
        std::mem::take(&mut self.unread)
    }

    /// What comes next; nothing at the connection's end.
    pub(crate) async fn some(&mut self) -> Vec<u8> {
        if self.unread.is_empty() {
            within("more bytes", self.fill()).await;
        }
        std::mem::take(&mut self.unread)
    }

    /// Waits for `pause` and says whether the server closed in that time. Fails on bytes.
    pub(crate) async fn closed_within(&mut self, pause: Duration) -> bool {
        match tokio::time::timeout(pause, self.fill()).await {
            Err(_) => false,
            Ok(false) => true,
            Ok(true) => panic!("bytes instead of silence: {}", self.unread.escape_ascii()),
        }
    }

    /// Waits for `pause` and says whether anything came, an answer or the end.
    pub(crate) async fn closed_or_answered_within(&mut self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.fill()).await.is_ok()
    }

    async fn read(&mut self, to_head: bool) -> Response {
        let mut interim = Vec::new();
        loop {
            let mut response = within("a response head", self.head()).await;
            if (100..200).contains(&response.status) && response.status != 101 {
                interim.push(response.status);
                continue;
            }
            if to_head || matches!(response.status, 101 | 204 | 304) {
                response.framing = Framing::None;
            }
            response.body = within("a response body", self.body(&response)).await;
            response.interim = interim;
            response.assert_only_headers(&self.allowed);
            return response;
        }
    }

    async fn head(&mut self) -> Response {
        loop {
            if let Some((response, length)) = parse_head(&self.unread) {
                self.unread.drain(..length);
                return response;
            }
            assert!(
                self.fill().await,
                "the connection ended within a response head: {}",
                self.unread.escape_ascii()
            );
        }
    }

    async fn body(&mut self, head: &Response) -> Vec<u8> {
        match head.framing {
            Framing::None => Vec::new(),
            Framing::Length => {
                let length = head.header("content-length").expect("a length");
                self.take(length.parse().expect("a number")).await
            }
            Framing::Chunked => self.chunks().await,
            Framing::Close => {
                while self.fill().await {}
                std::mem::take(&mut self.unread)
            }
        }
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = loop {
                match httparse::parse_chunk_size(&self.unread).expect("a chunk size") {
                    httparse::Status::Complete((line, size)) => {
                        self.unread.drain(..line);
                        break usize::try_from(size).expect("a size");
                    }
                    httparse::Status::Partial => self.must_fill().await,
                }
            };
            body.extend(self.take(size).await);
            assert_eq!(self.take(2).await, b"\r\n", "after a chunk");
            if size == 0 {
                return body;
            }
        }
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            self.must_fill().await;
        }
        self.unread.drain(..length).collect()
    }

    async fn must_fill(&mut self) {
        assert!(
            self.fill().await,
            "the connection ended within a response body"
        );
    }

    /// Reads some bytes; false at the end of the connection.
    async fn fill(&mut self) -> bool {
        match self.stream.read_buf(&mut self.unread).await {
            Ok(read) => read > 0,
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(e) => panic!("read: {e}"),
        }
    }
}

/// A head and its length; `None` where it is not all there yet.
fn parse_head(bytes: &[u8]) -> Option<(Response, usize)> {
    let mut lines = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut lines);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => Some((from_head(&parsed), length)),
        Ok(httparse::Status::Partial) => None,
        Err(e) => panic!("no response ({e}): {}", bytes.escape_ascii()),
    }
}

fn from_head(parsed: &httparse::Response<'_, '_>) -> Response {
    let headers: Vec<_> = parsed
        .headers
        .iter()
        .map(|h| {
            let value = std::str::from_utf8(h.value).expect("a header in UTF-8");
            (h.name.to_owned(), value.to_owned())
        })
        .collect();
    let mut response = Response {
        status: parsed.code.expect("a status"),
        version: if parsed.version == Some(1) {
            "1.1"
        } else {
            "1.0"
        },
        headers,
        body: Vec::new(),
        framing: Framing::Close,
        interim: Vec::new(),
    };
    let lengths = response.all("content-length").len();
    let codings = response.all("transfer-encoding").len();
    assert!(
        lengths + codings <= 1,
        "ambiguous framing: {:?}",
        response.headers
    );
    if codings == 1 {
        assert_eq!(response.header("transfer-encoding"), Some("chunked"));
        response.framing = Framing::Chunked;
    } else if lengths == 1 {
        response.framing = Framing::Length;
    }
    response
}
