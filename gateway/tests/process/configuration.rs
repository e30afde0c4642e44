//! Configurations that nothing starts from: one report each, with the place and the remedy.

use crate::harness::process::Ended;
use crate::harness::{Home, eventually};

const HEAD: &str = "version = 1\n";
const UPSTREAM: &str = "[upstreams.app]\nurls = [\"http://127.0.0.1:9\"]\n";
const ROUTE: &str = "[[routes]]\npath = \"/a/**\"\nupstream = \"app\"\naccess = \"public\"\n";

/// Nothing was started, the exit code is right, and the report holds all of `wanted`.
#[track_caller]
fn assert_report(ended: &Ended, code: i32, wanted: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text());
    assert_eq!(ended.out, "", "something listened");
    for text in wanted {
        assert!(
            ended.err.contains(text),
            "`{text}` is not told:\n{}",
            ended.err
        );
    }
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
}

/// `serve` and `check` say the same.
async fn refused(home: &Home, wanted: &[&str]) {
    let ended = home.serve_in_vain().await;
    assert_report(&ended, 3, wanted);
    assert_eq!(
        ended.err.matches("error").count(),
        1,
        "more than one problem: {}",
        ended.err
    );
    assert!(
        !home.data().join("gateway.redb").exists(),
        "a store was made"
    );
    let checked = home.run(&["check"]).await;
    assert_report(&checked, 3, wanted);
}

fn of(text: &str) -> Home {
    Home::new(&format!("{HEAD}{text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key() {
    let home = of(&format!("[log]\nfromat = \"json\"\n{UPSTREAM}{ROUTE}"));
    refused(
        &home,
        &["log.fromat", "gateway.toml:3:1", "did you mean `format`"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_type() {
    let home = of(&format!("[server]\ndrain = true\n{UPSTREAM}{ROUTE}"));
    refused(&home, &["server.drain", "gateway.toml:3:9", "help"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_url() {
    let home = of(&format!("[upstreams.app]\nurls = [\"htp:/x\"]\n{ROUTE}"));
    refused(
        &home,
        &["upstreams.app.urls", "gateway.toml:3:9", "http://"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p120_a_file_that_is_not_there() {
    let home = of(&format!(
        "[auth]\nprofile = \"drf-jwt\"\nhs256_secret_file = \"nowhere/secret\"\n{UPSTREAM}{ROUTE}"
    ));
    refused(
        &home,
        &[
            "auth.hs256_secret_file",
            "gateway.toml:4:21",
            "nowhere/secret",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p085_a_short_secret() {
    let home = of(&format!("[auth]\nprofile = \"drf-jwt\"\n{UPSTREAM}{ROUTE}"))
        .env("GATEWAY_AUTH_HS256_SECRET", "not-32-bytes");
    refused(&home, &["GATEWAY_AUTH_HS256_SECRET", "32", "openssl rand"]).await;
    let ended = home.serve_in_vain().await;
    assert!(!ended.err.contains("not-32-bytes"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p121_a_duplicate_route() {
    let home = of(&format!("{UPSTREAM}{ROUTE}{ROUTE}"));
    refused(
        &home,
        &["a second time", "gateway.toml:9:8", "remove one of the two"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p121_a_shadowed_route() {
    let narrow = ROUTE.replace("/a/**", "/a/b");
    let home = of(&format!("{UPSTREAM}{ROUTE}{narrow}"));
    refused(
        &home,
        &["can never match", "gateway.toml:9:8", "above the wider one"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p119_no_routes() {
    let home = of(UPSTREAM);
    refused(&home, &["no routes", "[[routes]]"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p050_a_trusted_proxy_that_is_everybody() {
    for network in ["0.0.0.0/0", "::/0"] {
        let home = of(&format!(
            "[server]\ntrusted_proxies = [\"{network}\"]\n{UPSTREAM}{ROUTE}"
        ));
        refused(
            &home,
            &["server.trusted_proxies", "gateway.toml:3:20", network],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = taken.local_addr().expect("an address").to_string();
    for variable in ["GATEWAY_SERVER_LISTEN", "GATEWAY_SERVER_ADMIN_LISTEN"] {
        let home = of(&format!("{UPSTREAM}{ROUTE}")).env(variable, &address);
        let ended = home.serve_in_vain().await;
        assert_report(
            &ended,
            1,
            &[&address, "another program listens", "ss -ltnp"],
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unusable_data_folder() {
    let home = of(&format!("{UPSTREAM}{ROUTE}"));
    // A file, so that it is unusable for root as well.
    std::fs::write(home.data(), "").expect("a file");
    let ended = home.serve_in_vain().await;
    let data = home.data().display().to_string();
    assert_report(&ended, 3, &[&data]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema() {
    let home = of(&format!("{UPSTREAM}{ROUTE}")).env("GATEWAY_ADMIN_PASSWORD", "a long passphrase");
    home.serve().await.process.stop().await;
    {
        let file = redb::Database::open(home.data().join("gateway.redb")).expect("the store");
        let change = file.begin_write().expect("a transaction");
        change
            .open_table(redb::TableDefinition::<&str, u64>::new("meta"))
            .expect("a table")
            .insert("schema", 999)
            .expect("a row");
        change.commit().expect("a commit");
    }
    let ended = home.serve_in_vain().await;
    assert_report(&ended, 3, &["999", "newer version", "backup"]);
    assert_eq!(home.run(&["user", "list"]).await.code, Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_problem_is_told_at_once_and_as_json() {
    let home = of(&format!(
        "[server]\nlisen = \"127.0.0.1:1\"\ndrain = 5\n[auth]\nprofile = \"drf\"\n{UPSTREAM}"
    ))
    .env("GATEWAY_SERVER_TREADS", "5");
    let ended = home.serve_in_vain().await;
    assert_report(
        &ended,
        3,
        &[
            "server.lisen",
            "server.drain",
            "auth.profile",
            "no routes",
            "GATEWAY_SERVER_TREADS",
        ],
    );
    let checked = home.run(&["check", "--json"]).await;
    assert_eq!(checked.code, Some(3));
    let report: serde_json::Value = serde_json::from_str(&checked.out).expect("JSON");
    assert_eq!(report["ok"], false);
    let problems = report["problems"].as_array().expect("problems");
    assert!(problems.len() >= 5, "{report:#}");
    assert!(problems.iter().all(|p| !p["help"].is_null()), "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn insecure_dev_binds_to_loopback_only() {
    let home = of(&format!("{UPSTREAM}{ROUTE}"))
        .flag("--insecure-dev")
        .env("GATEWAY_SERVER_LISTEN", "0.0.0.0:0");
    let ended = home.serve_in_vain().await;
    assert_report(
        &ended,
        3,
        &["GATEWAY_SERVER_LISTEN", "loopback", "127.0.0.1"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_one_folder_is_refused_while_the_first_goes_on() {
    let home = of(&format!("{UPSTREAM}{ROUTE}")).env("GATEWAY_ADMIN_PASSWORD", "a long passphrase");
    let gateway = home.serve().await;
    let ended = home.serve_in_vain().await;
    assert_report(
        &ended,
        1,
        &["another gateway", "data folder", "stop it", "--data-dir"],
    );
    home.add_user("ann", "anns own passphrase").await;
    eventually("the new user", async || {
        (gateway.log_in("ann", "anns own passphrase").await.status == 200).then_some(())
    })
    .await;
}
