//! Tokens that nobody signed, or not like this. Made from a valid token where one was given: then they are
//! wrong in one thing alone, and their refusal shows something.

use super::Property;
use crate::selftest::case::{Case, DENIED, Expect};
use crate::selftest::forged::{Forgery, forgeries};
use crate::selftest::template::{Request, fill};
use crate::selftest::world::{Known, World};

const ASK: &[u8] =
    b"GET {judged} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scheme} {}\r\nConnection: close\r\n\r\n";

/// A head with so long a token may be too long already.
const DENIED_OR_TOO_LONG: Expect = Expect::status(&[400, 401, 414, 431]);

const FROM_SCRATCH: &str = "refused, but it was made without a valid token and may have been refused for that; --token-file or --token-stdin gives one";

pub(super) fn cases(world: &World) -> Vec<Case> {
    let forged = forgeries(world)
        .into_iter()
        .map(|forgery| case(forgery, world));
    forged.chain(white_space(world)).collect()
}

/// The recorded contract takes any; RFC 6750 §2.1 has one space.
fn white_space(world: &World) -> impl Iterator<Item = Case> {
    let template = b"GET {closed} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scheme}{}{token}\r\nConnection: close\r\n\r\n";
    let other = if world.recorded {
        &[][..]
    } else {
        &["\t", "  ", " \t"]
    };
    other.iter().map(|space| Case {
        property: Property(57),
        why: "a valid token behind other white space than one space".to_owned(),
        send: fill(template, &Request::plain(*space), world),
        expect: DENIED,
        vacuous: None,
    })
}

fn case(forgery: Forgery, world: &World) -> Case {
    let Forgery {
        property,
        why,
        token,
        needs_a_valid_one,
    } = forgery;
    let from_scratch = needs_a_valid_one && world.token.is_err();
    let send: Known<Request> = token.and_then(|token| {
        let shown = format!("<a token: {why}>");
        fill(ASK, &Request::secret(token, &shown), world)
    });
    Case {
        property: Property(property),
        why: format!("a token: {why}"),
        send,
        expect: if property == 70 {
            DENIED_OR_TOO_LONG
        } else {
            DENIED
        },
        vacuous: from_scratch.then(|| FROM_SCRATCH.to_owned()),
    }
}
