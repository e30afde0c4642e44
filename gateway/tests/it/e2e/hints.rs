//! What other gateways took for an order: headers, cookies, names. And what a failure inside must not become.

use serde_json::json;

use super::{World, get};
use crate::harness::process::{all, peak};
use crate::harness::{Client, Home, Recording, ask, eventually};

/// Headers that made some gateway or framework let a request pass, see another path or another method.
const ORDERS: &[&str] = &[
    "X-Forwarded-Uri: /public/a",
    "X-Forwarded-Path: /public/a",
    "X-Forwarded-Prefix: /public",
    "X-Forwarded-Method: GET",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: localhost",
    "X-Forwarded-User: admin",
    "X-Original-URL: /public/a",
    "X-Original-URI: /public/a",
    "X-Original-Method: GET",
    "X-Rewrite-URL: /public/a",
    "X-Envoy-Original-Path: /public/a",
    "X-Envoy-Internal: true",
    "X-HTTP-Method-Override: GET",
    "X-HTTP-Method: GET",
    "X-Method-Override: GET",
    "X-Middleware-Subrequest: middleware:middleware:middleware",
    "X-Middleware-Rewrite: /public/a",
    "X-Auth-User: admin",
    "X-Auth-Status: authenticated",
    "X-Auth-Roles: admin",
    "X-Gateway-Secret: guess",
    "X-Consumer-Username: admin",
    "Remote-User: admin",
    "User-Agent: GoogleHC/1.0",
    "User-Agent: kube-probe/1.31",
    "User-Agent: ELB-HealthChecker/2.0",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Referer: http://localhost/public/a",
    "Origin: http://localhost",
    "Sec-Fetch-Site: same-origin",
    "Via: 1.1 gateway",
    "CF-Connecting-IP: 127.0.0.1",
    "Cookie: user=admin; session=admin",
    "Accept: text/event-stream",
    "Content-Type: application/grpc",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p048_p051_p054_no_header_changes_a_verdict() {
    // From a proxy that is trusted and from a stranger alike.
    for trusted in ["10.0.0.0/8", "127.0.0.0/8"] {
        let upstream = Recording::ok().await;
        let home = Home::new(&super::config("standard", &upstream.url(), ""))
            .flag("--insecure-dev")
            .env("GATEWAY_SERVER_TRUSTED_PROXIES", trusted);
        let world = World::of(home, upstream).await;
        let mut client = world.gateway.connect().await;
        for (line, status) in [
            ("GET /closed/a", 401),
            ("GET /admin/a", 401),
            ("POST /read/a", 401),
            ("DELETE /read/a", 401),
            ("GET /nothing", 404),
            ("GET /healthz", 404),
            ("GET /metrics", 404),
            ("GET /readyz", 404),
            ("GET /people/1", 404),
            ("GET /api-auth/users/", 401),
        ] {
            for order in ORDERS {
                let answer = client.request(ask(line).line(order).end()).await;
                assert_eq!(answer.status, status, "{line} with {order}");
            }
            let everything = ORDERS.iter().fold(ask(line), |all, order| all.line(order));
            let answer = client.request(everything.end()).await;
            assert_eq!(answer.status, status, "{line} with everything");
        }
        world.saw_nothing("an order in a header");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p041_cookies_go_on_in_one_line() {
    let world = World::standard().await;
    let request = ask("GET /public/a")
        .line("Cookie: a=1; b=\"2\"")
        .line("Cookie: a=3")
        .end();
    assert_eq!(world.ask(request).await.status, 200);
    let seen = world.upstream.requests().pop().expect("a request");
    assert_eq!(seen.all("cookie"), ["a=1; b=\"2\"; a=3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p038_a_name_is_told_in_ascii_and_never_splits_a_line() {
    let world = World::standard().await;
    let password = "a passphrase of her own";
    for name in ["a\r\nX-Auth-Roles: admin", "a\nb", "a\0b", "a b"] {
        let body = json!({ "username": name, "password": password });
        let token = world.token().await;
        let request = ask("POST /api-auth/users/").bearer(&token).json(&body);
        assert_eq!(world.ask(request).await.status, 400, "{name:?}");
    }
    world.home.add_user("josé", password).await;
    let token = world.gateway.token("josé", password).await;
    let request = ask("GET /closed/a").bearer(&token).end();
    assert_eq!(world.ask(request).await.status, 200);
    let seen = world.upstream.requests().pop().expect("a request");
    assert_eq!(seen.all("x-auth-user"), ["jos%C3%A9"]);
    assert_eq!(seen.header("x-auth-roles"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p055_a_store_that_is_broken_lets_nobody_in() {
    let world = World::standard().await;
    let token = world.token().await;
    let store = world.home.data().join("gateway.redb");
    let length = std::fs::metadata(&store).expect("the store").len();
    let zeros = vec![0; usize::try_from(length).expect("a length")];
    std::fs::write(&store, zeros).expect("a broken store");
    // What was read before may be known a while longer; a right password gets 200 or 5xx and nothing else.
    let failed = eventually("a failure", async || {
        let answer = world.gateway.log_in("admin", "admin").await;
        assert!(matches!(answer.status, 200 | 500..), "{}", answer.status);
        let body = json!({ "username": "eve", "password": "a passphrase of her own" });
        let change = ask("POST /api-auth/users/").bearer(&token).json(&body);
        let answer = world.ask(change).await;
        (answer.status >= 500).then_some(answer)
    })
    .await;
    assert!(!failed.text().contains("redb"), "{}", failed.text());
    // Who is anonymous is still anonymous.
    assert_eq!(world.ask(get("/closed/a")).await.status, 401);
    world.saw_nothing("a request while the store is broken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p098_a_flood_of_logins_takes_the_memory_of_its_workers_alone() {
    let upstream = Recording::ok().await;
    let home = Home::new(&super::config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_AUTH_PASSWORD_MEMORY", "32 MiB")
        .env("GATEWAY_AUTH_PASSWORD_ITERATIONS", "1")
        .env("GATEWAY_AUTH_PASSWORD_WORKERS", "2")
        .env("GATEWAY_AUTH_PASSWORD_QUEUE", "200")
        .env("GATEWAY_AUTH_THROTTLE_PER_IP_PER_MINUTE", "100000")
        .env("GATEWAY_SERVER_LIMITS_CONNECTIONS_PER_IP", "1000");
    let world = World::of(home, upstream).await;
    world.token().await;
    let process = world.gateway.process.id();
    let before = peak(process);
    let addr = world.gateway.addr;
    let flood = (0..100).map(|n| async move {
        let body = json!({ "username": format!("user{n}"), "password": "wrong" });
        let request = ask("POST /api-auth/").json(&body);
        Client::connect(addr).await.request(request).await.status
    });
    let statuses = all("the flood", flood.collect::<Vec<_>>()).await;
    assert!(statuses.iter().all(|s| *s == 401), "{statuses:?}");
    // One hash at a time for each worker: 64 MiB and the connections; each for itself would take 3 GiB.
    let grown = peak(process).saturating_sub(before);
    assert!(grown < 160 * 1024, "{grown} KiB more");
}
