//! One connection over HTTP/1.1: bytes as they are given go out, whole responses come in.
//!
//! Invariant: no wait without a deadline, and no response beyond [`MAX_BYTES`].

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use super::target::Stream;

/// Most bytes of one response that are read.
const MAX_BYTES: usize = 1024 * 1024;

/// Most header lines of a response.
const MAX_HEADERS: usize = 128;

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// The server says that it closes, or the response ends with the connection.
    pub(super) closes: bool,
}

impl Response {
    /// The values of a header, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Says whether a list header has this element.
    pub(super) fn lists(&self, name: &str, element: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(','))
            .any(|one| one.trim().eq_ignore_ascii_case(element))
    }

    /// The body, for people.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// What came next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Response(Response),
    /// The server closed.
    End,
    /// Nothing whole came in time.
    Late,
    /// Bytes that are no HTTP, or a response that broke off.
    Garbage(Vec<u8>),
}

/// How reading more ended.
enum Fill {
    More,
    End,
    Late,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Line {
    stream: Stream,
    unread: Vec<u8>,
}

impl Line {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Sends bytes. A server may have closed already: then what it said before is what counts.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
            .is_ok()
    }

    /// The next final response, within `patience`.
    pub(super) fn next(&mut self, to_head: bool, patience: Duration) -> Next {
        let deadline = Instant::now() + patience;
        loop {
            match self.read_one(to_head, deadline) {
                // RFC 9110 §15.2: any number of interim responses; 101 is the last of its connection.
                Next::Response(interim) if interim.status < 200 && interim.status != 101 => {}
                other => return other,
            }
        }
    }

    fn read_one(&mut self, to_head: bool, deadline: Instant) -> Next {
        let (mut response, length, framing) = loop {
            match parse_head(&self.unread, to_head) {
                Parsed::Head(response, length, framing) => break (response, length, framing),
                Parsed::Nonsense => return self.garbage(),
                Parsed::Partial if self.unread.len() > MAX_BYTES => return self.garbage(),
                Parsed::Partial => {}
            }
            match self.fill(deadline) {
                Fill::More => {}
                Fill::End if self.unread.is_empty() => return Next::End,
                Fill::End => return self.garbage(),
                Fill::Late => return Next::Late,
            }
        };
        self.unread.drain(..length);
        let body = match framing {
            Framing::None => Ok(Vec::new()),
            Framing::Length(length) => self.exactly(length, deadline),
            Framing::Chunked => self.chunks(deadline),
            Framing::Close => self.until_end(deadline),
        };
        match body {
            Ok(body) => {
                response.body = body;
                Next::Response(response)
            }
            Err(Fill::Late) => Next::Late,
            Err(Fill::End | Fill::More) => self.garbage(),
        }
    }

    /// Where this is called, what was read is of no more use.
    fn garbage(&mut self) -> Next {
        Next::Garbage(std::mem::take(&mut self.unread))
    }

    fn exactly(&mut self, length: usize, deadline: Instant) -> Result<Vec<u8>, Fill> {
        while self.unread.len() < length {
            self.more(deadline)?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    fn until_end(&mut self, deadline: Instant) -> Result<Vec<u8>, Fill> {
        loop {
            match self.fill(deadline) {
                Fill::End => return Ok(std::mem::take(&mut self.unread)),
                Fill::More if self.unread.len() <= MAX_BYTES => {}
                Fill::More => return Err(Fill::More),
                Fill::Late => return Err(Fill::Late),
            }
        }
    }

    fn chunks(&mut self, deadline: Instant) -> Result<Vec<u8>, Fill> {
        let mut body = Vec::new();
        loop {
            let (line, size) = loop {
                match httparse::parse_chunk_size(&self.unread) {
                    Ok(httparse::Status::Complete(found)) => break found,
                    Ok(httparse::Status::Partial) => self.more(deadline)?,
                    Err(_) => return Err(Fill::End),
                }
            };
            self.unread.drain(..line);
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > MAX_BYTES || body.len() > MAX_BYTES {
                return Err(Fill::More);
            }
            if size > 0 {
                body.extend(self.exactly(size, deadline)?);
                self.exactly(2, deadline)?;
                continue;
            }
            // Trailers, up to an empty line.
            loop {
                let end = self.unread.windows(2).position(|two| two == b"\r\n");
                match end {
                    Some(0) => {
                        self.unread.drain(..2);
                        return Ok(body);
                    }
                    Some(end) => drop(self.unread.drain(..end + 2)),
                    None => self.more(deadline)?,
                }
            }
        }
    }

    fn more(&mut self, deadline: Instant) -> Result<(), Fill> {
        if self.unread.len() > MAX_BYTES {
            return Err(Fill::More);
        }
        match self.fill(deadline) {
            Fill::More => Ok(()),
            other => Err(other),
        }
    }

    fn fill(&mut self, deadline: Instant) -> Fill {
        let mut bytes = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_patience(left).is_err() {
                return Fill::Late;
            }
            return match self.stream.read(&mut bytes) {
                Ok(0) => Fill::End,
                Ok(count) => {
                    self.unread.extend(bytes.iter().take(count));
                    Fill::More
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    Fill::Late
                }
                // A reset is an end, and so is TLS that ends without saying so.
                Err(_) => Fill::End,
            };
        }
    }
}

enum Framing {
    None,
    Length(usize),
    Chunked,
    Close,
}

enum Parsed {
    Head(Response, usize, Framing),
    Partial,
    Nonsense,
}

fn parse_head(bytes: &[u8], to_head: bool) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Nonsense,
    };
    let response = Response {
        status: head.code.unwrap_or_default(),
        headers: head
            .headers
            .iter()
            .map(|h| {
                (
                    h.name.to_owned(),
                    String::from_utf8_lossy(h.value).into_owned(),
                )
            })
            .collect(),
        body: Vec::new(),
        closes: false,
    };
    let framing = framing(&response, to_head);
    let old = head.version != Some(1) && !response.lists("connection", "keep-alive");
    let closes = old || response.lists("connection", "close") || matches!(framing, Framing::Close);
    Parsed::Head(Response { closes, ..response }, length, framing)
}

/// RFC 9112 §6.3.
fn framing(response: &Response, to_head: bool) -> Framing {
    if to_head || matches!(response.status, 100..200 | 204 | 304) {
        return Framing::None;
    }
    if response.lists("transfer-encoding", "chunked") {
        return Framing::Chunked;
    }
    response
        .header("content-length")
        .and_then(|length| length.trim().parse().ok())
        .map_or(Framing::Close, Framing::Length)
}
