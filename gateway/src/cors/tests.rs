//! What browsers are told, against what the Fetch standard makes of it.

use proptest::prelude::*;

use super::*;
use crate::request::Method;

const APP: &str = "https://app.example.com";

fn listed(origins: &[&str], credentials: bool) -> Origins {
    Origins::Listed {
        origins: origins.iter().map(|o| (*o).to_owned()).collect(),
        credentials,
    }
}

fn cors(origins: Origins) -> Cors {
    Cors {
        origins,
        methods: ["GET", "POST", "PUT"].map(str::to_owned).to_vec(),
        headers: ["authorization", "content-type"]
            .map(str::to_owned)
            .to_vec(),
        expose_headers: "retry-after, x-total".to_owned(),
        max_age: 600,
    }
}

fn asked(origin: &str, method: &str, headers: &[&str]) -> Preflight {
    Preflight {
        origin: origin.to_owned(),
        method: Method::parse(method),
        headers: headers.iter().map(|h| (*h).to_owned()).collect(),
    }
}

fn value<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut lines = answer.headers.iter().filter(|(n, _)| *n == name);
    let first = lines.next().map(|(_, value)| value.as_str());
    assert_eq!(lines.next(), None, "{name} stands there twice");
    first
}

#[test]
fn p036_a_preflight_is_granted_where_everything_it_asks_is_listed() {
    let cors = cors(listed(&[APP, "http://localhost:5173"], false));
    for (origin, method, headers, want) in [
        (APP, "PUT", &["authorization", "content-type"][..], Ok(())),
        (APP, "GET", &[], Ok(())),
        ("http://localhost:5173", "POST", &["content-type"], Ok(())),
        // No origin but the very one: no other scheme, port, case, neighbour or part of a name.
        ("http://app.example.com", "PUT", &[], Err(Denied::Origin)),
        (
            "https://app.example.com:444",
            "PUT",
            &[],
            Err(Denied::Origin),
        ),
        ("https://App.example.com", "PUT", &[], Err(Denied::Origin)),
        (
            "https://app.example.com.evil.example",
            "PUT",
            &[],
            Err(Denied::Origin),
        ),
        (
            "https://evil-app.example.com",
            "PUT",
            &[],
            Err(Denied::Origin),
        ),
        ("https://x.app.example.com", "PUT", &[], Err(Denied::Origin)),
        ("https://app.example.com/", "PUT", &[], Err(Denied::Origin)),
        ("http://localhost", "PUT", &[], Err(Denied::Origin)),
        ("null", "PUT", &[], Err(Denied::Origin)),
        ("*", "PUT", &[], Err(Denied::Origin)),
        ("", "PUT", &[], Err(Denied::Origin)),
        (APP, "DELETE", &[], Err(Denied::Method)),
        // Browsers fold GET, POST and some others, and never PATCH: methods are case-sensitive.
        (APP, "put", &[], Err(Denied::Method)),
        (APP, "*", &[], Err(Denied::Method)),
        (APP, "", &[], Err(Denied::Method)),
        (
            APP,
            "PUT",
            &["authorization", "x-other"],
            Err(Denied::Header),
        ),
        (APP, "PUT", &["*"], Err(Denied::Header)),
        (APP, "PUT", &["\u{fffd}"], Err(Denied::Header)),
    ] {
        let got = cors.preflight(&asked(origin, method, headers));
        assert_eq!(
            got.clone().map(|_| ()),
            want,
            "{origin} {method} {headers:?}"
        );
        let Ok(answer) = got else { continue };
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        let told = [
            ("Access-Control-Allow-Origin", Some(origin)),
            ("Access-Control-Allow-Methods", Some("GET, POST, PUT")),
            (
                "Access-Control-Allow-Headers",
                Some("authorization, content-type"),
            ),
            ("Access-Control-Max-Age", Some("600")),
            ("Access-Control-Allow-Credentials", None),
            ("Access-Control-Expose-Headers", None),
            (
                "Vary",
                Some("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
            ),
        ];
        for (name, want) in told {
            assert_eq!(value(&answer, name), want, "{name}");
        }
    }
}

#[test]
fn p036_an_answer_may_be_read_by_pages_of_the_listed_origins() {
    let told = |cors: &Cors, origin: Option<&str>| {
        let lines = cors.lines(origin);
        lines
            .map(|(name, value)| format!("{name}: {value}"))
            .collect::<Vec<_>>()
    };
    const EXPOSED: &str = "Access-Control-Expose-Headers: retry-after, x-total";
    let with = cors(listed(&[APP], true));
    let without = cors(listed(&[APP], false));
    assert_eq!(
        told(&with, Some(APP)),
        [
            "Access-Control-Allow-Origin: https://app.example.com",
            "Access-Control-Allow-Credentials: true",
            EXPOSED
        ]
    );
    assert_eq!(
        told(&without, Some(APP)),
        [
            "Access-Control-Allow-Origin: https://app.example.com",
            EXPOSED
        ]
    );
    for origin in [None, Some("https://evil.example"), Some("null"), Some("")] {
        assert_eq!(told(&with, origin), [""; 0], "{origin:?}");
    }
    assert_eq!(
        (with.vary(), without.vary()),
        (Some("Origin"), Some("Origin"))
    );
    // The same for everybody: nothing to vary by.
    let any = cors(Origins::Any);
    for origin in [None, Some(APP), Some("null")] {
        assert_eq!(
            told(&any, origin),
            ["Access-Control-Allow-Origin: *", EXPOSED]
        );
    }
    assert_eq!(any.vary(), None);
    let silent = Cors {
        expose_headers: String::new(),
        ..any
    };
    assert_eq!(told(&silent, None), ["Access-Control-Allow-Origin: *"]);
}

proptest! {
    #[test]
    fn p036_a_star_never_stands_beside_credentials(
        any: bool,
        credentials: bool,
        origin in prop::sample::select(vec![APP, "https://b.example", "*", "null", ""]),
        method in prop::sample::select(vec!["GET", "PUT", "DELETE", "*"]),
        header in prop::sample::select(vec!["authorization", "x-a", "*"]),
    ) {
        let origins = if any { Origins::Any } else { listed(&[APP], credentials) };
        let cors = cors(origins);
        let mut told: Vec<(String, String)> = cors
            .lines(Some(origin))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let granted = cors.preflight(&asked(origin, method, &[header]));
        for lines in [
            std::mem::take(&mut told),
            granted
                .map(|answer| {
                    let own = |(name, value): (&str, String)| (name.to_owned(), value);
                    answer.headers.into_iter().map(own).collect()
                })
                .unwrap_or_default(),
        ] {
            let value = |wanted: &str| {
                let mut found = lines.iter().filter(|(name, _)| name == wanted);
                found.next().map(|(_, value)| value.as_str())
            };
            let allowed = value(ALLOW_ORIGIN);
            prop_assert!(allowed.is_none_or(|o| o == if any { "*" } else { APP }), "{:?}", allowed);
            prop_assert!(!(allowed == Some("*") && value(ALLOW_CREDENTIALS).is_some()));
            prop_assert!(allowed.is_some() || lines.is_empty());
            // `*` for anything else would let through what nobody listed.
            for name in ["Access-Control-Allow-Methods", "Access-Control-Allow-Headers"] {
                prop_assert!(value(name).is_none_or(|list| !list.contains('*')));
            }
        }
    }
}
