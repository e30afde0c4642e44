//! Tokens that bring a key or name where one lies: they are refused, and nobody comes for the key.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::{Asking, Check, not_held, of, settled};
use crate::selftest::forged::bringing_a_key;
use crate::selftest::report::{Finding, Property};
use crate::selftest::template::Request;
use crate::selftest::world::Known;

pub(super) const CHECKS: &[Check] = &[Check {
    properties: &[68],
    run: keys,
}];

const ASK: &str = "GET {judged} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scheme} {}\r\nConnection: close\r\n\r\n";

fn keys(asking: &Asking<'_>) -> Vec<(Property, Finding)> {
    let listener = match listen() {
        Ok(listener) => listener,
        Err(why) => return vec![of(68, Err(why))],
    };
    let url = match listener.local_addr() {
        Ok(addr) => format!("http://{addr}/keys"),
        Err(error) => return vec![of(68, Err(error.to_string()))],
    };
    let forgeries = match bringing_a_key(asking.world, &url) {
        Ok(forgeries) => forgeries,
        Err(why) => return vec![of(68, Err(why))],
    };
    let mut findings = Vec::new();
    for forgery in forgeries {
        let judge = || -> Known<Finding> {
            let request = Request::secret(forgery.token?, &format!("<a token: {}>", forgery.why));
            let asked = asking.ask_with(ASK, &request)?;
            // It would have come before the answer.
            let came = listener.accept().is_ok();
            if came {
                let got = format!(
                    "a connection to {url}, then {}",
                    asking.shown(&asked.response)
                );
                return Ok(not_held(
                    &forgery.why,
                    &asked.request,
                    "401, and no connection",
                    got,
                ));
            }
            let denied = matches!(asked.response.status, 400 | 401);
            let judged = asking.judge(denied, &forgery.why, &asked, "401");
            Ok(judged)
        };
        findings.push((Property(68), settled(judge())));
    }
    if !asking.client.target().is_loopback() {
        let why = "a target elsewhere could not reach this machine's loopback to fetch a key: run it beside the gateway";
        findings.push(of(68, Err(why.to_owned())));
    } else if asking.world.token.is_err() {
        let why = "refused and nothing fetched, but from scratch; --token-file or --token-stdin gives a valid token to make them from";
        findings.push(of(68, Err(why.to_owned())));
    }
    findings
}

fn listen() -> Known<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    match listener.set_nonblocking(true) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error.to_string()),
        _ => Ok(listener),
    }
}
