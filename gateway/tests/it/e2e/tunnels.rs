//! WebSockets, slow senders, and connections to upstreams that die between two requests.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{World, config};
use crate::harness::misbehaving::{Misbehaving, Misbehaviour};
use crate::harness::{Home, Recording, Response, ask, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_is_a_tunnel_once_the_upstream_agrees() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let routes = config("standard", &url, "").replace("provision = \"/people\"\n", "");
    let home = Home::new(&routes).flag("--insecure-dev");
    let gateway = home.serve().await;
    let token = gateway.token("admin", "admin").await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert!(stream.read_buf(&mut head).await.expect("a head") > 0);
        }
        let switch =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(switch.as_bytes()).await.expect("a switch");
        let mut echoed = [0; 5];
        stream.read_exact(&mut echoed).await.expect("bytes");
        stream.write_all(&echoed).await.expect("an echo");
        String::from_utf8(head).expect("a head in UTF-8")
    });
    let mut client = gateway.connect().await.allowing(&["upgrade"]);
    let handshake = ask("GET /ws/chat")
        .bearer(&token)
        .line("X-Auth-User: lie")
        .websocket()
        .end();
    assert_eq!(client.request(handshake).await.status, 101);
    client.send("hello").await;
    let head = within("the upstream", upstream).await.expect("an upstream");
    assert_eq!(client.rest().await, b"hello");
    let head = head.to_lowercase();
    assert!(head.starts_with("get /ws/chat http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nx-auth-user: admin\r\n"), "{head}");
    assert!(!head.contains("lie"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p014_a_body_that_stops_coming_is_408() {
    let upstream = Recording::ok().await;
    let home = Home::new(&config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LIMITS_BODY_TIMEOUT", "300ms");
    let world = World::of(home, upstream).await;
    for line in ["POST /public/a", "POST /api-auth/"] {
        let mut client = world.gateway.connect().await;
        let head = ask(line)
            .line("Content-Type: application/json")
            .line("Content-Length: 100")
            .end();
        client.send(head + "{").await;
        let answer = client.response().await;
        assert_eq!(answer.status, 408, "{line}: {}", answer.text());
        assert!(answer.closes(), "{line}");
        client.expect_close().await;
    }
    let whole = world.upstream.requests();
    assert!(
        whole.iter().all(|seen| !seen.target.starts_with("/public")),
        "half a body was taken for a whole one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p014_a_body_of_chunks_that_bring_nothing_is_408_and_no_fault_of_the_upstream() {
    let upstream = Recording::ok().await;
    let home = Home::new(&config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LIMITS_BODY_TIMEOUT", "300ms")
        .env("GATEWAY_UPSTREAMS_APP_READ_TIMEOUT", "900ms");
    let world = World::of(home, upstream).await;
    let mut client = world.gateway.connect().await;
    let head = ask("POST /public/a").line("Transfer-Encoding: chunked");
    client.send(head.end() + "1;").await;
    for _ in 0..200 {
        let pause = Duration::from_millis(50);
        if !client.try_send("a").await || client.closed_or_answered_within(pause).await {
            break;
        }
    }
    let answer = client.response().await;
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert!(answer.closes());
    assert!(world.forwarded().is_empty(), "half a body is no request");
    let errors = world.gateway.metric("gateway_upstream_errors_total", &[]);
    assert_eq!(errors.await, 0.0);
}

/// Sends a body piece by piece, each after a pause, until all is sent or an answer is there.
async fn dribble(world: &World, pieces: usize, piece: &str, pause: Duration) -> Response {
    let mut client = world.gateway.connect().await;
    let length = format!("Content-Length: {}", pieces * piece.len());
    client.send(ask("POST /public/a").line(&length).end()).await;
    for _ in 0..pieces {
        if !client.try_send(piece).await || client.closed_or_answered_within(pause).await {
            break;
        }
    }
    client.response().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p014_a_body_that_dribbles_in_is_408_and_a_steady_one_is_not() {
    let upstream = Recording::ok().await;
    let home = Home::new(&config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LIMITS_BODY_TIMEOUT", "500ms")
        .env("GATEWAY_SERVER_LIMITS_BODY_MIN_RATE", "500");
    let world = World::of(home, upstream).await;
    let pause = Duration::from_millis(50);
    let began = Instant::now();
    let answer = dribble(&world, 400, "x", pause).await;
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert!(answer.closes());
    let took = began.elapsed();
    assert!(took > Duration::from_millis(450), "{took:?}");
    assert!(world.forwarded().is_empty(), "half a body is no request");
    // Twice the rate, and longer than the patience.
    let began = Instant::now();
    let answer = dribble(&world, 30, &"x".repeat(100), pause).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(began.elapsed() > Duration::from_millis(1_000));
    assert_eq!(world.forwarded(), ["POST /public/a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p125_a_read_on_a_connection_that_dies_is_answered_once() {
    let upstream = Misbehaving::start(Misbehaviour::AnswersOnceThenCloses).await;
    let routes = config("standard", &upstream.url(), "").replace("provision = \"/people\"\n", "");
    let home = Home::new(&routes).flag("--insecure-dev");
    let gateway = home.serve().await;
    let mut client = gateway.connect().await;
    for n in 0..4 {
        let answer = client.request(super::get(&format!("/public/{n}"))).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
    }
}
