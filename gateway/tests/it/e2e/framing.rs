//! Message framing: what two readers could frame in two ways is refused, and a body is never a request.

use std::time::Duration;

use super::World;
use crate::harness::{Response, ask};

/// Sends bytes and then, where the connection is kept, one more request that ends it; every response to
/// the bytes. Of bytes that hold two requests this makes three responses.
async fn exchange(world: &World, bytes: &[u8]) -> Vec<Response> {
    let mut client = world.gateway.connect().await;
    client.send(bytes).await;
    let mut all: Vec<Response> = client.next().await.into_iter().collect();
    if all.last().is_some_and(|response| !response.closes()) {
        let last = ask("GET /api-auth/last").line("Connection: close").end();
        client.try_send(&last).await;
        while let Some(response) = client.next().await {
            all.push(response);
        }
        // Pipelining is not served: the connection may end before the last request is read.
        if all.len() > 1 {
            assert_eq!(all.pop().map(|last| last.status), Some(404));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p001_p002_p003_p005_ambiguous_framing_is_refused() {
    let world = World::standard().await;
    let heads = [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "content-length : 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 9223372036854775808",
        "Content-Length: 99999999999999999999",
        "Content-Length: five",
        "X-A: a\r\n folded",
        "X A: a",
        "X-A : a",
        "X-A: a\rb",
        "X-A: a\0b",
        "X\u{e4}: a",
        ": a",
        "no colon",
    ];
    for head in heads {
        let request =
            format!("POST /public/a HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n0\r\n\r\nG");
        let answers = exchange(&world, request.as_bytes()).await;
        assert!(answers.len() <= 1, "{head:?}: {answers:?}");
        for answer in &answers {
            assert_eq!(answer.status, 400, "{head:?}");
        }
    }
    let old =
        "POST /public/a HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let answers = exchange(&world, old.as_bytes()).await;
    assert!(answers.iter().all(|a| a.status == 400), "{answers:?}");
    world.saw_nothing("ambiguous framing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p005_bare_line_feeds_are_refused_or_framed_alike() {
    let world = World::standard().await;
    for request in [
        "GET /public/a HTTP/1.1\nHost: localhost\n\n",
        "GET /public/a HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n",
        "POST /public/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\n\nabc",
        "GET /public/a HTTP/1.1\r\nHost: localhost\r\nX-A: b\n\r\nGET /closed/b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let before = world.upstream.requests().len();
        let answers = exchange(&world, request.as_bytes()).await;
        assert!(!answers.is_empty(), "{request:?}");
        let seen = world.upstream.requests();
        for answer in &answers {
            assert!(
                matches!(answer.status, 200 | 400 | 401),
                "{request:?}: {}",
                answer.status
            );
        }
        // Whatever was forwarded is one request without a smuggled line end.
        let forwarded: Vec<_> = seen[before..]
            .iter()
            .filter(|r| !r.target.starts_with("/people"))
            .collect();
        assert!(forwarded.len() <= 1, "{request:?}: {forwarded:?}");
        let raw = world.last_raw();
        let bare = raw.replace("\r\n", "");
        assert!(!bare.contains('\n'), "{request:?}: {raw:?}");
        assert!(!raw.contains("/closed/b"), "{request:?}: {raw:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_needed_on_http_1_1() {
    let world = World::standard().await;
    for (request, status) in [
        ("GET /public/a HTTP/1.1\r\n\r\n", 400),
        ("GET /public/a HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET /public/a HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (
            "GET /public/a HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
            400,
        ),
    ] {
        let answers = exchange(&world, request.as_bytes()).await;
        assert_eq!(answers.len(), 1, "{request:?}");
        assert_eq!(answers[0].status, status, "{request:?}");
    }
    world.saw_nothing("a request without a host");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p052_the_preamble_of_a_proxy_is_refused() {
    let world = World::standard().await;
    for preamble in [
        "PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\nGET /public/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n\r\n\0\r\nQUIT\nGET /public/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answers = exchange(&world, preamble.as_bytes()).await;
        assert!(
            answers.iter().all(|a| a.status == 400) && answers.len() <= 1,
            "{preamble:?}: {answers:?}"
        );
    }
    world.saw_nothing("a preamble");
}

/// A request for something else, complete.
const INNER: &str = "DELETE /public/inner HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p006_a_body_is_never_a_request() {
    let world = World::start(
        "drf-jwt",
        "[auth.throttle]\naccount_failures = 1\nper_ip_per_minute = 5",
    )
    .await;
    let token = world.token().await;
    let json = |line: &str| ask(line).line("Content-Type: application/json");
    let mut throttled = 0;
    let outers = [
        (400, ask("GET /public/a").body(INNER)),
        (400, ask("POST /public/%2e%2e").body(INNER)),
        (400, json("POST /api-auth/").body(INNER)),
        (401, ask("POST /read/a").body(INNER)),
        (401, ask("POST /read/a").chunked(INNER)),
        (403, ask("POST /editors/a").jwt(&token).body(INNER)),
        (404, ask("POST /nothing").body(INNER)),
        (405, ask("FOO /public/a").jwt(&token).body(INNER)),
        (
            415,
            ask("POST /api-auth/")
                .line("Content-Type: text/plain")
                .body(INNER),
        ),
        (
            413,
            json("POST /api-auth/").body(&format!("{INNER}{}", "x".repeat(9000))),
        ),
        (
            421,
            format!(
                "POST /public/a HTTP/1.1\r\nHost: example.com\r\nContent-Length: {}\r\n\r\n{INNER}",
                INNER.len()
            ),
        ),
    ];
    for (status, outer) in outers {
        let answers = exchange(&world, outer.as_bytes()).await;
        let statuses: Vec<_> = answers.iter().map(|a| a.status).collect();
        assert_eq!(statuses, [status], "{outer}");
    }
    let login = json("POST /api-auth/").body(r#"{"username":"x","password":"y"}"#);
    for _ in 0..20 {
        let answers = exchange(&world, login.as_bytes()).await;
        throttled += usize::from(answers[0].status == 429);
        assert_eq!(answers.len(), 1);
    }
    assert!(throttled > 0, "never throttled");
    let answers = exchange(
        &world,
        json("POST /api-auth/")
            .body(&format!(
                r#"{{"username":"x","password":"{}"}}"#,
                INNER.escape_default()
            ))
            .as_bytes(),
    )
    .await;
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].status, 429);
    world.saw_nothing("a body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_that_is_none_is_refused_and_ends_the_connection() {
    let world = World::standard().await;
    for line in ["POST /public/a", "POST /read/a", "POST /api-auth/"] {
        for body in [
            "xyz\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
        ] {
            let request = ask(line)
                .line("Content-Type: application/json")
                .line("Transfer-Encoding: chunked")
                .end();
            let mut client = world.gateway.connect().await;
            client.send(request + body).await;
            let answer = client.response().await;
            assert!(
                matches!(answer.status, 400 | 401),
                "{line} {body:?}: {}",
                answer.status
            );
            client.expect_close().await;
        }
    }
    assert!(
        world
            .upstream
            .requests()
            .iter()
            .all(|r| !r.target.starts_with("/public")),
        "a broken body was taken for a whole one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p004_http_1_0_has_no_body_without_a_length() {
    let world = World::standard().await;
    let request = format!("POST /public/a HTTP/1.0\r\nHost: localhost\r\n\r\n{INNER}");
    let answers = exchange(&world, request.as_bytes()).await;
    assert!(answers.len() <= 1, "{answers:?}");
    let raw = world.last_raw();
    assert!(!raw.contains("inner"), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_legal_but_never_needed_is_refused_and_closed() {
    let world = World::standard().await;
    for request in [
        "GET /public/a HTTP/1.2\r\nHost: localhost\r\n\r\n",
        "POST /public/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         0000000000000000000005\r\nhello\r\n0\r\n\r\n",
    ] {
        let answers = exchange(&world, request.as_bytes()).await;
        assert_eq!(answers.len(), 1, "{request}");
        assert_eq!(answers[0].status, 400, "{request}");
        assert!(answers[0].closes(), "{request}");
    }
    assert!(
        world
            .upstream
            .requests()
            .iter()
            .all(|seen| !seen.target.starts_with("/public")),
        "no whole request came of it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p015_trailers_become_no_headers() {
    let world = World::standard().await;
    let token = world.token().await;
    let request = ask("POST /read/a")
        .line("Transfer-Encoding: chunked")
        .line("Trailer: Authorization")
        .end()
        + &format!("1\r\nx\r\n0\r\nAuthorization: Bearer {token}\r\nX-Auth-User: lie\r\n\r\n");
    let answers = exchange(&world, request.as_bytes()).await;
    assert_eq!(answers[0].status, 401);
    world.saw_nothing("a trailer");
    let open = ask("POST /public/a")
        .line("Transfer-Encoding: chunked")
        .end()
        + "1\r\nx\r\n0\r\nX-Auth-User: lie\r\n\r\n";
    exchange(&world, open.as_bytes()).await;
    let raw = world.last_raw().to_lowercase();
    assert!(!raw.contains("lie"), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_refused_is_never_asked_for_its_body() {
    let world = World::standard().await;
    for line in ["POST /read/a", "POST /nothing", "FOO /public/a"] {
        let mut client = world.gateway.connect().await;
        let head = ask(line)
            .line("Expect: 100-continue")
            .line("Content-Length: 1000")
            .end();
        client.send(head).await;
        let answer = client.response().await;
        assert!(answer.interim.is_empty(), "{line}: {:?}", answer.interim);
        assert!(matches!(answer.status, 401 | 404 | 405), "{line}");
        // The body was never sent, so the connection cannot go on.
        assert!(answer.closes(), "{line}");
        client.expect_close().await;
    }
    world.saw_nothing("a refused request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_allowed_is_asked_for_its_body() {
    let world = World::standard().await;
    let mut client = world.gateway.connect().await;
    let head = ask("POST /public/a")
        .line("Expect: 100-continue")
        .line("Content-Length: 5")
        .end();
    client.send(head).await;
    client.expect_continue().await;
    client.send("hello").await;
    let answer = client.response().await;
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    let mut client = world.gateway.connect().await;
    let seen = world.upstream.requests();
    let seen = seen.last().expect("a request");
    assert_eq!(seen.body, "hello");

    let body = r#"{"username":"admin","password":"admin"}"#;
    let head = ask("POST /api-auth/")
        .line("Expect: 100-continue")
        .line("Content-Type: application/json")
        .line(&format!("Content-Length: {}", body.len()))
        .end();
    client.send(head).await;
    client.expect_continue().await;
    client.send(body).await;
    let answer = client.response().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p014_a_slow_head_is_cut_also_on_the_second_request() {
    let upstream = crate::harness::Recording::ok().await;
    let home = crate::harness::Home::new(&super::config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LIMITS_HEADER_TIMEOUT", "500ms");
    let world = World::of(home, upstream).await;
    for served in [0, 1] {
        let mut client = world.gateway.connect().await;
        for _ in 0..served {
            let answer = client.request(super::get("/public/a")).await;
            assert_eq!(answer.status, 200);
        }
        client.send("GET /public/a HTTP/1.1\r\n").await;
        let started = std::time::Instant::now();
        client.expect_close().await;
        let took = started.elapsed();
        assert!(took > Duration::from_millis(300), "{served}: {took:?}");
    }
}
