//! Logging in: what is taken, what is refused, and what a flood can do.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{World, get};
use crate::harness::process::all;
use crate::harness::{Client, Home, Recording, Response, ask, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p105_media_types_and_extra_fields() {
    let world = World::standard().await;
    let credentials = json!({ "username": "admin", "password": "admin" });
    for (media, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/plain", 415),
        ("application/xml", 415),
        ("", 415),
        ("multipart/form-data; boundary=x", 415),
    ] {
        let request = ask("POST /api-auth/")
            .line(&format!("Content-Type: {media}"))
            .body(&credentials.to_string());
        assert_eq!(world.ask(request).await.status, status, "{media}");
    }
    let repeated = r#"{"username":"admin","username":"admin","password":"admin"}"#;
    let request = ask("POST /api-auth/").line("Content-Type: application/json");
    assert_eq!(world.ask(request.body(repeated)).await.status, 400);
    let more = json!({
        "username": "admin", "password": "admin", "roles": ["god"], "exp": 9_999_999_999_u64, "sub": "7",
        "user_id": 7, "iss": "evil",
    });
    let answer = world.ask(ask("POST /api-auth/").json(&more)).await;
    assert_eq!(answer.status, 200);
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    let (_, claims) = super::transcript::parts(&token);
    let claims = claims.to_string();
    for extra in ["god", "9999999999", "evil"] {
        assert!(!claims.contains(extra), "{claims}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p100_long_bodies_and_passwords_are_refused_before_hashing() {
    let world = World::standard().await;
    let long = json!({ "username": "admin", "password": "x".repeat(9000) });
    assert_eq!(
        world.ask(ask("POST /api-auth/").json(&long)).await.status,
        413
    );
    let password = json!({ "username": "admin", "password": "x".repeat(1025) });
    let answer = world.ask(ask("POST /api-auth/").json(&password)).await;
    assert_eq!(answer.status, 400);
    let chunked = ask("POST /api-auth/")
        .line("Content-Type: application/json")
        .chunked(&long.to_string());
    assert_eq!(world.ask(chunked).await.status, 413);
}

/// What a client can tell one answer from another by. How long to wait depends on when it is asked.
fn shape(answer: &Response) -> (u16, Vec<(String, String)>, String) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
    for (name, value) in &mut headers {
        if name.eq_ignore_ascii_case("retry-after") {
            let wait: u64 = value.parse().expect("seconds");
            assert!((1..=16).contains(&wait), "{wait}");
            "some".clone_into(value);
        }
    }
    (answer.status, headers, answer.text().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p097_p096_known_unknown_and_disabled_names_are_told_alike() {
    for (profile, failed) in [("standard", 401), ("drf-jwt", 400)] {
        let upstream = Recording::ok().await;
        let home = Home::new(&super::config(profile, &upstream.url(), ""))
            .flag("--insecure-dev")
            .env("GATEWAY_AUTH_THROTTLE_ACCOUNT_FAILURES", "2")
            .env("GATEWAY_AUTH_THROTTLE_PER_IP_PER_MINUTE", "1000");
        let world = World::of(home, upstream).await;
        world.home.add_user("carol", "carols own passphrase").await;
        world.home.run(&["user", "disable", "carol"]).await.ok();
        let mut told = Vec::new();
        for (name, password) in [
            ("admin", "wrong"),
            ("nobody", "wrong"),
            ("carol", "carols own passphrase"),
        ] {
            let first = shape(&world.gateway.log_in(name, password).await);
            assert_eq!(first.0, failed, "{name}");
            let throttled = eventually("429", async || {
                let answer = shape(&world.gateway.log_in(name, password).await);
                assert!(answer == first || answer.0 == 429, "{name}: {answer:?}");
                (answer.0 == 429).then_some(answer)
            })
            .await;
            told.push((first, throttled));
        }
        assert_eq!(told[0], told[1], "{profile}: a name that is not there");
        assert_eq!(told[0], told[2], "{profile}: a disabled user");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p096_an_address_is_throttled_whatever_it_claims_to_be() {
    let upstream = Recording::ok().await;
    let home = Home::new(&super::config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_AUTH_THROTTLE_ACCOUNT_FAILURES", "100")
        .env("GATEWAY_AUTH_THROTTLE_PER_IP_PER_MINUTE", "3");
    let world = World::of(home, upstream).await;
    let mut statuses = Vec::new();
    for n in 0..6 {
        let request = ask("POST /api-auth/")
            .line(&format!("X-Forwarded-For: 10.0.0.{n}"))
            .json(&json!({ "username": "user", "password": "wrong" }));
        let answer = world.ask(request).await;
        if answer.status == 429 {
            let wait: u64 = answer
                .header("retry-after")
                .expect("Retry-After")
                .parse()
                .expect("seconds");
            assert!((1..=60).contains(&wait), "{wait}");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429, 429]);
    // Somebody else behind the same address is not kept out.
    assert_eq!(world.gateway.log_in("admin", "admin").await.status, 200);
    let seen = world.gateway.metric("gateway_login_networks", &[]).await;
    assert!((seen - 1.0).abs() < 0.5, "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p049_who_may_hide_many_clients_is_counted_and_warned_of_once() {
    for (trusted, doubtful) in [("", 2.0), ("127.0.0.1/32", 0.0)] {
        let upstream = Recording::ok().await;
        let home = Home::new(&super::config("standard", &upstream.url(), ""))
            .flag("--insecure-dev")
            .env("GATEWAY_SERVER_TRUSTED_PROXIES", trusted);
        let world = World::of(home, upstream).await;
        for line in [
            "X-Forwarded-For: 192.0.2.1",
            "Forwarded: for=192.0.2.1",
            "X-Other: 1",
        ] {
            let request = ask("GET /public/a").line(line).end();
            assert_eq!(world.ask(request).await.status, 200);
        }
        let labels = ["reason=\"untrusted_proxy\""];
        let counted = world
            .gateway
            .metric("gateway_doubtful_addresses_total", &labels)
            .await;
        assert!((counted - doubtful).abs() < 0.5, "{trusted}: {counted}");
        let said = world
            .gateway
            .log()
            .matches("server.trusted_proxies")
            .count();
        assert_eq!(
            said,
            usize::from(trusted.is_empty()),
            "{}",
            world.gateway.log()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p099_p101_a_flood_of_logins_is_refused_at_once_and_holds_up_nobody() {
    let upstream = Recording::ok().await;
    // Hashes that take long, one worker, and room for two.
    let home = Home::new(&super::config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_AUTH_PASSWORD_MEMORY", "64 MiB")
        .env("GATEWAY_AUTH_PASSWORD_ITERATIONS", "6")
        .env("GATEWAY_AUTH_PASSWORD_WORKERS", "1")
        .env("GATEWAY_AUTH_PASSWORD_QUEUE", "2")
        .env("GATEWAY_AUTH_THROTTLE_PER_IP_PER_MINUTE", "100000")
        .env("GATEWAY_AUTH_THROTTLE_ACCOUNT_FAILURES", "100000");
    let world = World::of(home, upstream).await;
    let addr = world.gateway.addr;
    let flood = (0..24).map(|n| async move {
        let body = json!({ "username": format!("user{n}"), "password": "wrong" });
        let started = Instant::now();
        let answer = Client::connect(addr)
            .await
            .request(ask("POST /api-auth/").json(&body))
            .await;
        (answer, started.elapsed())
    });
    let flood = tokio::spawn(all("the flood", flood.collect::<Vec<_>>()));
    // Reads go on meanwhile.
    let mut reads = 0;
    let mut slowest = Duration::ZERO;
    while !flood.is_finished() {
        let started = Instant::now();
        assert_eq!(world.ask(get("/public/a")).await.status, 200);
        slowest = slowest.max(started.elapsed());
        reads += 1;
    }
    let answers = flood.await.expect("answers");
    let busy: Vec<_> = answers.iter().filter(|(a, _)| a.status == 503).collect();
    let failed: Vec<_> = answers.iter().filter(|(a, _)| a.status == 401).collect();
    assert_eq!(busy.len() + failed.len(), answers.len());
    assert!(failed.len() >= 3, "{} were served", failed.len());
    assert!(busy.len() >= 10, "{} were refused", busy.len());
    for (answer, _) in &busy {
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.json()["code"], "overloaded");
    }
    let longest_hash = failed.iter().map(|(_, took)| *took).max().expect("one");
    let longest_refusal = busy.iter().map(|(_, took)| *took).max().expect("one");
    assert!(
        longest_refusal < longest_hash,
        "a refusal took {longest_refusal:?}, a hash {longest_hash:?}"
    );
    assert!(reads > 3, "only {reads} reads in {longest_hash:?}");
    assert!(
        slowest < longest_hash,
        "a read waited {slowest:?} for hashes of {longest_hash:?}"
    );
    // It is over, and the next one is served.
    assert_eq!(world.gateway.log_in("admin", "admin").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_over_plain_http_are_refused_where_https_is_required() {
    let upstream = Recording::ok().await;
    let home = Home::new(&super::config("standard", &upstream.url(), ""))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_REQUIRE_HTTPS", "true")
        .env("GATEWAY_SERVER_TRUSTED_PROXIES", "127.0.0.1/32");
    let world = World::of(home, upstream).await;
    let body = json!({ "username": "admin", "password": "admin" });
    let plain = world.ask(ask("POST /api-auth/").json(&body)).await;
    assert_eq!(plain.status, 403);
    let secure = ask("POST /api-auth/").line("X-Forwarded-Proto: https");
    assert_eq!(world.ask(secure.json(&body)).await.status, 200);
}
