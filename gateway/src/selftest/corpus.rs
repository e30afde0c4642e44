//! The corpus: what a client can send to break a property, as tables.
//!
//! An [`Attack`] is a request with a hole and everything that fills it; each filling is a case. In requests,
//! `{names}` stand for what differs from target to target (see [`super::template`]); where the target lacks
//! one, the case cannot be sent and says so.

use super::case::{Case, Expect};
use super::report::Property;
use super::template::{Request, fill};
use super::world::World;

mod framing;
mod headers;
mod login;
mod methods;
mod spellings;
mod targets;
mod tokens;

/// A request with a hole, and what fills it.
struct Attack {
    property: u8,
    why: &'static str,
    template: &'static [u8],
    /// `{}` in the template.
    fill: &'static [&'static [u8]],
    expect: Expect,
}

/// For a template without a hole.
const AS_IT_IS: &[&[u8]] = &[b""];

/// What can be asked of a target from outside, and what each says. Others of the list cannot be seen by a
/// client: those of claims need a token that is signed with the gateway's own key, those of storage,
/// logs and start-up need the machine.
pub(super) const PROPERTIES: &[(Property, &str)] = &[
    (
        Property(1),
        "Content-Length beside Transfer-Encoding is refused",
    ),
    (
        Property(2),
        "any Transfer-Encoding but one chunked is refused",
    ),
    (
        Property(3),
        "a Content-Length that is not one number is refused",
    ),
    (Property(4), "HTTP/1.0 has no body without a length"),
    (Property(5), "malformed header lines are refused"),
    (Property(6), "a body is never a request"),
    (Property(8), "CONNECT opens no tunnel"),
    (Property(9), "an Upgrade changes no verdict"),
    (Property(10), "bytes after a handshake wait for the switch"),
    (
        Property(11),
        "HTTP/2 requests that are none end their stream",
    ),
    (Property(14), "a head that dribbles in is cut"),
    (Property(15), "trailers become no headers"),
    (Property(16), "the service gets the target as it was sent"),
    (Property(17), "dot segments open nothing"),
    (Property(18), "doubled slashes open nothing"),
    (Property(19), "encoded separators open nothing"),
    (
        Property(20),
        "nobody climbs from an open address into a closed one",
    ),
    (Property(21), "the query takes no part in matching"),
    (Property(22), "a fragment does not cut the path"),
    (Property(24), "other encodings open nothing"),
    (Property(25), "one host, compared as hosts are"),
    (Property(26), "a target in absolute form opens nothing"),
    (Property(27), "a target that is no path is refused"),
    (Property(28), "variants of a closed address are closed"),
    (Property(29), "a WebSocket needs a token"),
    (Property(30), "TRACE, TRACK and CONNECT are refused"),
    (Property(31), "methods are never folded"),
    (Property(32), "method overrides do not reach the service"),
    (Property(33), "a method in the query needs a token"),
    (Property(34), "a read with a body is refused"),
    (Property(35), "HEAD is judged as GET"),
    (
        Property(36),
        "OPTIONS opens nothing, and no foreign origin is trusted",
    ),
    (Property(37), "a client cannot say who it is"),
    (Property(40), "the token is not forwarded"),
    (
        Property(44),
        "other spellings of identity headers are removed",
    ),
    (Property(45), "two credentials or two hosts are refused"),
    (Property(46), "Connection cannot name our headers away"),
    (Property(47), "a client cannot say where it comes from"),
    (Property(48), "no header changes path, method or host"),
    (Property(51), "no internal marker opens anything"),
    (Property(52), "the preamble of a proxy is refused"),
    (Property(53), "a bad credential is never anonymous"),
    (Property(54), "a health checker's name opens nothing"),
    (Property(57), "Authorization is one scheme and one token"),
    (Property(58), "a token counts in one place alone"),
    (Property(59), "alg none is refused"),
    (Property(60), "a public key is no secret"),
    (Property(61), "a token does not choose its key"),
    (Property(68), "a token brings no key, and none is fetched"),
    (
        Property(70),
        "what is too long or has too many parts is no token",
    ),
    (Property(71), "a token has one spelling"),
    (Property(72), "a changed token is refused"),
    (Property(76), "every bad token gets one answer"),
    (Property(77), "one challenge, which fits"),
    (Property(79), "published keys are public"),
    (
        Property(97),
        "a wrong password and an unknown name are answered alike",
    ),
    (Property(100), "long log-ins are refused"),
    (Property(105), "log-ins are JSON or forms"),
    (Property(106), "an answer with a token is not stored"),
    (Property(109), "the gateway's own addresses are its own"),
    (
        Property(118),
        "metrics and health are not served to clients",
    ),
    (Property(119), "what no rule covers is refused"),
    (Property(126), "answers that depend on who asks say so"),
];

/// Every case, for this target.
pub(super) fn cases(world: &World) -> Vec<Case> {
    let tables = [
        framing::ATTACKS,
        targets::ATTACKS,
        methods::ATTACKS,
        headers::ATTACKS,
        login::ATTACKS,
    ];
    let mut cases: Vec<Case> = tables
        .into_iter()
        .flatten()
        .flat_map(|attack| written_out(attack, world))
        .collect();
    cases.extend(spellings::cases(world));
    cases.extend(tokens::cases(world));
    cases.sort_by_key(|case| case.property);
    cases
}

fn written_out(attack: &'static Attack, world: &World) -> impl Iterator<Item = Case> {
    attack.fill.iter().map(|hole| Case {
        property: Property(attack.property),
        why: attack.why.to_owned(),
        send: fill(attack.template, &Request::plain(*hole), world),
        expect: attack.expect,
        vacuous: None,
    })
}

#[cfg(test)]
mod tests;
