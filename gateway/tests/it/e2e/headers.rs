//! What an upstream is told, and what a client cannot make it believe.

use super::{World, get};
use crate::harness::ask::Ask;
use crate::harness::recording::Recorded;
use crate::harness::{Recording, ask, eventually};

/// Lies that a client may tell. Every one must be gone, whoever sends them.
const LIES: &[&str] = &[
    "X-Auth-User: lie",
    "X_Auth_User: lie",
    "x-AUTH_user: lie",
    "X-Auth-User-Id: 666",
    "X-Auth-Email: lie@example.com",
    "X-Auth-Roles: lie",
    "X-AUTH-ROLES: lie",
    "X-Auth-Status: lie",
    "X-Auth-Assertion: lie",
    "Remote-User: lie",
    "Remote_User: lie",
    "Remote-Groups: lie",
    "X-Forwarded-User: lie",
    "X-Forwarded-Email: lie",
    "X-Forwarded-Groups: lie",
    "X-Forwarded-Preferred-Username: lie",
    "X-Consumer-Id: lie",
    "X-Consumer-Username: lie",
    "X-Consumer-Groups: lie",
    "X-Gateway-Secret: lie",
    "X_Gateway_Secret: lie",
    "Forwarded: for=lie",
    "X-Forwarded-For: 6.6.6.6",
    "X_Forwarded_For: 6.6.6.6",
    "X-Forwarded-Proto: lie",
    "X-Forwarded-Host: lie",
    "X-Forwarded-Port: 666",
    "X-Forwarded-Anything: lie",
    "X-Real-IP: 6.6.6.6",
    "X-Original-URL: /lie",
    "X-Original-Method: LIE",
    "X-Rewrite-URL: /lie",
    "X-Envoy-Original-Path: /lie",
    "CF-Connecting-IP: 6.6.6.6",
    "True-Client-IP: 6.6.6.6",
    "X-HTTP-Method-Override: LIE",
    "X-HTTP-Method: LIE",
    "X-Method-Override: LIE",
    "X_HTTP_Method_Override: LIE",
    "X-Request-Id: lie",
    "Proxy-Authorization: Basic lie",
];

/// Everything a client may say in one request: each lie twice.
fn lying(line: &str) -> Ask {
    LIES.iter()
        .chain(LIES)
        .fold(ask(line), |request, lie| request.line(lie))
        .line("X-Harmless: true")
}

/// What only the gateway says, as a bounded list of one line each.
fn told(seen: &Recorded) -> Vec<(String, String)> {
    let mut told: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "x-gateway-secret"))
        .filter(|(name, _)| name.starts_with("x-") && name != "x-harmless")
        .cloned()
        .collect();
    told.sort();
    told
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

/// The client's requests, without what provisioning tells.
fn of_clients(upstream: &Recording) -> Vec<Recorded> {
    let mut seen = upstream.requests();
    seen.retain(|r| !r.target.starts_with("/people/"));
    seen
}

fn assert_honest(seen: &Recorded, what: &str) {
    for (name, value) in &seen.headers {
        let value = value.to_lowercase();
        for lie in ["lie", "666", "6.6.6.6"] {
            assert!(!value.contains(lie), "{what}: {name}: {value}");
        }
    }
    assert_eq!(seen.header("x-harmless"), Some("true"), "{what}");
    assert_eq!(seen.all("x-gateway-secret").len(), 1, "{what}");
    assert_eq!(seen.all("x-request-id").len(), 1, "{what}");
    assert_eq!(seen.header("authorization"), None, "{what}");
    assert_eq!(seen.header("proxy-authorization"), None, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p037_p042_p043_p047_anonymous_requests_carry_only_the_marker() {
    let world = World::standard().await;
    let requests = [
        lying("GET /public/a").end(),
        lying("GET /read/a").end(),
        lying("HEAD /read/a").end(),
        lying("POST /public/a").body("{}"),
        lying("OPTIONS /public/a").end(),
        lying("GET /public/a")
            .line("Connection: Upgrade")
            .line("Upgrade: h2c")
            .end(),
    ];
    for request in &requests {
        assert_eq!(world.ask(request).await.status, 200, "{request}");
    }
    let seen = of_clients(&world.upstream);
    assert_eq!(seen.len(), requests.len());
    for seen in &seen {
        assert_honest(seen, &seen.line());
        let port = world.gateway.addr.port();
        assert_eq!(
            told(seen),
            pairs(&[
                ("x-auth-status", "anonymous"),
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-host", "localhost"),
                ("x-forwarded-proto", "http"),
            ]),
            "{} on port {port}",
            seen.line()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p037_p039_a_known_caller_is_told_in_one_line_each() {
    for (world, scheme) in [
        (World::standard().await, "Bearer"),
        (World::drf().await, "JWT"),
    ] {
        let token = world.token().await;
        let authorization = format!("Authorization: {scheme} {token}");
        for line in [
            "GET /public/a",
            "GET /read/a",
            "POST /read/a",
            "DELETE /closed/a",
            "PUT /admin/a",
        ] {
            let answer = world.ask(lying(line).line(&authorization).end()).await;
            assert_eq!(answer.status, 200, "{line}: {}", answer.text());
        }
        let seen = of_clients(&world.upstream);
        assert_eq!(seen.len(), 5);
        for seen in &seen {
            assert_honest(seen, &seen.line());
            // No e-mail address: the header is absent, although the client sent one (P43).
            assert_eq!(
                told(seen),
                pairs(&[
                    ("x-auth-roles", "admin"),
                    ("x-auth-status", "authenticated"),
                    ("x-auth-user", "admin"),
                    ("x-auth-user-id", "1"),
                    ("x-forwarded-for", "127.0.0.1"),
                    ("x-forwarded-host", "localhost"),
                    ("x-forwarded-proto", "http"),
                ]),
                "{}",
                seen.line()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p044_underscore_alias_is_removed() {
    let world = World::standard().await;
    for name in [
        "X_Auth_User",
        "x_auth_user_id",
        "X-Auth_Roles",
        "REMOTE_USER",
        "x_GATEWAY-secret",
        "SCRIPT_NAME",
        "PATH_INFO",
        "Transfer_Encoding",
        "Content.Length",
    ] {
        let request = ask("GET /public/a").line(&format!("{name}: lie")).end();
        assert_eq!(world.ask(request).await.status, 200);
        let raw = world.last_raw().to_lowercase();
        assert!(!raw.contains("lie"), "{name}: {raw}");
        assert!(
            !raw.contains(&format!("{}:", name.to_lowercase())),
            "{name}: {raw}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p046_connection_cannot_nominate_our_headers_away() {
    let world = World::standard().await;
    let token = world.token().await;
    let nominated = "x-auth-user, X-Auth-User-Id, x-auth-roles, x-auth-status, x-gateway-secret, x-request-id, \
                     x-nominated";
    for connection in [
        format!("Connection: close, {nominated}"),
        format!("Connection: keep-alive, {nominated}"),
        format!("Connection: {nominated}\r\nConnection: x-auth-user"),
    ] {
        let request = ask("POST /ws/a")
            .bearer(&token)
            .line(&connection)
            .line("X-Nominated: gone")
            .end();
        assert_eq!(world.ask(request).await.status, 200, "{connection}");
    }
    // Pingora itself protects some names, and refuses: that is an answer, not a silence.
    let protected = ask("POST /ws/a")
        .bearer(&token)
        .line("Connection: x-forwarded-for");
    assert_eq!(world.ask(protected.end()).await.status, 400);
    let upgrade = ask("GET /ws/a")
        .bearer(&token)
        .line(&format!("Connection: upgrade, {nominated}"))
        .line("Upgrade: websocket")
        .line("Sec-WebSocket-Version: 13")
        .line("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        .end();
    world.ask(upgrade).await;
    let seen = of_clients(&world.upstream);
    assert_eq!(seen.len(), 4);
    for seen in seen {
        for (name, value) in [
            ("x-auth-user", "admin"),
            ("x-auth-user-id", "1"),
            ("x-auth-roles", "admin"),
            ("x-auth-status", "authenticated"),
            ("x-forwarded-for", "127.0.0.1"),
        ] {
            assert_eq!(seen.header(name), Some(value), "{name}");
        }
        assert_eq!(seen.all("x-gateway-secret").len(), 1);
        assert_eq!(seen.all("x-request-id").len(), 1);
        assert_eq!(
            seen.header("x-nominated"),
            None,
            "a hop-by-hop header went on"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p040_authorization_goes_on_only_where_a_route_says_so() {
    let world = World::standard().await;
    let token = world.token().await;
    for path in ["/read/a", "/told/a"] {
        let request = ask(&format!("GET {path}")).bearer(&token).end();
        assert_eq!(world.ask(request).await.status, 200);
    }
    let seen = of_clients(&world.upstream);
    assert_eq!(seen[0].header("authorization"), None);
    assert_eq!(
        seen[1].all("authorization"),
        [format!("Bearer {token}").as_str()]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p032_method_overrides_are_removed_from_every_request() {
    let world = World::standard().await;
    let token = world.token().await;
    let requests = [
        lying("GET /read/a").end(),
        lying("POST /read/a").bearer(&token).end(),
        lying("POST /public/a").body("_method=DELETE"),
    ];
    for request in requests {
        assert_eq!(world.ask(&request).await.status, 200, "{request}");
    }
    let raw = world.last_raw().to_lowercase();
    assert!(!raw.contains("override"), "{raw}");
    assert!(!raw.contains("x-http-method"), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shared_secret_is_sent_on_forwarded_and_provisioning_requests() {
    let world = World::standard().await;
    let secret = std::fs::read_to_string(world.home.folder().join("secret")).expect("a secret");
    let secret = secret.trim();
    assert!(secret.len() >= 32, "a short secret");
    world
        .ask(ask("GET /public/a").line("X-Gateway-Secret: guess").end())
        .await;
    eventually("the provisioning of the administrator", async || {
        world
            .upstream
            .lines()
            .contains(&"PUT /people/1".to_owned())
            .then_some(())
    })
    .await;
    for seen in world.upstream.requests() {
        assert_eq!(
            seen.all("x-gateway-secret"),
            [secret],
            "{} {:?}",
            seen.line(),
            seen.headers
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p049_p047_only_a_trusted_proxy_is_believed() {
    let upstream = Recording::ok().await;
    let config = super::config("standard", &upstream.url(), "");
    let home = crate::harness::Home::new(&config)
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8");
    let world = World::of(home, upstream).await;
    for (lines, client, scheme) in [
        (vec![], "127.0.0.1", "http"),
        (vec!["X-Forwarded-For: 9.9.9.9"], "9.9.9.9", "http"),
        (
            vec!["X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.1.1.1"],
            "9.9.9.9",
            "http",
        ),
        (
            vec!["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 9.9.9.9"],
            "9.9.9.9",
            "http",
        ),
        (
            vec!["X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https"],
            "9.9.9.9",
            "https",
        ),
    ] {
        let request = lines
            .iter()
            .fold(ask("GET /public/a"), |request, line| request.line(line));
        assert_eq!(world.ask(request.end()).await.status, 200);
        let seen = of_clients(&world.upstream);
        let seen = seen.last().expect("a request");
        assert_eq!(seen.all("x-forwarded-for"), [client], "{lines:?}");
        assert_eq!(seen.all("x-forwarded-proto"), [scheme], "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p053_a_bad_credential_is_never_anonymous() {
    let world = World::standard().await;
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer x",
        "Bearer a.b.c",
        "Basic YWRtaW46YWRtaW4=",
        "bogus",
    ] {
        let request = ask("GET /public/a").line(&format!("Authorization: {value}"));
        let answer = world.ask(request.end()).await;
        assert_eq!(answer.status, 401, "{value}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"api\", error=\"invalid_token\""),
            "{value}"
        );
    }
    world.saw_nothing("a bad credential");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p045_repeated_credentials_and_hosts_are_refused() {
    let world = World::standard().await;
    let token = world.token().await;
    let twice = ask("GET /public/a").bearer(&token).bearer(&token).end();
    assert_eq!(world.ask(twice).await.status, 400);
    let hosts = ask("GET /public/a").line("Host: localhost").end();
    assert_eq!(world.ask(hosts).await.status, 400);
    world.saw_nothing("a repeated header");
    assert_eq!(world.ask(get("/public/a")).await.status, 200);
}
