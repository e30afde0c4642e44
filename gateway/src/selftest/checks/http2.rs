//! The same over HTTP/2, where the target offers it, and requests that only HTTP/2 can spell.

use super::{Asking, Check, of};
use crate::selftest::case::shown;
use crate::selftest::frames::{Field, Outcome, ask};
use crate::selftest::report::{Failure, Finding, Property};
use crate::selftest::world::Known;

pub(super) const CHECKS: &[Check] = &[Check {
    properties: &[8, 11, 17, 30, 31, 34, 53],
    run,
}];

const ONLY_TLS: &str = "HTTP/2 is offered over TLS alone; give an https target";

/// What a request is changed into.
enum Change {
    /// Another method, target or body.
    Ask(&'static str, &'static str, &'static str),
    /// One field more, behind the others.
    More(&'static str, &'static str),
    /// One field less.
    Less(&'static str),
    /// A field in front of the pseudo-fields.
    Front(&'static str, &'static str),
    /// `CONNECT` as a tunnel has it.
    Tunnel,
    /// Extended CONNECT (RFC 8441).
    Socket,
}

use Change::{Ask, Front, Less, More, Socket, Tunnel};

/// In place of a target.
const OPEN: &str = "{open}";
const WRITE: &str = "{write}";

const CASES: &[(u8, &str, Change)] = &[
    (8, "a tunnel", Tunnel),
    (8, "a WebSocket by extended CONNECT", Socket),
    (
        11,
        "a field of the connection (RFC 9113 §8.2.2)",
        More("connection", "close"),
    ),
    (
        11,
        "a field of the connection (RFC 9113 §8.2.2)",
        More("proxy-connection", "close"),
    ),
    (
        11,
        "a field of the connection (RFC 9113 §8.2.2)",
        More("transfer-encoding", "chunked"),
    ),
    (
        11,
        "a field of the connection (RFC 9113 §8.2.2)",
        More("upgrade", "websocket"),
    ),
    (
        11,
        "a field of the connection (RFC 9113 §8.2.2)",
        More("te", "gzip"),
    ),
    (
        11,
        "a name in capitals (RFC 9113 §8.2.1)",
        More("X-Upper", "a"),
    ),
    (
        11,
        "a name with a space (RFC 9113 §8.2.1)",
        More("x nul", "a"),
    ),
    (
        11,
        "a value that splits (RFC 9113 §8.2.1)",
        More("x-split", "a\r\nx-auth-user: admin"),
    ),
    (
        11,
        "a pseudo-field twice (RFC 9113 §8.3)",
        More(":path", "/"),
    ),
    (
        11,
        "a pseudo-field twice (RFC 9113 §8.3)",
        More(":method", "GET"),
    ),
    (
        11,
        "a pseudo-field that is not known (RFC 9113 §8.3)",
        More(":unknown", "a"),
    ),
    (
        11,
        "a pseudo-field of responses (RFC 9113 §8.3)",
        More(":status", "200"),
    ),
    (
        11,
        "a field before the pseudo-fields (RFC 9113 §8.3)",
        Front("x-first", "a"),
    ),
    (11, "no method (RFC 9113 §8.3.1)", Less(":method")),
    (11, "no path (RFC 9113 §8.3.1)", Less(":path")),
    (11, "no host", Less(":authority")),
    (
        11,
        "a length of a body that does not come (RFC 9113 §8.1.1)",
        More("content-length", "5"),
    ),
    (
        11,
        "a path without a slash (RFC 9113 §8.3.1)",
        Ask("GET", "x", ""),
    ),
    (11, "an empty path (RFC 9113 §8.3.1)", Ask("GET", "", "")),
    (
        17,
        "a segment and back",
        Ask("DELETE", "/x/%2e%2e{write}", ""),
    ),
    (30, "TRACE", Ask("TRACE", OPEN, "")),
    (30, "TRACK", Ask("TRACK", OPEN, "")),
    (31, "a method in lower case", Ask("get", OPEN, "")),
    (31, "a method in lower case", Ask("delete", WRITE, "")),
    (31, "a method that is none", Ask("FOO", OPEN, "")),
    (34, "a read with a body", Ask("GET", OPEN, "x")),
    (
        53,
        "a credential that is none",
        More("authorization", "{scheme} gateway.self.test"),
    ),
];

fn run(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let offered = match asking.client.connect_http2() {
        Ok(offered) => offered.is_some(),
        Err(why) => {
            return CASES
                .iter()
                .map(|(property, ..)| of(*property, Err(why.clone())))
                .collect();
        }
    };
    if !offered {
        let why = if asking.client.target().is_secure() {
            "HTTP/2 is not offered"
        } else {
            ONLY_TLS
        };
        let nothing = |property: u8| (Property(property), Finding::NotHere(why.to_owned()));
        return CASES
            .iter()
            .map(|(property, ..)| nothing(*property))
            .collect();
    }
    // Without this, every refusal could have another reason.
    let plain = send(asking, &Ask("GET", OPEN, "")).map(|(_, outcome)| outcome);
    let wanted = Outcome::Status(asking.world.canary.answer.status);
    let served = match plain {
        Ok(outcome) if outcome == wanted => Ok(()),
        Ok(outcome) => Err(format!(
            "a plain GET over HTTP/2 ended with {outcome:?} and not {wanted:?}"
        )),
        Err(why) => Err(why),
    };
    CASES
        .iter()
        .map(|(property, why, change)| {
            let found = served
                .clone()
                .and_then(|()| judge(asking, *property, why, change));
            of(*property, found)
        })
        .collect()
}

fn judge(asking: &Asking<'_>, property: u8, why: &str, change: &Change) -> Known<Finding> {
    let (sent, outcome) = send(asking, change)?;
    match outcome {
        Outcome::Status(400..=499 | 501) | Outcome::Reset | Outcome::Gone => Ok(Finding::Held),
        Outcome::Late => Err("no answer came in time over HTTP/2".to_owned()),
        Outcome::Unread => Err("an answer over HTTP/2 could not be read".to_owned()),
        Outcome::Status(_) => Ok(Finding::NotHeld(Failure {
            case: String::new(),
            why: format!("over HTTP/2: {why} (P{property:03})"),
            sent,
            expected: "a refusal, or the end of the stream or connection".to_owned(),
            got: format!("{outcome:?}"),
        })),
    }
}

/// Sends a request; what it was, for people, and how it ended.
fn send(asking: &Asking<'_>, change: &Change) -> Known<(String, Outcome)> {
    let fill = |text: &str| {
        let filled =
            crate::selftest::template::fill(text.as_bytes(), &Default::default(), asking.world)?;
        String::from_utf8(filled.sent).map_err(|e| e.to_string())
    };
    let host = asking.world.host.as_str();
    let open = fill(OPEN)?;
    let usual = |method: &str, target: &str| {
        [
            (":method", method),
            (":scheme", "https"),
            (":authority", host),
            (":path", target),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    let mut body = "";
    let fields = match change {
        Ask(method, target, with) => {
            body = with;
            usual(method, &fill(target)?)
        }
        More(name, value) => [
            usual("GET", &open),
            vec![((*name).to_owned(), fill(value)?)],
        ]
        .concat(),
        Less(name) => usual("GET", &open)
            .into_iter()
            .filter(|(n, _)| n != name)
            .collect(),
        Front(name, value) => [
            vec![((*name).to_owned(), (*value).to_owned())],
            usual("GET", &open),
        ]
        .concat(),
        Tunnel => vec![
            (":method".to_owned(), "CONNECT".to_owned()),
            (":authority".to_owned(), host.to_owned()),
        ],
        Socket => [
            usual("CONNECT", &open),
            vec![(":protocol".to_owned(), "websocket".to_owned())],
        ]
        .concat(),
    };
    let borrowed: Vec<Field<'_>> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let stream = asking
        .client
        .connect_http2()?
        .ok_or("HTTP/2 is no longer offered")?;
    let outcome = ask(stream, &borrowed, body.as_bytes(), asking.client.patience());
    let sent: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    Ok((
        shown(format!("{} | {body}", sent.join(" | ")).as_bytes()),
        outcome,
    ))
}
