//! Asks the target, one connection after the other, and says what came back.
//!
//! Invariant: at any time there is one connection, and against a server that is not on this machine they
//! are made no faster than [`PACE`].

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::target::{Stream, Target};
use super::wire::{Line, Next, Response};

/// Least time between two connections to somebody else's machine.
const PACE: Duration = Duration::from_millis(20);

/// How long a connection that is kept is watched for an answer that nobody asked for.
const QUIET: Duration = Duration::from_millis(60);

/// A server that answers without end is as wrong after so many answers.
const ENOUGH: usize = 8;

/// So many silences one after the other end the run.
const SILENCES: u8 = 3;

/// Everything that came back for some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) responses: Vec<Response>,
    pub(super) end: End,
}

/// How the connection was when it was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The server closed it.
    Closed,
    /// It was open.
    Kept,
    /// Nothing whole came in time.
    Late,
    /// Bytes that are no HTTP.
    Garbage(Vec<u8>),
    /// There was none.
    Unreachable(String),
}

impl Reply {
    /// The status of the first answer.
    pub(super) fn status(&self) -> Option<u16> {
        self.responses.first().map(|response| response.status)
    }
}

/// Makes the connections.
#[derive(Debug)]
pub(super) struct Client<'a> {
    target: &'a Target,
    patience: Duration,
    last: Cell<Option<Instant>>,
    connections: Cell<usize>,
    silences: Cell<u8>,
}

impl<'a> Client<'a> {
    pub(super) fn new(target: &'a Target, patience: Duration) -> Self {
        Self {
            target,
            patience,
            last: Cell::new(None),
            connections: Cell::new(0),
            silences: Cell::new(0),
        }
    }

    pub(super) fn target(&self) -> &'a Target {
        self.target
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.connections.get()
    }

    /// The target has stopped answering: asking on would only wait.
    pub(super) fn has_lost_it(&self) -> bool {
        self.silences.get() >= SILENCES
    }

    /// A connection, for what is more than a question and its answer.
    pub(super) fn connect(&self) -> Result<Line, String> {
        self.wait_for_turn();
        match self.target.connect(self.patience) {
            Ok(stream) => Ok(Line::new(stream)),
            Err(error) => {
                self.heard(false);
                Err(error.to_string())
            }
        }
    }

    /// A connection that speaks HTTP/2; `None` where that is not offered.
    pub(super) fn connect_http2(&self) -> Result<Option<Stream>, String> {
        self.wait_for_turn();
        self.target
            .connect_http2(self.patience)
            .map_err(|e| e.to_string())
    }

    /// The answer to the first request in these bytes.
    pub(super) fn ask(&self, bytes: &[u8]) -> Reply {
        let mut line = match self.connect() {
            Ok(line) => line,
            Err(why) => return unreachable(why),
        };
        line.send(bytes);
        let mut reply = Reply {
            responses: Vec::new(),
            end: End::Kept,
        };
        self.read_next(&mut line, is_head(bytes), self.patience, &mut reply);
        self.heard(reply.end != End::Late);
        reply
    }

    /// Every answer to these bytes. Where the connection is kept after the first, it is watched for more,
    /// and then `last` is sent, which ends it; the answer to `last`, known by its status, is left out.
    pub(super) fn ask_once(&self, bytes: &[u8], last: &[u8], last_status: u16) -> Reply {
        let mut line = match self.connect() {
            Ok(line) => line,
            Err(why) => return unreachable(why),
        };
        line.send(bytes);
        let mut reply = Reply {
            responses: Vec::new(),
            end: End::Kept,
        };
        self.read_next(&mut line, is_head(bytes), self.patience, &mut reply);
        self.heard(reply.end != End::Late);
        if reply.end != End::Kept {
            return reply;
        }
        if reply.responses.iter().any(|response| response.closes) {
            self.read_rest(&mut line, &mut reply);
            return reply;
        }
        while reply.end == End::Kept && reply.responses.len() < ENOUGH {
            self.read_next(&mut line, false, QUIET, &mut reply);
        }
        if reply.end != End::Late {
            return reply;
        }
        let before = reply.responses.len();
        reply.end = End::Kept;
        if line.send(last) {
            self.read_rest(&mut line, &mut reply);
            if reply.responses.len() > before {
                reply
                    .responses
                    .pop_if(|response| response.status == last_status);
                reply.end = End::Kept;
            }
        }
        reply
    }

    fn read_rest(&self, line: &mut Line, reply: &mut Reply) {
        while reply.end == End::Kept && reply.responses.len() < ENOUGH {
            self.read_next(line, false, self.patience, reply);
        }
    }

    fn read_next(&self, line: &mut Line, to_head: bool, patience: Duration, reply: &mut Reply) {
        match line.next(to_head, patience) {
            Next::Response(response) => reply.responses.push(response),
            Next::End => reply.end = End::Closed,
            Next::Late => reply.end = End::Late,
            Next::Garbage(bytes) => reply.end = End::Garbage(bytes),
        }
    }

    fn heard(&self, something: bool) {
        let silences = if something {
            0
        } else {
            self.silences.get() + 1
        };
        self.silences.set(silences.min(SILENCES));
    }

    fn wait_for_turn(&self) {
        if !self.target.is_loopback()
            && let Some(last) = self.last.get()
        {
            while let Some(left) = PACE.checked_sub(last.elapsed()) {
                std::thread::park_timeout(left);
            }
        }
        self.last.set(Some(Instant::now()));
        self.connections.set(self.connections.get() + 1);
    }
}

fn is_head(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HEAD ")
}

fn unreachable(why: String) -> Reply {
    Reply {
        responses: Vec::new(),
        end: End::Unreachable(why),
    }
}
