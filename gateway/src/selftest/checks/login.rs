//! The log-in: two attempts with wrong passwords, and never a right one.

use super::answers::told;
use super::{Asking, Check, of};
use crate::selftest::report::{Finding, Property};
use crate::selftest::template::Request;
use crate::selftest::world::Known;

pub(super) const CHECKS: &[Check] = &[
    Check {
        properties: &[97],
        run: unknown_names,
    },
    Check {
        properties: &[105],
        run: repeated_members,
    },
    Check {
        properties: &[106],
        run: answers_with_tokens,
    },
    Check {
        properties: &[109],
        run: one_address,
    },
];

const POST_JSON: &str = "POST {mount}{}Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n";

/// The head of a POST to an address below the mount, and its body.
fn post(path: &str, body: &str) -> String {
    POST_JSON.replace("{}", &format!("{path} HTTP/1.1\r\nHost: {{host}}\r\n")) + body
}

fn unknown_names(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let found = (|| {
        let user = asking.world.user.as_ref().map_err(String::clone)?;
        let attempt = |name: &str| {
            let body = serde_json::json!({ "username": name, "password": format!("not it: {}", asking.world.random) });
            asking.ask_with(&post("/", "{}"), &Request::plain(body.to_string()))
        };
        let known = attempt(user)?;
        let unknown = attempt(&asking.world.random)?;
        let refused = matches!(unknown.response.status, 400 | 401 | 403);
        let alike = told(&known.response) == told(&unknown.response);
        let expected = format!(
            "as for a user who exists: {}",
            asking.shown(&known.response)
        );
        Ok(asking.judge(
            refused && alike,
            "a name that nobody has",
            &unknown,
            expected,
        ))
    })();
    vec![of(97, found)]
}

/// Two readers would log in two names. The recorded contract takes the last.
fn repeated_members(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    if asking.world.recorded {
        let why = "the recorded contract takes the last of a repeated member";
        return vec![(Property(105), Finding::NotHere(why.to_owned()))];
    }
    let body = r#"{"username":"{random}","username":"{random}","password":"{random}"}"#;
    let found = asking.ask(&post("/", body)).map(|asked| {
        let refused = asked.response.status == 400;
        asking.judge(
            refused,
            "a log-in with two names (RFC 8259 §4)",
            &asked,
            "400",
        )
    });
    vec![of(105, found)]
}

/// The gateway's own address gives a valid token back, and changes nothing.
fn answers_with_tokens(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let judge = || -> Known<Finding> {
        let asked = asking.ask(&post("/verify/", r#"{"token":"{token}"}"#))?;
        if asked.response.status != 200 {
            return Err(format!(
                "the address that verifies tokens answered {}",
                asked.response.status
            ));
        }
        let kept_out = asked.response.lists("cache-control", "no-store");
        Ok(asking.judge(
            kept_out,
            "an answer that holds a token",
            &asked,
            "Cache-Control: no-store",
        ))
    };
    vec![of(106, judge())]
}

/// With and without the last slash.
fn one_address(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let judge = || -> Known<Finding> {
        let (with, without) = (
            asking.ask(&post("/", "{ }"))?,
            asking.ask(&post("", "{ }"))?,
        );
        let alike = told(&with.response) == told(&without.response);
        let expected = format!("as with it: {}", asking.shown(&with.response));
        Ok(asking.judge(
            alike,
            "the log-in without its last slash",
            &without,
            expected,
        ))
    };
    vec![of(109, judge())]
}
