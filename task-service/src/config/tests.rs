use super::*;

fn file(text: &str) -> Result<Config, String> {
    parse_file("f.toml", text)
        .and_then(|raw| raw.finish(&Overrides::default()))
        .map_err(|error| error.to_string())
}

#[test]
fn defaults() {
    let config = file("version = 1\n").unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.cache_bytes, 67_108_864);
    assert_eq!(config.limits.body.max_bytes, 1_048_576);
    assert_eq!(config.limits.header_timeout, Duration::from_secs(5));
    assert_eq!(config.gateway.secret_file, None);
    assert_eq!(config.gateway.identity, IdentityHeaders::default());
}

#[test]
fn the_shipped_file_is_right_and_names_every_key() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/task-service.toml");
    let text = fs::read_to_string(path).unwrap();
    let config = file(&text).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:8000");
    assert_eq!(config.data_dir, Path::new("/data"));
    let secret = Path::new("/run/gateway-secret/secret");
    assert_eq!(config.gateway.secret_file.as_deref(), Some(secret));
    for (section, key) in KEYS {
        assert!(text.contains(&format!("[{section}]")), "{section}");
        assert!(text.contains(&format!("{key} = ")), "{key}");
    }
    // With every line that is only shown, nothing changes but what is said.
    let shown: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(
        format!("{:?}", file(&shown).unwrap()),
        format!("{config:?}")
    );
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    let table = [
        ("", "f.toml:1:1: the version of this file is missing"),
        ("version = 2", "f.toml:1:11: version 2 is not known"),
        (
            "version = 1\nlisten = \"x\"",
            "f.toml:2:1: unknown field `listen`",
        ),
        (
            "version = 1\n[server]\n  lisen = 1",
            "f.toml:3:3: unknown field `lisen`",
        ),
        ("version = 1\n[server]\nlisten = \"here\"", "f.toml:3:10: "),
        (
            "version = 1\n[limits]\nbody_timeout = 5",
            "f.toml:3:16: expected a length of time",
        ),
        ("version = 1\n[limits]\nbody_bytes = -1", "f.toml:3:14: "),
        (
            "version = 1\n[gateway]\nuser_header = \"a b\"",
            "f.toml:3:15: \"a b\" is not the name",
        ),
        (
            "version = 1\n[limits]\nidle_timeout = \"25h\"",
            "f.toml:3:16: expected a length",
        ),
        (
            "version = 1\n[limits]\nconnections = 0",
            "f.toml:3:15: expected a number from 1",
        ),
        ("version = 1\n[server", "f.toml:2:"),
    ];
    for (text, want) in table {
        let error = file(text).unwrap_err();
        assert!(error.starts_with(want), "{error}");
        assert!(error.contains("\nremedy: "), "{error}");
    }
}

#[test]
fn flag_beats_environment_beats_file() {
    let environment = |name: &str| match name {
        "TASK_SERVICE_SERVER_LISTEN" => Some("127.0.0.1:2".to_owned()),
        "TASK_SERVICE_SERVER_DATA_DIR" => Some("2".to_owned()),
        "TASK_SERVICE_LIMITS_BODY_BYTES" => Some("2".to_owned()),
        "TASK_SERVICE_GATEWAY_SECRET_FILE" => Some(String::new()),
        _ => None,
    };
    let mut raw = from_env(environment).unwrap();
    let text =
        "version = 1\n[server]\nlisten = \"127.0.0.1:1\"\ndata_dir = \"/one\"\ncache_bytes = 1\n";
    raw.fill_from(parse_file("f.toml", text).unwrap());
    let overrides = Overrides {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 3))),
        ..Overrides::default()
    };
    let config = raw.finish(&overrides).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.data_dir, Path::new("2"));
    assert_eq!((config.cache_bytes, config.limits.body.max_bytes), (1, 2));
    assert_eq!(config.gateway.secret_file, None);

    let wrong = from_env(|name| name.ends_with("LISTEN").then(|| "here".to_owned()));
    let wrong = wrong.unwrap_err().to_string();
    assert!(
        wrong.starts_with("environment variable TASK_SERVICE_SERVER_LISTEN: "),
        "{wrong}"
    );
}
