//! The service behind the fake gateway, and what it is asked.

use super::fake::{Ask, refused, respond};
use super::flaw::Flaw;

/// Everyone may read; writing needs a valid token.
pub(super) fn answer(
    flaw: Flaw,
    ask: &Ask<'_>,
    method: &str,
    credential: Option<bool>,
    opened: bool,
) -> String {
    let read = matches!(method, "GET" | "HEAD");
    let body = ask.has("transfer-encoding") || ask.all("content-length").iter().any(|l| *l != "0");
    let socket =
        ask.all("upgrade").iter().any(|u| u.contains("websocket")) && flaw != Flaw::SocketsAreReads;
    let query = ask
        .target
        .split_once('?')
        .map_or("", |(_, query)| query)
        .to_lowercase();
    let named = query.contains("method=") && flaw != Flaw::MethodInQuery;
    if read && body && flaw != Flaw::BodiesOnReads {
        return respond(400, "", "");
    }
    match credential {
        _ if opened => {}
        Some(false) => return super::credentials::bad(flaw, &ask.all("authorization")),
        Some(true) => {}
        None if read && !socket && !named => {}
        None if flaw == Flaw::Unnamed => {}
        None if flaw == Flaw::OpenOptions && method == "OPTIONS" => {}
        None => {
            let late =
                flaw == Flaw::ReadsTrailers && ask.body.to_lowercase().contains("authorization:");
            return refused(flaw, late);
        }
    }
    if flaw == Flaw::Unnamed && read && ask.target.starts_with("/gateway-selftest") {
        return respond(404, "", "");
    }
    let vary = if flaw == Flaw::NoVary {
        ""
    } else {
        "Vary: Authorization\r\n"
    };
    let trusted = if flaw == Flaw::TrustsOrigins && ask.has("origin") {
        "Access-Control-Allow-Origin: null\r\nAccess-Control-Allow-Credentials: true\r\n"
    } else {
        ""
    };
    let shown = if method == "HEAD" || !ask.target.starts_with("/echo") {
        "ok".to_owned()
    } else {
        forwarded(flaw, ask)
    };
    let answer = respond(200, &format!("{vary}{trusted}"), &shown);
    if method == "HEAD" {
        answer
            .split("\r\n\r\n")
            .next()
            .unwrap_or_default()
            .to_owned()
            + "\r\n\r\n"
    } else {
        answer
    }
}

/// What a service would be sent.
fn forwarded(flaw: Flaw, ask: &Ask<'_>) -> String {
    let target = if flaw == Flaw::MendsTargets {
        ask.target.replace("%2F", "/")
    } else {
        ask.target.to_owned()
    };
    let mut out = format!("{} {target} HTTP/1.1\n", ask.method);
    let nominated = ask.all("connection").join(",").to_lowercase();
    for name in [
        "X-Auth-Status: anonymous",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: http",
    ] {
        let dropped = nominated.contains(&name.to_lowercase()[..10]);
        if !(dropped && flaw == Flaw::DropsWhatConnectionNames) {
            out += &format!("{name}\n");
        }
    }
    for (name, value) in &ask.lines {
        let marker = name.eq_ignore_ascii_case("x-selftest-marker");
        let token = name.eq_ignore_ascii_case("authorization") && flaw == Flaw::ForwardsTokens;
        let lie = flaw == Flaw::ForwardsLies && value.contains("lie");
        if marker || token || lie {
            out += &format!("{name}: {value}\n");
        }
    }
    out
}
