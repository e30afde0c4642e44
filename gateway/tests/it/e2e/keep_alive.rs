//! Refusals cost no connection, and what cannot be kept is closed so that the client still reads the answer.

use serde_json::json;

use super::{World, get};
use crate::harness::{Client, Home, Response, ask};

/// One answer, one length, no stray bytes, and the connection goes on.
async fn kept(client: &mut Client, status: u16, request: &str) -> Response {
    let answer = client.request(request).await;
    assert_eq!(answer.status, status, "{request}: {}", answer.text());
    assert!(!answer.closes(), "{request}");
    assert_eq!(answer.all("content-length").len(), 1, "{request}");
    client.expect_kept(request).await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_is_kept_after_every_refusal_that_was_read_whole() {
    for profile in ["standard", "drf-jwt"] {
        let world = World::start(profile, "").await;
        let token = world.token().await;
        let scheme = if profile == "standard" {
            "Bearer"
        } else {
            "JWT"
        };
        let signed = |line: &str| ask(line).line(&format!("Authorization: {scheme} {token}"));
        let mut client = world.gateway.connect().await;
        let c = &mut client;
        kept(c, 401, &ask("POST /read/a").body("hello")).await;
        kept(c, 401, &ask("POST /read/a").chunked("hello")).await;
        kept(c, 401, &ask("POST /read/a").body(&"x".repeat(60_000))).await;
        kept(c, 401, &ask("DELETE /read/a").end()).await;
        kept(
            c,
            401,
            &ask("POST /read/a")
                .line("Authorization: bogus x")
                .body("hello"),
        )
        .await;
        kept(c, 403, &signed("POST /editors/a").body("hello")).await;
        kept(c, 404, &ask("POST /nothing").body("hello")).await;
        kept(c, 404, &get("/nothing")).await;
        kept(c, 405, &signed("FOO /read/a").body("hello")).await;
        kept(c, 405, &signed("DELETE /api-auth/").body("hello")).await;
        kept(c, 400, &ask("POST /api-auth/").json(&json!({}))).await;
        kept(
            c,
            400,
            &ask("POST /api-auth/")
                .line("Content-Type: application/json")
                .body("{"),
        )
        .await;
        kept(
            c,
            415,
            &ask("POST /api-auth/")
                .line("Content-Type: text/plain")
                .body("hello"),
        )
        .await;
        kept(c, 415, &ask("POST /api-auth/").body("hello")).await;
        let failed = if profile == "standard" { 401 } else { 400 };
        let wrong = json!({ "username": "admin", "password": "wrong" });
        kept(c, failed, &ask("POST /api-auth/").json(&wrong)).await;
        kept(
            c,
            400,
            &signed("POST /api-auth/users/").json(&json!({ "username": "" })),
        )
        .await;
        kept(c, 404, &signed("DELETE /api-auth/users/77/").end()).await;
        kept(c, 200, &get("/public/a")).await;
        world.gateway.ask(get("/public/a")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipelined_request_is_dropped_with_its_connection_and_never_half_served() {
    let world = World::standard().await;
    for first in [
        get("/public/1"),
        ask("POST /read/1").body("hello"),
        get("/nothing"),
    ] {
        let mut client = world.gateway.connect().await;
        client.send(first + &get("/public/2")).await;
        client.response().await;
        if let Some(second) = client.next().await {
            assert_eq!((second.status, second.text()), (200, "ok"));
        }
    }
    assert!(!world.forwarded().contains(&"GET /closed".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_that_nobody_reads_ends_the_connection_after_the_answer() {
    let world = World::standard().await;
    // More than is drained, in pieces, so that the client is still sending when it is refused.
    let piece = vec![b'x'; 16 * 1024];
    for (line, length, status) in [
        ("POST /read/a", 200 * 1024, 401),
        ("POST /nothing", 200 * 1024, 404),
        ("POST /public/a", 64 << 20, 413),
        ("POST /api-auth/", 200 * 1024, 413),
    ] {
        let mut client = world.gateway.connect().await;
        let head = ask(line)
            .line("Content-Type: application/json")
            .line(&format!("Content-Length: {length}"))
            .end();
        client.send(head).await;
        for _ in 0..(200 / 16) {
            if !client.try_send(&piece).await {
                break;
            }
        }
        let answer = client.response().await;
        assert_eq!(answer.status, status, "{line}");
        assert!(answer.closes(), "{line}");
        assert_eq!(answer.all("content-length").len(), 1, "{line}");
        client.expect_close().await;
    }
    world.saw_nothing("a body that is too large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunked_body_beyond_the_limit_is_413() {
    let upstream = crate::harness::Recording::ok().await;
    let home = Home::new(&super::config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LIMITS_BODY_BYTES", "1 KiB");
    let world = World::of(home, upstream).await;
    let answer = world
        .ask(ask("POST /public/a").chunked(&"x".repeat(1024)))
        .await;
    assert_eq!(answer.status, 200, "exactly the limit");
    let answer = world
        .ask(ask("POST /public/a").chunked(&"x".repeat(1025)))
        .await;
    assert_eq!(answer.status, 413);
    assert!(answer.closes());
    let answer = world
        .ask(ask("POST /public/a").body(&"x".repeat(1025)))
        .await;
    assert_eq!(answer.status, 413);
    assert_eq!(world.forwarded().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_beyond_the_limits_are_414_and_431() {
    let upstream = crate::harness::Recording::ok().await;
    let home = Home::new(&super::config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LIMITS_TARGET_BYTES", "1 KiB")
        .env("GATEWAY_SERVER_LIMITS_HEADER_BYTES", "4 KiB")
        .env("GATEWAY_SERVER_LIMITS_HEADERS", "20");
    let world = World::of(home, upstream).await;
    let long = format!("/public/{}", "a".repeat(2000));
    assert_eq!(world.ask(get(&long)).await.status, 414);
    let big = ask("GET /public/a").line(&format!("X-A: {}", "a".repeat(5000)));
    assert_eq!(world.ask(big.end()).await.status, 431);
    let many = (0..30).fold(ask("GET /public/a"), |request, n| {
        request.line(&format!("X-{n}: a"))
    });
    assert_eq!(world.ask(many.end()).await.status, 431);
    world.saw_nothing("a head beyond the limits");
}
