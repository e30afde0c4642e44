//! `[cors]` on the way out. One voice: where the section is set, only the gateway speaks of CORS.

use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};

use super::Context;
use crate::answer::Answer;
use crate::cors::PREFLIGHT_VARY;
use crate::request::origin;

/// Says on an upstream's answer what the page that asked may do with it. What the upstream says goes: two
/// voices would make two `Access-Control-Allow-Origin`, which browsers take for none.
///
/// # Errors
/// Where the HTTP layer refuses a header.
pub(super) fn tell(
    response: &mut ResponseHeader,
    request: &RequestHeader,
    ctx: &Context,
) -> Result<()> {
    let Some(cors) = &ctx.current.snapshot.cors else {
        return Ok(());
    };
    let theirs: Vec<http::HeaderName> = response
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .cloned()
        .collect();
    for name in theirs {
        response.remove_header(&name);
    }
    for (name, value) in cors.lines(origin(&request.headers)) {
        response.insert_header(name, value)?;
    }
    match cors.vary() {
        Some(name) if !varies_by(response, name) => {
            response.append_header(http::header::VARY, name)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn varies_by(response: &ResponseHeader, wanted: &str) -> bool {
    let lines = response.headers.get_all(http::header::VARY);
    lines
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|name| name.trim() == "*" || name.trim().eq_ignore_ascii_case(wanted))
}

/// The same on an answer of our own, so that a page can read a refusal too. The answer to a preflight has
/// said all in granting it; where it was not granted, it says nothing that a browser could take for a yes.
pub(super) fn dress(answer: Answer, request: &RequestHeader, ctx: &Context) -> Answer {
    let Some(cors) = &ctx.current.snapshot.cors else {
        return answer;
    };
    if ctx.facts().is_ok_and(|facts| facts.preflight.is_some()) {
        return answer.vary(PREFLIGHT_VARY);
    }
    let told = cors
        .lines(origin(&request.headers))
        .fold(answer, |answer, (name, value)| answer.header(name, value));
    match cors.vary() {
        Some(name) => told.vary(name),
        None => told,
    }
}
