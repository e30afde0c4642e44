//! Tables for patterns, first match and dead rules.

use super::*;

fn matches(pattern: &str, path: &str) -> bool {
    Pattern::parse(pattern).expect("pattern").matches(path)
}

#[test]
fn p028_a_pattern_covers_the_forms_of_its_address_and_no_neighbour() {
    for path in [
        "/admin",
        "/admin/",
        "/admin;x=y",
        "/admin;x=y/",
        "/admin/;x",
    ] {
        assert!(matches("/admin", path), "{path}");
        assert!(matches("/admin/**", path), "{path}");
    }
    for path in [
        "/administrator",
        "/Admin",
        "/",
        "/x/admin",
        "//admin",
        "/admin/a",
    ] {
        assert!(!matches("/admin", path), "{path}");
    }
    assert!(matches("/admin/**", "/admin/a/b"));
    assert!(matches("/**", "/"));
    assert!(matches("/**", "/a//b"));
    assert!(matches("/a/*/c", "/a/b/c/"));
    assert!(!matches("/a/*/c", "/a//c"));
    assert!(matches("/", "/"));
    assert!(!matches("/", "/a"));
}

#[test]
fn odd_patterns_are_refused_with_a_remedy() {
    for (text, want) in [
        ("tasks", PatternError::NoSlash),
        ("/a/**/b", PatternError::TailInside),
        ("/a*", PatternError::PartialStar),
        ("/a**", PatternError::PartialStar),
        ("/a//b", PatternError::OddSegment),
        ("/../b", PatternError::OddSegment),
        ("/a?b", PatternError::OddCharacter('?')),
        ("/%61", PatternError::OddCharacter('%')),
    ] {
        let got = Pattern::parse(text).expect_err(text);
        assert_eq!(got, want, "{text}");
        assert!(!got.help().is_empty());
    }
}

fn rule(path: &str, methods: &[&str]) -> RuleSpec {
    RuleSpec {
        path: path.to_owned(),
        methods: methods.iter().map(|m| (*m).to_owned()).collect(),
        target: Target::Upstream(UpstreamId::new(0)),
        access: Access::Token,
        allow: None,
        allow_get_body: false,
        websocket: false,
        forward_authorization: false,
    }
}

fn problems(rules: &[(&str, &[&str])]) -> Vec<(usize, Option<usize>)> {
    let specs = rules.iter().map(|(p, m)| rule(p, m)).collect();
    match Policy::compile(specs, None, &[]) {
        Ok(_) => Vec::new(),
        Err(list) => list.into_iter().map(|p| (p.rule, p.other)).collect(),
    }
}

#[test]
fn p121_a_rule_that_can_never_match_is_an_error() {
    assert_eq!(problems(&[("/a/**", &[]), ("/a/b", &[])]), [(1, Some(0))]);
    assert_eq!(problems(&[("/a", &[]), ("/a/", &[])]), [(1, Some(0))]);
    assert_eq!(
        problems(&[("/a/*", &["GET", "POST"]), ("/a/b", &["HEAD"])]),
        [(1, Some(0))]
    );
    assert_eq!(
        problems(&[("/a/*", &["POST"]), ("/a/b", &["POST", "PUT"])]),
        []
    );
    assert_eq!(problems(&[("/a/b", &[]), ("/a/**", &[])]), []);
    assert_eq!(problems(&[("/a/**", &["POST"]), ("/a/**", &[])]), []);
    assert_eq!(
        problems(&[("/x", &["TRACE"]), ("/y", &["get"])]),
        [(0, None), (1, None)]
    );
}
