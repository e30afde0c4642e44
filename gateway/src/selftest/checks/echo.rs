//! What the service behind is sent, where its answer shows it.

use super::{Asking, Check, of};
use crate::selftest::report::{Finding, Property};
use crate::selftest::template::Request;
use crate::selftest::world::{Known, MARKER_HEADER};

pub(super) const CHECKS: &[Check] = &[
    Check {
        properties: &[16],
        run: targets,
    },
    Check {
        properties: &[32],
        run: |asking| lies(asking, 32, OVERRIDES),
    },
    Check {
        properties: &[37],
        run: |asking| lies(asking, 37, IDENTITIES),
    },
    Check {
        properties: &[44],
        run: |asking| lies(asking, 44, ALIASES),
    },
    Check {
        properties: &[47],
        run: |asking| lies(asking, 47, ORIGINS),
    },
    Check {
        properties: &[40],
        run: authorization,
    },
    Check {
        properties: &[46],
        run: nominated,
    },
];

const OVERRIDES: &[&str] = &[
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X_HTTP_Method_Override",
    "x-http-method-OVERRIDE",
];

const IDENTITIES: &[&str] = &[
    "X-Auth-User",
    "X-Auth-User-Id",
    "X-Auth-Email",
    "X-Auth-Roles",
    "X-Auth-Status",
    "X-Gateway-Secret",
    "Remote-User",
    "Remote-Groups",
    "X-Remote-User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Consumer-Id",
    "X-Consumer-Username",
];

const ALIASES: &[&str] = &[
    "X_Auth_User",
    "x-AUTH_user",
    "X_AUTH_ROLES",
    "X.Auth.User",
    "Remote_User",
    "X_Forwarded_User",
    "X_Gateway_Secret",
];

const ORIGINS: &[&str] = &[
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Uri",
    "X-Real-IP",
    "X-Original-URL",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X-Envoy-External-Address",
    "CF-Connecting-IP",
    "True-Client-IP",
    "X_Forwarded_For",
];

/// `more` goes on where `Connection: close` stands.
fn get(target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {{host}}\r\n{MARKER_HEADER}: {{random}}\r\nConnection: close{more}\r\n\r\n"
    )
}

/// Asks the echo; the marker shows that the answer is one.
fn echoed(asking: &Asking<'_>, more: &str) -> Known<super::Asked> {
    let asked = asking.ask(&get("{echo}", more))?;
    if asked.response.status == 200 && asked.response.text().contains(&asking.world.random) {
        return Ok(asked);
    }
    Err(format!(
        "the echo answered {} and does not show the request",
        asked.response.status
    ))
}

/// Each header with a value that nothing else has.
fn lies(asking: &Asking<'_>, property: u8, names: &[&str]) -> Vec<(Property, Finding)> {
    let lie = |name: &str| -> Known<Finding> {
        let asked = echoed(asking, &format!("\r\n{name}: lie.invalid"))?;
        let absent = !asked.response.text().contains("lie.invalid");
        Ok(asking.judge(
            absent,
            "a header that only the gateway may set",
            &asked,
            "an echo without it",
        ))
    };
    names.iter().map(|name| of(property, lie(name))).collect()
}

fn targets(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let more = ["", "?x=%2F&y=%00", "?a=b?c", "?a=../../b", "?", "?a=%C3%A4"];
    let judge = |more: &str| -> Known<Finding> {
        let echo = asking.world.echo.as_ref().map_err(String::clone)?;
        let target = format!("{echo}{more}");
        let asked = asking.ask_with(&get("{}", ""), &Request::plain(target.as_str()))?;
        if asked.response.status == 400 {
            return Ok(Finding::Held);
        }
        if !asking
            .ask(&get("{echo}", ""))?
            .response
            .text()
            .contains(echo.as_str())
        {
            return Err("the echo shows headers, but not the target of the request".to_owned());
        }
        let same = asked
            .response
            .text()
            .contains(&format!("{target} HTTP/1.1"));
        Ok(asking.judge(
            same,
            "a target in an unusual form",
            &asked,
            format!("an echo with {target} HTTP/1.1, or 400"),
        ))
    };
    more.iter().map(|more| of(16, judge(more))).collect()
}

fn authorization(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let judge = || -> Known<Finding> {
        let token = asking.world.token.as_ref().map_err(String::clone)?;
        let asked = echoed(asking, "\r\nAuthorization: {scheme} {token}")?;
        let absent = !asked.response.text().contains(token.as_str());
        let why = "a service that collects tokens; a rule can allow it (forward_authorization)";
        Ok(asking.judge(absent, why, &asked, "an echo without the token"))
    };
    vec![of(40, judge())]
}

/// RFC 9110 §7.6.1: a proxy removes what `Connection` names, which must not be what it says itself.
fn nominated(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let shows = |asked: &super::Asked, name: &str| {
        asked
            .response
            .text()
            .to_ascii_lowercase()
            .contains(&name.to_ascii_lowercase())
    };
    let plain = echoed(asking, "");
    let judge = |name: &str| -> Known<Finding> {
        let plain = plain.as_ref().map_err(String::clone)?;
        if !shows(plain, name) {
            return Err(format!("the service is told no {name}"));
        }
        let asked = asking.ask(&get("{echo}", &format!(", {name}")))?;
        let same = asked.response.status == 400 || shows(&asked, name);
        let expected = format!("an echo with {name}, as otherwise, or 400");
        Ok(asking.judge(same, "our headers, named in Connection", &asked, expected))
    };
    ["X-Auth-Status", "X-Forwarded-For", "X-Forwarded-Proto"]
        .into_iter()
        .map(|name| of(46, judge(name)))
        .collect()
}
