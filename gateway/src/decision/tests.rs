//! The decision against a second, simpler reading of the same rules.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::auth::keys::{KeyMaterial, TokenAlgorithm};
use crate::auth::token::{ClaimSet, Session, mint};
use crate::policy::RuleSpec;
use crate::request::CanonicalPath;
use crate::user::{User, UserId, Version};

mod generated;

const NOW: UnixSeconds = 1_700_000_000;

fn user(id: u64, name: &str, roles: &[&str], active: bool) -> User {
    User {
        id: UserId(id),
        username: name.to_owned(),
        email: String::new(),
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        active,
        epoch: 0,
        version: Version(id),
        created_at: 0,
    }
}

fn rule(path: &str, access: Access) -> RuleSpec {
    RuleSpec {
        path: path.to_owned(),
        methods: Vec::new(),
        target: Target::Upstream(UpstreamId::new(0)),
        access,
        allow: None,
        allow_get_body: false,
        websocket: true,
        forward_authorization: false,
    }
}

fn snapshot(habits: Habits) -> Snapshot {
    let rules = vec![
        rule("/admin/**", Access::Roles(vec!["admin".to_owned()])),
        rule("/token/**", Access::Token),
        rule("/read/**", Access::ReadPublic),
        rule("/**", Access::Public),
    ];
    let secret = KeyMaterial {
        kid: "s".to_owned(),
        algorithm: TokenAlgorithm::Hs256,
        bytes: vec![7; 32].into(),
    };
    let users = vec![
        user(1, "admin", &["admin"], true),
        user(2, "bob", &[], true),
        user(3, "carol", &["admin"], false),
    ];
    Snapshot {
        policy: Arc::new(Policy::compile(rules, None, &["/people".to_owned()]).unwrap()),
        token_rules: Arc::new(TokenRules {
            claims: ClaimSet::AccessToken,
            issuer: "gateway".to_owned(),
            audience: "api".to_owned(),
            ttl: 300,
            leeway: 0,
            refresh_limit: 0,
            legacy: false,
        }),
        habits: Arc::new(habits),
        keys: Arc::new(KeyRing::new(&[secret]).unwrap()),
        view: Arc::new(View::new(Version(3), users)),
        external: Arc::default(),
    }
}

fn plain(method: &str, path: &str) -> RequestFacts {
    RequestFacts {
        method: Method::parse(method),
        path: CanonicalPath::parse(path).expect(path),
        query: None,
        host: "a".to_owned(),
        authority: "a".to_owned(),
        credential: Credential::None,
        body: Body::Empty,
        upgrade: Upgrade::None,
        preflight: false,
        query_overrides_method: false,
        expects_continue: false,
    }
}

fn status(rules: Vec<RuleSpec>, guarded: &str, path: &str) -> u16 {
    let habits = Habits::standard();
    let snapshot = Snapshot {
        policy: Arc::new(Policy::compile(rules, None, &[guarded.to_owned()]).unwrap()),
        ..snapshot(habits.clone())
    };
    match decide(&snapshot, &plain("GET", path), NOW).decision {
        Decision::Forward(_) => 200,
        Decision::Refuse(refusal) => refusal.status(&habits),
        Decision::Answer(..) => 0,
    }
}

#[test]
fn p024_patterns_with_capitals_hold_for_every_case() {
    let rules = || {
        vec![
            rule("/Admin/**", Access::Roles(vec!["admin".to_owned()])),
            rule("/**", Access::Public),
        ]
    };
    for path in [
        "/Admin/x",
        "/admin/x",
        "/ADMIN/x",
        "//admin/x",
        "/%61dmin/x",
        "/%2541dmin/x",
    ] {
        assert_eq!(status(rules(), "/People", path), 401, "{path}");
    }
    for path in [
        "/People/1",
        "/people/1",
        "/PEOPLE/1",
        "/%2570eople/1",
        "/people./1",
        "//People/1",
    ] {
        assert_eq!(status(rules(), "/People", path), 404, "{path}");
    }
    assert_eq!(status(rules(), "/People", "/administrator"), 200);
}

#[test]
fn p020_a_reading_without_a_rule_closes_what_another_opens() {
    let rules = || vec![rule("/Public/**", Access::Public)];
    for path in [
        "/Public/..%252fx",
        "/Public/%252e%252e/x",
        "/Public/.%252e/x",
        "/Public/%255c..%255cx",
    ] {
        assert_eq!(status(rules(), "/people", path), 404, "{path}");
    }
    for path in [
        "/Public/x",
        "/Public/Read%20Me",
        "/Public//x",
        "/Public/x;y=z",
        "/Public/100%25",
    ] {
        assert_eq!(status(rules(), "/people", path), 200, "{path}");
    }
}

/// Who presents what.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bearer {
    Nobody,
    Admin,
    Bob,
    Carol,
    Expired,
    Forged,
    Malformed,
}

impl Bearer {
    fn credential(self, snapshot: &Snapshot) -> Credential {
        let minted = |id: u64, now: UnixSeconds| {
            let user = snapshot.view.user(UserId(id)).unwrap();
            let session = Session {
                jti: "j".to_owned(),
                sid: "s".to_owned(),
            };
            let key = snapshot.keys.signing().unwrap();
            mint(user, key, &snapshot.token_rules, &session, &json!(now), now).unwrap()
        };
        match self {
            Self::Nobody => Credential::None,
            Self::Admin => Credential::One(minted(1, NOW)),
            Self::Bob => Credential::One(minted(2, NOW)),
            Self::Carol => Credential::One(minted(3, NOW)),
            Self::Expired => Credential::One(minted(1, NOW - 300)),
            Self::Forged => Credential::One(minted(1, NOW).replace('a', "b")),
            Self::Malformed => Credential::Malformed(crate::auth::credential::Malformed::Grammar),
        }
    }

    fn user(self) -> Option<u64> {
        match self {
            Self::Admin => Some(1),
            Self::Bob => Some(2),
            _ => None,
        }
    }
}

/// The path as the most forgiving server would read it.
fn forgiving(path: &str) -> String {
    let mut text = path.to_lowercase();
    for _ in 0..4 {
        text = percent_encoding::percent_decode_str(&text)
            .decode_utf8_lossy()
            .to_lowercase();
    }
    let segments = text.split('/').map(|s| {
        s.split(';')
            .next()
            .unwrap_or_default()
            .trim_end_matches('.')
    });
    let mut kept: Vec<&str> = Vec::new();
    for segment in segments.filter(|s| !s.is_empty()) {
        kept.push(segment);
    }
    format!("/{}", kept.join("/"))
}

prop_compose! {
    fn paths()(
        head in prop::sample::select(vec!["/admin", "/Admin", "//admin", "/%61dmin", "/%2561dmin", "/admin;x", "/admin.", "/token", "/TOKEN", "/read", "/read", "/read", "/r%65ad", "/open", "/", "/people", "/PEOPLE", "//people", "/x"]),
        tail in prop::sample::select(vec!["", "/", "/1", "//1", "/1;a=b", "/%31"]),
    ) -> String {
        format!("{head}{tail}").replacen("///", "//", 1)
    }
}

fn bearers() -> impl Strategy<Value = Bearer> {
    prop_oneof![
        6 => Just(Bearer::Nobody),
        1 => Just(Bearer::Admin),
        1 => Just(Bearer::Bob),
        1 => Just(Bearer::Carol),
        1 => Just(Bearer::Expired),
        1 => Just(Bearer::Forged),
        1 => Just(Bearer::Malformed),
    ]
}

fn methods() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("GET"),
        2 => Just("HEAD"),
        2 => Just("OPTIONS"),
        4 => prop::sample::select(vec!["POST", "PUT", "PATCH", "DELETE"]),
        2 => prop::sample::select(vec!["TRACE", "TRACK", "CONNECT", "get", "FOO", "QUERY"]),
    ]
}

fn bodies() -> impl Strategy<Value = Body> {
    prop_oneof![4 => Just(Body::Empty), 1 => Just(Body::Length(5)), 1 => Just(Body::Unknown)]
}

fn upgrades() -> impl Strategy<Value = Upgrade> {
    prop_oneof![2 => Just(Upgrade::None), 1 => Just(Upgrade::WebSocket), 1 => Just(Upgrade::Other)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_forwarded_that_the_rules_do_not_open(
        path in paths(),
        method in methods(),
        bearer in bearers(),
        body in bodies(),
        upgrade in upgrades(),
        query_overrides_method: bool,
        drf: bool,
    ) {
        let snapshot = snapshot(if drf { Habits::drf_jwt() } else { Habits::standard() });
        let Some(canonical) = CanonicalPath::parse(&path) else { return Ok(()) };
        let facts = RequestFacts {
            method: Method::parse(method),
            path: canonical,
            query: None,
            host: "a".to_owned(),
            authority: "a".to_owned(),
            credential: bearer.credential(&snapshot),
            body,
            upgrade,
            preflight: false,
            query_overrides_method,
            expects_continue: false,
        };
        let Decision::Forward(permit) = decide(&snapshot, &facts, NOW).decision else { return Ok(()) };

        let identified = permit.identity().and_then(Verified::local).map(|user| user.id.0);
        prop_assert_eq!(identified, bearer.user());
        prop_assert!(identified.is_some() || bearer == Bearer::Nobody, "a bad credential became anonymous");
        let served = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        prop_assert!(served.contains(&method), "{} was forwarded", method);
        let reads = matches!(method, "GET" | "HEAD");
        prop_assert!(!reads || body == Body::Empty, "a read with a body");

        let place = forgiving(&path);
        let under = |prefix: &str| place == prefix || place.starts_with(&format!("{prefix}/"));
        prop_assert!(!under("/people"), "{} reached the provisioning prefix", path);
        if under("/admin") {
            prop_assert_eq!(identified, Some(1), "{}", path);
        }
        if under("/token") {
            prop_assert!(identified.is_some(), "{}", path);
        }
        if under("/read") && identified.is_none() {
            let question = drf && method == "OPTIONS" && body == Body::Empty;
            prop_assert!(question || reads, "{} {}", method, path);
            prop_assert!(upgrade != Upgrade::WebSocket && !query_overrides_method, "{} {}", method, path);
        }
    }
}
