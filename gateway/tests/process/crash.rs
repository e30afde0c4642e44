//! `kill -9` at any time loses nothing that was acknowledged, and a restart neither.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Client, Pair, ask, eventually, task};

/// How often each process is killed.
const KILLS: usize = 5;

/// Moments between the first acknowledged write and the kill, spread over what a write takes.
async fn a_moment(round: usize) {
    tokio::time::sleep(Duration::from_millis([0, 3, 11, 29, 70][round % 5])).await;
}

/// Sends the same kind of write until the connection ends; ids of what was acknowledged.
async fn write(
    addr: std::net::SocketAddr,
    request: impl Fn(usize) -> String,
    acknowledged: Arc<Mutex<Vec<Value>>>,
) {
    let mut client = Client::connect(addr).await;
    for n in 0.. {
        if !client.try_send(request(n)).await {
            return;
        }
        match client.next_whole().await {
            Some(answer) if answer.status == 201 => {
                acknowledged.lock().expect("a lock").push(answer.json());
            }
            // The service behind is gone.
            Some(answer) if matches!(answer.status, 502..=504) => return,
            Some(answer) => panic!("{}: {}", answer.status, answer.text()),
            None => return,
        }
    }
}

async fn some(acknowledged: &Mutex<Vec<Value>>, more_than: usize) {
    eventually("an acknowledged write", async || {
        (acknowledged.lock().expect("a lock").len() > more_than).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_task_service_keeps_every_acknowledged_task() {
    let mut pair = Pair::start().await;
    let token = pair.gateway.token("admin", "admin").await;
    let acknowledged = Arc::<Mutex<Vec<Value>>>::default();
    for round in 0..KILLS {
        let before = acknowledged.lock().expect("a lock").len();
        let writers: Vec<_> = (0..3)
            .map(|w| {
                let token = token.clone();
                let request = move |n| {
                    ask("POST /tasks/")
                        .jwt(&token)
                        .json(&task(&format!("{round}.{w}.{n}"), 1))
                };
                tokio::spawn(write(pair.gateway.addr, request, Arc::clone(&acknowledged)))
            })
            .collect();
        some(&acknowledged, before).await;
        a_moment(round).await;
        pair.tasks.process.kill().await;
        for writer in writers {
            writer.await.expect("a writer");
        }
        pair.tasks = pair.task_home.serve_on(pair.tasks.addr).await;
        let there = eventually("the service again", async || {
            let list = pair.gateway.ask(ask("GET /tasks/").end()).await;
            (list.status == 200).then(|| list.json())
        })
        .await;
        let there = there.as_array().expect("a list");
        for task in acknowledged.lock().expect("a lock").iter() {
            assert!(there.contains(task), "round {round}: {task} is lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_keeps_every_acknowledged_user_and_its_keys() {
    // Hashing is not what is looked at.
    let mut pair = Pair::start_with(|home| {
        home.env("GATEWAY_AUTH_PASSWORD_WORKERS", "2")
            .env("GATEWAY_AUTH_THROTTLE_PER_IP_PER_MINUTE", "10000")
    })
    .await;
    let token = pair.gateway.token("admin", "admin").await;
    let acknowledged = Arc::<Mutex<Vec<Value>>>::default();
    for round in 0..KILLS {
        let before = acknowledged.lock().expect("a lock").len();
        let writers: Vec<_> = (0..3)
            .map(|w| {
                let token = token.clone();
                let request = move |n| {
                    let name = format!("user-{round}-{w}-{n}");
                    let user = serde_json::json!({ "username": name, "password": "x" });
                    ask("POST /users/").jwt(&token).json(&user)
                };
                tokio::spawn(write(pair.gateway.addr, request, Arc::clone(&acknowledged)))
            })
            .collect();
        some(&acknowledged, before).await;
        a_moment(round).await;
        pair.gateway.process.kill().await;
        for writer in writers {
            writer.await.expect("a writer");
        }
        pair.gateway = pair.home.serve().await;
        // The same key: the token of before still counts.
        let list = pair
            .gateway
            .ask(ask("GET /api-auth/users/?limit=1000").jwt(&token).end())
            .await;
        assert_eq!(list.status, 200, "round {round}: {}", list.text());
        let there = list.json();
        let there = there.as_array().expect("a list");
        for user in acknowledged.lock().expect("a lock").iter() {
            assert!(there.contains(user), "round {round}: {user} is lost");
        }
    }
    // And each is a person with the service behind, once it has caught up.
    let last = acknowledged.lock().expect("a lock").last().cloned();
    let last = last.expect("a user")["id"].as_u64().expect("a number");
    pair.knows_person(last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_users_tokens_and_tasks() {
    let mut pair = Pair::start().await;
    let id = pair.home.add_user("ann", "anns own passphrase").await;
    let token = pair.gateway.token("ann", "anns own passphrase").await;
    pair.knows_person(id).await;
    let made = pair
        .gateway
        .ask(ask("POST /tasks/").jwt(&token).json(&task("kept", id)))
        .await;
    assert_eq!(made.status, 201);
    pair.gateway.process.stop().await;
    pair.tasks.process.stop().await;
    pair.tasks = pair.task_home.serve_on(pair.tasks.addr).await;
    pair.gateway = pair.home.serve().await;
    let list = pair.gateway.ask(ask("GET /tasks/").end()).await;
    assert_eq!(list.json()[0], made.json());
    let again = pair
        .gateway
        .ask(ask("POST /tasks/").jwt(&token).json(&task("more", id)))
        .await;
    assert_eq!(again.status, 201, "{}", again.text());
    pair.gateway.token("ann", "anns own passphrase").await;
}
