//! Provisioning while upstreams or the store are out of order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use gateway::config::UpstreamConfig;
use gateway::store::Version;

use super::fake::Fake;
use super::{Running, upstream};
use crate::harness::misbehaving::{Misbehaving, Misbehaviour, refusing};
use crate::harness::{Recording, answer, eventually};

#[tokio::test]
async fn a_service_that_was_down_catches_up() {
    let (addr, socket) = refusing();
    let store = Fake::new();
    for (id, name) in [(1, "ann"), (2, "bob"), (3, "cid")] {
        store.put(id, name);
    }
    store.remove(2);
    let running = Running::start(&store, &[upstream("tasks", addr)]);
    let head = store.head_now();
    assert!(
        !running
            .provisioning
            .wait_for(head, Duration::from_millis(300))
            .await
    );
    let listener = socket.listen(16).expect("listen");
    let people = Recording::start_on(listener, |_| answer(200, ""));
    running.told().await;
    assert_eq!(
        people.lines(),
        [
            "PUT /people/1",
            "DELETE /people/2",
            "PUT /people/3",
            "DELETE /people/2"
        ]
    );
}

#[tokio::test]
async fn an_outage_holds_the_order_and_skips_nothing() {
    let status = Arc::new(AtomicU16::new(503));
    let people = Recording::start({
        let status = Arc::clone(&status);
        move |_| answer(status.load(Ordering::SeqCst), "later")
    })
    .await;
    let store = Fake::new();
    store.put(1, "ann");
    store.put(2, "bob");
    let running = Running::start(&store, &[upstream("tasks", people.addr)]);
    let tried = people.wait_for(3).await;
    assert!(tried.iter().all(|r| r.line() == "PUT /people/1"));
    assert_eq!(store.state("tasks").cursor, Version(0));
    // What is told after the outage is what is true then.
    store.rename(1, "anna");
    status.store(204, Ordering::SeqCst);
    running.told().await;
    let seen = people.requests();
    let first_good = &seen[seen.len() - 3..];
    assert_eq!(
        first_good.iter().map(|r| r.line()).collect::<Vec<_>>(),
        ["PUT /people/1", "PUT /people/2", "PUT /people/1"]
    );
    assert!(String::from_utf8_lossy(&first_good[0].body).contains("anna"));
}

#[tokio::test]
async fn a_store_that_fails_for_a_while_is_survived() {
    let people = Recording::ok().await;
    let store = Fake::new();
    store.put(1, "ann");
    store.fail(true);
    let running = Running::start(&store, &[upstream("tasks", people.addr)]);
    assert!(
        !running
            .provisioning
            .wait_for(Version(1), Duration::from_millis(300))
            .await
    );
    store.fail(false);
    running.told().await;
    store.fail(true);
    store.put(2, "bob");
    assert!(
        !running
            .provisioning
            .wait_for(Version(2), Duration::from_millis(300))
            .await
    );
    store.fail(false);
    running.told().await;
    // At least once: the cursor of the first may not have been saved.
    assert_eq!(people.lines().last().expect("a request"), "PUT /people/2");
}

#[tokio::test]
async fn one_dead_upstream_holds_no_other_up() {
    let dead = Misbehaving::start(Misbehaviour::NeverAnswers).await;
    let people = Recording::ok().await;
    let store = Fake::new();
    store.put(1, "ann");
    let configs = [upstream("dead", dead.addr), upstream("tasks", people.addr)];
    let running = Running::start(&store, &configs);
    people.wait_for(1).await;
    running.cursor_is_saved().await;
    // Whoever waits for all is let go when the time is over.
    assert!(
        !running
            .provisioning
            .wait_for(Version(1), Duration::from_millis(300))
            .await
    );
    assert_eq!(store.state("dead").cursor, Version(0));
}

#[tokio::test]
async fn every_kind_of_broken_answer_is_tried_again() {
    for how in [
        Misbehaviour::Resets,
        Misbehaviour::Garbage,
        Misbehaviour::HalfHead,
        Misbehaviour::ClosesSilently,
        Misbehaviour::NeverAnswers,
    ] {
        let broken = Misbehaving::start(how).await;
        let store = Fake::new();
        store.put(1, "ann");
        let config = UpstreamConfig {
            read_timeout: Duration::from_millis(100),
            write_timeout: Duration::from_millis(100),
            connect_timeout: Duration::from_millis(100),
            ..upstream("tasks", broken.addr)
        };
        let _running = Running::start(&store, &[config]);
        eventually("a second attempt", async || {
            (broken.taken() >= 2).then_some(())
        })
        .await;
        assert_eq!(store.state("tasks").cursor, Version(0), "{how:?}");
    }
}

#[tokio::test]
async fn an_answer_that_stalls_in_its_body_is_an_answer() {
    let stalling = Misbehaving::start(Misbehaviour::StallsInBody).await;
    let store = Fake::new();
    store.put(1, "ann");
    let config = UpstreamConfig {
        read_timeout: Duration::from_millis(100),
        write_timeout: Duration::from_millis(100),
        connect_timeout: Duration::from_millis(100),
        ..upstream("tasks", stalling.addr)
    };
    let running = Running::start(&store, &[config]);
    running.told().await;
    assert_eq!(stalling.taken(), 1);
}
