//! Preflights: answered whoever asks, and never forwarded.

use super::*;

/// A preflight from a listed page for this method at this path, with this credential.
pub(super) fn preflight(
    snapshot: &Snapshot,
    path: &str,
    method: &str,
    bearer: Bearer,
) -> RequestFacts {
    RequestFacts {
        credential: bearer.credential(snapshot),
        preflight: Some(Preflight {
            origin: "https://app.example.com".to_owned(),
            method: Method::parse(method),
            headers: vec!["authorization".to_owned()],
        }),
        ..plain("OPTIONS", path)
    }
}

/// With `[cors]` for one page.
pub(super) fn with_cors(snapshot: Snapshot) -> Snapshot {
    let cors = Cors {
        origins: crate::cors::Origins::Listed {
            origins: vec!["https://app.example.com".to_owned()],
            credentials: false,
        },
        methods: ["GET", "PUT"].map(str::to_owned).to_vec(),
        headers: vec!["authorization".to_owned()],
        expose_headers: String::new(),
        max_age: 600,
    };
    Snapshot {
        cors: Some(Arc::new(cors)),
        ..snapshot
    }
}

#[test]
fn p036_a_preflight_is_ours_whoever_asks_and_wherever_a_rule_is() {
    for habits in [Habits::standard(), Habits::drf_jwt()] {
        let snapshot = with_cors(snapshot(habits.clone()));
        let verdict = |facts: &RequestFacts| match decide(&snapshot, facts, NOW).decision {
            Decision::Preflight(answer) => answer.status,
            Decision::Refuse(refusal) => refusal.status(&habits),
            other => panic!("{other:?}"),
        };
        for bearer in [
            Bearer::Nobody,
            Bearer::Admin,
            Bearer::Expired,
            Bearer::Malformed,
        ] {
            let ask = |path, method| preflight(&snapshot, path, method, bearer);
            for path in ["/", "/read/a", "/token/a", "/admin/a"] {
                assert_eq!(verdict(&ask(path, "PUT")), 204, "{path} {bearer:?}");
                assert_eq!(verdict(&ask(path, "DELETE")), 403, "{path} {bearer:?}");
            }
            for path in ["/people/1", "/PEOPLE/1", "/%2570eople/1"] {
                assert_eq!(verdict(&ask(path, "PUT")), 404, "{path} {bearer:?}");
            }
        }
    }
}

#[test]
fn p036_a_preflight_meets_the_rule_of_the_request_it_asks_about() {
    let target = |path: &str, methods: &[&str], target| RuleSpec {
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        target,
        ..rule(path, Access::Token)
    };
    let rules = vec![
        target("/own/users", &["PUT"], Target::Builtin(Builtin::Users)),
        target("/own", &[], Target::Builtin(Builtin::Login)),
        target("/own/**", &[], Target::Nowhere),
        target("/a", &["PUT"], Target::Upstream(UpstreamId::new(0))),
    ];
    let hosts = Some(vec!["a".to_owned()]);
    let snapshot = with_cors(Snapshot {
        policy: Arc::new(Policy::compile(rules, hosts, &[]).unwrap()),
        ..snapshot(Habits::standard())
    });
    for (path, method, rule, status) in [
        ("/own/users", "PUT", Some(0), 204),
        ("/own", "PUT", Some(1), 204),
        // What the request itself would get.
        ("/own/users", "GET", Some(2), 404),
        ("/own/other", "PUT", Some(2), 404),
        ("/b", "PUT", None, 404),
        ("/a", "PUT", Some(3), 204),
        // The page may ask, and then it can read the 405.
        ("/a", "GET", Some(3), 204),
    ] {
        let facts = preflight(&snapshot, path, method, Bearer::Nobody);
        let judgement = decide(&snapshot, &facts, NOW);
        let got = match judgement.decision {
            Decision::Preflight(answer) => answer.status,
            Decision::Refuse(refusal) => refusal.status(&snapshot.habits),
            other => panic!("{other:?}"),
        };
        assert_eq!(got, status, "{method} {path}");
        assert_eq!(judgement.rule.map(RuleId::index), rule, "{method} {path}");
    }
    let elsewhere = RequestFacts {
        host: "b".to_owned(),
        ..preflight(&snapshot, "/a", "PUT", Bearer::Nobody)
    };
    let decision = decide(&snapshot, &elsewhere, NOW).decision;
    assert!(matches!(decision, Decision::Refuse(Refusal::Misdirected)));
}
