//! Bad configurations: each is refused at its line and column, with its remedy, and all at once.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// One problem: `line:column`, a part of the title, a part of the help.
type Want<'a> = (&'a str, &'a str, &'a str);

#[track_caller]
fn refused(text: &str, wanted: &[Want<'_>]) -> String {
    let problems = load(text, &[])
        .err()
        .unwrap_or_else(|| panic!("accepted:\n{text}"));
    check(&problems, wanted)
}

#[track_caller]
fn check(problems: &ConfigProblems, wanted: &[Want<'_>]) -> String {
    let shown = problems.to_string();
    let got: Vec<(String, &Problem)> = problems
        .iter()
        .map(|p| {
            let name = problems.place_name(p);
            (name.trim_start_matches("gateway.toml:").to_owned(), p)
        })
        .collect();
    assert_eq!(got.len(), wanted.len(), "{shown}");
    for ((place, problem), (at, title, help)) in got.iter().zip(wanted) {
        assert_eq!(place, at, "{title}\n{shown}");
        assert!(
            problem.title.contains(title),
            "{title:?} is not in\n{shown}"
        );
        assert!(problem.help.contains(help), "{help:?} is not in\n{shown}");
        assert!(shown.contains(&problem.title), "{shown}");
        if at.contains(':') && !at.contains(' ') {
            assert!(
                shown.contains(&format!("gateway.toml:{at}")),
                "{at}\n{shown}"
            );
        }
    }
    shown
}

/// [`GOOD`] with one line put in behind the line that is `after`.
fn with(after: &str, line: &str) -> String {
    let marker = format!("{after}\n");
    assert!(GOOD.contains(&marker), "{after}");
    GOOD.replacen(&marker, &format!("{marker}{line}\n"), 1)
}

#[test]
fn the_good_file_is_good() {
    assert!(good(GOOD).warnings.is_empty());
}

#[test]
fn one_line_too_many_in_server() {
    for (line, at, title, help) in [
        (
            "lisen = \"a\"",
            "3:1",
            "unknown key `server.lisen`",
            "did you mean `listen`?",
        ),
        (
            "access_ttl = \"5m\"",
            "3:1",
            "unknown key `server.access_ttl`",
            "belongs in [auth]",
        ),
        (
            "insecure_dev = true",
            "3:1",
            "unknown key",
            "--insecure-dev",
        ),
        (
            "zzz = 1",
            "3:1",
            "unknown key `server.zzz`",
            "known here: listen, admin_listen",
        ),
        (
            "listen = 8080",
            "3:10",
            "takes an address with a port, not an integer",
            "write `listen = \"127.0.0.1:8080\"`",
        ),
        (
            "listen = \"here\"",
            "3:10",
            "`here` is not an IP address with a port",
            "0.0.0.0:8080",
        ),
        (
            "admin_listen = \"0.0.0.0:8080\"",
            "3:16",
            "is taken by `server.listen`",
            "127.0.0.1:9901",
        ),
        (
            "drain = \"5 parsecs\"",
            "3:9",
            "`5 parsecs` is not a duration",
            "\"15s\"",
        ),
        (
            "drain = 5",
            "3:9",
            "takes a duration as text, not an integer",
            "write `drain = \"15m\"`",
        ),
        ("drain = \"-5s\"", "3:9", "is not a duration", "\"15s\""),
        (
            "require_https = \"yes\"",
            "3:17",
            "takes true or false, not text",
            "write `require_https = true`",
        ),
        (
            "threads = 0",
            "3:11",
            "`0` would let nothing through",
            "above zero",
        ),
        ("threads = -1", "3:11", "out of range", "positive"),
        (
            "trusted_proxies = [\"10.0.0.0/8\", \"0.0.0.0/0\"]",
            "3:34",
            "trusts every address",
            "172.18.0.0/16",
        ),
        (
            "trusted_proxies = [\"::/0\"]",
            "3:20",
            "trusts every address",
            "network of the proxy",
        ),
        (
            "trusted_proxies = [\"10.0.0.0/33\"]",
            "3:20",
            "`10.0.0.0/33` is not a network",
            "10.0.0.0/8",
        ),
        (
            "trusted_proxies = \"10.0.0.0/8\"",
            "3:19",
            "takes a list of texts, not text",
            "[\"one\", \"two\"]",
        ),
        (
            "trusted_proxies = [\"10.0.0.0/8\", 7]",
            "3:34",
            "takes a list of texts, not an integer",
            "[",
        ),
        (
            "limits = 7",
            "3:10",
            "`server.limits` is a table",
            "[server.limits]",
        ),
        (
            "limits.body_bytes = \"10 bananas\"",
            "3:21",
            "`10 bananas` is not a size",
            "10 MiB",
        ),
        (
            "limits.body_bytes = 0",
            "3:21",
            "would let nothing through",
            "10 MiB",
        ),
        (
            "limits.header_timeout = \"0s\"",
            "3:25",
            "would let nothing through",
            "above zero",
        ),
        (
            "limits.bodybytes = 5",
            "3:8",
            "unknown key `server.limits.bodybytes`",
            "did you mean `body_bytes`?",
        ),
    ] {
        refused(&with("[server]", line), &[(at, title, help)]);
    }
}

#[test]
fn one_line_too_many_in_auth() {
    for (line, at, title, help) in [
        (
            "profile = \"drf_jwt\"",
            "5:11",
            "`drf_jwt` is not one of the values",
            "did you mean `drf-jwt`?",
        ),
        (
            "algorithm = \"RS512\"",
            "5:13",
            "not one of the values",
            "`EdDSA`",
        ),
        (
            "mount = \"api-auth\"",
            "5:9",
            "is not a path prefix",
            "begin with a slash",
        ),
        (
            "mount = \"/api-auth/\"",
            "5:9",
            "ends with a slash",
            "write \"/api-auth\"",
        ),
        ("mount = \"/\"", "5:9", "would take every path", "/api-auth"),
        ("access_ttl = \"25h\"", "5:14", "longer than a day", "24h"),
        (
            "access_ttl = \"0s\"",
            "5:14",
            "would let nothing through",
            "15m",
        ),
        ("leeway = \"1h\"", "5:10", "more than five minutes", "NTP"),
        (
            "issuer = \"\"",
            "5:10",
            "would let nothing through",
            "above zero",
        ),
        (
            "realm = \"a\\\"b\"",
            "5:9",
            "between quotes",
            "without quotes",
        ),
        (
            "challenge = \"Bearer x\"",
            "5:13",
            "not the name of a scheme",
            "\"Bearer\"",
        ),
        ("schemes = []", "5:11", "without a scheme", "remove the key"),
        (
            "schemes = [\"Bearer\", \"Basic\"]",
            "5:22",
            "`Basic` is not a scheme for tokens",
            "JWT",
        ),
        (
            "password.memory = \"1 MiB\"",
            "5:19",
            "weaker than OWASP",
            "\"19 MiB\" with 2",
        ),
        (
            "password.min_length = 4",
            "5:23",
            "less than 8",
            "write 8 or more",
        ),
        (
            "throttle.account_failures = 0",
            "5:29",
            "would let nothing through",
            "above zero",
        ),
        (
            "hs256_secret = \"tell-nobody\"",
            "5:1",
            "unknown key",
            "GATEWAY_AUTH_HS256_SECRET",
        ),
        (
            "admin_password = \"tell-nobody\"",
            "5:1",
            "unknown key",
            "admin_password_file",
        ),
        (
            "hs256_secret_file = \"/nowhere/secret\"",
            "5:21",
            "/nowhere/secret does not exist",
            "mount it",
        ),
        (
            "hs256_secret_file = \"\"",
            "5:21",
            "this path is empty",
            "remove the key",
        ),
        (
            "hs256_secret_file = \"/\"",
            "5:21",
            "/ is a folder",
            "name a file",
        ),
    ] {
        let text = with("data_dir = \"/data\"", &format!("[auth]\n{line}"));
        let shown = refused(&text, &[(at, title, help)]);
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
}

#[test]
fn one_line_too_many_in_an_upstream() {
    for (line, at, title, help) in [
        (
            "urls = [\"https://h:1\"]",
            "5:9",
            "https to a service is not supported yet",
            "TLS tunnel",
        ),
        (
            "urls = [\"h:1\"]",
            "5:9",
            "is not the URL of a service",
            "http://task-service:8000",
        ),
        (
            "urls = [\"http://h:99999\"]",
            "5:9",
            "is not the URL of a service",
            "port",
        ),
        (
            "urls = [\"http://h:1/api\"]",
            "5:9",
            "has a path or a query",
            "write \"http://h:1\"",
        ),
        (
            "urls = [\"http://h_-:1\"]",
            "5:9",
            "is not the URL of a service",
            "scheme",
        ),
        (
            "urls = [\"http://me:tell-nobody@h:1\"]",
            "5:9",
            "no user name and no password",
            "scheme",
        ),
        (
            "urls = [\"http://h:1\", \"http://H:1/\"]",
            "5:23",
            "stands here a second time",
            "remove one",
        ),
        (
            "urls = [\"http://localhost:8080\"]",
            "5:9",
            "is the gateway itself",
            "server.listen",
        ),
        ("urls = []", "5:8", "the list is empty", "http://host:8000"),
        (
            "url = \"http://h:1\"",
            "5:1",
            "unknown key `upstreams.tasks.url`",
            "did you mean `urls`?",
        ),
    ] {
        let text = GOOD.replace("urls = [\"http://127.0.0.1:8000\"]", line);
        let mut wanted = vec![(at, title, help)];
        if line.starts_with("url ") {
            wanted.insert(
                0,
                (
                    "4:12",
                    "upstream `tasks` has no `urls`",
                    "http://tasks:8000",
                ),
            );
        }
        let shown = refused(&text, &wanted);
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
    for (line, at, title, help) in [
        (
            "provision = \"people/\"",
            "5:13",
            "is not a path prefix",
            "\"/people\"",
        ),
        (
            "provision = \"/people/\"",
            "5:13",
            "ends with a slash",
            "\"/people\"",
        ),
        ("provision = \"/people/*\"", "5:13", "star", "\"/people\""),
        (
            "provision = \"/tasks\"",
            "8:8",
            "no client reaches `/tasks/**`",
            "move `provision`",
        ),
        (
            "max_requests = 0",
            "5:16",
            "would let nothing through",
            "above zero",
        ),
        (
            "identity_headers = \"x-aut\"",
            "5:20",
            "is no set of headers",
            "did you mean `x-auth`?",
        ),
        (
            "identity_headers = { user = \"Host\" }",
            "5:29",
            "means something else",
            "x-user-id",
        ),
        (
            "identity_headers = { user = \"a b\" }",
            "5:29",
            "not a header name",
            "letters",
        ),
        (
            "identity_headers = { user = \"X-U\", email = \"x-u\" }",
            "5:44",
            "used twice",
            "of its own",
        ),
        (
            "identity_headers = { users = \"X-U\" }",
            "5:22",
            "unknown key",
            "did you mean `user`?",
        ),
        (
            "secret = \"tell-nobody\"",
            "5:1",
            "unknown key",
            "secret_file",
        ),
    ] {
        let shown = refused(&with("[upstreams.tasks]", line), &[(at, title, help)]);
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
    let text = GOOD
        .replace("[upstreams.tasks]", "[upstreams.\"Ta sks\"]")
        .replace("\"tasks\"", "\"Ta sks\"");
    refused(&text, &[("4:12", "`Ta sks` is not a name", "lower-case")]);
}

#[test]
fn one_line_too_many_in_the_routes() {
    let tail = |lines: &str| format!("{GOOD}[[routes]]\n{lines}\n");
    for (lines, at, title, help) in [
        (
            "path = \"/a\"\nupstream = \"task\"",
            "12:12",
            "there is no upstream `task`",
            "did you mean `tasks`?",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nbuiltin = \"users\"",
            "13:11",
            "both `upstream` and `builtin`",
            "keep the one",
        ),
        (
            "path = \"/a\"",
            "10:1",
            "says not what answers",
            "upstream = \"NAME\"",
        ),
        (
            "upstream = \"tasks\"",
            "10:1",
            "has no `path`",
            "path = \"/tasks/**\"",
        ),
        (
            "path = \"/a\"\nbuiltin = \"user\"",
            "12:11",
            "the gateway has no `user`",
            "did you mean `users`?",
        ),
        (
            "path = \"a\"\nupstream = \"tasks\"",
            "11:8",
            "does not begin with `/`",
            "begin with a slash",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nmethods = [\"get\"]",
            "13:11",
            "`get` is not a method name",
            "`GET`",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nmethods = [\"TRACE\"]",
            "13:11",
            "never forwarded",
            "leave it out",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nmethods = []",
            "13:11",
            "the list is empty",
            "every method is meant",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\naccess = \"read_public\"",
            "13:10",
            "no kind of access",
            "did you mean `read-public`?",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\naccess = { roles = [] }",
            "13:20",
            "nobody would be let in",
            "admin",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\naccess = { rolls = [\"a\"] }",
            "13:12",
            "unknown key `routes.access.rolls`",
            "did you mean `roles`?",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\naccess = true",
            "13:10",
            "takes text, not true or false",
            "access =",
        ),
        (
            "path = \"/tasks/**\"\nupstream = \"tasks\"",
            "11:8",
            "stands here a second time",
            "remove one",
        ),
        (
            "path = \"/tasks/1\"\nupstream = \"tasks\"",
            "11:8",
            "can never match",
            "narrower route above",
        ),
        (
            "path = \"/api-auth/x\"\nupstream = \"tasks\"",
            "11:8",
            "lies under `/api-auth`",
            "move the endpoints",
        ),
        (
            "path = \"/.well-known/jwks.json\"\nupstream = \"tasks\"",
            "11:8",
            "is the gateway's own",
            "gateway check",
        ),
        (
            "path = \"/api-auth\"\nbuiltin = \"users\"",
            "11:8",
            "is the gateway's own",
            "another path",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nallow = \"GET\\nX: y\"",
            "13:9",
            "goes into a header",
            "GET, POST",
        ),
    ] {
        refused(&tail(lines), &[(at, title, help)]);
    }
    let shown = refused(
        &tail("path = \"/tasks/1\"\nupstream = \"tasks\""),
        &[("11:8", "can never match", "")],
    );
    assert!(shown.contains("this one comes first"), "{shown}");
}

#[test]
fn what_is_missing_and_what_is_no_table() {
    refused(
        &GOOD.replace("version = 1\n", ""),
        &[("1:1", "does not say its `version`", "write `version = 1`")],
    );
    refused(
        &GOOD.replace("version = 1", "version = 2"),
        &[("1:11", "2 is a format", "write `version = 1`")],
    );
    refused(
        &GOOD.replace("version = 1", "version = \"1\""),
        &[("1:11", "takes an integer, not text", "version = ")],
    );
    let head = GOOD.split("[[routes]]").next().expect("head");
    refused(
        head,
        &[("gateway.toml", "there are no routes", "[[routes]]")],
    );
    refused(
        &format!("{head}[routes]\npath = \"/\"\n"),
        &[
            ("6:1", "`routes` is a table", "[[routes]]"),
            ("gateway.toml", "there are no routes", "[[routes]]"),
        ],
    );
    refused(
        &GOOD.replace("data_dir = \"/data\"\n", ""),
        &[(
            "gateway.toml",
            "neither XDG_STATE_HOME nor HOME",
            "--data-dir",
        )],
    );
    refused(
        &GOOD.replace(
            "version = 1",
            "version = 1\nhosts = [\"a.example\", \"b:80\", \"A.example.\", \"*.x\"]",
        ),
        &[
            ("2:23", "`b:80` is not a host name", "without scheme, port"),
            ("2:31", "stands here a second time", "remove one"),
            ("2:45", "`*.x` is not a host name", "star"),
        ],
    );
    refused(
        "version = 1\n[server\n",
        &[("2:8", "this is not TOML", "mend this first")],
    );
    refused(
        &GOOD.replace("[server]", "[server]\ndata_dir = \"/x\""),
        &[("4:1", "this is not TOML: duplicate key", "mend")],
    );
}

#[test]
fn secret_files_that_cannot_be_used() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("secret");
    let shown_path = path.display().to_string();
    let text = with(
        "data_dir = \"/data\"",
        &format!("[auth]\nalgorithm = \"HS256\"\nhs256_secret_file = \"{shown_path}\""),
    );
    for (content, title, help) in [
        (&b""[..], "is empty", "openssl rand"),
        (b"\n", "is empty", "openssl rand"),
        (
            b"0123456789abcdef0123456789abcde\n",
            "31 bytes long, and 32 are the least",
            "openssl rand -hex 32",
        ),
        (&[b'a'; 70_000], "longer than 65536 bytes", "nothing else"),
    ] {
        std::fs::write(&path, content).expect("write");
        refused(&text, &[("6:21", title, help)]);
    }
    for content in [
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef\r\n",
    ] {
        std::fs::write(&path, content).expect("write");
        good(&text);
    }
    // Root reads everything, so the answer depends on who runs the test.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("chmod");
    if std::fs::read(&path).is_err() {
        let shown = refused(&text, &[("6:21", "may not be read", "chown")]);
        assert!(
            shown.contains("mode 0000") && shown.contains("runs as uid"),
            "{shown}"
        );
    }
}

#[test]
fn all_problems_are_told_in_one_run_in_the_order_of_the_file() {
    let text = r#"version = 1
[server]
lisen = "127.0.0.1:1"
listen = 80
data_dir = "/data"
[auth]
access_ttl = "48h"
[upstreams.tasks]
urls = ["ftp://x"]
[[routes]]
path = "/a/**"
upstream = "task"
[[routes]]
path = "/a/b"
upstream = "tasks"
"#;
    let variables = [
        ("GATEWAY_SERVER_LISEN", "x"),
        ("GATEWAY_LOG_ACCESS", "maybe"),
    ];
    let problems = load(text, &variables).expect_err("bad");
    let shown = check(
        &problems,
        &[
            ("3:1", "unknown key `server.lisen`", "listen"),
            ("4:10", "`server.listen` takes", "127.0.0.1:8080"),
            ("7:14", "longer than a day", "24h"),
            ("9:9", "is not the URL of a service", "http://"),
            ("12:12", "no upstream `task`", "tasks"),
            ("14:8", "can never match", "above the wider one"),
            (
                "environment variable GATEWAY_LOG_ACCESS",
                "takes true or false",
                "set GATEWAY_LOG_ACCESS=true",
            ),
            (
                "environment variable GATEWAY_SERVER_LISEN",
                "no key has this name",
                "GATEWAY_SERVER_LISTEN",
            ),
        ],
    );
    assert!(
        shown.ends_with("8 problems in the configuration; nothing was started"),
        "{shown}"
    );
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(problems.render(true).contains('\u{1b}'));
    assert_eq!(
        problems.to_string(),
        load(text, &variables).expect_err("bad").to_string()
    );
}

#[test]
fn a_problem_is_shown_with_its_line_caret_and_remedy() {
    let shown = refused(
        &with("[server]", "lisen = \"127.0.0.1:1\""),
        &[("3:1", "unknown key", "listen")],
    );
    assert_eq!(
        shown,
        "\
error: unknown key `server.lisen`
 --> gateway.toml:3:1
  |
3 | lisen = \"127.0.0.1:1\"
  | ^^^^^ nothing reads this
  |
  = help: did you mean `listen`?

1 problem in the configuration; nothing was started"
    );
}

#[test]
fn an_unused_upstream_is_a_warning() {
    let config = good(
        &with(
            "[server]",
            "listen = \"0.0.0.0:8080\"\nadmin_listen = \"0.0.0.0:9901\"",
        )
        .replace(
            "[[routes]]",
            "[upstreams.old]\nurls = [\"http://h:1\"]\n[[routes]]",
        ),
    );
    let warnings = config.warnings.join("\n");
    for want in [
        "no route leads to upstream `old`",
        "plain HTTP",
        "metrics and readiness",
    ] {
        assert!(warnings.contains(want), "{warnings}");
    }
}
