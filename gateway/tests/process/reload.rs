//! SIGHUP: a new configuration takes effect whole or not at all, and so does a new certificate.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::process::all;
use crate::harness::{Client, Gateway, Home, Recording, answer, ask, eventually};

fn config(upstream: &str, access: &str, more: &str) -> String {
    format!(
        "version = 1\n{more}\n[upstreams.app]\nurls = [\"{upstream}\"]\n[[routes]]\npath = \"/a\"\nupstream = \"app\"\naccess = \"{access}\"\n[[routes]]\npath = \"/b\"\nupstream = \"app\"\naccess = \"{access}\"\n"
    )
}

async fn hang_up(gateway: &Gateway, wanted: &str) {
    let before = gateway.log().matches(wanted).count();
    gateway.process.signal(Signal::HUP);
    eventually(wanted, async || {
        (gateway.log().matches(wanted).count() > before).then_some(())
    })
    .await;
}

const TAKEN: &str = "the configuration was read again and is in effect";
const REFUSED: &str = "the last good one stays";

async fn status(gateway: &Gateway, path: &str) -> u16 {
    gateway.ask(ask(&format!("GET {path}")).end()).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_changes_rules_whole_or_not_at_all() {
    let upstream = Recording::start(|_| answer(200, "ok")).await;
    let home = Home::new(&config(&upstream.url(), "public", "")).flag("--insecure-dev");
    let gateway = home.serve().await;
    assert_eq!(status(&gateway, "/a").await, 200);

    std::fs::write(home.file(), config(&upstream.url(), "token", "")).expect("a file");
    hang_up(&gateway, TAKEN).await;
    assert_eq!(status(&gateway, "/a").await, 401);
    assert_eq!(gateway.metric("gateway_config_reload_ok", &[]).await, 1.0);

    // Broken in its last line: nothing of it counts.
    let broken = config(&upstream.url(), "public", "") + "acces = \"token\"\n";
    std::fs::write(home.file(), broken).expect("a file");
    hang_up(&gateway, REFUSED).await;
    assert_eq!(status(&gateway, "/a").await, 401);
    assert_eq!(gateway.metric("gateway_config_reload_ok", &[]).await, 0.0);
    assert!(
        gateway.log().contains("did you mean `access`?"),
        "{}",
        gateway.log()
    );

    std::fs::write(home.file(), config(&upstream.url(), "public", "")).expect("a file");
    hang_up(&gateway, TAKEN).await;
    assert_eq!(status(&gateway, "/a").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_a_hangup_changes_what_other_origins_may_do() {
    let upstream = Recording::start(|_| answer(200, "ok")).await;
    let cors = |origin: &str| format!("[cors]\norigins = [\"{origin}\"]\n");
    let (old, new) = ("https://old.example", "https://new.example");
    let home = Home::new(&config(&upstream.url(), "token", "")).flag("--insecure-dev");
    let gateway = home.serve().await;
    let preflight = async |origin: &str| {
        let asked = ask("OPTIONS /a")
            .line(&format!("Origin: {origin}"))
            .line("Access-Control-Request-Method: PUT");
        let mut client = gateway.connect().await.allowing(&[
            "access-control-allow-origin",
            "access-control-allow-methods",
            "access-control-allow-headers",
            "access-control-max-age",
        ]);
        let answer = client.request(asked.end()).await;
        let allowed = answer.header("access-control-allow-origin");
        (answer.status, allowed.map(str::to_owned))
    };
    assert_eq!(preflight(old).await, (401, None));
    for (origin, other) in [(old, new), (new, old)] {
        let text = config(&upstream.url(), "token", &cors(origin));
        std::fs::write(home.file(), text).expect("a file");
        hang_up(&gateway, TAKEN).await;
        assert_eq!(preflight(origin).await, (204, Some(origin.to_owned())));
        assert_eq!(preflight(other).await, (403, None));
    }
    // A slash too many: what was right stays.
    let broken = config(&upstream.url(), "token", &cors("https://old.example/"));
    std::fs::write(home.file(), broken).expect("a file");
    hang_up(&gateway, REFUSED).await;
    assert_eq!(preflight(new).await, (204, Some(new.to_owned())));
    std::fs::write(home.file(), config(&upstream.url(), "token", "")).expect("a file");
    hang_up(&gateway, TAKEN).await;
    assert_eq!(preflight(new).await, (401, None));
    assert!(upstream.requests().is_empty(), "a preflight was forwarded");
}

/// Asks for both paths on one connection until told to stop; every answer must be one that some
/// configuration gives.
async fn read_on(addr: std::net::SocketAddr, stop: Arc<AtomicBool>) -> usize {
    let mut answers = 0;
    let mut client = Client::connect(addr).await;
    while !stop.load(Ordering::SeqCst) {
        for path in ["/a", "/b"] {
            let answer = client.request(ask(&format!("GET {path}")).end()).await;
            assert!(
                matches!(answer.status, 200 | 401),
                "{path}: {}",
                answer.status
            );
            assert!(!answer.closes(), "a reload closed a connection");
            answers += 1;
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p056_requests_go_on_while_configurations_change() {
    let upstream = Recording::start(|_| answer(200, "ok")).await;
    let home = Home::new(&config(&upstream.url(), "public", ""))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LIMITS_KEEP_ALIVE_REQUESTS", "1000000");
    let gateway = home.serve().await;
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| read_on(gateway.addr, Arc::clone(&stop)))
        .collect();
    let readers = tokio::spawn(all("readers", readers));
    for access in ["token", "public", "token", "public"] {
        std::fs::write(home.file(), config(&upstream.url(), access, "")).expect("a file");
        hang_up(&gateway, TAKEN).await;
    }
    stop.store(true, Ordering::SeqCst);
    let answers: usize = readers.await.expect("readers").into_iter().sum();
    assert!(answers > 8, "{answers}");
}

/// A self-signed certificate for `localhost` into two files.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("a file");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
    made.cert.der().clone()
}

/// One request over TLS that trusts this certificate alone; the whole answer, or why there is none.
fn over_tls(
    addr: std::net::SocketAddr,
    trusted: &CertificateDer<'static>,
) -> Result<String, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a session");
    let socket = TcpStream::connect(addr).expect("a connection");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a limit");
    let mut stream = rustls::StreamOwned::new(session, socket);
    let request = ask("GET /a").line("Connection: close").end();
    stream
        .write_all(request.as_bytes())
        .map_err(|e| e.to_string())?;
    let mut text = Vec::new();
    // A server may end a connection without TLS's own farewell after `Connection: close`.
    let _ = stream.read_to_end(&mut text);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Takes connections, answers each with a switch of protocols and keeps it.
async fn tunnels() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
            let _ = stream.write_all(switch.as_bytes()).await;
            kept.push(stream);
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p124_a_websocket_ends_when_its_route_leads_elsewhere() {
    let url = tunnels().await;
    let text = |upstream: &str, websocket: bool| {
        format!(
            "version = 1\n[upstreams.one]\nurls = [\"{url}\"]\n[upstreams.two]\nurls = [\"{url}\"]\n[[routes]]\npath = \"/a\"\nupstream = \"{upstream}\"\naccess = \"public\"\nwebsocket = {websocket}\n"
        )
    };
    let home = Home::new(&text("one", true)).flag("--insecure-dev");
    let gateway = home.serve().await;
    for (upstream, websocket, holds) in [
        ("one", true, true),
        ("two", true, false),
        ("one", false, false),
    ] {
        std::fs::write(home.file(), text("one", true)).expect("a file");
        hang_up(&gateway, TAKEN).await;
        let mut client = gateway.connect().await.allowing(&["upgrade"]);
        let handshake = ask("GET /a").websocket().end();
        assert_eq!(client.request(handshake).await.status, 101);
        std::fs::write(home.file(), text(upstream, websocket)).expect("a file");
        hang_up(&gateway, TAKEN).await;
        if holds {
            // Two looks at the lease.
            assert!(!client.closed_within(Duration::from_millis(2_500)).await);
        } else {
            let farewell = client.rest().await;
            let close = u16::to_be_bytes(3000);
            assert_eq!(farewell.get(2..4), Some(&close[..]), "{farewell:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_shows_the_new_certificate() {
    let upstream = Recording::start(|_| answer(200, "ok")).await;
    let folder = tempfile::tempdir().expect("a folder");
    let first = certify(folder.path());
    let tls = format!(
        "[server.tls]\ncert_file = {:?}\nkey_file = {:?}\n",
        folder.path().join("cert.pem"),
        folder.path().join("key.pem")
    );
    let home = Home::new(&config(&upstream.url(), "public", &tls)).flag("--insecure-dev");
    let gateway = home.serve().await;
    let answered = over_tls(gateway.addr, &first).expect("TLS");
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    let seen = upstream.requests().pop().expect("a request");
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));

    // A key that is not the certificate's changes nothing.
    let good = std::fs::read(folder.path().join("key.pem")).expect("a file");
    let second = certify(folder.path());
    let its_key = std::fs::read(folder.path().join("key.pem")).expect("a file");
    std::fs::write(folder.path().join("key.pem"), good).expect("a file");
    hang_up(&gateway, REFUSED).await;
    assert!(over_tls(gateway.addr, &first).is_ok());

    std::fs::write(folder.path().join("key.pem"), its_key).expect("a file");
    hang_up(&gateway, TAKEN).await;
    assert!(over_tls(gateway.addr, &second).is_ok());
    assert!(
        over_tls(gateway.addr, &first).is_err(),
        "the old certificate is still shown"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_none_ends_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("cert.pem"), "nothing").expect("a file");
    std::fs::write(folder.path().join("key.pem"), "nothing").expect("a file");
    let tls = format!(
        "[server.tls]\ncert_file = {:?}\nkey_file = {:?}\n",
        folder.path().join("cert.pem"),
        folder.path().join("key.pem")
    );
    let home = Home::new(&config("http://127.0.0.1:9", "public", &tls));
    let ended = home.serve_in_vain().await;
    assert_eq!(ended.code, Some(3));
    assert!(ended.text().contains("cert.pem"), "{}", ended.text());
}
