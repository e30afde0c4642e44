//! What one request and its answer cannot show: comparisons of answers, and what happens beside them.

use super::case::{shown, shown_reply, shown_response};
use super::client::{Client, Reply};
use super::report::{Failure, Finding, Property};
use super::template::{Request, fill};
use super::wire::Response;
use super::world::{Known, World};

mod answers;
mod echo;
mod fetch;
mod hosts;
mod http2;
mod login;
mod slow;
mod upgrades;

/// One comparison, and the properties that it speaks of.
pub(super) struct Check {
    pub(super) properties: &'static [u8],
    pub(super) run: fn(&Asking<'_>) -> Vec<(Property, Finding)>,
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    [
        answers::CHECKS,
        upgrades::CHECKS,
        hosts::CHECKS,
        login::CHECKS,
        fetch::CHECKS,
        http2::CHECKS,
        echo::CHECKS,
        slow::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// What a check asks with.
pub(super) struct Asking<'a> {
    pub(super) client: &'a Client<'a>,
    pub(super) world: &'a World,
}

/// A request that was answered, for reports and comparisons.
struct Asked {
    request: Request,
    response: Response,
}

impl Asking<'_> {
    /// Sends a request of the corpus's form; the answer, or why there is nothing to compare.
    fn ask(&self, template: &str) -> Known<Asked> {
        self.ask_with(template, &Request::default())
    }

    fn ask_with(&self, template: &str, hole: &Request) -> Known<Asked> {
        let request = fill(template.as_bytes(), hole, self.world)?;
        let reply = self.client.ask(&request.sent);
        match reply.responses.first() {
            Some(response) if response.status == 429 => {
                Err("the target answered 429: it is asked too often".to_owned())
            }
            Some(response) => Ok(Asked {
                request,
                response: response.clone(),
            }),
            None => Err(format!(
                "instead of an answer there was {}",
                shown_reply(&reply, self.world)
            )),
        }
    }

    fn shown(&self, response: &Response) -> String {
        shown_response(response, self.world)
    }

    fn shown_reply(&self, reply: &Reply) -> String {
        shown_reply(reply, self.world)
    }

    /// Held where `holds`, and otherwise what was sent and came back.
    fn judge(&self, holds: bool, why: &str, asked: &Asked, expected: impl Into<String>) -> Finding {
        if holds {
            return Finding::Held;
        }
        not_held(why, &asked.request, expected, self.shown(&asked.response))
    }
}

fn not_held(why: &str, request: &Request, expected: impl Into<String>, got: String) -> Finding {
    Finding::NotHeld(Failure {
        // Numbered where findings are collected.
        case: String::new(),
        why: why.to_owned(),
        sent: shown(&request.shown),
        expected: expected.into(),
        got,
    })
}

/// What is missing leaves a property open.
fn settled(found: Known<Finding>) -> Finding {
    found.unwrap_or_else(Finding::Unclear)
}

fn of(property: u8, found: Known<Finding>) -> (Property, Finding) {
    (Property(property), settled(found))
}
