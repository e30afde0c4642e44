//! HTTP/2 over TLS, frame by frame: what no library would send.

use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;

use super::{World, config};
use crate::harness::process::peak;
use crate::harness::{Home, Recording, within};

pub(super) mod frames;

use frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, H2, HEADERS, Outcome, REFUSED_STREAM, RST_STREAM,
    block, literal,
};

/// `[server.tls]` with a certificate of its own, which is given too, in a folder that has to stay.
pub(super) fn tls() -> (String, CertificateDer<'static>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&cert, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let tls = format!("[server.tls]\ncert_file = {cert:?}\nkey_file = {key:?}\n");
    (tls, made.cert.der().clone(), folder)
}

/// A gateway with TLS, and the certificate that it shows.
async fn world() -> (World, CertificateDer<'static>, tempfile::TempDir) {
    let (tls, trusted, folder) = tls();
    let upstream = Recording::ok().await;
    let home = Home::new(&config("standard", &upstream.url(), &tls)).flag("--insecure-dev");
    let world = World::of(home, upstream).await;
    (world, trusted, folder)
}

/// Runs what blocks beside the test's own upstream.
pub(super) async fn aside<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    within("frames", tokio::task::spawn_blocking(job))
        .await
        .expect("frames")
}

type Fields = Vec<(&'static str, &'static str)>;

fn usual(method: &'static str, path: &'static str) -> Fields {
    vec![
        (":method", method),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ]
}

fn more(mut fields: Fields, name: &'static str, value: &'static str) -> Fields {
    fields.push((name, value));
    fields
}

/// Each request on a connection of its own.
async fn outcomes(
    world: &World,
    trusted: &CertificateDer<'static>,
    all: Vec<(Fields, &'static str)>,
) -> Vec<Outcome> {
    let (addr, trusted) = (world.gateway.addr, trusted.clone());
    aside(move || {
        let ask = |(fields, body): (Fields, &str)| {
            let mut h2 = H2::connect(addr, &trusted);
            let end = if body.is_empty() { END_STREAM } else { 0 };
            h2.frame(HEADERS, END_HEADERS | end, 1, &block(&fields));
            if !body.is_empty() {
                h2.frame(DATA, END_STREAM, 1, body.as_bytes());
            }
            h2.outcome(1)
        };
        all.into_iter().map(ask).collect()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p003_a_length_of_nothing_is_believed_when_the_stream_has_ended() {
    let (world, trusted, _folder) = world().await;
    let addr = world.gateway.addr;
    let told = aside(move || {
        let mut told = Vec::new();
        for body in ["", "x"] {
            let mut h2 = H2::connect(addr, &trusted);
            let post = more(usual("POST", "/public/a"), "content-length", "0");
            h2.frame(HEADERS, END_HEADERS, 1, &block(&post));
            // A later request is answered while the first has not ended.
            let get = block(&usual("GET", "/public/b"));
            h2.frame(HEADERS, END_HEADERS | END_STREAM, 3, &get);
            told.push(h2.outcome(3));
            h2.frame(DATA, END_STREAM, 1, body.as_bytes());
            told.push(h2.outcome(1));
        }
        told
    })
    .await;
    assert_eq!(told[..3], [200, 200, 200].map(Outcome::Status));
    assert!(
        matches!(told[3], Outcome::Reset(_) | Outcome::Status(400)),
        "{told:?}"
    );
    let posts = world.upstream.requests();
    let posts = posts.iter().filter(|r| r.method == "POST").count();
    assert_eq!(posts, 1, "only the one that kept its word");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p008_p030_p034_methods_and_bodies_are_judged_as_on_http_1() {
    let (world, trusted, _folder) = world().await;
    let tunnel = vec![(":method", "CONNECT"), (":authority", "localhost:80")];
    let socket = more(usual("CONNECT", "/ws/a"), ":protocol", "websocket");
    let cases = vec![
        (usual("TRACE", "/public/a"), "", 405),
        (usual("TRACK", "/public/a"), "", 405),
        (usual("get", "/public/a"), "", 405),
        (usual("FOO", "/public/a"), "", 405),
        (usual("POST", "/read/a"), "x", 401),
        (usual("GET", "/closed/a"), "", 401),
        (usual("GET", "/read/a"), "x", 400),
        (usual("GET", "/public/%2e%2e/closed/a"), "", 400),
        (
            more(usual("GET", "/closed/a"), "x-auth-user", "admin"),
            "",
            401,
        ),
        (
            more(usual("GET", "/closed/a"), "authorization", "Bearer a.b.c"),
            "",
            401,
        ),
        (tunnel, "x", 0),
        (socket, "x", 0),
    ];
    let asked = cases
        .iter()
        .map(|(f, body, _)| (f.clone(), *body))
        .collect();
    let got = outcomes(&world, &trusted, asked).await;
    for ((fields, _, wanted), got) in cases.iter().zip(got) {
        let refused = matches!(
            got,
            Outcome::Reset(_) | Outcome::Gone | Outcome::Status(400..500)
        );
        assert!(
            got == Outcome::Status(*wanted) || (*wanted == 0 && refused),
            "{fields:?}: {got:?}"
        );
    }
    world.saw_nothing("a request over HTTP/2 that is refused");
    // A body without a length is a body, and an open write is forwarded with it.
    let write = vec![(usual("POST", "/public/a"), "hello")];
    assert_eq!(
        outcomes(&world, &trusted, write).await,
        [Outcome::Status(200)]
    );
    let seen = world.upstream.requests().pop().expect("a request");
    assert_eq!(seen.body, "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p011_requests_that_are_none_end_their_stream() {
    let (world, trusted, _folder) = world().await;
    let plain = || usual("GET", "/public/a");
    let without = |name: &str| {
        plain()
            .into_iter()
            .filter(|(n, _)| *n != name)
            .collect::<Fields>()
    };
    let mut behind = plain();
    behind.insert(0, ("x-first", "a"));
    let cases = vec![
        more(plain(), "connection", "close"),
        more(plain(), "keep-alive", "5"),
        more(plain(), "proxy-connection", "close"),
        more(plain(), "transfer-encoding", "chunked"),
        more(plain(), "upgrade", "websocket"),
        more(plain(), "te", "gzip"),
        more(plain(), "X-Upper", "a"),
        more(plain(), ":path", "/closed/a"),
        more(plain(), ":method", "POST"),
        more(plain(), ":unknown", "a"),
        more(plain(), ":status", "200"),
        more(plain(), "x-split", "a\r\nx-auth-user: admin"),
        more(plain(), "x nul", "a"),
        more(plain(), "content-length", "5"),
        without(":method"),
        without(":path"),
        without(":authority"),
        behind,
        usual("GET", ""),
        usual("GET", "public/a"),
        usual("GET", "*"),
        usual("GET", "http://localhost/public/a"),
        usual("GET", "/public/a b"),
    ];
    let asked = cases.iter().map(|fields| (fields.clone(), "")).collect();
    for (fields, got) in cases.iter().zip(outcomes(&world, &trusted, asked).await) {
        let refused = matches!(
            got,
            Outcome::Reset(_) | Outcome::Gone | Outcome::Status(400)
        );
        assert!(refused, "{fields:?}: {got:?}");
    }
    world.saw_nothing("a malformed request over HTTP/2");
    // The HTTP library cuts a fragment before anybody reads the path: one reading from there on.
    let good = vec![(plain(), ""), (usual("GET", "/public/b#/c"), "")];
    let good = outcomes(&world, &trusted, good).await;
    assert_eq!(good, [Outcome::Status(200); 2]);
    assert_eq!(world.forwarded(), ["GET /public/a", "GET /public/b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p041_p044_cookies_are_joined_and_lies_removed() {
    let (world, trusted, _folder) = world().await;
    let mut fields = more(usual("GET", "/public/a"), "cookie", "a=1");
    for (name, value) in [
        ("cookie", "b=2"),
        ("x-auth-user", "lie"),
        ("x_auth_user", "lie"),
        ("x_auth-roles", "lie"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-http-method-override", "LIE"),
    ] {
        fields = more(fields, name, value);
    }
    let got = outcomes(&world, &trusted, vec![(fields, "")]).await;
    assert_eq!(got, [Outcome::Status(200)]);
    let seen = world.upstream.requests().pop().expect("a request");
    assert_eq!(seen.all("cookie"), ["a=1; b=2"]);
    assert_eq!(seen.all("host"), ["localhost"]);
    assert_eq!(seen.all("x-auth-status"), ["anonymous"]);
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
    let raw = world.last_raw().to_lowercase();
    assert!(!raw.contains("lie"), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p012_header_lists_and_streams_are_bounded() {
    let (world, trusted, _folder) = world().await;
    let (addr, process) = (world.gateway.addr, world.gateway.process.id());
    let before = peak(process);
    let (bombs, last) = aside(move || {
        // One field in the table, named again by one byte each: 16 KiB that stand for 48 MiB.
        let bombs: Vec<_> = (0..4)
            .map(|_| {
                let mut h2 = H2::connect(addr, &trusted);
                let mut bytes = block(&usual("GET", "/public/a"));
                literal(&mut bytes, 0x40, "x-a", &"a".repeat(4000));
                bytes.resize(16_000, 0xbe);
                h2.frame(HEADERS, END_HEADERS | END_STREAM, 1, &bytes);
                h2.outcome(1)
            })
            .collect();
        let mut h2 = H2::connect(addr, &trusted);
        let open = block(&usual("POST", "/public/open"));
        for n in 0..101 {
            h2.frame(HEADERS, END_HEADERS, 2 * n + 1, &open);
        }
        (bombs, h2.outcome(201))
    })
    .await;
    for bomb in bombs {
        assert!(
            matches!(
                bomb,
                Outcome::Status(431) | Outcome::Reset(_) | Outcome::Gone
            ),
            "{bomb:?}"
        );
    }
    assert_eq!(last, Outcome::Reset(REFUSED_STREAM));
    let grown = peak(process).saturating_sub(before);
    assert!(grown < 48 * 1024, "{grown} KiB more");
    world.saw_nothing("a bomb");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p013_floods_of_frames_hold_up_nobody() {
    let (world, trusted, _folder) = world().await;
    let (addr, process) = (world.gateway.addr, world.gateway.process.id());
    let before = peak(process);
    let floods: Vec<_> = (0..3)
        .map(|kind| {
            let trusted = trusted.clone();
            tokio::task::spawn_blocking(move || {
                let mut h2 = H2::connect(addr, &trusted);
                let get = block(&usual("GET", "/read/flood"));
                let post = block(&usual("POST", "/read/flood"));
                match kind {
                    // Rapid reset.
                    0 => (0..3000).for_each(|n| {
                        h2.frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &get);
                        h2.frame(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes());
                    }),
                    // Empty DATA.
                    1 => {
                        h2.frame(HEADERS, END_HEADERS, 1, &post);
                        (0..3000).for_each(|_| h2.frame(DATA, 0, 1, &[]));
                    }
                    // A head that never ends.
                    _ => {
                        h2.frame(HEADERS, 0, 1, &get);
                        (0..3000)
                            .for_each(|_| h2.frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b']));
                    }
                }
            })
        })
        .collect();
    let slowest = aside(move || {
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let started = Instant::now();
            let mut h2 = H2::connect(addr, &trusted);
            let fields = block(&usual("GET", "/public/honest"));
            h2.frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields);
            assert_eq!(h2.outcome(1), Outcome::Status(200));
            slowest = slowest.max(started.elapsed());
        }
        slowest
    })
    .await;
    for flood in floods {
        within("a flood", flood).await.expect("a flood");
    }
    // The property asks for a second; a busy machine gets more.
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let grown = peak(process).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p015_trailers_of_http_2_reach_neither_the_rules_nor_the_upstream() {
    let (world, trusted, _folder) = world().await;
    let addr = world.gateway.addr;
    let trailers = [
        vec![(":path", "/closed/a")],
        vec![(":method", "GET"), ("x-auth-user", "lie")],
        vec![("authorization", "Bearer lie"), ("x-auth-user", "lie")],
    ];
    let count = trailers.len();
    let told = aside(move || {
        let ask = |trailers: Fields| {
            let mut h2 = H2::connect(addr, &trusted);
            let head = block(&usual("POST", "/public/a"));
            h2.frame(HEADERS, END_HEADERS, 1, &head);
            h2.frame(DATA, 0, 1, b"x");
            h2.frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&trailers));
            h2.outcome(1)
        };
        trailers.into_iter().map(ask).collect::<Vec<_>>()
    })
    .await;
    let passed = told.iter().filter(|o| **o == Outcome::Status(200)).count();
    let seen = world.forwarded();
    assert!(seen.iter().all(|line| line == "POST /public/a"), "{seen:?}");
    assert!(seen.len() <= count && passed <= seen.len(), "{told:?}");
    let raw = world.last_raw().to_lowercase();
    assert!(!raw.contains("lie") && !raw.contains("/closed"), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p092_a_request_that_is_not_whole_yet_is_judged_when_it_is() {
    let (world, trusted, _folder) = world().await;
    world
        .home
        .add_user("alice", "a long enough passphrase")
        .await;
    let minted = world.home.run(&["token", "mint", "alice"]).await.ok();
    let bearer = format!("Bearer {}", minted.trim());
    let addr = world.gateway.addr;
    let head = [
        (":method", "DELETE"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/read/a"),
        ("authorization", &*bearer),
        ("content-length", "0"),
    ];
    let head = block(&head);
    let begun = head.clone();
    let mut h2 = aside(move || {
        let mut h2 = H2::connect(addr, &trusted);
        h2.frame(HEADERS, END_HEADERS, 1, &begun);
        // It is served, and was read after the first one.
        h2.frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            3,
            &block(&usual("GET", "/public/b")),
        );
        assert_eq!(h2.outcome(3), Outcome::Status(200));
        h2
    })
    .await;
    // The command returns when the server has taken it in.
    world.home.run(&["user", "disable", "alice"]).await.ok();
    let outcome = aside(move || {
        h2.frame(DATA, END_STREAM, 1, b"");
        h2.outcome(1)
    })
    .await;
    assert_eq!(outcome, Outcome::Status(401));
    assert_eq!(world.forwarded(), ["GET /public/b"]);
}
