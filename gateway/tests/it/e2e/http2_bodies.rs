//! HTTP/2 over TLS: the same verdicts as over HTTP/1.1, and one clean HTTP/1.1 request behind it.

use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::config;
use crate::harness::misbehaving::{Misbehaving, Misbehaviour};
use crate::harness::{Gateway, Home, Recording, within};

/// A gateway that speaks TLS with a certificate of its own.
pub(super) struct Secure {
    gateway: Gateway,
    certificate: CertificateDer<'static>,
    _home: Home,
}

impl Secure {
    async fn start(upstream: &str) -> Self {
        Self::start_with(upstream, |home| home).await
    }

    /// With the gateway's home changed.
    pub(super) async fn start_with(upstream: &str, change: impl FnOnce(Home) -> Home) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        // Nothing but clients' requests reaches the upstream.
        let text = config("standard", upstream, "").replace("provision = \"/people\"\n", "");
        let home = Home::new(&text).flag("--insecure-dev");
        let (cert, key) = (
            home.folder().join("cert.pem"),
            home.folder().join("key.pem"),
        );
        std::fs::write(&cert, made.cert.pem()).expect("a file");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
        let home = home
            .env("GATEWAY_SERVER_TLS_CERT_FILE", &cert.display().to_string())
            .env("GATEWAY_SERVER_TLS_KEY_FILE", &key.display().to_string());
        let home = change(home);
        Self {
            gateway: home.serve().await,
            certificate: made.cert.der().clone(),
            _home: home,
        }
    }

    pub(super) async fn connect(&self) -> SendRequest<Bytes> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(self.gateway.addr)
            .await
            .expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await
            .expect("TLS");
        let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        client
    }
}

/// Sends a request whose body comes in these frames, the last of which ends the stream; status and body.
async fn send(
    client: &SendRequest<Bytes>,
    method: Method,
    path: &str,
    frames: &[&'static str],
) -> (u16, String) {
    within("an answer", async {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://localhost{path}"))
            .header("content-type", "application/json")
            .body(())
            .expect("a request");
        let mut client = client.clone().ready().await.expect("a stream");
        let (answer, mut body) = client
            .send_request(request, frames.is_empty())
            .expect("a request");
        for (at, frame) in frames.iter().enumerate() {
            let end = at + 1 == frames.len();
            // A refusal may come, and reset the stream, before the body is sent.
            if body
                .send_data(Bytes::from_static(frame.as_bytes()), end)
                .is_err()
            {
                break;
            }
        }
        let (head, mut stream) = answer.await.expect("an answer").into_parts();
        let mut text = Vec::new();
        while let Some(piece) = stream.data().await {
            let Ok(piece) = piece else { break };
            let _ = stream.flow_control().release_capacity(piece.len());
            text.extend_from_slice(&piece);
        }
        (
            head.status.as_u16(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p034_a_read_with_data_frames_is_refused() {
    let upstream = Recording::ok().await;
    let secure = Secure::start(&upstream.url()).await;
    for method in [Method::GET, Method::HEAD] {
        let client = secure.connect().await;
        let (status, _) = send(&client, method.clone(), "/read/a", &["a body"]).await;
        assert_eq!(status, 400, "{method}");
        let client = secure.connect().await;
        assert_eq!(send(&client, method, "/read/a", &[]).await.0, 200);
    }
    assert_eq!(upstream.requests().len(), 2, "only those without a body");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p006_a_stream_that_ends_in_an_empty_frame_leaves_nothing_behind() {
    let upstream = Recording::ok().await;
    let secure = Secure::start(&upstream.url()).await;
    let client = secure.connect().await;
    for frames in [&["abc", ""][..], &[""], &["abc"], &["", "a", "", "b", ""]] {
        let (status, text) = send(&client, Method::POST, "/public/a", frames).await;
        assert_eq!((status, text.as_str()), (200, "ok"), "{frames:?}");
    }
    let bodies: Vec<String> = upstream
        .requests()
        .iter()
        .map(|r| String::from_utf8_lossy(&r.body).into_owned())
        .collect();
    assert_eq!(bodies, ["abc", "", "abc", "ab"]);
    for raw in upstream.raw() {
        let text = String::from_utf8_lossy(&raw);
        assert!(!text.contains("0\r\n\r\n0\r\n"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_whose_length_is_not_announced_is_read() {
    let upstream = Recording::ok().await;
    let secure = Secure::start(&upstream.url()).await;
    let client = secure.connect().await;
    let body = r#"{"username":"admin","password":"admin"}"#;
    let (status, text) = send(&client, Method::POST, "/api-auth/", &[body, ""]).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("\"token\""), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_over_http2_are_those_over_http1() {
    let upstream = Recording::ok().await;
    let secure = Secure::start(&upstream.url()).await;
    let client = secure.connect().await;
    for (method, path, wanted) in [
        (Method::GET, "/read/a", 200),
        (Method::POST, "/read/a", 401),
        (Method::GET, "/closed/a", 401),
        (Method::GET, "/nowhere", 404),
        (Method::GET, "/people/1", 404),
        (Method::PUT, "/people/1", 404),
        (Method::TRACE, "/public/a", 405),
        (Method::GET, "/public/%2e%2e/closed/a", 400),
        (Method::GET, "/public/a%2fb", 400),
        (Method::GET, "//closed/a", 404),
    ] {
        let (status, _) = send(&client, method.clone(), path, &[]).await;
        assert_eq!(status, wanted, "{method} {path}");
    }
    assert_eq!(upstream.requests().len(), 1);
}

/// Where a body ends.
#[derive(Debug, PartialEq)]
enum End {
    Never,
    Here,
    Trailers,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p014_a_stream_whose_body_stops_is_408_and_an_upstream_that_is_late_is_504() {
    let upstream = Misbehaving::start(Misbehaviour::NeverAnswers).await;
    let secure = Secure::start_with(&upstream.url(), |home| {
        home.env("GATEWAY_SERVER_LIMITS_BODY_TIMEOUT", "300ms")
            .env("GATEWAY_UPSTREAMS_APP_READ_TIMEOUT", "900ms")
    })
    .await;
    for (sent, end, wanted) in [
        ("", End::Never, 408),
        ("a", End::Never, 408),
        ("a", End::Here, 504),
        ("a", End::Trailers, 504),
    ] {
        let mut client = secure.connect().await.ready().await.expect("a stream");
        let request = Request::post("https://localhost/public/a").body(());
        let (answer, mut body) = client
            .send_request(request.expect("a request"), false)
            .expect("a request");
        if !sent.is_empty() {
            body.send_data(Bytes::from_static(sent.as_bytes()), end == End::Here)
                .expect("a body");
        }
        if end == End::Trailers {
            body.send_trailers(http::HeaderMap::new())
                .expect("trailers");
        }
        let answer = within("an answer", answer).await.expect("an answer");
        assert_eq!(answer.status(), wanted, "{sent:?}, {end:?}");
    }
    let errors = secure.gateway.metric("gateway_upstream_errors_total", &[]);
    assert_eq!(
        errors.await,
        2.0,
        "a slow client is no fault of the upstream"
    );
}
