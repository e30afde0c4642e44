//! The commands, what they end with, and the pages of the admin listener.

use crate::harness::{Home, Pair, Recording, ask, eventually, task};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthcheck_says_whether_the_gateway_is_ready() {
    let upstream = Recording::ok().await;
    let home = Home::shipped(&upstream.url());
    let mut gateway = home.serve().await;
    let admin = gateway.admin.to_string();
    let asked = ["healthcheck", "--admin-listen", &admin];
    assert_eq!(home.run(&asked).await.ok().trim(), "ready");
    gateway.process.stop().await;
    let down = home.run(&asked).await;
    assert_eq!(down.code, Some(4), "{}", down.text());
    assert!(down.err.contains(&admin), "{}", down.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_are_those_of_the_list() {
    let home = Home::shipped("http://127.0.0.1:9");
    for (arguments, code) in [
        (vec!["--version"], 0),
        (vec!["--help"], 0),
        (vec!["check"], 0),
        (vec!["check", "--json"], 0),
        (vec!["config", "show"], 0),
        (vec!["config", "show", "--json"], 0),
        (vec!["completions", "bash"], 0),
        (vec!["explain", "GET", "/tasks/"], 0),
        (vec!["user", "list"], 1),
        (vec!["token", "mint", "admin"], 1),
        (vec!["admin", "initial-password"], 1),
        (vec![], 2),
        (vec!["nonsense"], 2),
        (vec!["user", "add", "ann", "--password", "x"], 2),
        (vec!["serve", "--nonsense"], 2),
        (vec!["check", "--config", "nowhere.toml"], 3),
        (vec!["healthcheck", "--admin-listen", "127.0.0.1:9"], 4),
    ] {
        let ended = home.run(&arguments).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.text());
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_says_what_the_rules_make_of_a_request() {
    let pair = Pair::start().await;
    let token = pair.gateway.token("admin", "admin").await;
    for (arguments, decision, status) in [
        (vec!["GET", "/tasks/"], "forward", None),
        (vec!["POST", "/tasks/"], "refuse", Some(401)),
        (vec!["POST", "/tasks/", "--token", &token], "forward", None),
        (vec!["POST", "/api-auth/"], "answer", None),
        (vec!["POST", "/users/"], "refuse", Some(401)),
        (vec!["GET", "/nothing"], "refuse", Some(404)),
        (vec!["PUT", "/people/1"], "refuse", Some(404)),
        (vec!["GET", "/tasks/../people"], "refuse", Some(400)),
        (vec!["GET", "/tasks/?_method=DELETE"], "refuse", Some(401)),
    ] {
        let mut all = vec!["explain", "--json"];
        all.extend(&arguments);
        let told = pair.home.run(&all).await.json();
        assert_eq!(told["decision"], decision, "{arguments:?}: {told}");
        assert_eq!(told["status"].as_u64(), status, "{arguments:?}: {told}");
        // And so does the gateway.
        let line = format!("{} {}", arguments[0], arguments[1]);
        let mut request = ask(&line);
        if arguments.len() > 2 {
            request = request.jwt(&token);
        }
        let answer = pair.gateway.ask(request.end()).await;
        if let Some(status) = status {
            assert_eq!(u64::from(answer.status), status, "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_explain_and_check_speak_of_preflights_where_the_gateway_answers_them() {
    let note = "a browser's preflight is answered by the gateway from [cors] instead";
    let open = "public without a token: preflights from https://app.example.com";
    let plain = Home::shipped("http://127.0.0.1:9");
    let cors =
        Home::shipped("http://127.0.0.1:9").env("GATEWAY_CORS_ORIGINS", "https://app.example.com");
    for (home, method, path, told) in [
        (&cors, "OPTIONS", "/tasks/1", true),
        (&cors, "OPTIONS", "/api-auth/", true),
        (&cors, "OPTIONS", "/nothing", false),
        (&cors, "OPTIONS", "/people/1", false),
        (&cors, "POST", "/tasks/1", false),
        (&plain, "OPTIONS", "/tasks/1", false),
    ] {
        let text = home.run(&["explain", method, path]).await.ok();
        assert_eq!(text.contains(note), told, "{method} {path}: {text}");
        let json = home.run(&["explain", "--json", method, path]).await.json();
        assert_eq!(json["note"] == note, told, "{method} {path}: {json}");
    }
    for (home, told) in [(&cors, true), (&plain, false)] {
        assert_eq!(home.run(&["check"]).await.ok().contains(open), told);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minted_token_works_and_can_be_looked_into() {
    let pair = Pair::start().await;
    let token = pair.home.run(&["token", "mint", "admin"]).await.ok();
    let token = token.trim();
    let made = pair
        .gateway
        .ask(ask("POST /tasks/").jwt(token).json(&task("t", 1)))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let told = pair
        .home
        .run(&["token", "inspect", token, "--json"])
        .await
        .json();
    assert_eq!(told["valid"], true);
    assert_eq!(told["claims"]["username"], "admin");
    let piped = pair.home.run_with(&["token", "inspect", "-"], token).await;
    assert!(piped.ok().contains("valid"));
    // The last character of a signature may hold bits that count for nothing: change one before it.
    let at = token.len() - 5;
    let other = if token[at..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
    let told = pair.home.run(&["token", "inspect", &changed]).await;
    assert_eq!(told.code, Some(1), "{}", told.text());
    for wrong in ["mint", "inspect"] {
        let ended = pair.home.run(&["token", wrong, "nobody"]).await;
        assert_eq!(ended.code, Some(1), "{wrong}: {}", ended.text());
    }
    let keys = pair.home.run(&["key", "list", "--json"]).await.ok();
    assert!(keys.contains("HS256"), "{keys}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p118_metrics_count_and_are_served_on_the_admin_listener_alone() {
    let pair = Pair::start().await;
    let count = async |labels: &[&str]| {
        pair.gateway
            .metric("gateway_http_requests_total", labels)
            .await
    };
    let before = count(&["code=\"401\""]).await;
    for _ in 0..3 {
        let answer = pair.gateway.ask(ask("POST /tasks/").end()).await;
        assert_eq!(answer.status, 401);
    }
    eventually("the requests in the metrics", async || {
        ((count(&["code=\"401\""]).await - before - 3.0).abs() < 0.1).then_some(())
    })
    .await;
    let page = pair.gateway.admin("/metrics").await;
    let text = page.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        assert!(name.starts_with("gateway_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    for path in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(pair.gateway.admin(path).await.status, 200, "{path}");
        for host in ["localhost", &pair.gateway.admin.to_string()] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(pair.gateway.ask(request).await.status, 404, "{path}");
        }
    }
    assert_eq!(pair.gateway.admin("/metrics/").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_read_have_json() {
    let pair = Pair::start().await;
    for arguments in [
        vec!["check", "--json"],
        vec!["config", "show", "--json"],
        vec!["user", "list", "--json"],
        vec!["key", "list", "--json"],
        vec!["provision", "status", "--json"],
        vec!["explain", "GET", "/", "--json"],
        vec!["token", "mint", "admin", "--json"],
    ] {
        pair.home.run(&arguments).await.json();
    }
}
