//! What goes on by itself ends with the token that opened it: WebSockets and event streams.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message, WebSocket};

use super::config;
use super::http2::frames::{END_HEADERS, END_STREAM, H2, HEADERS, Outcome, block};
use super::http2::{aside, tls};
use crate::harness::{Client, Gateway, Home, PATIENCE, ask, eventually, within};

/// The close code that says that the sign-in has ended.
const UNAUTHORIZED: u16 = 3000;

/// A service that takes one WebSocket and echoes, and in the end gives what ended it.
fn echo() -> (SocketAddr, JoinHandle<String>) {
    upstream(|stream| {
        let mut socket = tungstenite::accept(stream).expect("a handshake");
        loop {
            match socket.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    socket.send(message).expect("an echo");
                }
                Ok(_) => {}
                Err(why) => return why.to_string(),
            }
        }
    })
}

/// A service that serves one connection.
fn upstream<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let addr = listener.local_addr().expect("an address");
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        serve(stream)
    });
    (addr, serving)
}

fn home(upstream: SocketAddr, ttl: &str) -> Home {
    home_with(upstream, ttl, "")
}

fn home_with(upstream: SocketAddr, ttl: &str, more: &str) -> Home {
    let url = format!("http://{upstream}");
    let routes = config("standard", &url, more).replace("provision = \"/people\"\n", "");
    Home::new(&routes)
        .flag("--insecure-dev")
        .env("GATEWAY_AUTH_ACCESS_TTL", ttl)
        .env("GATEWAY_AUTH_LEEWAY", "0s")
}

/// Opens a WebSocket through the gateway. Blocks.
fn open(gateway: SocketAddr, token: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(gateway).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let request = http::Request::builder()
        .uri(format!("ws://{gateway}/ws/chat"))
        .header("Host", "localhost")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Authorization", format!("Bearer {token}"))
        .body(())
        .expect("a request");
    let (mut socket, _) = tungstenite::client(request, stream).expect("a WebSocket");
    for text in ["hello", "x".repeat(70_000).as_str()] {
        socket.send(Message::text(text)).expect("a message");
        assert_eq!(socket.read().expect("an echo"), Message::text(text));
    }
    socket
}

/// Waits for the close frame and the end behind it. Blocks.
fn farewell(socket: &mut WebSocket<TcpStream>) -> (Option<CloseFrame>, Duration) {
    let began = Instant::now();
    let close = loop {
        match socket.read().expect("a close frame") {
            Message::Close(close) => break close,
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    };
    let took = began.elapsed();
    match socket.read() {
        Err(Error::ConnectionClosed | Error::Io(_) | Error::Protocol(_)) => {}
        other => panic!("more than the end: {other:?}"),
    }
    (close, took)
}

async fn admin_token(gateway: &Gateway) -> String {
    gateway.token("admin", "admin").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p124_a_websocket_ends_with_its_token() {
    let (addr, serving) = echo();
    let gateway = home(addr, "3s").serve().await;
    let token = admin_token(&gateway).await;
    let addr = gateway.addr;
    let (close, took) = aside(move || farewell(&mut open(addr, &token))).await;
    assert_eq!(
        close.map(|c| u16::from(c.code)),
        Some(UNAUTHORIZED),
        "{took:?}"
    );
    assert!(took < Duration::from_secs(3 + 5), "{took:?}");
    assert!(took > Duration::from_secs(1), "{took:?}");
    let ended = aside(move || serving.join().expect("the service")).await;
    assert!(!ended.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p124_a_websocket_ends_soon_after_its_user_was_disabled_and_not_when_another_was() {
    let (addr, serving) = echo();
    let home = home(addr, "15m");
    let gateway = home.serve().await;
    for name in ["alice", "bob"] {
        home.add_user(name, "a long enough passphrase").await;
    }
    let token = gateway.token("alice", "a long enough passphrase").await;
    let addr = gateway.addr;
    let mut socket = aside(move || open(addr, &token)).await;
    home.run(&["user", "disable", "bob"]).await.ok();
    // Two looks at the lease later it still goes on.
    let mut socket = aside(move || {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2_500) {
            socket.send(Message::text("still")).expect("a message");
            assert_eq!(socket.read().expect("an echo"), Message::text("still"));
        }
        socket
    })
    .await;
    home.run(&["user", "disable", "alice"]).await.ok();
    let (close, took) = aside(move || farewell(&mut socket)).await;
    assert_eq!(close.map(|c| u16::from(c.code)), Some(UNAUTHORIZED));
    assert!(took < Duration::from_secs(5), "{took:?}");
    aside(move || serving.join().expect("the service")).await;
    eventually("the access log to tell why", async || {
        gateway.log().contains("sign_in_ended").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p124_no_frame_of_ours_stands_within_another() {
    // A frame of ten bytes, of which four come.
    const HALF: &[u8] = b"\x82\x0aabcd";
    let (addr, serving) = breaks_off(HALF);
    let gateway = home(addr, "2s").serve().await;
    let token = admin_token(&gateway).await;
    let mut client = gateway.connect().await.allowing(&["upgrade"]);
    let handshake = ask("GET /ws/chat").bearer(&token).websocket().end();
    assert_eq!(client.request(handshake).await.status, 101);
    assert_eq!(client.rest().await, HALF);
    aside(move || serving.join().expect("the service")).await;
}

/// A WebSocket whose service sends these bytes behind its `101`, waits for one byte or the end, and then breaks off.
fn breaks_off(bytes: &'static [u8]) -> (SocketAddr, JoinHandle<()>) {
    upstream(move |mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            std::io::Read::read_exact(&mut stream, &mut byte).expect("a head");
            head.extend(byte);
        }
        let switch =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(switch.as_bytes()).expect("a switch");
        stream.write_all(bytes).expect("bytes");
        let _ = std::io::Read::read(&mut stream, &mut [0]);
        // Unread bytes of the client make a reset of the end.
        drop(stream);
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p010_nothing_of_ours_is_written_into_a_websocket_however_it_ends() {
    const HALF: &[u8] = b"\x82\x7e\x10\x00abcd";
    let (addr, serving) = breaks_off(HALF);
    let home = home(addr, "15m").env("GATEWAY_SERVER_LIMITS_BODY_TIMEOUT", "300ms");
    let gateway = home.serve().await;
    let token = admin_token(&gateway).await;
    let mut client = gateway.connect().await.allowing(&["upgrade"]);
    let handshake = ask("GET /ws/chat").bearer(&token).websocket().end();
    assert_eq!(client.request(handshake).await.status, 101);
    let mut seen = Vec::new();
    while seen.len() < HALF.len() {
        seen.extend(client.some().await);
    }
    assert_eq!(seen, HALF);
    // A client that only listens is not slow.
    assert!(!client.closed_within(Duration::from_millis(900)).await);
    client.send("0123456789").await;
    assert_eq!(client.rest().await.escape_ascii().to_string(), "");
    aside(move || serving.join().expect("the service")).await;
}

/// A service that sends an event each 50 ms, until nobody listens.
fn events(media: &'static str) -> (SocketAddr, JoinHandle<usize>) {
    upstream(move |mut stream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("a head");
        let (_tell, tick) = std::sync::mpsc::channel::<()>();
        for sent in 0..400 {
            if stream.write_all(b"9\r\ndata: x\n\n\r\n").is_err() {
                return sent;
            }
            let _ = tick.recv_timeout(Duration::from_millis(50));
        }
        let _ = stream.write_all(b"0\r\n\r\n");
        400
    })
}

async fn listen(gateway: &Gateway, token: Option<&str>) -> (Client, Instant) {
    let mut client = gateway.connect().await;
    let request = match token {
        Some(token) => ask("GET /read/events").bearer(token),
        None => ask("GET /read/events"),
    };
    client.send(request.end()).await;
    (client, Instant::now())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p124_an_event_stream_ends_with_its_token() {
    let (addr, serving) = events("text/event-stream; charset=utf-8");
    let gateway = home(addr, "2s").serve().await;
    let token = admin_token(&gateway).await;
    let (mut client, began) = listen(&gateway, Some(&token)).await;
    let all = client.rest().await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2 + 5), "{took:?}");
    assert!(took > Duration::from_millis(800), "{took:?}");
    let all = String::from_utf8_lossy(&all);
    assert!(all.contains("data: x"), "{all}");
    assert!(!all.ends_with("0\r\n\r\n"), "nobody takes it for whole");
    let sent = aside(move || serving.join().expect("the service")).await;
    assert!(sent < 400, "the service is let go of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p124_an_event_stream_over_http_2_is_reset_with_its_token() {
    let (addr, serving) = events("text/event-stream");
    let (tls, trusted, _folder) = tls();
    let home = home_with(addr, "2s", &tls);
    let gateway = home.serve().await;
    let minted = home.run(&["token", "mint", "admin"]).await;
    let token = format!("Bearer {}", minted.ok().trim());
    let addr = gateway.addr;
    let took = aside(move || {
        let mut h2 = H2::connect(addr, &trusted);
        let fields = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/read/events"),
            ("authorization", &*token),
        ];
        h2.frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields));
        assert_eq!(h2.outcome(1), Outcome::Status(200));
        let began = Instant::now();
        assert!(matches!(h2.outcome(1), Outcome::Reset(_)));
        began.elapsed()
    })
    .await;
    assert!(took < Duration::from_secs(2 + 5), "{took:?}");
    assert!(took > Duration::from_millis(500), "{took:?}");
    let sent = aside(move || serving.join().expect("the service")).await;
    assert!(sent < 400, "the service is let go of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p124_what_is_open_to_everybody_or_is_no_event_stream_is_let_to_its_end() {
    for (media, signed_in) in [("text/event-stream", false), ("text/plain", true)] {
        let (addr, _serving) = events(media);
        let gateway = home(addr, "1s").serve().await;
        let token = admin_token(&gateway).await;
        let (mut client, began) = listen(&gateway, signed_in.then_some(&*token)).await;
        let more = within("events beyond the token", async {
            while began.elapsed() < Duration::from_millis(3_500) {
                if client.some().await.is_empty() {
                    return false;
                }
            }
            true
        });
        assert!(more.await, "{media}, signed in: {signed_in}");
    }
}
