//! Connection limits and the head deadline around Pingora's proxy, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use gateway::edge::{EdgeCounters, EdgeLimits, guard};
use pingora::http::ResponseHeader;
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;

use crate::harness::misbehaving::{Misbehaving, Misbehaviour};
use crate::harness::serve::Serving;
use crate::harness::{Client, Recording, answer, eventually};

/// Long enough for a busy machine to answer within, short enough to wait for.
const HEADER: Duration = Duration::from_millis(600);

/// Clearly longer than [`HEADER`], so that the two cannot be mistaken for each other.
const KEEP_ALIVE: Duration = Duration::from_millis(2000);

/// The pace of slow clients: far below [`HEADER`], so that no timeout of a single read is ever reached.
const PACE: Duration = Duration::from_millis(50);

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// `/up…` goes to the upstream; anything else is answered here after the body was read, `/slow` slowly.
struct Proxy {
    upstream: Option<SocketAddr>,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn request_filter(&self, session: &mut Session, _ctx: &mut ()) -> pingora::Result<bool> {
        if session.req_header().uri.path().starts_with("/up") {
            return Ok(false);
        }
        let mut read = 0;
        while let Some(chunk) = session.read_request_body().await? {
            read += chunk.len();
        }
        let parts = if session.req_header().uri.path() == "/slow" {
            30
        } else {
            1
        };
        let text = format!("{read:04}");
        let mut head = ResponseHeader::build(200, None)?;
        head.insert_header("content-length", (text.len() * parts).to_string())?;
        session.write_response_header(Box::new(head), false).await?;
        let mut tick = tokio::time::interval(PACE);
        for part in 1..=parts {
            tick.tick().await;
            session
                .write_response_body(Some(Bytes::from(text.clone())), part == parts)
                .await?;
        }
        Ok(true)
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        _ctx: &mut (),
    ) -> pingora::Result<Box<HttpPeer>> {
        let addr = self.upstream.expect("an upstream");
        Ok(Box::new(HttpPeer::new(addr, false, String::new())))
    }
}

fn limits() -> EdgeLimits {
    EdgeLimits {
        connections: 100,
        connections_per_ip: 100,
        header_timeout: HEADER,
        keep_alive: KEEP_ALIVE,
        keep_alive_requests: 1000,
        trusted_proxies: Vec::new(),
    }
}

struct Edge {
    serving: Serving,
    counters: Arc<EdgeCounters>,
}

impl Edge {
    fn start(limits: &EdgeLimits, upstream: Option<SocketAddr>) -> Self {
        let counters = Arc::<EdgeCounters>::default();
        let proxy = http_proxy(&Arc::new(ServerConf::default()), Proxy { upstream });
        let app = guard(proxy, limits, Arc::clone(&counters));
        Self {
            serving: Serving::start(app),
            counters,
        }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.serving.addr)
            .await
            .allowing(&["server"])
    }

    async fn open_is(&self, count: u64) {
        eventually("open connections", async || {
            (self.counters.open() == count).then_some(())
        })
        .await;
    }
}

/// Sends one byte after the other until the server closes; how long that took.
async fn dribble_until_closed(client: &mut Client, bytes: &str) -> Duration {
    let started = Instant::now();
    for byte in bytes.bytes().cycle() {
        if !client.try_send([byte]).await || client.closed_within(PACE).await {
            break;
        }
        assert!(
            started.elapsed() < Duration::from_secs(15),
            "never closed: a head may take as long as it likes"
        );
    }
    started.elapsed()
}

/// The end of a wait is late on a busy machine, never early.
#[track_caller]
fn assert_took(what: &str, took: Duration, at_least: Duration, below: Duration) {
    assert!(
        took >= at_least && took < below,
        "{what} took {took:?}, not {at_least:?} to {below:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_head_that_dribbles_in_is_cut_at_the_deadline() {
    let edge = Edge::start(&limits(), None);
    let mut client = edge.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n").await;
    let took = dribble_until_closed(&mut client, "X-Filler: y\r\n").await;
    assert_took("the first head", took, HEADER - PACE, KEEP_ALIVE);
    edge.open_is(0).await;
    assert_eq!(edge.counters.head_timeouts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_head_that_dribbles_in_is_cut_at_the_deadline() {
    // pingora#447: here Pingora itself waits for ever.
    let edge = Edge::start(&limits(), None);
    let mut client = edge.connect().await;
    for round in 0..3 {
        assert_eq!(client.request(GET).await.status, 200, "round {round}");
    }
    client.send("GET / HTTP/1.1\r\nHost: x\r\n").await;
    let took = dribble_until_closed(&mut client, "X-Filler: y\r\n").await;
    assert_took("a later head", took, HEADER - PACE, KEEP_ALIVE);
    edge.open_is(0).await;
    assert_eq!(edge.counters.head_timeouts(), 1);
    assert_eq!(edge.counters.idle_closed(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_head_has_its_whole_time_after_a_rest() {
    // It rests for longer than a head may take, and the head still has its whole time.
    let long = EdgeLimits {
        header_timeout: Duration::from_secs(2),
        keep_alive: Duration::from_secs(20),
        ..limits()
    };
    let edge = Edge::start(&long, None);
    let mut client = edge.connect().await;
    assert_eq!(client.request(GET).await.status, 200);
    assert!(!client.closed_within(Duration::from_millis(2300)).await);
    client.send("GET / HTTP/1.1\r\n").await;
    assert!(!client.closed_within(Duration::from_millis(500)).await);
    assert_eq!(client.request("Host: x\r\n\r\n").await.status, 200);
    assert_eq!(edge.counters.head_timeouts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_sends_nothing_is_closed() {
    let edge = Edge::start(&limits(), None);
    let mut client = edge.connect().await;
    let started = Instant::now();
    client.expect_close().await;
    assert_took("silence", started.elapsed(), HEADER - PACE, KEEP_ALIVE);
    edge.open_is(0).await;
    assert_eq!(edge.counters.head_timeouts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resting_connection_is_closed_after_keep_alive_and_not_before() {
    let edge = Edge::start(&limits(), None);
    let mut client = edge.connect().await;
    assert!(!client.request(GET).await.closes());
    let started = Instant::now();
    client.expect_close().await;
    assert_took(
        "the rest",
        started.elapsed(),
        KEEP_ALIVE - PACE,
        Duration::from_secs(15),
    );
    edge.open_is(0).await;
    assert_eq!(edge.counters.idle_closed(), 1);
    assert_eq!(edge.counters.head_timeouts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_bodies_are_not_cut() {
    let edge = Edge::start(&limits(), None);
    let mut client = edge.connect().await;
    for round in 0..2 {
        client
            .send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n")
            .await;
        let started = Instant::now();
        for _ in 0..29 {
            client.send("x").await;
            assert!(!client.closed_within(PACE).await, "round {round}");
        }
        client.send("x").await;
        assert!(started.elapsed() > HEADER * 2);
        assert_eq!(client.response().await.text(), "0030", "round {round}");
    }
    assert_eq!(edge.counters.head_timeouts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_responses_are_not_cut() {
    let slow = Misbehaving::start(Misbehaviour::Slow).await;
    let edge = Edge::start(&limits(), Some(slow.addr));
    let mut client = edge.connect().await;
    for path in ["/slow", "/slow", "/up", "/up"] {
        let started = Instant::now();
        let response = client
            .request(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(response.status, 200, "{path}");
        assert!(
            started.elapsed() > HEADER,
            "{path} took {:?}: no proof",
            started.elapsed()
        );
    }
    assert_eq!(edge.counters.head_timeouts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forwarded_requests_share_one_client_connection() {
    let upstream = Recording::start(|seen| answer(200, seen.target.clone())).await;
    let edge = Edge::start(&limits(), Some(upstream.addr));
    let mut client = edge.connect().await;
    for n in 0..5 {
        let response = client
            .request(format!("GET /up/{n} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        assert_eq!(response.text(), format!("/up/{n}"));
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(edge.counters.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_ends_after_so_many_requests() {
    let few = EdgeLimits {
        keep_alive_requests: 3,
        ..limits()
    };
    let edge = Edge::start(&few, None);
    let mut client = edge.connect().await;
    assert!(!client.request(GET).await.closes());
    assert!(!client.request(GET).await.closes());
    assert!(client.request(GET).await.closes());
    client.expect_close().await;

    let one = EdgeLimits {
        keep_alive_requests: 1,
        ..limits()
    };
    let edge = Edge::start(&one, None);
    let mut client = edge.connect().await;
    assert!(client.request(GET).await.closes());
    client.expect_close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_are_closed_unread() {
    let few = EdgeLimits {
        connections: 2,
        keep_alive: Duration::from_secs(60),
        ..limits()
    };
    let edge = Edge::start(&few, None);
    let mut first = edge.connect().await;
    let mut second = edge.connect().await;
    assert_eq!(first.request(GET).await.status, 200);
    assert_eq!(second.request(GET).await.status, 200);
    let mut third = edge.connect().await;
    third.expect_close().await;
    assert_eq!(edge.counters.refused_total(), 1);
    assert_eq!(edge.counters.open(), 2);
    // Those inside are served on, and a place that is given back is taken again.
    assert_eq!(first.request(GET).await.status, 200);
    drop(second);
    edge.open_is(1).await;
    let mut fourth = edge.connect().await;
    assert_eq!(fourth.request(GET).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_take_all_connections_but_a_trusted_proxy_can() {
    let few = EdgeLimits {
        connections_per_ip: 1,
        keep_alive: Duration::from_secs(60),
        ..limits()
    };
    let edge = Edge::start(&few, None);
    let mut first = edge.connect().await;
    assert_eq!(first.request(GET).await.status, 200);
    edge.connect().await.expect_close().await;
    assert_eq!(edge.counters.refused_per_ip(), 1);
    drop(first);
    edge.open_is(0).await;
    assert_eq!(edge.connect().await.request(GET).await.status, 200);

    let trusting = EdgeLimits {
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
        ..few
    };
    let edge = Edge::start(&trusting, None);
    let mut first = edge.connect().await;
    let mut second = edge.connect().await;
    assert_eq!(first.request(GET).await.status, 200);
    assert_eq!(second.request(GET).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_closes_resting_connections_at_once_and_lets_requests_end() {
    let patient = EdgeLimits {
        keep_alive: Duration::from_secs(600),
        ..limits()
    };
    let slow = Misbehaving::start(Misbehaviour::Slow).await;
    let edge = Edge::start(&patient, Some(slow.addr));
    let mut resting = edge.connect().await;
    assert_eq!(resting.request(GET).await.status, 200);
    let mut busy = edge.connect().await;
    busy.send("GET /up HTTP/1.1\r\nHost: x\r\n\r\n").await;
    eventually("the request at the upstream", async || {
        (slow.taken() == 1).then_some(())
    })
    .await;
    edge.serving.stop();
    resting.expect_close().await;
    assert_eq!(busy.response().await.text(), "slow");
    busy.expect_close().await;
    edge.open_is(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unparsable_heads_and_connect_are_answered_and_closed() {
    let edge = Edge::start(&limits(), None);
    for (head, status) in [
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        ("CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 405),
    ] {
        let mut client = edge.connect().await;
        assert_eq!(client.request(head).await.status, status, "{head}");
        client.expect_close().await;
    }
    edge.open_is(0).await;
    assert_eq!(edge.counters.head_timeouts(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_0_without_keep_alive_is_closed_after_its_answer() {
    let edge = Edge::start(&limits(), None);
    let mut client = edge.connect().await;
    let response = client.request("GET / HTTP/1.0\r\nHost: x\r\n\r\n").await;
    assert_eq!(response.status, 200);
    client.expect_close().await;
}
