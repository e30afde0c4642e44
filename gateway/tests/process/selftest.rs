//! `gateway selftest`: what it says of this gateway, and of others that are not as good.

use serde_json::Value;

use crate::harness::process::Ended;
use crate::harness::{Home, Pair, Recording, answer};

mod credentials;
mod fake;
mod flaw;
mod service;

use fake::{Fake, TOKEN};
use flaw::{FLAWS, Flaw};

/// The report of a run, whatever it ended with.
fn report(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|e| panic!("no JSON ({e}): {}", ended.text()))
}

/// The properties with this verdict.
fn with(report: &Value, verdict: &str) -> Vec<String> {
    let all = report["properties"].as_array().expect("properties");
    let wanted = all.iter().filter(|line| line["verdict"] == verdict);
    let name = |line: &Value| line["property"].as_str().expect("a name").to_owned();
    wanted.map(name).collect()
}

#[track_caller]
fn assert_held(ended: &Ended, at_least: usize, open: &[&str]) -> Value {
    let told = report(ended);
    assert_eq!(with(&told, "not_held"), [""; 0], "{}", ended.text());
    assert_eq!(ended.code, Some(0), "{}", ended.text());
    assert_eq!(with(&told, "could_not_tell"), open, "{}", ended.text());
    let held = with(&told, "held").len();
    assert!(held >= at_least, "only {held}: {}", ended.text());
    told
}

/// A service that shows what it was sent.
async fn echo() -> Recording {
    Recording::start(|seen| {
        let mut shown = format!("{} {} HTTP/1.1\n", seen.method, seen.target);
        for (name, value) in &seen.headers {
            shown += &format!("{name}: {value}\n");
        }
        answer(200, shown)
    })
    .await
}

/// The arguments with the token as a file.
fn token_file(home: &Home, token: &str) -> String {
    let file = home.folder().join("token");
    std::fs::write(&file, token).expect("a file");
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selftest_finds_everything_held_that_it_can_see() {
    let upstream = echo().await;
    let home = Home::zero_config(&upstream.url())
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LIMITS_HEADER_TIMEOUT", "500ms");
    let gateway = home.serve().await;
    let token = gateway.token("admin", "admin").await;
    let file = token_file(&home, &token);
    let target = format!("http://localhost:{}", gateway.addr.port());
    let all = ["selftest", "--target", &target, "--json"];
    let more = [
        &all[..],
        &["--token-file", &file, "--echo-path", "/echo", "--slow"],
    ]
    .concat();
    let ended = home.run(&more).await;
    // HTTP/2 needs TLS; the service answers /livez itself; one rule covers everything.
    let told = assert_held(&ended, 59, &["P011", "P118", "P119"]);
    assert!(!ended.text().contains("eyJ"), "a token: {}", ended.text());
    assert_eq!(
        told["found"]["write"]
            .as_str()
            .map(|w| w.starts_with("/gateway-selftest-")),
        Some(true)
    );

    // Without a token less can be told, and nothing is taken for held that was not shown.
    let ended = home.run(&all).await;
    let told = report(&ended);
    assert_eq!(ended.code, Some(0), "{}", ended.text());
    let open = with(&told, "could_not_tell");
    for needs in [
        "P010", "P014", "P037", "P045", "P058", "P059", "P060", "P068", "P072", "P097", "P106",
    ] {
        assert!(
            open.contains(&needs.to_owned()),
            "{needs}: {}",
            ended.text()
        );
    }
    assert!(with(&told, "held").len() >= 37, "{}", ended.text());
    // Nothing but reads has reached the service.
    let mut seen: Vec<String> = upstream
        .requests()
        .into_iter()
        .map(|seen| seen.method)
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["GET", "HEAD"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selftest_knows_the_habits_of_the_shipped_configuration() {
    let pair = Pair::start().await;
    let token = pair.home.run(&["token", "mint", "admin"]).await.ok();
    let target = format!("http://{}", pair.gateway.addr);
    let arguments = [
        "selftest",
        "--target",
        &target,
        "--path",
        "/tasks/",
        "--token-stdin",
        "--json",
    ];
    let ended = pair.home.run_with(&arguments, &token).await;
    let unseen = [
        "P011", "P014", "P016", "P025", "P032", "P037", "P040", "P044", "P046", "P047", "P060",
        "P126",
    ];
    let told = report(&ended);
    let open: Vec<&str> = unseen
        .iter()
        .copied()
        .filter(|p| with(&told, "could_not_tell").contains(&(*p).to_owned()))
        .collect();
    assert_held(&ended, 50, &open);
    // Nothing was changed at the service.
    let tasks = pair
        .gateway
        .ask("GET /tasks/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(tasks.text(), "[]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selftest_speaks_tls_and_http_2() {
    let upstream = Recording::ok().await;
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let home = Home::zero_config(&upstream.url()).flag("--insecure-dev");
    let (cert, key) = (
        home.folder().join("cert.pem"),
        home.folder().join("key.pem"),
    );
    std::fs::write(&cert, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let home = home
        .env("GATEWAY_SERVER_TLS_CERT_FILE", &cert)
        .env("GATEWAY_SERVER_TLS_KEY_FILE", &key);
    let gateway = home.serve().await;
    let target = format!("https://{}", gateway.addr);
    let named = [
        "selftest",
        "--target",
        &target,
        "--host",
        "localhost",
        "--json",
    ];
    let ended = home.run(&[&named[..], &["--cacert", &cert]].concat()).await;
    let told = report(&ended);
    assert_eq!(with(&told, "not_held"), [""; 0], "{}", ended.text());
    let held = with(&told, "held");
    assert!(
        held.contains(&"P011".to_owned()) && held.len() >= 38,
        "{}",
        ended.text()
    );
    // Whoever it is, where that is not what is asked.
    let one = [
        "selftest",
        "--target",
        &target,
        "--insecure",
        "--property",
        "P011",
    ];
    assert!(home.run(&one).await.ok().contains("P011  held"));
    // A certificate that nobody vouches for.
    let ended = home.run(&named).await;
    assert_eq!(ended.code, Some(4), "{}", ended.text());
    assert!(ended.err.contains("certificate"), "{}", ended.err);
}

async fn run_against(flaw: Flaw, more: &[&str]) -> Ended {
    let fake = Fake::start(flaw).await;
    let home = Home::zero_config("http://127.0.0.1:9");
    let file = token_file(&home, TOKEN);
    let target = format!("http://localhost:{}", fake.addr.port());
    let arguments = [
        "selftest",
        "--json",
        "--target",
        &target,
        "--token-file",
        &file,
        "--echo-path",
        "/echo",
    ];
    home.run(&[&arguments[..], &["--timeout", "2"], more].concat())
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selftest_finds_nothing_wrong_with_a_gateway_that_is_right() {
    // Also the measure of the next test: what that finds is the flaw's.
    let ended = run_against(Flaw::None, &[]).await;
    assert_held(&ended, 60, &["P011", "P014", "P119"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selftest_finds_every_flaw_and_names_its_property() {
    let mut missed = Vec::new();
    for (flaw, broken) in FLAWS {
        let only: Vec<&str> = broken
            .iter()
            .flat_map(|property| ["--property", property])
            .collect();
        let ended = run_against(*flaw, &only).await;
        let told = report(&ended);
        let found = with(&told, "not_held");
        if found != *broken {
            missed.push(format!(
                "{flaw:?}: {found:?}, not {broken:?}: {}",
                ended.text()
            ));
            continue;
        }
        assert_eq!(ended.code, Some(1), "{flaw:?}");
        for line in told["properties"].as_array().expect("properties") {
            let failure = &line["failures"][0];
            for part in ["case", "why", "sent", "expected", "got"] {
                let text = failure[part].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "{flaw:?}: no {part} in {line}");
                assert!(!text.contains("eyJ"), "{flaw:?}: a token in {line}");
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selftest_takes_nothing_for_held_where_nothing_sensible_is_answered() {
    for flaw in [Flaw::Hangs, Flaw::Silent, Flaw::Garbage] {
        let ended = run_against(flaw, &[]).await;
        assert_eq!(ended.code, Some(4), "{flaw:?}: {}", ended.text());
        assert!(
            ended.err.contains("http://localhost:"),
            "{flaw:?}: {}",
            ended.err
        );
    }
    let ended = run_against(Flaw::Always400, &[]).await;
    let told = report(&ended);
    assert_eq!(with(&told, "held"), [""; 0], "{}", ended.text());
    assert_eq!(ended.code, Some(1), "nothing was shown: {}", ended.text());
    // Where no host is refused, that one can be is not shown.
    let told = report(&run_against(Flaw::AnyHost, &["--property", "P025"]).await);
    assert_eq!(with(&told, "could_not_tell"), ["P025"]);
    // Who stops answering is not asked on and on.
    let ended = run_against(Flaw::HangsLater, &[]).await;
    let told = report(&ended);
    assert_eq!(with(&told, "not_held"), [""; 0], "{}", ended.text());
    assert!(with(&told, "could_not_tell").len() > 40, "{}", ended.text());
    assert!(ended.text().contains("the target has stopped answering"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selftest_asks_before_it_attacks_another_machine() {
    let home = Home::zero_config("http://127.0.0.1:9");
    // A documentation address (RFC 5737), which is never connected to.
    let ended = home
        .run(&["selftest", "--target", "http://192.0.2.1:8080"])
        .await;
    assert_eq!(ended.code, Some(2), "{}", ended.text());
    assert!(ended.err.contains("--yes-remote"), "{}", ended.err);
    let ended = home
        .run(&["selftest", "--target", "http://127.0.0.1:9"])
        .await;
    assert_eq!(ended.code, Some(4), "{}", ended.text());
    for (wrong, code) in [
        (vec!["--target", "127.0.0.1:8080"], 2),
        (
            vec!["--target", "http://127.0.0.1:9", "--token-file", "nowhere"],
            1,
        ),
        (
            vec!["--target", "https://127.0.0.1:9", "--cacert", "nowhere"],
            1,
        ),
    ] {
        let ended = home.run(&[&["selftest"], &wrong[..]].concat()).await;
        assert_eq!(ended.code, Some(code), "{wrong:?}: {}", ended.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selftest_prints_a_line_for_each_property() {
    let fake = Fake::start(Flaw::Traces).await;
    let home = Home::zero_config("http://127.0.0.1:9");
    let target = format!("http://localhost:{}", fake.addr.port());
    let arguments = [
        "selftest",
        "--target",
        &target,
        "--property",
        "30",
        "--property",
        "p079",
        "--property",
        "P106",
    ];
    let ended = home.run(&arguments).await;
    assert_eq!(ended.code, Some(1), "{}", ended.text());
    for want in [
        "P030  not held",
        "P030.1: ",
        "sent:     TRACE / HTTP/1.1\\r\\nHost: localhost:",
        "got:      200, TRACE /",
        "P079  held            (1 case)",
        "P106  could not tell",
        "1 held, 1 not held, 1 could not tell; ",
    ] {
        assert!(ended.out.contains(want), "{want}: {}", ended.out);
    }
    assert!(
        ended.err.is_empty(),
        "progress without a terminal: {}",
        ended.err
    );
}
