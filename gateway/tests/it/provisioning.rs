//! Provisioning against recording and misbehaving upstreams, over a store of the test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway::config::{IdentityHeaders, Origin, UpstreamConfig};
use gateway::provisioning::{Provisioning, ask_resync, ask_retry};
use gateway::store::{Store, Version};
use gateway::upstream::UpstreamSet;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::{Recording, answer, eventually};
use fake::Fake;

mod fake;
mod outages;

const SECOND: Duration = Duration::from_secs(1);

/// Long enough on any machine; what is waited for comes at once.
const LONG: Duration = Duration::from_secs(20);

fn upstream(name: &str, addr: SocketAddr) -> UpstreamConfig {
    UpstreamConfig {
        name: name.to_owned(),
        origins: vec![Origin {
            host: addr.ip().to_string(),
            port: addr.port(),
        }],
        secret_file: None,
        provision: Some("/people".to_owned()),
        connect_timeout: SECOND,
        read_timeout: SECOND,
        write_timeout: SECOND,
        idle_timeout: SECOND,
        dns_refresh: SECOND,
        max_requests: 10,
        identity_headers: IdentityHeaders {
            user_id: Some("x-auth-user-id".to_owned()),
            user: None,
            email: None,
            roles: None,
            status: None,
        },
        preserve_host: true,
    }
}

/// Provisioning at work; stops when dropped, as in a crash.
struct Running {
    provisioning: Arc<Provisioning>,
    store: Arc<Fake>,
    task: JoinHandle<()>,
    _stop: watch::Sender<bool>,
}

impl Running {
    fn start(store: &Arc<Fake>, configs: &[UpstreamConfig]) -> Self {
        let upstreams = Arc::new(UpstreamSet::new(configs).expect("upstreams"));
        let store = Arc::clone(store);
        let provisioning = Arc::new(Provisioning::new(
            Arc::<Fake>::clone(&store),
            upstreams,
            || 1_700_000_000,
        ));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&provisioning).run(stopped));
        Self {
            provisioning,
            store,
            task,
            _stop: stop,
        }
    }

    async fn told(&self) {
        let head = self.store.head_now();
        assert!(
            self.provisioning.wait_for(head, LONG).await,
            "not told in time"
        );
    }

    /// Waits until the worker has saved what it did last.
    async fn cursor_is_saved(&self) {
        let head = self.store.head_now();
        eventually("the cursor", async || {
            (self.store.state("tasks").cursor == head).then_some(())
        })
        .await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn every_change_is_told_in_order_with_the_secret_and_nothing_else() {
    let people = Recording::ok().await;
    let folder = tempfile::tempdir().expect("a folder");
    let secret_file = folder.path().join("secret");
    let config = UpstreamConfig {
        secret_file: Some(secret_file.clone()),
        ..upstream("tasks", people.addr)
    };
    let store = Fake::new();
    store.put(1, "ann");
    let running = Running::start(&store, &[config]);
    running.told().await;
    store.put(2, "bob");
    running.told().await;
    store.rename(1, "anna");
    store.remove(2);
    running.told().await;

    assert_eq!(
        people.lines(),
        [
            "PUT /people/1",
            "PUT /people/2",
            "PUT /people/1",
            "DELETE /people/2"
        ]
    );
    let seen = people.requests();
    let body: serde_json::Value = serde_json::from_slice(&seen[2].body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({ "id": 1, "username": "anna", "email": "anna@example.com", "active": true })
    );
    let secret = std::fs::read_to_string(secret_file).expect("a secret");
    for request in &seen {
        assert_eq!(request.header("x-gateway-secret"), Some(secret.trim_end()));
        assert_eq!(
            request.header("host"),
            Some(people.addr.to_string().as_str())
        );
        for (name, _) in &request.headers {
            assert!(
                ["x-gateway-secret", "host", "content-type", "content-length"]
                    .contains(&name.as_str()),
                "{name}"
            );
        }
    }
    assert_eq!(people.connections(), 1, "one connection is used again");
}

#[tokio::test]
async fn a_refused_entry_is_parked_and_holds_nobody_up() {
    let refuses = Arc::new(AtomicBool::new(true));
    let people = Recording::start({
        let refuses = Arc::clone(&refuses);
        move |request| {
            if request.target.ends_with("/1") && refuses.load(Ordering::SeqCst) {
                answer(422, "the name is too\nshort")
            } else {
                answer(200, "")
            }
        }
    })
    .await;
    let store = Fake::new();
    store.put(1, "a");
    store.put(2, "bob");
    let running = Running::start(&store, &[upstream("tasks", people.addr)]);
    running.told().await;
    running.cursor_is_saved().await;
    let parked = store.state("tasks").parked;
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].user.0, parked[0].status), (1, 422));
    assert_eq!(parked[0].reason, "the name is too short");
    assert_eq!(parked[0].at, 1_700_000_000);

    // A later change of the same user that is taken ends it.
    refuses.store(false, Ordering::SeqCst);
    store.rename(1, "ann");
    running.told().await;
    running.cursor_is_saved().await;
    assert!(store.state("tasks").parked.is_empty());
}

#[tokio::test]
async fn parked_entries_are_sent_again_when_asked() {
    let refuses = Arc::new(AtomicBool::new(true));
    let people = Recording::start({
        let refuses = Arc::clone(&refuses);
        move |_| {
            answer(
                if refuses.load(Ordering::SeqCst) {
                    400
                } else {
                    200
                },
                "",
            )
        }
    })
    .await;
    let store = Fake::new();
    store.put(1, "ann");
    store.put(2, "bob");
    store.remove(2);
    let running = Running::start(&store, &[upstream("tasks", people.addr)]);
    running.told().await;
    running.cursor_is_saved().await;
    assert_eq!(store.state("tasks").parked.len(), 2);
    refuses.store(false, Ordering::SeqCst);
    // As another process does: through the store alone.
    ask_retry(&*store, "tasks").await.expect("asked");
    eventually("nothing parked", async || {
        let state = store.state("tasks");
        (state.retries == 1 && state.parked.is_empty()).then_some(())
    })
    .await;
    assert_eq!(people.lines()[3..], ["PUT /people/1", "DELETE /people/2"]);
}

#[tokio::test]
async fn everything_is_sent_again_when_asked() {
    let people = Recording::ok().await;
    let store = Fake::new();
    for id in 1..=4 {
        store.put(id, &format!("user{id}"));
    }
    store.remove(2);
    store.remove(4);
    let running = Running::start(&store, &[upstream("tasks", people.addr)]);
    running.told().await;
    running.cursor_is_saved().await;
    let before = people.requests().len();
    ask_resync(&*store, "tasks").await.expect("asked");
    eventually("all sent again", async || {
        (store.state("tasks").resyncs == 1).then_some(())
    })
    .await;
    assert_eq!(
        people.lines()[before..],
        [
            "PUT /people/1",
            "DELETE /people/2",
            "PUT /people/3",
            "DELETE /people/4"
        ],
        "the last user that was removed too"
    );
    store.put(5, "eve");
    running.told().await;
    assert_eq!(people.lines().last().expect("a request"), "PUT /people/5");
    assert_eq!(people.requests().len(), before + 5);
}

#[tokio::test]
async fn a_feed_that_reaches_not_far_enough_back_means_everything() {
    let people = Recording::ok().await;
    let store = Fake::new();
    store.put(1, "ann");
    store.put(2, "bob");
    store.put(3, "cid");
    store.remove(1);
    store.forget_feed();
    let running = Running::start(&store, &[upstream("tasks", people.addr)]);
    running.told().await;
    assert_eq!(
        people.lines(),
        ["DELETE /people/1", "PUT /people/2", "PUT /people/3"]
    );
    store.put(4, "dan");
    running.told().await;
    assert_eq!(people.lines().len(), 4);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_ended() {
    let people = Recording::ok().await;
    let store = Fake::new();
    store.put(1, "ann");
    let configs = [upstream("tasks", people.addr)];
    let running = Running::start(&store, &configs);
    running.told().await;
    running.cursor_is_saved().await;
    drop(running);
    store.put(2, "bob");
    let running = Running::start(&store, &configs);
    running.told().await;
    assert_eq!(people.lines(), ["PUT /people/1", "PUT /people/2"]);
}

#[tokio::test]
async fn without_a_provisioned_upstream_nobody_waits() {
    let store = Fake::new();
    let plain = UpstreamConfig {
        provision: None,
        ..upstream("tasks", "127.0.0.1:1".parse().expect("an address"))
    };
    let running = Running::start(&store, &[plain]);
    assert!(running.provisioning.is_empty());
    assert!(running.provisioning.wait_for(Version(99), LONG).await);
}

#[tokio::test]
async fn asking_twice_is_counted_twice_and_never_touches_the_workers_record() {
    let store = Fake::new();
    ask_resync(&*store, "tasks").await.expect("asked");
    ask_resync(&*store, "tasks").await.expect("asked");
    ask_retry(&*store, "tasks").await.expect("asked");
    let own = store.provision_state("tasks").await.expect("a state");
    assert_eq!((own.resyncs, own.retries), (0, 0));
}
