//! The admin listener over real sockets.

use std::sync::Arc;
use std::time::Duration;

use gateway::admin::{Admin, Part, Readiness};
use gateway::edge::{EdgeLimits, guard};

use crate::harness::client::Framing;
use crate::harness::serve::Serving;
use crate::harness::{Client, within};

fn start(readiness: &Arc<Readiness>) -> Serving {
    let admin = Admin::new(
        Arc::clone(readiness),
        Arc::new(|| "up 1\n# EOF\n".to_owned()),
    );
    let limits = EdgeLimits {
        connections: 10,
        connections_per_ip: 10,
        header_timeout: Duration::from_millis(600),
        keep_alive: Duration::from_secs(60),
        keep_alive_requests: 100,
        trusted_proxies: Vec::new(),
    };
    Serving::start(guard(admin, &limits, Arc::default()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_a_length_and_keeps_the_connection() {
    let readiness = Arc::<Readiness>::default();
    let serving = start(&readiness);
    let mut client = Client::connect(serving.addr).await;
    for (line, status, body) in [
        ("GET /livez", 200, "ok\n"),
        ("HEAD /livez", 200, ""),
        ("GET /metrics", 200, "up 1\n# EOF\n"),
        ("GET /nothing", 404, "not found\n"),
        ("DELETE /metrics", 405, "method not allowed\n"),
    ] {
        let response = client
            .request(format!("{line} HTTP/1.1\r\nHost: admin\r\n\r\n"))
            .await;
        assert_eq!(response.status, status, "{line}");
        assert_eq!(response.text(), body, "{line}");
        assert!(response.header("content-length").is_some(), "{line}");
        assert!(!response.closes(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_its_parts() {
    let readiness = Arc::<Readiness>::default();
    let serving = start(&readiness);
    let mut client = Client::connect(serving.addr).await;
    let request = "GET /readyz HTTP/1.1\r\nHost: admin\r\n\r\n";
    let before = client.request(request).await;
    assert_eq!((before.status, before.framing), (503, Framing::Length));
    assert_eq!(before.json()["ready"], false);
    for part in [Part::Keys, Part::Store, Part::View] {
        readiness.set(part, true);
    }
    assert_eq!(client.request(request).await.status, 200);
    readiness.drain();
    assert_eq!(
        client.request(request).await.json()["reasons"][0],
        "stopping"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_ends_does_not_hold_the_connection() {
    let readiness = Arc::<Readiness>::default();
    let serving = start(&readiness);
    let mut client = Client::connect(serving.addr).await;
    client
        .send("POST /livez HTTP/1.1\r\nHost: admin\r\nContent-Length: 1000\r\n\r\nx")
        .await;
    assert_eq!(client.response().await.status, 405);
    within("the end", client.expect_close()).await;
}
