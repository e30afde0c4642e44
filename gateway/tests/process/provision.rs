//! Telling the service of users, seen from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Home, Pair, Recording, TaskHome, answer, ask, eventually};

const PASSWORD: &str = "a passphrase of one's own";

async fn status(home: &Home) -> serde_json::Value {
    let all = home.run(&["provision", "status", "--json"]).await.json();
    all[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_entry_is_parked_shown_and_holds_up_nobody() {
    let refuse = Arc::new(AtomicBool::new(true));
    let refusing = Arc::clone(&refuse);
    let people = Recording::start(move |seen| {
        if seen.target == "/people/2" && refusing.load(Ordering::SeqCst) {
            answer(422, "no such person, please")
        } else {
            answer(201, "")
        }
    })
    .await;
    let home = Home::shipped(&people.url());
    let _gateway = home.serve().await;
    assert_eq!(home.add_user("refused", PASSWORD).await, 2);
    assert_eq!(home.add_user("welcome", PASSWORD).await, 3);
    let shown = eventually("both to be told", async || {
        let shown = status(&home).await;
        (shown["behind"] == 0).then_some(shown)
    })
    .await;
    assert!(people.lines().contains(&"PUT /people/3".to_owned()));
    assert_eq!(shown["upstream"], "tasks");
    let parked = shown["parked"].as_array().expect("a list");
    assert_eq!(parked.len(), 1, "{shown:#}");
    assert_eq!(parked[0]["user"], 2);
    assert_eq!(parked[0]["status"], 422);
    let text = home.run(&["provision", "status"]).await.ok();
    assert!(text.contains("user 2: 422"), "{text}");

    refuse.store(false, Ordering::SeqCst);
    home.run(&["provision", "retry", "tasks"]).await.ok();
    eventually("the entry to be told again", async || {
        let parked = status(&home).await["parked"].clone();
        (parked.as_array().is_some_and(Vec::is_empty)).then_some(())
    })
    .await;
    let before = people.lines().len();
    home.run(&["provision", "resync", "tasks"]).await.ok();
    eventually("everything to be told again", async || {
        let again = people.lines().split_off(before);
        ["PUT /people/1", "PUT /people/2", "PUT /people/3"]
            .iter()
            .all(|line| again.iter().any(|l| l == line))
            .then_some(())
    })
    .await;
    let unknown = home.run(&["provision", "retry", "nobody"]).await;
    assert_eq!(unknown.code, Some(2), "{}", unknown.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_was_down_catches_up() {
    let home = Home::shipped("");
    let task_home = TaskHome::new(Some(&home.secret_file()));
    // Learn a port and leave it.
    let mut tasks = task_home.serve().await;
    let addr = tasks.addr;
    tasks.process.stop().await;
    let home = home.env("GATEWAY_UPSTREAMS_TASKS_URLS", &format!("http://{addr}"));
    let gateway = home.serve().await;
    let token = gateway.token("admin", "admin").await;
    let user = serde_json::json!({ "username": "ann", "password": PASSWORD });
    let made = gateway
        .ask(ask("POST /users/").jwt(&token).json(&user))
        .await;
    assert_eq!(made.status, 201, "a user waits for no service");
    home.add_user("bob", PASSWORD).await;
    let tasks = task_home.serve_on(addr).await;
    let pair = Pair {
        gateway,
        tasks,
        home,
        task_home,
    };
    for id in [1, 2, 3] {
        pair.knows_person(id).await;
    }
}
