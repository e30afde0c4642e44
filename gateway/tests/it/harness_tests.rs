//! The harness itself: a test of a test is only worth what the harness reads correctly.

use std::time::{Duration, Instant};

use crate::harness::client::Framing;
use crate::harness::misbehaving::{Misbehaving, Misbehaviour, refusing};
use crate::harness::{Client, Recording, answer};

#[tokio::test]
async fn a_recording_upstream_keeps_what_it_saw_and_the_client_keeps_its_connection() {
    let upstream = Recording::start(|seen| answer(201, seen.body.clone())).await;
    let mut client = Client::connect(upstream.addr).await;
    let first = client
        .request("POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    assert_eq!((first.status, first.text()), (201, "abc"));
    assert_eq!(first.framing, Framing::Length);
    assert!(!first.closes());
    let second = client.request("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((second.status, second.framing), (201, Framing::None));

    let seen = upstream.wait_for(2).await;
    assert_eq!(upstream.lines(), ["POST /a?b=c", "HEAD /h"]);
    assert_eq!(seen[0].all("x-two"), ["1", "2"]);
    assert_eq!(seen[0].body, "abc");
    assert_eq!((seen[1].connection, upstream.connections()), (0, 1));
    assert!(upstream.raw()[0].starts_with(b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\n"));
}

#[tokio::test]
async fn the_client_reads_slow_answers_and_sees_the_end() {
    let upstream = Misbehaving::start(Misbehaviour::Slow).await;
    let started = Instant::now();
    let mut client = Client::connect(upstream.addr).await;
    let slow = client.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(slow.text(), "slow");
    assert!(started.elapsed() > Duration::from_millis(500));

    let recording = Recording::start(|_| answer(200, "whole")).await;
    let mut client = Client::connect(recording.addr).await;
    let closing = client
        .request("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert!(closing.closes());
    client.expect_close().await;
}

#[tokio::test]
#[should_panic(expected = "x-secret")]
async fn a_header_that_no_test_allows_fails_the_test() {
    let upstream = Recording::start(|_| {
        let mut response = answer(200, "");
        response
            .headers_mut()
            .insert("x-secret", http::HeaderValue::from_static("1"));
        response
    })
    .await;
    let mut client = Client::connect(upstream.addr).await;
    client.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
}

#[tokio::test]
async fn a_header_that_a_test_allows_passes() {
    let upstream = Recording::start(|_| {
        let mut response = answer(200, "");
        response
            .headers_mut()
            .insert("x-known", http::HeaderValue::from_static("1"));
        response
    })
    .await;
    let mut client = Client::connect(upstream.addr).await.allowing(&["X-Known"]);
    let response = client.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(response.header("X-KNOWN"), Some("1"));
}

#[tokio::test]
async fn misbehaving_upstreams_do_as_they_are_named() {
    use Misbehaviour as M;
    let table: [(M, &[u8]); 6] = [
        (M::Resets, b""),
        (M::ClosesSilently, b""),
        (M::Garbage, b"\x16\x03\x01 this"),
        (M::HalfHead, b"HTTP/1.1 20"),
        (
            M::HalfResponse,
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789",
        ),
        (
            M::ClosesAfterHeaders,
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n",
        ),
    ];
    for (how, want) in table {
        let upstream = Misbehaving::start(how).await;
        let mut client = Client::connect(upstream.addr).await;
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let got = client.rest().await;
        assert!(got.starts_with(want), "{how:?}: {}", got.escape_ascii());
        assert_eq!(upstream.taken(), 1, "{how:?}");
    }
    let upstream = Misbehaving::start(M::NeverAnswers).await;
    let mut client = Client::connect(upstream.addr).await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!client.closed_within(Duration::from_millis(200)).await);
}

#[tokio::test]
async fn a_refusing_address_refuses() {
    let (addr, _held) = refusing();
    let error = tokio::net::TcpStream::connect(addr)
        .await
        .expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}
