//! File, environment and flags on top of each other.

use super::*;

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let text = GOOD.replace("[server]", "[server]\nlisten = \"127.0.0.1:1001\"");
    let listen = |args: &ServeArgs, variables: &[(&str, &str)]| {
        let resolved = resolve_text(args, env(variables), source(&text)).expect("config");
        let from = resolved
            .settings
            .iter()
            .find(|s| s.key == "server.listen")
            .map(|s| resolved.source.name(&s.place));
        (resolved.config.server.listen.port(), from.expect("setting"))
    };
    let flag = ServeArgs {
        listen: Some("127.0.0.1:1003".to_owned()),
        ..ServeArgs::default()
    };
    let variables = [("GATEWAY_SERVER_LISTEN", "127.0.0.1:1002")];
    let none = ServeArgs::default();
    assert_eq!(listen(&none, &[]), (1001, "gateway.toml:3:10".to_owned()));
    assert_eq!(
        listen(&none, &variables),
        (
            1002,
            "environment variable GATEWAY_SERVER_LISTEN".to_owned()
        )
    );
    assert_eq!(
        listen(&flag, &variables),
        (1003, "flag --listen".to_owned())
    );
    // Compose writes `NAME: ${NAME:-}`: empty is absent.
    assert_eq!(listen(&none, &[("GATEWAY_SERVER_LISTEN", "")]).0, 1001);
}

#[test]
fn every_kind_of_value_can_stand_in_the_environment() {
    let variables = [
        ("GATEWAY_AUTH_ACCESS_TTL", "1h30m"),
        ("GATEWAY_AUTH_REFRESH_LIMIT", "7d"),
        ("GATEWAY_SERVER_LIMITS_BODY_BYTES", "1 GiB"),
        ("GATEWAY_SERVER_LIMITS_HEADER_BYTES", "65536"),
        ("GATEWAY_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, fd00::1"),
        ("GATEWAY_AUTH_SCHEMES", "Bearer,Token"),
        ("GATEWAY_AUTH_MULTIPART", "true"),
        ("GATEWAY_HOSTS", "a.example,B.example"),
        ("GATEWAY_LOG_FORMAT", "json"),
        ("GATEWAY_UPSTREAMS_TASKS_MAX_REQUESTS", "7"),
        ("GATEWAY_UPSTREAMS_TASKS_IDENTITY_HEADERS_USER", "X-My-User"),
        (
            "GATEWAY_UPSTREAMS_TASKS_IDENTITY_HEADERS_USER_ID",
            "X-My-Id",
        ),
    ];
    let config = load(GOOD, &variables)
        .unwrap_or_else(|p| panic!("{p}"))
        .config;
    assert_eq!(config.auth.access_ttl, Duration::from_secs(5400));
    assert_eq!(config.auth.refresh_limit, Duration::from_secs(7 * 86_400));
    assert_eq!(config.server.limits.body_bytes, 1 << 30);
    assert_eq!(config.server.limits.header_bytes, 65_536);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.auth.habits.grammar.schemes, ["bearer", "token"]);
    assert!(config.auth.habits.multipart);
    assert!(config.policy.serves_host("b.example") && !config.policy.serves_host("c.example"));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.upstreams[0].max_requests, 7);
    let headers = &config.upstreams[0].identity_headers;
    assert_eq!(
        headers.names().collect::<Vec<_>>(),
        ["x-my-id", "x-my-user"]
    );
    let all = config.identity_header_names();
    for name in [
        "x-my-id",
        "x-auth-user",
        "remote-user",
        "x-consumer-username",
    ] {
        assert!(all.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn presets_name_only_headers_that_are_stripped() {
    for preset in IDENTITY_PRESETS {
        let headers = IdentityHeaders::preset(preset).expect("preset");
        for name in headers.names() {
            assert!(IDENTITY_HEADER_NAMES.contains(&name), "{name}");
        }
    }
}

#[test]
fn unknown_variables_are_refused_by_name() {
    for (name, help) in [
        (
            "GATEWAY_SERVER_LISTEM",
            "did you mean GATEWAY_SERVER_LISTEN?",
        ),
        (
            "GATEWAY_UPSTREAMS_TASKS_URL",
            "did you mean GATEWAY_UPSTREAMS_TASKS_URLS?",
        ),
        ("GATEWAY_INSECURE_DEV", "--insecure-dev"),
        ("GATEWAY_SERVER_INSECURE_DEV", "--insecure-dev"),
        ("GATEWAY_ROUTES_PATH", "config/README.md"),
        (
            "GATEWAY_ADMIN_PASSWROD",
            "did you mean GATEWAY_ADMIN_PASSWORD?",
        ),
    ] {
        let problems = load(GOOD, &[(name, "true")]).expect_err(name);
        assert_eq!(problems.count(), 1, "{problems}");
        let shown = problems.to_string();
        assert!(
            shown.contains(&format!("environment variable {name}")),
            "{shown}"
        );
        assert!(shown.contains(help), "{shown}");
    }
    let tolerated = [
        ("GATEWAY_BIND", "127.0.0.1"),
        ("GATEWAY_PORT", "8080-8082"),
        ("GATEWAY_KEK_FILE", "/run/kek"),
        ("GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("GATEWAY_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("OTHER", "x"),
    ];
    let resolved = load(GOOD, &tolerated).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(resolved.kek_file, Some(PathBuf::from("/run/kek")));
}

#[test]
fn secrets_from_the_environment_are_taken_checked_and_never_shown() {
    use secrecy::ExposeSecret as _;
    let long = "tell-nobody-tell-nobody-tell-nobody";
    let variables = [
        ("GATEWAY_AUTH_ALGORITHM", "HS256"),
        ("GATEWAY_AUTH_HS256_SECRET", long),
        ("GATEWAY_ADMIN_PASSWORD", "tell-nobody"),
    ];
    let resolved = load(GOOD, &variables).unwrap_or_else(|p| panic!("{p}"));
    let secret = resolved.config.auth.hs256_secret.as_ref().expect("secret");
    assert_eq!(secret.expose_secret(), long.as_bytes());
    assert_eq!(
        resolved
            .config
            .auth
            .admin_password
            .as_ref()
            .expect("password")
            .expose_secret(),
        "tell-nobody"
    );
    let shown = format!("{resolved:?}");
    assert!(!shown.contains("tell-nobody"), "{shown}");

    let problems = load(GOOD, &[("GATEWAY_AUTH_HS256_SECRET", "tell-nobody")]).expect_err("short");
    let shown = problems.to_string();
    assert!(
        shown.contains("GATEWAY_AUTH_HS256_SECRET: the HS256 secret is 11 bytes long"),
        "{shown}"
    );
    assert!(!shown.contains("tell-nobody"), "{shown}");

    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("password");
    std::fs::write(&path, "correct horse\n").expect("write");
    let path = path.to_str().expect("path");
    let resolved =
        load(GOOD, &[("GATEWAY_ADMIN_PASSWORD_FILE", path)]).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(
        resolved
            .config
            .auth
            .admin_password
            .expect("password")
            .expose_secret(),
        "correct horse"
    );
    let both = [
        ("GATEWAY_ADMIN_PASSWORD_FILE", path),
        ("GATEWAY_ADMIN_PASSWORD", "x"),
    ];
    let problems = load(GOOD, &both).expect_err("both");
    assert!(
        problems.to_string().contains("unset one of the two"),
        "{problems}"
    );
}

#[test]
fn without_a_file_one_url_is_enough() {
    let args = |access: Option<&str>| ServeArgs {
        upstream: Some("http://127.0.0.1:8000".to_owned()),
        access: access.map(str::to_owned),
        ..ServeArgs::default()
    };
    let resolved = resolve(
        &args(None),
        env(&[("HOME", "/home/u"), ("GATEWAY_CONFIG", "/nowhere.toml")]),
    )
    .unwrap_or_else(|p| panic!("{p}"));
    let config = resolved.config;
    assert_eq!(config.auth.profile, Profile::Standard);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(
        config.server.data_dir,
        PathBuf::from("/home/u/.local/state/gateway")
    );
    assert_eq!(config.upstreams[0].name, "default");
    let last = config.policy.rules().last().expect("rule");
    assert_eq!(
        (last.path(), last.access.to_string()),
        ("/**", "read-public".to_owned())
    );
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);

    let state = [("HOME", "/home/u"), ("XDG_STATE_HOME", "/state")];
    let config = Config::load(&args(Some("token")), env(&state)).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(config.server.data_dir, PathBuf::from("/state/gateway"));
    let last = config.policy.rules().last().expect("rule");
    assert_eq!(last.access.to_string(), "token");

    let bad = ServeArgs {
        upstream: Some("nonsense".to_owned()),
        listen: Some("here".to_owned()),
        ..ServeArgs::default()
    };
    let shown = Config::load(&bad, env(&[("HOME", "/h")]))
        .expect_err("bad")
        .to_string();
    for want in [
        "flag --upstream: ",
        "flag --listen: ",
        "http://task-service:8000",
        "2 problems",
    ] {
        assert!(shown.contains(want), "{want}\n{shown}");
    }
}

#[test]
fn no_source_shows_both_ways_to_start() {
    let shown = Config::load(&ServeArgs::default(), env(&[]))
        .expect_err("none")
        .to_string();
    assert!(shown.contains("--config gateway.toml"), "{shown}");
    assert!(
        shown.contains("--upstream http://127.0.0.1:8000"),
        "{shown}"
    );

    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("gateway.toml");
    let variables = [("GATEWAY_CONFIG", path.to_str().expect("path"))];
    let shown = Config::load(&ServeArgs::default(), env(&variables))
        .expect_err("none")
        .to_string();
    assert!(
        shown.contains("cannot be read") && shown.contains("GATEWAY_CONFIG"),
        "{shown}"
    );
    std::fs::write(&path, GOOD).expect("write");
    Config::load(&ServeArgs::default(), env(&variables)).unwrap_or_else(|p| panic!("{p}"));
}

#[test]
fn insecure_dev_binds_to_loopback_only() {
    let args = ServeArgs {
        insecure_dev: true,
        listen: Some("0.0.0.0:8080".to_owned()),
        ..ServeArgs::default()
    };
    let problems = resolve_text(&args, env(&[]), source(GOOD)).expect_err("refused");
    let shown = problems.to_string();
    assert!(
        shown.contains("flag --listen: `server.listen`: --insecure-dev binds to loopback only"),
        "{shown}"
    );
}
