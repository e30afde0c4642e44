//! The corpus holds what the module promises of it.

use super::*;
use crate::selftest::checks;
use crate::selftest::wire::Response;
use crate::selftest::world::{Plain, Published};

const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ";

/// A target at which everything was found.
fn complete() -> World {
    let plain = |target: &str| Plain {
        target: target.to_owned(),
        answer: Response {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            closes: true,
        },
    };
    World {
        host: "localhost:8080".to_owned(),
        random: "gateway-selftest-1".to_owned(),
        canary: plain("/tasks/"),
        open: Ok(plain("/tasks/")),
        closed: Ok(plain("/auth/users/")),
        write: Ok(plain("/tasks/gateway-selftest-1")),
        mixed: Ok(plain("/tasks/gateway-selftest-1")),
        judged: Ok("/auth/users/".to_owned()),
        scheme: Ok("Bearer".to_owned()),
        recorded: false,
        mount: Ok("/auth".to_owned()),
        published: Ok(Published {
            document: b"{}".to_vec(),
            keys: vec![serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" })],
        }),
        token: Ok(TOKEN.to_owned()),
        user: Ok("admin".to_owned()),
        echo: Ok("/echo".to_owned()),
        slow: false,
    }
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

fn ready(world: &World) -> Vec<(Case, Request)> {
    let ready = |case: Case| {
        let send = case
            .send
            .clone()
            .unwrap_or_else(|why| panic!("{}: {why}", case.why));
        (case, send)
    };
    cases(world).into_iter().map(ready).collect()
}

#[test]
fn every_case_is_of_a_listed_property_and_every_property_has_one() {
    let world = complete();
    let mut seen: Vec<Property> = cases(&world).iter().map(|case| case.property).collect();
    for check in checks::all() {
        seen.extend(check.properties.iter().map(|number| Property(*number)));
    }
    for property in &seen {
        assert!(
            PROPERTIES.iter().any(|(known, _)| known == property),
            "{property}"
        );
    }
    for (property, title) in PROPERTIES {
        assert!(seen.contains(property), "{property}: {title}");
    }
    assert!(PROPERTIES.is_sorted_by_key(|(property, _)| *property));
}

#[test]
fn no_name_is_left_in_a_request() {
    for (case, send) in ready(&complete()) {
        let text = String::from_utf8_lossy(&send.sent).into_owned();
        for piece in text.split('{').skip(1) {
            let name = piece.split('}').next().unwrap_or_default();
            let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase());
            assert!(!is_name, "{}: {{{name}}} in {text}", case.why);
        }
    }
}

#[test]
fn a_valid_token_goes_with_reads_alone_and_is_never_shown() {
    let mut with_token = 0;
    for (case, send) in ready(&complete()) {
        let holds = send
            .sent
            .windows(TOKEN.len())
            .any(|window| window == TOKEN.as_bytes());
        if holds {
            with_token += 1;
            assert!(send.sent.starts_with(b"GET "), "{}", case.why);
        }
        let shown = String::from_utf8_lossy(&send.shown).into_owned();
        assert!(!shown.contains("eyJ"), "{}: {shown}", case.why);
    }
    assert!(with_token > 20, "only {with_token}");
}

#[test]
fn a_write_names_an_address_that_is_made_up_or_the_gateways_own() {
    let mut writes = 0;
    for (case, send) in ready(&complete()) {
        let line = first_line(&send.sent).to_lowercase();
        if ["post ", "put ", "patch ", "delete "]
            .iter()
            .any(|method| line.starts_with(method))
        {
            writes += 1;
            let harmless = line.contains("selftest-1") || line.contains(" /auth/ ");
            assert!(harmless, "{}: {line}", case.why);
        }
    }
    assert!(writes > 80, "only {writes}");
}

#[test]
fn what_is_missing_is_said_and_nothing_is_sent() {
    let world = World {
        token: Err("no token".to_owned()),
        ..complete()
    };
    for case in cases(&world)
        .iter()
        .filter(|case| matches!(case.property.0, 57 | 58 | 71 | 72))
    {
        assert_eq!(
            case.send.as_ref().err().map(String::as_str),
            Some("no token"),
            "{}",
            case.why
        );
    }
    // Made from scratch, the refusal of a forged token shows nothing.
    let forged: Vec<Case> = cases(&world)
        .into_iter()
        .filter(|case| matches!(case.property.0, 59..=61))
        .collect();
    assert!(forged.len() > 20 && forged.iter().all(|case| case.vacuous.is_some()));
    assert!(cases(&complete()).iter().all(|case| case.vacuous.is_none()));
}
