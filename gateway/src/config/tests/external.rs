//! `[[auth.external]]`, good and bad.

use super::*;

/// An Ed25519 key (RFC 8037 appendix A.2).
pub(super) const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// An entry whose keys are `jwks`; `more` is added at its end.
pub(super) fn entry(dir: &std::path::Path, jwks: &str, more: &str) -> String {
    let file = dir.join("issuer.jwks.json");
    std::fs::write(&file, jwks).expect("write");
    format!(
        "[[auth.external]]\nissuer = \"https://login.example.com\"\naudience = \"tasks\"\njwks_file = {file:?}\nalgorithms = [\"EdDSA\"]\n{more}"
    )
}

#[test]
fn an_issuer_is_read_with_its_keys() {
    let dir = tempfile::tempdir().expect("tempdir");
    let config = good(&format!(
        "{GOOD}{}",
        entry(dir.path(), KEYS, "roles = [\"editor\"]\n")
    ));
    let [issuer] = &config.auth.external[..] else {
        panic!("one issuer")
    };
    assert_eq!(issuer.spec().issuer, "https://login.example.com");
    assert_eq!(issuer.spec().audiences, ["tasks"]);
    assert_eq!(issuer.spec().roles, ["editor"]);
    assert_eq!(issuer.leeway(), 30);
    assert!(issuer.algorithm("EdDSA").is_some() && issuer.algorithm("ES256").is_none());
}

#[test]
fn issuers_that_prove_nothing_are_refused_where_they_stand() {
    let dir = tempfile::tempdir().expect("tempdir");
    let whole = entry(dir.path(), KEYS, "");
    let without = |key: &str| -> String {
        whole
            .lines()
            .filter(|line| !line.starts_with(key))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    let swapped = |from: &str, to: &str| whole.replace(from, to);
    for (text, place, wanted) in [
        (without("issuer"), "10:1", "does not name its issuer"),
        (without("audience"), "10:1", "no `audience`"),
        (without("jwks_file"), "10:1", "no keys"),
        (
            swapped("https://login.example.com", "gateway"),
            "11:10",
            "is an issuer already",
        ),
        (
            swapped("[\"EdDSA\"]", "[\"none\"]"),
            "13:13",
            "`none` is not an algorithm",
        ),
        (
            swapped("[\"EdDSA\"]", "[\"RS256\"]"),
            "13:13",
            "no signature key",
        ),
        (
            swapped("issuer.jwks.json", "absent.json"),
            "13:13",
            "No such file",
        ),
        (
            // Of a device `stat` knows no length, and reading has no end.
            swapped(
                &format!("{:?}", dir.path().join("issuer.jwks.json")),
                "\"/dev/zero\"",
            ),
            "13:13",
            "too many for a JWK set",
        ),
        (format!("{whole}jwks_uri = \"x\"\n"), "15:1", "unknown key"),
    ] {
        let problems = load(&format!("{GOOD}{text}"), &[])
            .expect_err(wanted)
            .to_string();
        assert!(problems.contains(wanted), "{wanted}: {problems}");
        assert!(
            problems.contains(&format!("gateway.toml:{place}")),
            "{place}: {problems}"
        );
    }
    let second = format!("{GOOD}{whole}{whole}");
    assert!(
        load(&second, &[])
            .expect_err("twice")
            .to_string()
            .contains("is an issuer already")
    );
    let broken = format!("{GOOD}{}", entry(dir.path(), "{", ""));
    assert!(
        load(&broken, &[])
            .expect_err("broken")
            .to_string()
            .contains("not a JWK set")
    );
}
