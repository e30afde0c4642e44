//! The command line beside a running server: what it changes counts within a second, without a restart.

use crate::harness::{Pair, Response, ask, eventually, task};

/// A command returns when the server acts on it: what it says holds for the very next request.
const PASSWORD: &str = "a passphrase of her own";

async fn write(pair: &Pair, token: &str) -> Response {
    pair.gateway
        .ask(ask("POST /tasks/").jwt(token).json(&task("t", 1)))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p092_disable_password_and_removal_count_at_once() {
    let pair = Pair::start().await;
    for (change, input) in [
        (vec!["user", "disable", "ann"], ""),
        (
            vec!["user", "passwd", "ann", "--password-stdin"],
            "quite another passphrase",
        ),
        (vec!["user", "remove", "ann"], ""),
    ] {
        let what = change.join(" ");
        let id = pair.home.add_user("ann", PASSWORD).await;
        let token = pair.gateway.token("ann", PASSWORD).await;
        assert_eq!(write(&pair, &token).await.status, 201, "{what}");
        pair.home.run_with(&change, input).await.ok();
        assert_eq!(write(&pair, &token).await.status, 401, "{what}");
        let old = pair.gateway.log_in("ann", PASSWORD).await;
        assert_eq!(old.status, 400, "{what}");
        if what.contains("passwd") {
            pair.gateway.token("ann", input).await;
        }
        if !what.contains("remove") {
            pair.home.run(&["user", "remove", "ann"]).await.ok();
        }
        eventually("the service to forget her", async || {
            let answer = pair
                .gateway
                .ask(ask(&format!("GET /users/{id}/")).end())
                .await;
            (answer.status == 404).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_given_and_taken_count_at_once() {
    let pair = Pair::start().await;
    pair.home.add_user("ann", PASSWORD).await;
    let token = pair.gateway.token("ann", PASSWORD).await;
    let list = || ask("GET /api-auth/users/").jwt(&token).end();
    assert_eq!(pair.gateway.ask(list()).await.status, 403);
    pair.home
        .run(&["user", "set", "ann", "--role", "admin"])
        .await
        .ok();
    let token = pair.gateway.token("ann", PASSWORD).await;
    let list = || ask("GET /api-auth/users/").jwt(&token).end();
    assert_eq!(pair.gateway.ask(list()).await.status, 200);
    pair.home
        .run(&["user", "set", "ann", "--no-roles"])
        .await
        .ok();
    let answer = pair.gateway.ask(list()).await;
    assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_added_by_the_command_line_is_a_person_with_tasks() {
    let pair = Pair::start().await;
    let id = pair.home.add_user("ann", PASSWORD).await;
    pair.knows_person(id).await;
    let token = pair.gateway.token("ann", PASSWORD).await;
    let made = pair
        .gateway
        .ask(ask("POST /tasks/").jwt(&token).json(&task("hers", id)))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_made_over_http_is_known_to_the_service_before_the_answer() {
    let pair = Pair::start().await;
    let token = pair.gateway.token("admin", "admin").await;
    let mut client = pair.gateway.connect().await;
    for n in 0..10 {
        let user = serde_json::json!({ "username": format!("user{n}"), "password": PASSWORD });
        let made = client
            .request(ask("POST /users/").jwt(&token).json(&user))
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        let id = made.json()["id"].as_u64().expect("a number");
        let task = client
            .request(ask("POST /tasks/").jwt(&token).json(&task("t", id)))
            .await;
        assert_eq!(task.status, 201, "user {id}: {}", task.text());
        let gone = client
            .request(ask(&format!("DELETE /users/{id}/")).jwt(&token).end())
            .await;
        assert_eq!(gone.status, 204);
        let person = client
            .request(ask(&format!("GET /users/{id}/")).end())
            .await;
        assert_eq!(person.status, 404, "user {id}");
    }
    // Their tasks went with them.
    let list = client.request(ask("GET /tasks/").end()).await;
    assert_eq!(list.text(), "[]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_users_are_never_given_out_again() {
    let mut pair = Pair::start().await;
    let mut seen = vec![1];
    for round in 0..3 {
        let id = pair.home.add_user("ann", PASSWORD).await;
        assert!(!seen.contains(&id), "round {round}: {id} again");
        seen.push(id);
        pair.home.run(&["user", "remove", "ann"]).await.ok();
        if round == 1 {
            // Not after a restart either.
            pair.gateway.process.stop().await;
            pair.gateway = pair.home.serve().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_administrator_stays() {
    let pair = Pair::start().await;
    for arguments in [
        vec!["user", "remove", "admin"],
        vec!["user", "disable", "admin"],
        vec!["user", "set", "admin", "--no-roles"],
    ] {
        let ended = pair.home.run(&arguments).await;
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.text());
        assert!(ended.err.contains("last active administrator"));
    }
    pair.gateway.token("admin", "admin").await;
}
