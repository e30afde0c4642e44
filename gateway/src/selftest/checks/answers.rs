//! Answers beside each other: what must be alike is alike, and what must differ differs.

use serde_json::Value;

use super::{Asking, Check, of};
use crate::selftest::report::{Finding, Property};
use crate::selftest::template::Request;
use crate::selftest::wire::Response;
use crate::selftest::world::{Known, NO_TOKEN};

pub(super) const CHECKS: &[Check] = &[
    Check {
        properties: &[15],
        run: trailers,
    },
    Check {
        properties: &[35],
        run: head_as_get,
    },
    Check {
        properties: &[36],
        run: origins,
    },
    Check {
        properties: &[76],
        run: bad_tokens,
    },
    Check {
        properties: &[77],
        run: challenges,
    },
    Check {
        properties: &[79],
        run: published_keys,
    },
    Check {
        properties: &[126],
        run: varies,
    },
];

/// With `Authorization: {scheme} …`, where there is one.
const SIGNED: &str = "Authorization: {scheme} {}\r\n";

fn get(target: &str, more: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {{host}}\r\n{more}Connection: close\r\n\r\n")
}

/// A credential in a trailer: were it read, the refusal would be that of a bad token.
fn trailers(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let post = |more: &str, trailer: &str| {
        format!(
            "POST {{write}} HTTP/1.1\r\nHost: {{host}}\r\n{more}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n{trailer}\r\n"
        )
    };
    let bad = format!("Authorization: {{scheme}} {NO_TOKEN}\r\n");
    let found = (|| {
        let anonymous = asking.ask(&post("", ""))?;
        let refused = asking.ask(&post(&bad, ""))?;
        let trailing = asking.ask(&post("Trailer: Authorization\r\n", &bad))?;
        if told(&anonymous.response) == told(&refused.response) {
            return Err("a bad token and none are answered alike, so it cannot be seen whether a trailer was read".to_owned());
        }
        let alike = told(&trailing.response) == told(&anonymous.response);
        let expected = format!(
            "as without a trailer: {}",
            asking.shown(&anonymous.response)
        );
        Ok(asking.judge(
            alike,
            "a credential in a trailer (RFC 9110 §6.5.1)",
            &trailing,
            expected,
        ))
    })();
    vec![of(15, found)]
}

/// What an answer tells, but for when and for what differs from request to request anyway.
pub(super) fn told(response: &Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| {
            !matches!(
                name.as_str(),
                "date" | "x-request-id" | "retry-after" | "connection" | "keep-alive"
            )
        })
        .collect();
    headers.sort();
    (response.status, headers, response.body.clone())
}

fn head_as_get(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let bad = format!("Authorization: {{scheme}} {NO_TOKEN}\r\n");
    let targets = [
        ("{open}", ""),
        ("{open}", bad.as_str()),
        ("{closed}", ""),
        ("{closed}", &bad),
        ("{mixed}", ""),
        ("{mixed}?_method=DELETE", ""),
        ("/{random}", ""),
    ];
    let compare = |(target, more): (&str, &str)| {
        let template = get(target, more);
        let got = asking.ask(&template)?;
        let head = asking.ask(&template.replacen("GET", "HEAD", 1))?;
        let (get, head_status) = (got.response.status, head.response.status);
        // A service may serve HEAD otherwise than GET; what counts is that it was asked both times or never.
        if is_verdict(get) || is_verdict(head_status) || get == head_status {
            let why = "HEAD where GET has another verdict (RFC 9110 §9.3.2)";
            return Ok(asking.judge(get == head_status, why, &head, format!("{get}, as GET")));
        }
        Err(format!(
            "the service answers {get} to GET and {head_status} to HEAD"
        ))
    };
    targets
        .into_iter()
        .map(|target| of(35, compare(target)))
        .collect()
}

/// A refusal that is the gateway's.
fn is_verdict(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 421)
}

/// A page of somebody else must not read what a browser's credentials open (Fetch §3.2.3).
fn origins(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let origin = "https://{random}.invalid";
    let requests = [
        format!(
            "OPTIONS {{write}} HTTP/1.1\r\nHost: {{host}}\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: DELETE\r\nConnection: close\r\n\r\n"
        ),
        get("{open}", &format!("Origin: {origin}\r\n")),
        get("{open}", "Origin: null\r\n"),
    ];
    let compare = |template: &String| {
        let asked = asking.ask(template)?;
        let allowed = asked
            .response
            .header("access-control-allow-origin")
            .is_some();
        let with = asked
            .response
            .lists("access-control-allow-credentials", "true");
        let why = "a foreign origin that may use credentials";
        Ok(asking.judge(
            !(allowed && with),
            why,
            &asked,
            "no Access-Control-Allow-Credentials for this origin",
        ))
    };
    let mut findings: Vec<_> = requests
        .iter()
        .map(|template| of(36, compare(template)))
        .collect();
    // That is open where it was recorded so.
    if !asking.world.recorded {
        let options = "OPTIONS {write} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n";
        let found = asking.ask(options).map(|asked| {
            let shut = matches!(asked.response.status, 400 | 401 | 403 | 404 | 405);
            asking.judge(
                shut,
                "an OPTIONS that is no preflight",
                &asked,
                "401, or 400, 403, 404 or 405",
            )
        });
        findings.push(of(36, found));
    }
    findings
}

fn bad_tokens(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    // In its own words, a token names its key and holder: neither comes back.
    let name = &asking.world.random;
    let made = |header: Value, claims: Value| {
        use base64::Engine;
        let part = |value: Value| {
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
        };
        format!("{}.{}.c2lnbmF0dXJl", part(header), part(claims))
    };
    let tokens = [
        NO_TOKEN.to_owned(),
        "x.y".to_owned(),
        made(
            serde_json::json!({ "alg": "none" }),
            serde_json::json!({ "sub": name }),
        ),
        made(
            serde_json::json!({ "alg": "HS256", "kid": name }),
            serde_json::json!({ "iss": name }),
        ),
        made(
            serde_json::json!({ "alg": "EdDSA", "typ": "at+jwt" }),
            serde_json::json!({ "exp": 1, "username": name }),
        ),
    ];
    let template = get("{judged}", SIGNED);
    let ask = |token: &String| asking.ask_with(&template, &Request::plain(token.as_str()));
    let first = ask(&NO_TOKEN.to_owned());
    let compare = |token: &String| -> Known<Finding> {
        let (first, asked) = (first.as_ref().map_err(String::clone)?, ask(token)?);
        let echoed = asked.response.text().contains(name.as_str());
        let alike = asking.world.recorded || told(&asked.response) == told(&first.response);
        let refused = matches!(asked.response.status, 400 | 401);
        let expected = format!("as for any other: {}", asking.shown(&first.response));
        Ok(asking.judge(
            refused && alike && !echoed,
            "a token that is bad in its own way",
            &asked,
            expected,
        ))
    };
    tokens.iter().map(|token| of(76, compare(token))).collect()
}

/// RFC 6750 §3: an error only where something was sent.
fn challenges(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let bearer = asking
        .world
        .scheme
        .as_ref()
        .is_ok_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    let judge = |template: &str, error: bool| -> Known<Finding> {
        let asked = asking.ask(template)?;
        let all: Vec<&str> = asked.response.all("www-authenticate").collect();
        let fits = match all.as_slice() {
            [one] if bearer && error => one.contains("error=\"invalid_token\""),
            [one] => !one.contains("error="),
            _ => false,
        };
        let expected = match (bearer, error) {
            (true, true) => "401 with one WWW-Authenticate, with error=\"invalid_token\"",
            (true, false) => "401 with one WWW-Authenticate, without an error",
            (false, _) => "401 with one WWW-Authenticate",
        };
        Ok(asking.judge(
            asked.response.status == 401 && fits,
            "the challenge",
            &asked,
            expected,
        ))
    };
    let delete = "DELETE {write} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n";
    let bad = SIGNED.replace("{}", NO_TOKEN);
    vec![
        of(77, judge(delete, false)),
        of(77, judge(&get("{closed}", ""), false)),
        of(77, judge(&get("{judged}", &bad), true)),
    ]
}

/// RFC 7518 §6: what only the owner of a key has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

fn published_keys(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let found = asking
        .world
        .published
        .as_ref()
        .map_err(String::clone)
        .map(|published| {
            let leaking = published.keys.iter().any(|key| {
                PRIVATE.iter().any(|name| key.get(name).is_some())
                    || key.get("kty").and_then(Value::as_str) == Some("oct")
            });
            if !leaking {
                return Finding::Held;
            }
            let sent = Request::plain(
                get(crate::selftest::world::KEYS_PATH, "").replace("{host}", &asking.world.host),
            );
            // Not shown: it is what must not be known.
            super::not_held(
                "private members, or a symmetric key",
                &sent,
                "public members alone",
                "a key set with secrets".to_owned(),
            )
        });
    vec![of(79, found)]
}

fn varies(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    if asking.world.recorded {
        let why = "in the profile drf-jwt answers carry the recorded Vary, which does not name Authorization: keep shared caches away";
        return vec![of(126, Err(why.to_owned()))];
    }
    let found = asking.ask(&get("{mixed}", "")).map(|asked| {
        let response = &asked.response;
        let private = ["no-store", "private"]
            .iter()
            .any(|word| response.lists("cache-control", word));
        let varies = response.lists("vary", "authorization") || response.lists("vary", "*");
        let why = "a cache that shares an answer which depends on who asks (RFC 9111 §4.1)";
        asking.judge(
            varies || private,
            why,
            &asked,
            "Vary: Authorization, or no-store or private",
        )
    });
    vec![of(126, found)]
}
