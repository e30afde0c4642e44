//! Upstreams that fail: the client gets an answer in the profile's shape, the log the cause, and what may
//! have been done is not done twice.

use std::time::{Duration, Instant};

use super::{config, get};
use crate::harness::misbehaving::{Misbehaving, Misbehaviour, refusing};
use crate::harness::process::all;
use crate::harness::{Client, Gateway, Home, Recording, answer, ask, eventually};

async fn in_front_of(profile: &str, url: &str) -> (Home, Gateway) {
    let routes = config(profile, url, "").replace("provision = \"/people\"\n", "");
    let home = Home::new(&routes)
        .flag("--insecure-dev")
        .env("GATEWAY_UPSTREAMS_APP_READ_TIMEOUT", "400ms")
        .env("GATEWAY_UPSTREAMS_APP_CONNECT_TIMEOUT", "400ms");
    let gateway = home.serve().await;
    (home, gateway)
}

/// A line at the usual level says what went wrong with the request that the access line is about.
async fn assert_cause_is_logged(gateway: &Gateway) {
    let line = async |wanted: &[&str]| {
        // The access line is written after the answer.
        eventually(&format!("a line with {wanted:?}"), async || {
            let log = gateway.log();
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            let found = whole
                .lines()
                .find(|line| wanted.iter().all(|text| line.contains(text)));
            found.map(str::to_owned)
        })
        .await
    };
    let access = line(&["gateway::access", "/public/a"]).await;
    let access: serde_json::Value = serde_json::from_str(&access).expect("JSON");
    let id = access["request_id"].as_str().expect("an id");
    line(&["WARN", "not served", "\"cause\":", id]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p007_every_failure_has_its_answer_and_its_cause_in_the_log() {
    use Misbehaviour as M;
    for (how, status) in [
        (M::NeverAnswers, 504),
        (M::Resets, 502),
        (M::Garbage, 502),
        (M::HalfHead, 502),
        (M::ClosesSilently, 502),
    ] {
        for profile in ["standard", "drf-jwt"] {
            let upstream = Misbehaving::start(how).await;
            let (_home, gateway) = in_front_of(profile, &upstream.url()).await;
            for method in ["GET", "POST"] {
                let before = upstream.taken();
                let started = Instant::now();
                let answer = gateway.ask(ask(&format!("{method} /public/a")).end()).await;
                assert_eq!(answer.status, status, "{how:?} {method}");
                assert!(started.elapsed() < Duration::from_secs(10));
                let body = answer.json();
                if profile == "standard" {
                    assert_eq!(body["status"], status, "{how:?}");
                } else {
                    assert!(body["detail"].is_string(), "{how:?}: {body}");
                }
                assert_eq!(
                    upstream.taken() - before,
                    1,
                    "{how:?}: a {method} was sent again"
                );
            }
            assert_cause_is_logged(&gateway).await;
            eventually("both in the metrics", async || {
                let errors = gateway.metric("gateway_upstream_errors_total", &["app"]);
                ((errors.await - 2.0).abs() < 0.1).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_is_down_is_503() {
    let (addr, _held) = refusing();
    for profile in ["standard", "drf-jwt"] {
        let (_home, gateway) = in_front_of(profile, &format!("http://{addr}")).await;
        let mut client = gateway.connect().await;
        let refused = client.request(get("/public/a")).await;
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_cause_is_logged(&gateway).await;
        assert!(!refused.text().contains(&addr.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_answer_is_never_taken_for_a_whole_one() {
    use Misbehaviour as M;
    for how in [M::HalfResponse, M::ClosesAfterHeaders, M::StallsInBody] {
        let upstream = Misbehaving::start(how).await;
        let (_home, gateway) = in_front_of("standard", &upstream.url()).await;
        let mut client = gateway.connect().await;
        client.send(get("/public/a")).await;
        let all = client.rest().await;
        let text = String::from_utf8_lossy(&all);
        assert!(
            !text.ends_with("0\r\n\r\n"),
            "{how:?}: {text} looks complete"
        );
        assert!(
            text.starts_with("HTTP/1.1 200") || text.starts_with("HTTP/1.1 502"),
            "{how:?}: {text}"
        );
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{how:?}: {text}");
        assert_eq!(upstream.taken(), 1, "{how:?}: sent again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p125_a_request_goes_to_another_address_where_one_takes_no_connection() {
    let (addr, _held) = refusing();
    let upstream = Recording::ok().await;
    let urls = format!("http://{addr}\", \"{}", upstream.url());
    let (_home, gateway) = in_front_of("standard", &urls).await;
    for n in 0..6 {
        let request = ask(&format!("POST /public/{n}")).body("once");
        assert_eq!(gateway.ask(request).await.status, 200, "{n}");
    }
    let lines: Vec<_> = (0..6).map(|n| format!("POST /public/{n}")).collect();
    assert_eq!(upstream.lines(), lines);
    for seen in upstream.requests() {
        assert_eq!(seen.body, "once");
        assert_eq!(seen.all("x-auth-status"), ["anonymous"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p125_a_write_on_a_connection_that_dies_is_sent_once() {
    // Two requests share a connection; the upstream drops it on the second one.
    let upstream = Misbehaving::start(Misbehaviour::AnswersOnceThenCloses).await;
    let (_home, gateway) = in_front_of("standard", &upstream.url()).await;
    let mut client = gateway.connect().await;
    let first = client.request(ask("POST /public/1").body("a")).await;
    assert_eq!(first.status, 200);
    let second = client.request(ask("POST /public/2").body("b")).await;
    assert_eq!(second.status, 502, "{}", second.text());
    assert_eq!(upstream.heads(), 2, "the second POST was sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_requests_than_an_upstream_may_hold_are_503() {
    let upstream = Misbehaving::start(Misbehaviour::NeverAnswers).await;
    let routes = config("standard", &upstream.url(), "").replace("provision = \"/people\"\n", "");
    let home = Home::new(&routes)
        .flag("--insecure-dev")
        .env("GATEWAY_UPSTREAMS_APP_MAX_REQUESTS", "2");
    let gateway = home.serve().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = gateway.connect().await;
        client.send(get("/public/a")).await;
        held.push(client);
    }
    eventually("both at the upstream", async || {
        (upstream.taken() == 2).then_some(())
    })
    .await;
    let mut client = gateway.connect().await;
    let refused = client.request(get("/public/a")).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["code"], "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    client.expect_kept("503").await;
    // A client that goes away gives its place back.
    drop(held.pop());
    eventually("a place", async || {
        let mut client = gateway.connect().await;
        client.send(get("/public/a")).await;
        let answered = client
            .closed_or_answered_within(Duration::from_millis(100))
            .await;
        (!answered).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_comes_back_is_used_again() {
    let (addr, held) = refusing();
    let (_home, gateway) = in_front_of("standard", &format!("http://{addr}")).await;
    assert_eq!(gateway.ask(get("/public/a")).await.status, 503);
    let listener = held.listen(16).expect("listen");
    let _upstream = Recording::start_on(listener, |_| answer(200, "ok"));
    eventually("the upstream that came back", async || {
        (gateway.ask(get("/public/a")).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_answers_early_or_hangs_up_holds_nobody() {
    // It answers every request while the body is still on its way.
    let upstream = Recording::ok().await;
    let (_home, gateway) = in_front_of("standard", &upstream.url()).await;
    let addr = gateway.addr;
    let clients = (0..20).map(|n| async move {
        let mut client = Client::connect(addr).await;
        if n % 2 == 0 {
            // Goes away in mid-request.
            client
                .send(
                    "POST /public/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
                )
                .await;
            drop(client);
            200
        } else {
            client.request(get("/public/a")).await.status
        }
    });
    let statuses = all("clients", clients.collect::<Vec<_>>()).await;
    assert!(statuses.iter().all(|s| *s == 200), "{statuses:?}");
    eventually("all connections to be closed", async || {
        (gateway.metric("gateway_connections", &[]).await < 0.5).then_some(())
    })
    .await;
}
