//! The command line is well formed, and the offline commands print what they promise.

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::*;

const FILE: &str = r#"version = 1
[server]
data_dir = "/data"
listen = "0.0.0.0:8080"
[upstreams.tasks]
urls = ["http://127.0.0.1:8000"]
provision = "/people"
[[routes]]
path = "/tasks/**"
upstream = "tasks"
access = "read-public"
"#;

fn run(args: &[&str], env: &[(&str, &str)]) -> (Exit, String, String) {
    let cli = Cli::try_parse_from([&["gateway"], args].concat()).expect("arguments");
    let env: Vec<(String, String)> = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams {
        out: &mut out,
        err: &mut err,
        colours: false,
    };
    let exit = run_offline(&cli.command, &env, &mut streams).expect("an offline command");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (exit, text(out), text(err))
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("gateway.toml");
    std::fs::write(&path, text).expect("write");
    let path = path.to_str().expect("path").to_owned();
    (dir, path)
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for args in [
        &["serve", "--config", "a", "--upstream", "http://h:1"][..],
        &["serve", "--access", "token"],
        &["serve", "--upstream", "http://h:1", "--access", "public"],
        &["user", "add"],
        &["user", "add", "a", "--password", "x"],
        &[
            "user",
            "add",
            "a",
            "--password-stdin",
            "--password-file",
            "f",
        ],
        &["user", "set", "a"],
        &["user", "set", "a", "--role", "x", "--no-roles"],
        &["selftest"],
        &["selftest", "--target", "http://h:1", "--property", "P999"],
        &["selftest", "--target", "http://h:1", "--path", "tasks"],
        &[
            "selftest",
            "--target",
            "http://h:1",
            "--token-file",
            "f",
            "--token-stdin",
        ],
        &["selftest", "--target", "http://h:1", "--token", "x"],
        &["nonsense"],
        &[],
    ] {
        let error = Cli::try_parse_from([&["gateway"], args].concat()).expect_err("refused");
        assert_eq!(
            error.exit_code(),
            i32::from(Exit::Usage as u8),
            "{args:?}: {error}"
        );
    }
    let help = Cli::try_parse_from(["gateway", "--help"]).expect_err("help");
    assert_eq!(help.kind(), ErrorKind::DisplayHelp);
    assert_eq!(help.exit_code(), i32::from(Exit::Ok as u8));
    for want in ["Examples:", "Exit codes:", "healthcheck"] {
        assert!(help.to_string().contains(want), "{help}");
    }
}

#[test]
fn every_command_of_the_design_is_there() {
    for line in [
        "serve --config f --listen 127.0.0.1:1 --admin-listen 127.0.0.1:2 --data-dir d --insecure-dev",
        "serve --upstream http://h:1 --access token",
        "check --config f --json",
        "explain GET /a --token t --json",
        "user add a --role x --role y --email a@b --password-stdin --json",
        "user list --json",
        "user passwd a --password-file f",
        "user enable a --data-dir d",
        "user disable a",
        "user remove a",
        "user set a --no-roles --email a@b",
        "token mint a --json",
        "token inspect - --json",
        "provision status --json",
        "provision retry tasks",
        "provision resync tasks",
        "key list --json",
        "healthcheck --admin-listen 127.0.0.1:9901",
        "selftest --target http://127.0.0.1:8080 --path /tasks/ --open-path /a --closed-path /b --echo-path /c \
         --mount /api-auth --host h --user a --token-file f --property P031 --property 6 --timeout 3 --slow \
         --insecure --yes-remote --json",
        "config show --json",
        "admin initial-password",
        "completions bash",
        "man d",
    ] {
        let args = std::iter::once("gateway").chain(line.split_whitespace());
        if let Err(error) = Cli::try_parse_from(args) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn check_prints_what_is_open_or_what_is_wrong() {
    let (_dir, path) = file(FILE);
    let (exit, out, err) = run(&["check", "--config", &path], &[]);
    assert_eq!((exit, err.as_str()), (Exit::Ok, ""));
    for want in [
        "http://0.0.0.0:8080",
        "http://127.0.0.1:9901",
        "tasks at http://127.0.0.1:8000",
        "/api-auth/users",
        "public without a token: GET, HEAD /tasks/**",
        "warning: server.listen = 0.0.0.0:8080",
    ] {
        assert!(out.contains(want), "{want}\n{out}");
    }
    let (exit, out, _) = run(&["check", "--json"], &[("GATEWAY_CONFIG", &path)]);
    let value: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((exit, &value["ok"]), (Exit::Ok, &serde_json::json!(true)));
    assert_eq!(value["upstreams"][0]["provision"], "/people");

    let (_dir, path) = file(&FILE.replace("listen =", "lisen ="));
    let (exit, out, err) = run(&["check", "--config", &path], &[]);
    assert_eq!((exit, out.as_str()), (Exit::Configuration, ""));
    assert!(
        err.contains(&format!("{path}:4:1")) && err.contains("did you mean `listen`?"),
        "{err}"
    );
    let (exit, out, err) = run(
        &["check", "--config", &path, "--json", "--admin-listen", "x"],
        &[("GATEWAY_LOG_ACCESS", "x")],
    );
    assert_eq!((exit, err.as_str()), (Exit::Configuration, ""));
    let value: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let problems = value["problems"].as_array().expect("list");
    assert_eq!(problems.len(), 3, "{out}");
    assert_eq!(
        (&problems[0]["line"], &problems[0]["column"]),
        (&4.into(), &1.into())
    );
    assert_eq!(problems[1]["variable"], "GATEWAY_LOG_ACCESS");
    assert_eq!(problems[2]["flag"], "--admin-listen");
}

#[test]
fn config_show_tells_where_each_value_comes_from_and_no_secret() {
    let (_dir, path) = file(FILE);
    let env = [
        ("GATEWAY_AUTH_ACCESS_TTL", "5m"),
        ("GATEWAY_ADMIN_PASSWORD", "tell-nobody"),
    ];
    let args = [
        "config",
        "show",
        "--config",
        &path,
        "--listen",
        "127.0.0.1:1",
    ];
    let (exit, out, err) = run(&args, &env);
    assert_eq!((exit, err.as_str()), (Exit::Ok, ""));
    let line = |key: &str| {
        let found = out
            .lines()
            .find(|line| line.split_whitespace().next() == Some(key));
        found.unwrap_or_else(|| panic!("{key}\n{out}")).to_owned()
    };
    for (key, value, from) in [
        ("server.listen", "127.0.0.1:1", "flag --listen"),
        (
            "auth.access_ttl",
            "5m",
            "environment variable GATEWAY_AUTH_ACCESS_TTL",
        ),
        ("upstreams.tasks.provision", "/people", "gateway.toml:7:13"),
        ("server.drain", "5s", "default"),
        (
            "auth.admin_password",
            "<set>",
            "environment variable GATEWAY_ADMIN_PASSWORD",
        ),
    ] {
        let shown = line(key);
        assert!(
            shown.contains(&format!("= {value} ")) && shown.ends_with(from),
            "{shown}"
        );
    }
    assert!(!out.contains("tell-nobody"), "{out}");
    let (_, out, _) = run(&[&args[..], &["--json"]].concat(), &env);
    let value: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let listen = value
        .as_array()
        .expect("list")
        .iter()
        .find(|s| s["key"] == "server.listen");
    assert_eq!(listen.expect("key")["from"], "flag --listen");
}

#[test]
fn completions_and_manual_pages_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let (exit, out, _) = run(&["completions", shell], &[]);
        assert_eq!(exit, Exit::Ok);
        assert!(out.contains("healthcheck"), "{shell}");
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().to_str().expect("path");
    assert_eq!(run(&["man", path], &[]).0, Exit::Ok);
    assert!(dir.path().join("gateway.1").exists());
    assert!(dir.path().join("gateway-user-add.1").exists());
    let missing = format!("{path}/missing");
    let (exit, _, err) = run(&["man", &missing], &[]);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("name a folder that exists"), "{err}");
}

#[test]
fn store_commands_work_without_a_file() {
    let store = StoreArgs {
        config: None,
        data_dir: Some(PathBuf::from("/data")),
    };
    let resolved = store.resolve([]).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(resolved.config.server.data_dir, PathBuf::from("/data"));
    let (_dir, path) = file(FILE);
    let env = [("GATEWAY_CONFIG".to_owned(), path)];
    let resolved = StoreArgs::default()
        .resolve(env)
        .unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(resolved.config.upstreams[0].name, "tasks");
}
