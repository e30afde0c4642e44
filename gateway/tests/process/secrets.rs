//! P84: no secret, password, token or key is in a log, whatever happens and whatever level is asked for.

use crate::harness::{Pair, ask, task};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p084_no_secret_is_in_the_log_of_a_whole_run_at_trace_level() {
    let signing = "a-signing-secret-of-thirty-two-bytes-or-more";
    let mut pair = Pair::start_with(|home| {
        home.env("GATEWAY_LOG_FILTER", "trace")
            .env("GATEWAY_AUTH_HS256_SECRET", signing)
    })
    .await;
    let gateway = &pair.gateway;
    let token = gateway.token("admin", "admin").await;
    let first = "the first passphrase of ann";
    let second = "the second passphrase of ann";
    let wrong = "a-wrong-password-0123";
    pair.home.add_user("ann", first).await;
    gateway.token("ann", first).await;
    gateway.log_in("ann", wrong).await;
    gateway.log_in(wrong, wrong).await;
    let change = serde_json::json!({ "password": second });
    let changed = gateway
        .ask(ask("PATCH /users/2/").jwt(&token).json(&change))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let hers = gateway.token("ann", second).await;
    let query = "a-secret-in-a-query";
    let cookie = "a-secret-in-a-cookie";
    let mut client = gateway.connect().await;
    for request in [
        ask("POST /tasks/").jwt(&token).json(&task("t", 1)),
        ask("GET /users/1/").jwt(&hers).end(),
        ask(&format!("GET /tasks/?token={query}"))
            .line(&format!("Cookie: session={cookie}"))
            .end(),
        ask("POST /api-token-verify/").json(&serde_json::json!({ "token": token })),
        ask("POST /api-token-refresh/").json(&serde_json::json!({ "token": hers })),
        ask("POST /tasks/")
            .jwt(&format!("{token}x"))
            .json(&task("t", 1)),
        ask("POST /tasks/")
            .line(&format!("Authorization: JWT {token} {token}"))
            .json(&task("t", 1)),
        ask("POST /api-auth/").form(&format!("username=admin&password={wrong}")),
        ask("POST /api-auth/")
            .line("Content-Type: application/json")
            .body(&format!(r#"{{"username":"admin","password":"{wrong}"#)),
    ] {
        client.request(request).await;
    }
    pair.tasks.process.kill().await;
    gateway
        .ask(ask("POST /tasks/").jwt(&token).json(&task("t", 1)))
        .await;
    let shared = std::fs::read_to_string(pair.home.secret_file()).expect("a secret");
    pair.gateway.process.stop().await;
    let logs = [
        pair.gateway.log(),
        pair.gateway.process.stdout(),
        pair.tasks.process.stderr(),
        pair.tasks.process.stdout(),
    ]
    .concat();
    assert!(logs.contains("gateway::access"), "no access lines: {logs}");
    assert!(logs.contains("\"DEBUG\""), "the level was not taken");
    for (what, secret) in [
        ("the administrator's token", token.as_str()),
        ("a user's token", &hers),
        (
            "a token's signature",
            token.rsplit('.').next().expect("one"),
        ),
        ("the signing secret", signing),
        ("the shared secret", shared.trim()),
        ("a password", first),
        ("a changed password", second),
        ("a wrong password", wrong),
        ("a query", query),
        ("a cookie", cookie),
        ("a password hash", "$argon2"),
    ] {
        let line = logs.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{what} is in the log");
    }
    // Nor in what the command line shows.
    let shown = pair.home.run(&["config", "show"]).await.ok();
    assert!(!shown.contains(signing), "{shown}");
    let json = pair.home.run(&["config", "show", "--json"]).await.ok();
    assert!(!json.contains(signing), "{json}");
    let users = pair.home.run(&["user", "list", "--json"]).await.ok();
    assert!(!users.contains("argon2"), "{users}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p129_hostile_bytes_forge_no_log_line() {
    let pair = Pair::start().await;
    let mut client = pair.gateway.connect().await;
    client
        .request(
            ask("GET /tasks/%0a%0d%22forged%22:1")
                .line("User-Agent: a\",\"forged\":\"b")
                .end(),
        )
        .await;
    pair.gateway.log_in("eve\n{\"forged\":1}", "x").await;
    for line in pair.gateway.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        assert!(line["forged"].is_null(), "{line}");
    }
}
