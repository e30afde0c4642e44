//! Hosts that are and are not named, addresses that no rule names, and those of the administration.

use super::{Asking, Check, of};
use crate::selftest::report::{Finding, Property};
use crate::selftest::template::Request;
use crate::selftest::world::Known;

pub(super) const CHECKS: &[Check] = &[
    Check {
        properties: &[25],
        run: hosts,
    },
    Check {
        properties: &[118],
        run: administration,
    },
    Check {
        properties: &[119],
        run: no_rule,
    },
];

const GET_OPEN: &str = "GET {open} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n";

fn hosts(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let host = asking.world.host.as_str();
    // IPv6 addresses have colons of their own.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, format!(":{port}")),
        _ => (host, String::new()),
    };
    let ask = |host: &str| asking.ask_with(GET_OPEN, &Request::plain(host));
    let alike = |other: String| -> Known<Finding> {
        let (plain, asked) = (ask(host)?, ask(&other)?);
        let expected = format!("{}, as for {host}", plain.response.status);
        let alike = plain.response.status == asked.response.status;
        Ok(asking.judge(
            alike,
            "the same host, written otherwise (RFC 9110 §4.2.3)",
            &asked,
            expected,
        ))
    };
    let mut findings = vec![of(25, alike(format!("{}{port}", name.to_uppercase())))];
    // An IP address has no last dot.
    if !name.starts_with('[') && name.parse::<std::net::IpAddr>().is_err() {
        findings.push(of(25, alike(format!("{name}.{port}"))));
    }
    let foreign = (|| {
        let (plain, asked) = (ask(host)?, ask("{random}.invalid")?);
        if plain.response.status == asked.response.status {
            return Err("the target serves every host name; `hosts` in its configuration names those that are its own".to_owned());
        }
        let refused = matches!(asked.response.status, 400 | 403 | 404 | 421);
        Ok(asking.judge(
            refused,
            "a host that nobody has named",
            &asked,
            "400, 403, 404 or 421",
        ))
    })();
    findings.push(of(25, foreign));
    findings
}

fn administration(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let get = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n\r\n")
    };
    let judge = |target: &str| -> Known<Finding> {
        // Who refuses everything shows nothing.
        asking.world.canary()?;
        let asked = asking.ask(&get(target))?;
        let text = asked.response.text();
        let ours =
            text.contains("# TYPE gateway_") || text.contains("\"reasons\"") || text == "ok\n";
        if ours {
            let why = "a page of the admin listener, on the listener of the clients";
            return Ok(asking.judge(
                false,
                why,
                &asked,
                "404, or an answer of the service behind",
            ));
        }
        if asked.response.status >= 400 || target == "/metrics" {
            return Ok(Finding::Held);
        }
        // The service's own, if it answers any address like this.
        let other = asking.ask(&get("/{random}"))?;
        let random = format!("/{}", asking.world.random);
        if other.response.text().replace(&random, "") == text.replace(target, "") {
            return Ok(Finding::Held);
        }
        Err(format!(
            "{target} was answered {}, perhaps by the service itself",
            asked.response.status
        ))
    };
    ["/metrics", "/livez", "/readyz"]
        .into_iter()
        .map(|target| of(118, judge(target)))
        .collect()
}

/// A read and a write that both are 404 are covered by no rule: a rule for either would have asked for a token
/// or let it through.
fn no_rule(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let ask = |method: &str| {
        asking.ask(&format!(
            "{method} /{{random}} HTTP/1.1\r\nHost: {{host}}\r\nConnection: close\r\n\r\n"
        ))
    };
    let found = (|| {
        let (read, write) = (ask("GET")?, ask("DELETE")?);
        match (read.response.status, write.response.status) {
            (403 | 404, 403 | 404) => Ok(Finding::Held),
            (403 | 404, 200..300) => {
                let why = "a write to an address that is nobody's";
                Ok(asking.judge(false, why, &write, "404, as for the read"))
            }
            (_, 401) => Err("a rule covers every address".to_owned()),
            (_, status) => Err(format!(
                "a write to an address that nobody has named was answered {status}: is there a rule for it?"
            )),
        }
    })();
    vec![of(119, found)]
}
