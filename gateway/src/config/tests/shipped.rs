//! The file that is shipped, and what a start without a file is.

use super::*;
use crate::policy::Target;
use crate::request::{CanonicalPath, Method};

const SHIPPED: &str = include_str!("../../../../config/gateway.toml");

/// Method and path to what answers and who may: `-` for no route.
fn verdict(config: &Config, method: &str, path: &str) -> String {
    let path = CanonicalPath::parse(path).expect("path");
    let found = config.policy.find(&path, &Method::parse(method));
    match found.and_then(|id| config.policy.rule(id)) {
        None => "-".to_owned(),
        Some(rule) => {
            let target = match rule.target {
                Target::Upstream(id) => config.upstreams[id.index()].name.clone(),
                Target::Builtin(builtin) => format!("{builtin:?}"),
                Target::Nowhere => return "nowhere".to_owned(),
            };
            format!("{target} {}", rule.access)
        }
    }
}

#[test]
fn the_shipped_file_loads_and_routes_as_recorded() {
    let config = good(SHIPPED);
    assert_eq!(config.auth.profile, Profile::DrfJwt);
    assert_eq!(config.auth.algorithm, TokenAlgorithm::Hs256);
    assert_eq!(config.auth.access_ttl, Duration::from_secs(300));
    assert_eq!(config.auth.leeway, Duration::ZERO);
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.upstreams.len(), 1);
    assert_eq!(
        config.upstreams[0].origins[0].to_string(),
        "http://task-service:8000"
    );
    assert_eq!(config.upstreams[0].provision.as_deref(), Some("/people"));
    for (method, path, want) in [
        ("GET", "/", "tasks public"),
        ("GET", "/.json", "tasks public"),
        ("POST", "/", "-"),
        ("GET", "/tasks/", "tasks read-public"),
        ("POST", "/tasks/", "tasks read-public"),
        ("GET", "/tasks", "tasks read-public"),
        ("GET", "/tasks.json", "tasks read-public"),
        ("GET", "/tasks/1.json", "tasks read-public"),
        ("DELETE", "/tasks/1/", "tasks read-public"),
        ("GET", "/tasks/1/extra/", "-"),
        ("GET", "/Tasks/", "-"),
        ("GET", "/nope/", "-"),
        ("GET", "/users/", "tasks read-public"),
        ("HEAD", "/users/1/", "tasks read-public"),
        ("OPTIONS", "/users/", "tasks read-public"),
        ("POST", "/users/", "Users roles admin"),
        ("PATCH", "/users/2/", "Users roles admin"),
        ("DELETE", "/users/2", "Users roles admin"),
        ("GET", "/users.json", "tasks read-public"),
        ("POST", "/users.json", "-"),
        ("POST", "/api-auth/", "Login public"),
        ("GET", "/api-auth", "Login public"),
        ("POST", "/api-auth/refresh/", "Refresh public"),
        ("POST", "/api-token-refresh/", "Refresh public"),
        ("POST", "/api-token-verify/", "Verify public"),
        ("GET", "/api-auth/users/3/", "Users roles admin"),
        ("GET", "/.well-known/jwks.json", "Jwks public"),
        ("GET", "/people/1", "-"),
    ] {
        assert_eq!(verdict(&config, method, path), want, "{method} {path}");
    }
    let path = CanonicalPath::parse("/people/1").expect("path");
    assert!(config.policy.is_guarded(&path));
    for (path, allow) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/tasks/", "GET, POST, HEAD, OPTIONS"),
        ("/users/", "GET, POST, HEAD, OPTIONS"),
        ("/users/2/", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ("/tasks/2/", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ("/api-auth/", "POST, OPTIONS"),
        ("/api-token-verify/", "POST, OPTIONS"),
    ] {
        let path = CanonicalPath::parse(path).expect("path");
        let rule = config.policy.find_any_method(&path).expect("rule");
        let rule = config.policy.rule(rule).expect("rule");
        assert_eq!(rule.allow.as_deref(), Some(allow));
    }
}

#[test]
fn the_shipped_file_takes_overrides_for_a_run_outside_a_container() {
    let dir = tempfile::tempdir().expect("tempdir");
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").expect("write");
    let args = ServeArgs {
        listen: Some("127.0.0.1:0".to_owned()),
        admin_listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(dir.path().join("data")),
        insecure_dev: true,
        ..ServeArgs::default()
    };
    let secret = secret.to_str().expect("path");
    let variables = env(&[
        (
            "GATEWAY_UPSTREAMS_TASKS_URLS",
            "http://127.0.0.1:1234, http://[::1]:1234",
        ),
        ("GATEWAY_UPSTREAMS_TASKS_SECRET_FILE", secret),
        ("GATEWAY_AUTH_HS256_SECRET_FILE", secret),
        ("GATEWAY_AUTH_LEGACY_TOKENS", "true"),
        ("GATEWAY_AUTH_THROTTLE_PER_IP_PER_MINUTE", "1000000"),
    ]);
    let config = resolve_text(&args, variables, source(SHIPPED))
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config;
    assert!(config.server.insecure_dev && config.auth.legacy_tokens);
    assert_eq!(config.auth.throttle.per_ip_per_minute, 1_000_000);
    let origins: Vec<String> = config.upstreams[0]
        .origins
        .iter()
        .map(Origin::to_string)
        .collect();
    assert_eq!(origins, ["http://127.0.0.1:1234", "http://[::1]:1234"]);
    use secrecy::ExposeSecret as _;
    let secret = config.auth.hs256_secret.expect("secret");
    assert_eq!(secret.expose_secret(), b"0123456789abcdef0123456789abcdef");
}

#[test]
fn the_public_summary_names_what_is_open() {
    let lines = good(SHIPPED).public_summary();
    assert!(
        lines.contains(&"public without a token: GET, HEAD, OPTIONS /tasks/*".to_owned()),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"public without a token: POST /api-auth".to_owned()),
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("DELETE")),
        "{lines:#?}"
    );
    let text =
        format!("{GOOD}[[routes]]\npath = \"/open\"\nupstream = \"tasks\"\naccess = \"public\"\n");
    let lines = good(&text).public_summary();
    assert!(
        lines.contains(&"public without a token: every method /open".to_owned()),
        "{lines:#?}"
    );
}

#[test]
fn p109_what_is_left_under_the_mount_is_nobodys() {
    let args = ServeArgs {
        upstream: Some("http://127.0.0.1:8000".to_owned()),
        ..ServeArgs::default()
    };
    let config = resolve(&args, env(&[("HOME", "/home/u")]))
        .expect("config")
        .config;
    for (method, path, want) in [
        ("GET", "/", "default read-public"),
        ("GET", "/a/b", "default read-public"),
        ("POST", "/api-auth", "Login public"),
        ("GET", "/api-auth/", "Login public"),
        ("GET", "/api-auth/secret", "nowhere"),
        ("POST", "/api-auth/refresh/", "nowhere"),
        ("POST", "/.well-known/jwks.json", "Jwks public"),
        ("GET", "/api-authority", "default read-public"),
        ("POST", "/api-token-refresh/", "default read-public"),
    ] {
        assert_eq!(verdict(&config, method, path), want, "{method} {path}");
    }
    let addresses = config.builtin_addresses();
    assert_eq!(
        addresses,
        [
            "/api-auth",
            "/api-auth/verify",
            "/api-auth/users",
            "/api-auth/users/*",
            "/.well-known/jwks.json"
        ]
    );
    let closed = config
        .policy
        .rules()
        .iter()
        .find(|rule| rule.path() == "/api-auth/**")
        .expect("closed rule");
    assert_eq!(closed.target, Target::Nowhere);
}

#[test]
fn a_builtin_may_be_mounted_again_under_the_mount() {
    let text = format!(
        "{GOOD}[[routes]]\npath = \"/api-auth/people/*\"\nbuiltin = \"users\"\naccess = {{ roles = [\"staff\"] }}\n"
    );
    let config = good(&text);
    assert_eq!(
        verdict(&config, "GET", "/api-auth/people/1"),
        "Users roles staff"
    );
    assert_eq!(verdict(&config, "GET", "/api-auth/peoples"), "nowhere");
}
