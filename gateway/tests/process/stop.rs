//! SIGTERM: what is in flight is answered, and the exit code is 0 within the grace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::misbehaving::{Misbehaving, Misbehaviour};
use crate::harness::process::all;
use crate::harness::{Client, Home, Pair, ask, eventually, task, within};

/// Generous for a busy machine; the grace itself is 5 s and more.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_idle_both_stop_at_once() {
    let mut pair = Pair::start().await;
    let mut resting = pair.gateway.connect().await;
    resting.request(ask("GET /tasks/").end()).await;
    let (status, took) = pair.gateway.process.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < SOON, "the gateway took {took:?}");
    resting.expect_close().await;
    let (status, took) = pair.tasks.process.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < SOON, "the task-service took {took:?}");
}

/// Writes tasks one after the other until the connection ends; how many were acknowledged, and what else
/// came.
async fn write_until_stopped(
    addr: std::net::SocketAddr,
    token: Arc<str>,
    acknowledged: Arc<AtomicUsize>,
) -> Vec<u16> {
    let mut other = Vec::new();
    let mut client = Client::connect(addr).await;
    loop {
        let request = ask("POST /tasks/").jwt(&token).json(&task("t", 1));
        if !client.try_send(&request).await {
            return other;
        }
        let Some(answer) = client.next().await else {
            return other;
        };
        if answer.status == 201 {
            acknowledged.fetch_add(1, Ordering::SeqCst);
        } else {
            other.push(answer.status);
        }
        if answer.closes() {
            return other;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p128_under_load_the_gateway_answers_what_is_in_flight() {
    let mut pair = Pair::start().await;
    let token: Arc<str> = pair.gateway.token("admin", "admin").await.into();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let addr = pair.gateway.addr;
    let writers: Vec<_> = (0..8)
        .map(|_| write_until_stopped(addr, Arc::clone(&token), Arc::clone(&acknowledged)))
        .collect();
    let writers = tokio::spawn(all("writers", writers));
    eventually("some writes", async || {
        (acknowledged.load(Ordering::SeqCst) > 20).then_some(())
    })
    .await;
    let (status, took) = pair.gateway.process.stop().await;
    assert_eq!(status.code(), Some(0), "{}", pair.gateway.log());
    assert!(took < Duration::from_secs(6), "{took:?}");
    let other: Vec<u16> = writers.await.expect("writers").concat();
    assert_eq!(other, [0_u16; 0], "answers other than 201");
    // What was acknowledged is there; what was not may be there as well.
    let gateway = pair.home.serve().await;
    let list = gateway.ask(ask("GET /tasks/").end()).await;
    let there = list.json().as_array().expect("a list").len();
    let acknowledged = acknowledged.load(Ordering::SeqCst);
    assert!(there >= acknowledged, "{there} of {acknowledged}");
    assert!(there <= acknowledged + 8, "{there} of {acknowledged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_the_task_service_answers_what_is_in_flight() {
    let mut pair = Pair::start().await;
    let token: Arc<str> = pair.gateway.token("admin", "admin").await.into();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let stopped = Arc::new(AtomicBool::new(false));
    let addr = pair.gateway.addr;
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (token, acknowledged) = (Arc::clone(&token), Arc::clone(&acknowledged));
            let stopped = Arc::clone(&stopped);
            async move {
                let mut client = Client::connect(addr).await;
                while !stopped.load(Ordering::SeqCst) {
                    let request = ask("POST /tasks/").jwt(&token).json(&task("t", 1));
                    if !client.try_send(&request).await {
                        client = Client::connect(addr).await;
                        continue;
                    }
                    match client.next().await {
                        Some(answer) => {
                            if answer.status == 201 {
                                acknowledged.fetch_add(1, Ordering::SeqCst);
                            } else {
                                assert!(matches!(answer.status, 502..=504), "{}", answer.status);
                            }
                            if answer.closes() {
                                client = Client::connect(addr).await;
                            }
                        }
                        None => client = Client::connect(addr).await,
                    }
                }
            }
        })
        .collect();
    let writers = tokio::spawn(all("writers", writers));
    eventually("some writes", async || {
        (acknowledged.load(Ordering::SeqCst) > 20).then_some(())
    })
    .await;
    let (status, took) = pair.tasks.process.stop().await;
    stopped.store(true, Ordering::SeqCst);
    assert_eq!(status.code(), Some(0), "{}", pair.tasks.process.stderr());
    assert!(took < Duration::from_secs(6), "{took:?}");
    within("the writers", writers).await.expect("writers");
    let acknowledged = acknowledged.load(Ordering::SeqCst);
    let _tasks = pair.task_home.serve_on(pair.tasks.addr).await;
    let there = eventually("the service again", async || {
        let list = pair.gateway.ask(ask("GET /tasks/").end()).await;
        (list.status == 200).then(|| list.json().as_array().map_or(0, Vec::len))
    })
    .await;
    assert!(there >= acknowledged, "{there} of {acknowledged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_takes_long_is_answered_and_one_that_never_ends_is_cut() {
    let slow = Misbehaving::start(Misbehaviour::Slow).await;
    // Nobody is told of users: the first request at the upstream is the client's.
    let home = Home::zero_config(&slow.url()).env("GATEWAY_SERVER_DRAIN", "3s");
    let mut gateway = home.serve().await;
    let mut client = gateway.connect().await;
    client.send(ask("GET /tasks/").end()).await;
    eventually("the request at the upstream", async || {
        (slow.taken() > 0).then_some(())
    })
    .await;
    gateway.process.signal(Signal::TERM);
    let answer = client.response().await;
    assert_eq!((answer.status, answer.text()), (200, "slow"));
    assert_eq!(gateway.process.ended().await.code(), Some(0));

    let never = Misbehaving::start(Misbehaviour::NeverAnswers).await;
    let home = Home::zero_config(&never.url()).env("GATEWAY_SERVER_DRAIN", "300ms");
    let mut gateway = home.serve().await;
    let mut client = gateway.connect().await;
    client.send(ask("GET /tasks/").end()).await;
    eventually("the request at the upstream", async || {
        (never.taken() > 0).then_some(())
    })
    .await;
    let (status, took) = gateway.process.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < SOON, "{took:?}");
    client.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_stopping_it_says_so() {
    let home = Home::shipped("http://127.0.0.1:9").env("GATEWAY_SERVER_DRAIN_DELAY", "60s");
    let mut gateway = home.serve().await;
    gateway.process.signal(Signal::TERM);
    eventually("not ready", async || {
        (gateway.admin("/readyz").await.status == 503).then_some(())
    })
    .await;
    assert_eq!(gateway.admin("/livez").await.status, 200);
    assert_eq!(gateway.log_in("admin", "admin").await.status, 200);
    // A second signal does not wait.
    let (status, took) = gateway.process.stop().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait() {
    let upstream = Misbehaving::start(Misbehaviour::NeverAnswers).await;
    let home = Home::zero_config(&upstream.url()).env("GATEWAY_SERVER_DRAIN", "60s");
    let mut gateway = home.serve().await;
    let mut waiting = gateway.connect().await;
    waiting.send(ask("GET /").end()).await;
    eventually("the request to arrive", async || {
        (upstream.taken() > 0).then_some(())
    })
    .await;
    gateway.process.signal(Signal::TERM);
    eventually("the drain to begin", async || {
        gateway
            .log()
            .contains("requests in flight are finished")
            .then_some(())
    })
    .await;
    assert!(gateway.process.runs());
    gateway.process.signal(Signal::INT);
    assert_eq!(gateway.process.ended().await.code(), Some(0));
}
