//! The first start: one administrator, whose password nobody else knows.

use std::os::unix::fs::PermissionsExt;

use crate::harness::{Gateway, Home, Recording, ask, eventually};

const CONFIG: &str = "version = 1\n[upstreams.app]\nurls = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/**\"\nupstream = \"app\"\naccess = \"token\"\n";

fn password_file(home: &Home) -> std::path::PathBuf {
    home.data().join("initial-admin-password")
}

fn mode(path: &std::path::Path) -> u32 {
    let meta = std::fs::metadata(path).expect("a file");
    meta.permissions().mode() & 0o777
}

async fn started() -> (Home, Gateway, String) {
    let home = Home::new(CONFIG);
    let gateway = home.serve().await;
    let password = std::fs::read_to_string(password_file(&home)).expect("a password");
    (home, gateway, password.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p108_the_first_password_is_random_private_and_works() {
    let (home, gateway, password) = started().await;
    assert_eq!(mode(&password_file(&home)), 0o600);
    assert_eq!(mode(&home.data()), 0o700);
    assert!(password.len() >= 20, "{password}");
    gateway.token("admin", &password).await;
    assert_eq!(gateway.log_in("admin", "admin").await.status, 401);
    let told = home.run(&["admin", "initial-password"]).await.ok();
    assert_eq!(told.trim(), password);
    let greeting = gateway.process.stdout();
    assert!(greeting.contains("initial-admin-password"), "{greeting}");
    assert!(!greeting.contains(&password), "{greeting}");
    assert!(!gateway.log().contains(&password));
    let (_other_home, _other, other) = started().await;
    assert_ne!(password, other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_goes_away_with_the_password_changed_over_http() {
    let (home, gateway, password) = started().await;
    let token = gateway.token("admin", &password).await;
    let change = serde_json::json!({ "password": "quite another passphrase" });
    let answer = gateway
        .ask(ask("PATCH /api-auth/users/1/").bearer(&token).json(&change))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!password_file(&home).exists());
    gateway.token("admin", "quite another passphrase").await;
    assert_eq!(gateway.log_in("admin", &password).await.status, 401);
    assert_eq!(home.run(&["admin", "initial-password"]).await.code, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_goes_away_with_the_password_changed_by_the_command_line() {
    let (home, gateway, password) = started().await;
    let passwd = ["user", "passwd", "admin", "--password-stdin"];
    home.run_with(&passwd, "quite another passphrase")
        .await
        .ok();
    assert!(!password_file(&home).exists());
    gateway.token("admin", "quite another passphrase").await;
    assert_eq!(gateway.log_in("admin", &password).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p108_admin_admin_is_refused() {
    for password in ["admin", "short"] {
        let home = Home::new(CONFIG).env("GATEWAY_ADMIN_PASSWORD", password);
        let ended = home.serve_in_vain().await;
        assert_eq!(ended.code, Some(3), "{}", ended.text());
        assert_eq!(ended.out, "", "something listened");
        assert!(
            ended.err.contains("GATEWAY_ADMIN_PASSWORD"),
            "{}",
            ended.err
        );
    }
    let (home, gateway, _) = started().await;
    let weak = home
        .run_with(&["user", "passwd", "admin", "--password-stdin"], "admin")
        .await;
    assert_eq!(weak.code, Some(1), "{}", weak.text());
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_development_mode_is_refused_until_its_passwords_are_changed() {
    let home = Home::new(CONFIG).flag("--insecure-dev");
    let mut gateway = home.serve().await;
    gateway.token("admin", "admin").await;
    gateway.process.stop().await;
    let home = home.without_flag("--insecure-dev");
    let refused = home.serve_in_vain().await;
    assert_eq!(refused.code, Some(3), "{}", refused.text());
    assert_eq!(refused.out, "", "something listened");
    for text in ["--insecure-dev", "admin", "gateway user passwd"] {
        assert!(refused.err.contains(text), "`{text}`: {}", refused.err);
    }
    home.run_with(
        &["user", "passwd", "admin", "--password-stdin"],
        "a real passphrase",
    )
    .await
    .ok();
    let gateway = home.serve().await;
    gateway.token("admin", "a real passphrase").await;
    assert_eq!(gateway.log_in("admin", "admin").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_passwords_are_used() {
    let home = Home::new(CONFIG).env("GATEWAY_ADMIN_PASSWORD", "given by the operator");
    let gateway = home.serve().await;
    gateway.token("admin", "given by the operator").await;
    assert!(!password_file(&home).exists());
    let home = Home::new(CONFIG);
    let file = home.folder().join("password");
    std::fs::write(&file, "given in a file\n").expect("a file");
    let home = home.env("GATEWAY_ADMIN_PASSWORD_FILE", &file.display().to_string());
    let gateway = home.serve().await;
    gateway.token("admin", "given in a file").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_file_one_upstream_is_served_and_the_greeting_says_what_is_open() {
    let upstream = Recording::ok().await;
    let home = Home::zero_config(&upstream.url());
    let gateway = home.serve().await;
    let greeting = gateway.process.stdout();
    for text in [
        "/**",
        "initial-admin-password",
        "curl",
        "/api-auth/",
        "Bearer",
    ] {
        assert!(greeting.contains(text), "`{text}`: {greeting}");
    }
    assert_eq!(gateway.ask(ask("GET /x").end()).await.status, 200);
    assert_eq!(gateway.ask(ask("POST /x").end()).await.status, 401);
    let home = Home::zero_config(&upstream.url())
        .flag("--access")
        .flag("token");
    let gateway = home.serve().await;
    assert_eq!(gateway.ask(ask("GET /x").end()).await.status, 401);
    eventually("the one request", async || {
        (upstream.lines() == ["GET /x"]).then_some(())
    })
    .await;
}
