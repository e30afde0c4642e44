//! One case of the corpus: what is sent, what has to come back, and the judgement.

use super::client::{Client, End, Reply};
use super::report::{Failure, Finding, Property};
use super::template::Request;
use super::wire::Response;
use super::world::{Known, World, request};

/// What has to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expect {
    /// Statuses of the answer.
    pub(super) statuses: &'static [u16],
    /// The connection may end without an answer instead.
    pub(super) silent: bool,
    /// The connection ends after the answer.
    pub(super) closes: bool,
    /// There is one answer, and the target serves others afterwards.
    pub(super) once: bool,
}

impl Expect {
    /// An answer with one of these statuses.
    pub(super) const fn status(statuses: &'static [u16]) -> Self {
        Self {
            statuses,
            silent: false,
            closes: false,
            once: false,
        }
    }

    /// Also well where there is no answer at all.
    pub(super) const fn or_silence(self) -> Self {
        Self {
            silent: true,
            ..self
        }
    }

    pub(super) const fn and_close(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }

    pub(super) const fn once(self) -> Self {
        Self { once: true, ..self }
    }

    fn text(self) -> String {
        let statuses: Vec<String> = self.statuses.iter().map(u16::to_string).collect();
        let mut text = statuses.join(" or ");
        if self.once {
            text.push_str(", and no second answer");
        }
        if self.closes {
            text.push_str(", and the end of the connection");
        }
        if self.silent {
            text.push_str("; or the end of the connection alone");
        }
        text
    }
}

/// Cannot be framed or read in one way.
pub(super) const MALFORMED: Expect = Expect::status(&[400]).or_silence().and_close().once();

/// Whatever it is, it does not open what is closed.
pub(super) const SHUT: Expect =
    Expect::status(&[400, 401, 403, 404, 405, 414, 421, 431, 501, 505]).or_silence();

/// A credential that is none, or a token that is not valid. A head that is too long may be that first.
pub(super) const DENIED: Expect = Expect::status(&[400, 401]);

/// One request of the corpus, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) property: Property,
    pub(super) why: String,
    pub(super) send: Known<Request>,
    pub(super) expect: Expect,
    /// Why the right answer may be right for another reason: then it shows nothing.
    pub(super) vacuous: Option<String>,
}

impl Case {
    /// Sends it.
    pub(super) fn run(&self, client: &Client<'_>, world: &World) -> Finding {
        let send = match &self.send {
            Ok(send) => send,
            Err(missing) => return Finding::Unclear(missing.clone()),
        };
        let reply = if self.expect.once {
            let last = request("GET", &world.canary.target, &world.host, "");
            client.ask_once(&send.sent, &last, world.canary.answer.status)
        } else {
            client.ask(&send.sent)
        };
        let mut got = shown_reply(&reply, world);
        let judged = match judge(&reply, self.expect) {
            Judged::Right if self.expect.once => match canary(client, world) {
                Ok(()) => Judged::Right,
                Err(what) => {
                    got.push_str(&what);
                    Judged::Wrong
                }
            },
            judged => judged,
        };
        match (judged, &self.vacuous) {
            (Judged::Right, None) => Finding::Held,
            (Judged::Right, Some(why)) => Finding::Unclear(why.clone()),
            (Judged::Unclear(why), _) => Finding::Unclear(why),
            (Judged::Wrong, _) => Finding::NotHeld(Failure {
                case: String::new(),
                why: self.why.clone(),
                sent: shown(&send.shown),
                expected: self.expect.text(),
                got,
            }),
        }
    }
}

enum Judged {
    Right,
    Wrong,
    Unclear(String),
}

fn judge(reply: &Reply, expect: Expect) -> Judged {
    match (reply.responses.first(), &reply.end) {
        (None, End::Unreachable(why)) => Judged::Unclear(format!("no connection: {why}")),
        (None, End::Late) => Judged::Unclear("no answer came in time".to_owned()),
        (None, End::Closed) if expect.silent => Judged::Right,
        (None, _) | (_, End::Garbage(_)) => Judged::Wrong,
        (Some(first), end) => {
            if !expect.statuses.contains(&first.status) {
                return unexpected(first);
            }
            let one = !expect.once || reply.responses.len() == 1;
            let ended = !expect.closes || *end == End::Closed;
            if one && ended {
                Judged::Right
            } else {
                Judged::Wrong
            }
        }
    }
}

/// Who is asked too often says nothing about the question.
fn unexpected(response: &Response) -> Judged {
    match response.status {
        429 => Judged::Unclear("the target answered 429: it is asked too often".to_owned()),
        _ => Judged::Wrong,
    }
}

/// Others are still served as before.
fn canary(client: &Client<'_>, world: &World) -> Result<(), String> {
    let (target, status) = (&world.canary.target, world.canary.answer.status);
    let reply = client.ask(&request("GET", target, &world.host, ""));
    if reply.status() == Some(status) {
        return Ok(());
    }
    Err(format!(
        "; and GET {target} afterwards was not answered {status} as before, but {}",
        shown_reply(&reply, world)
    ))
}

/// What came back, for people.
pub(super) fn shown_reply(reply: &Reply, world: &World) -> String {
    let mut parts: Vec<String> = reply
        .responses
        .iter()
        .map(|response| shown_response(response, world))
        .collect();
    match &reply.end {
        End::Unreachable(why) => parts.push(format!("no connection: {why}")),
        End::Garbage(bytes) => parts.push(format!(
            "bytes that are no HTTP: {}",
            shown(&redact(bytes, world))
        )),
        End::Late if reply.responses.is_empty() => parts.push("nothing in time".to_owned()),
        End::Closed if reply.responses.is_empty() => {
            parts.push("the end of the connection".to_owned());
        }
        End::Closed | End::Kept | End::Late => {}
    }
    parts.join(", then ")
}

/// An answer in one line.
pub(super) fn shown_response(response: &Response, world: &World) -> String {
    let mut text = response.status.to_string();
    for name in ["WWW-Authenticate", "Location"] {
        for value in response.all(name) {
            text.push_str(&format!(
                ", {name}: {}",
                shown(&redact(value.as_bytes(), world))
            ));
        }
    }
    if !response.body.is_empty() {
        text.push_str(&format!(", {}", shown(&redact(&response.body, world))));
    }
    text
}

/// Most bytes of a request or an answer that are shown.
const SHOWN: usize = 400;

/// Bytes, escaped and cut.
pub(super) fn shown(bytes: &[u8]) -> String {
    let (head, rest) = bytes.split_at(bytes.len().min(SHOWN));
    let mut text = head
        .escape_ascii()
        .to_string()
        .replace("\\'", "'")
        .replace("\\\"", "\"");
    if !rest.is_empty() {
        text.push_str(&format!("… ({} more bytes)", rest.len()));
    }
    text
}

/// Without tokens: ours, and whatever else begins as one does (`eyJ` is `{"` in base64url).
fn redact(bytes: &[u8], world: &World) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if let Ok(token) = &world.token {
        text = text.replace(token, "<token>");
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("eyJ") {
        let (before, found) = rest.split_at(at);
        let part_of_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let end = found.find(|c| !part_of_token(c)).unwrap_or(found.len());
        out.push_str(before);
        out.push_str("<token>");
        rest = found.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out.into_bytes()
}
