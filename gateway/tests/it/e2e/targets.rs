//! Request targets: what is judged is what is forwarded, byte for byte, or nothing is.

use super::{World, get};
use crate::harness::ask;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p016_the_upstream_gets_the_target_that_was_judged_byte_for_byte() {
    let world = World::standard().await;
    let targets = [
        "/read/",
        "/read",
        "/read/a%20b",
        "/read/a%2fb?x=%2F&y=%00",
        "/read/%41",
        "/read/a;b=c",
        "/read/a?",
        "/read/a??b=?",
        "/read/a?b=../../etc",
        "/read/~a!$&'()*+,=:@",
        "/read/%C3%A4",
        "/read//a",
        "/read/a%23b",
    ];
    let mut client = world.gateway.connect().await;
    for target in targets {
        let seen_before = world.forwarded().len();
        let answer = client.request(get(target)).await;
        let seen = world.forwarded().split_off(seen_before);
        if answer.status == 200 {
            assert_eq!(seen, [format!("GET {target}")]);
        } else {
            assert_eq!(answer.status, 400, "{target}");
            assert!(seen.is_empty(), "{target}: {seen:?}");
            client = world.gateway.connect().await;
        }
    }
    let raw = world.last_raw();
    assert!(raw.contains("GET /read/a%20b HTTP/1.1\r\n"), "{raw}");
    assert!(
        raw.contains("GET /read/a?b=../../etc HTTP/1.1\r\n"),
        "{raw}"
    );
    assert!(raw.contains("GET /read/a? HTTP/1.1\r\n"), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p017_p019_p020_dot_segments_and_encoded_separators_are_refused() {
    let world = World::standard().await;
    for target in [
        "/public/../closed/a",
        "/public/%2e%2e/closed",
        "/public/%2E./closed",
        "/public/.%2e/closed",
        "/public/..;/closed",
        "/public/..;x=1/closed",
        "/public/./a",
        "/./public/a",
        "/public/..",
        "/public/a%2Fb",
        "/public/a%2fb",
        "/public/a%5Cb",
        "/public/a%5cb",
        "/public/a\\b",
        "/public/a%00",
        "/public/a%09b",
        "/public/a%0Ab",
        "/public/a%0db",
        "/public/a%",
        "/public/a%zz",
        "/public/a\x01",
    ] {
        let answer = world.ask(get(target)).await;
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
    }
    world.saw_nothing("a path of several readings");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p018_p024_other_readings_only_make_a_verdict_stricter() {
    let world = World::standard().await;
    for target in [
        "//closed/a",
        "///closed/a",
        "/CLOSED/a",
        "/%63losed/a",
        "/%2563losed/a",
        "/public/%252e%252e/closed/a",
        "/closed;x=y/a",
        "/closed",
        "/closed/",
    ] {
        let answer = world.ask(get(target)).await;
        assert!(
            matches!(answer.status, 400 | 401 | 404),
            "{target}: {}",
            answer.status
        );
    }
    world.saw_nothing("a closed path in disguise");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p021_the_query_takes_no_part_in_matching() {
    let world = World::standard().await;
    assert_eq!(world.ask(get("/closed/a?x=/public/")).await.status, 401);
    assert_eq!(world.ask(get("/public/a?x=/closed/")).await.status, 200);
    assert_eq!(world.forwarded(), ["GET /public/a?x=/closed/"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p022_p026_p027_targets_that_are_no_path_are_refused() {
    let world = World::standard().await;
    let requests: Vec<Vec<u8>> = vec![
        get("/public/a#b").into(),
        get("/public/a?b#c").into(),
        get("http://localhost/public/a").into(),
        get("http://evil.example/public/a").into(),
        get("http:/public/a").into(),
        get("public/a").into(),
        get("*").into(),
        get("x:/public/a").into(),
        b"GET /public/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /public/\xc3\xa4 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /public/a\tb HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET  /public/a HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /public/a\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /public/a HTTP/2.0\r\nHost: localhost\r\n\r\n".to_vec(),
    ];
    for request in requests {
        let shown = request.escape_ascii().to_string();
        let mut client = world.gateway.connect().await;
        client.send(&request).await;
        let answer = client.rest().await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{shown}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1").count(),
            usize::from(!answer.is_empty()),
            "{shown}"
        );
    }
    world.saw_nothing("a target that is no path");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_space_in_a_target_is_judged_as_it_is_forwarded() {
    // Pingora mends it before anybody sees it: what counts is that there is one reading from there on.
    let world = World::standard().await;
    assert_eq!(world.ask(get("/public/a b")).await.status, 200);
    let refused = world.ask(get("/closed/a HTTP/1.1")).await.status;
    assert!(matches!(refused, 400 | 401), "{refused}");
    assert_eq!(world.ask(get("/public/.. /closed/a")).await.status, 200);
    assert_eq!(
        world.forwarded(),
        ["GET /public/a%20b", "GET /public/..%20/closed/a"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p025_hosts_are_compared_without_case_port_and_last_dot() {
    let upstream = crate::harness::Recording::ok().await;
    let config = super::config("standard", &upstream.url(), "");
    let config = format!("hosts = [\"Tasks.Example.com\"]\n{config}");
    let home =
        crate::harness::Home::new(&config).env("GATEWAY_ADMIN_PASSWORD", "a long passphrase");
    let world = World::of(home, upstream).await;
    for (host, status) in [
        ("tasks.example.com", 200),
        ("TASKS.example.com:8080", 200),
        ("tasks.example.com.", 200),
        ("other.example.com", 421),
        ("tasks.example.com.evil.example", 421),
        ("127.0.0.1", 421),
        ("tasks.example.com@evil.example", 400),
        ("tasks.example.com:8080:9", 400),
        ("", 400),
        ("a b", 400),
    ] {
        let request = format!("GET /public/a HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = world.ask(request).await;
        assert_eq!(answer.status, status, "{host}");
    }
    assert_eq!(world.forwarded().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn development_mode_answers_to_loopback_names_alone() {
    let world = World::standard().await;
    for (host, status) in [
        ("localhost", 200),
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("tasks.example.com", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ] {
        let request = format!("GET /public/a HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(world.ask(request).await.status, status, "{host}");
    }
}

/// Ways to write the prefix that only the gateway itself may write to.
const PEOPLE: &[&str] = &[
    "/people",
    "/people/",
    "/people/1",
    "/people/1/",
    "//people/1",
    "/People/1",
    "/PEOPLE/1",
    "/%70eople/1",
    "/%2570eople/1",
    "/people;x=1/1",
    "/people%2f1",
    "/x/../people/1",
    "/x/%2e%2e/people/1",
    "/people/1?x=y",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reaches_the_provisioning_prefix() {
    let world = World::shipped().await;
    let token = world.token().await;
    for target in PEOPLE {
        for method in ["GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS"] {
            let request = ask(&format!("{method} {target}")).jwt(&token).end();
            let answer = world.ask(&request).await;
            assert!(
                matches!(answer.status, 400 | 404),
                "{method} {target}: {}",
                answer.status
            );
        }
    }
    world.saw_nothing("the provisioning prefix");
    let by_clients = world
        .upstream
        .requests()
        .iter()
        .filter(|r| r.header("x-request-id").is_some())
        .count();
    assert_eq!(by_clients, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reaches_it_through_a_rule_for_everything_either() {
    let upstream = crate::harness::Recording::ok().await;
    // A rule for everything, and an upstream without a secret.
    let config = format!(
        "version = 1\n[upstreams.app]\nurls = [\"{}\"]\nprovision = \"/people\"\n[[routes]]\npath = \"/**\"\nupstream = \"app\"\naccess = \"public\"\n",
        upstream.url()
    );
    let home = crate::harness::Home::new(&config).flag("--insecure-dev");
    let world = World::of(home, upstream).await;
    for target in PEOPLE {
        let answer = world.ask(ask(&format!("PUT {target}")).body("{}")).await;
        assert!(
            matches!(answer.status, 400 | 404),
            "{target}: {}",
            answer.status
        );
    }
    let by_clients = world
        .upstream
        .requests()
        .iter()
        .filter(|r| r.header("x-request-id").is_some())
        .count();
    assert_eq!(by_clients, 0);
    // Its neighbours are reached.
    assert_eq!(world.ask(get("/peoples/1")).await.status, 200);
    assert_eq!(world.ask(get("/x/people/1")).await.status, 200);
}
