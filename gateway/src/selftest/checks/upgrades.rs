//! Upgrades, and what is sent behind them.

use super::{Asking, Check, not_held, of};
use crate::selftest::client::End;
use crate::selftest::report::{Finding, Property};
use crate::selftest::template::{Request, fill};
use crate::selftest::world::Known;

pub(super) const CHECKS: &[Check] = &[
    Check {
        properties: &[9],
        run: reads,
    },
    Check {
        properties: &[10],
        run: behind_a_handshake,
    },
];

/// On a read, an upgrade that is no WebSocket counts for nothing.
fn reads(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let plain = "GET {open} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n";
    let upgrading = "GET {open} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    let compare = |upgrade: &str| -> Known<Finding> {
        let without = asking.ask(plain)?.response.status;
        let asked = asking.ask_with(upgrading, &Request::plain(upgrade))?;
        let alike = asked.response.status == without;
        Ok(asking.judge(
            alike,
            "an Upgrade that is no WebSocket, on a read",
            &asked,
            format!("{without}, as without it"),
        ))
    };
    ["h2c", "TLS/1.0", "foo"]
        .into_iter()
        .map(|upgrade| of(9, compare(upgrade)))
        .collect()
}

/// Where the service does not switch, what follows the handshake is one more request, and judged.
fn behind_a_handshake(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let template = "GET {open} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scheme} {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{inner}";
    let found = (|| {
        let request = fill(template.as_bytes(), &Request::default(), asking.world)?;
        let last = crate::selftest::world::request(
            "GET",
            &asking.world.canary.target,
            &asking.world.host,
            "",
        );
        let reply = asking
            .client
            .ask_once(&request.sent, &last, asking.world.canary.answer.status);
        match reply.responses.split_first() {
            None => Err(format!(
                "instead of an answer there was {}",
                asking.shown_reply(&reply)
            )),
            Some((first, _)) if first.status == 101 => Err(
                "the open address serves WebSockets; --open-path names one that does not"
                    .to_owned(),
            ),
            Some((_, rest)) => {
                let judged = rest
                    .iter()
                    .all(|response| matches!(response.status, 400 | 401 | 403 | 404 | 405));
                if judged && !matches!(reply.end, End::Garbage(_)) {
                    return Ok(Finding::Held);
                }
                let expected = "after the answer, a refusal of the write behind it or the end of the connection";
                Ok(not_held(
                    "a write behind a handshake",
                    &request,
                    expected,
                    asking.shown_reply(&reply),
                ))
            }
        }
    })();
    vec![of(10, found)]
}
