//! Heads that dribble in.

use std::time::{Duration, Instant};

use super::{Asking, Check, not_held, of};
use crate::selftest::report::{Finding, Property};
use crate::selftest::template::{Request, fill};
use crate::selftest::wire::Next;
use crate::selftest::world::Known;

pub(super) const CHECKS: &[Check] = &[Check {
    properties: &[14],
    run: dribble,
}];

/// Longer than the longest deadline for a head that makes sense; ours is 10 s.
const LONGEST: Duration = Duration::from_secs(30);

/// Between two bytes. A deadline that starts anew with each is none.
const PAUSE: Duration = Duration::from_millis(500);

fn dribble(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    if !asking.world.slow {
        return vec![of(
            14,
            Err(format!(
                "this waits for up to {LONGEST:?} twice; --slow does it"
            )),
        )];
    }
    vec![
        of(14, cut(asking, "the first head of a connection", 0)),
        of(14, cut(asking, "a later head", 1)),
    ]
}

fn cut(asking: &Asking<'_>, why: &str, served: usize) -> Known<Finding> {
    let request = |template: &[u8]| fill(template, &Request::default(), asking.world);
    let mut line = asking.client.connect()?;
    for _ in 0..served {
        line.send(&request(b"GET {open} HTTP/1.1\r\nHost: {host}\r\n\r\n")?.sent);
        match line.next(false, asking.client.patience()) {
            Next::Response(response) if !response.closes => {}
            Next::Response(_) => {
                return Err("the target keeps no connection, so there is no later head".to_owned());
            }
            _ => return Err("no answer on a kept connection".to_owned()),
        }
    }
    let head = request(b"GET {open} HTTP/1.1\r\nHost: {host}\r\nX-Slow: ")?;
    line.send(&head.sent);
    let started = Instant::now();
    while started.elapsed() < LONGEST {
        match line.next(false, PAUSE) {
            Next::Late => {}
            Next::End => return Ok(Finding::Held),
            Next::Response(response) if matches!(response.status, 400 | 408) => {
                return Ok(Finding::Held);
            }
            other => return Err(format!("an unfinished head was answered: {other:?}")),
        }
        line.send(b"a");
    }
    Ok(not_held(
        why,
        &head,
        format!("the end of the connection within {LONGEST:?}"),
        "nothing".to_owned(),
    ))
}
