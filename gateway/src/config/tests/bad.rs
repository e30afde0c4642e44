//! Bad configurations: each is refused at its line and column, with its remedy, and all at once.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// One problem: `line:column`, a part of the title, a part of the help.
pub(super) type Want<'a> = (&'a str, &'a str, &'a str);

#[track_caller]
pub(super) fn refused(text: &str, wanted: &[Want<'_>]) -> String {
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
pub(super) fn with(after: &str, line: &str) -> String {
    let marker = format!("{after}\n");
    assert!(GOOD.contains(&marker), "{after}");
    GOOD.replacen(&marker, &format!("{marker}{line}\n"), 1)
}

#[test]
fn the_good_file_is_good() {
    assert!(good(GOOD).warnings.is_empty());
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
    let (text_denied, help) = secret::not_permitted(&path);
    assert!(
        text_denied.contains("it belongs to uid ") && text_denied.contains("mode 0"),
        "{text_denied}"
    );
    assert!(
        help.contains(&format!(
            "chown {} {shown_path}",
            rustix::process::geteuid().as_raw()
        )),
        "{help}"
    );
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

#[test]
fn a_secret_written_into_the_file_is_never_printed() {
    for line in [
        "hs256_secret = \"tell-nobody",
        "secret = 'tell-nobody' x",
        "admin_password = tell-nobody",
        "urls = [\"http://h:1\", \"http://me:tell-no/body@h\", 3 3]",
        "urls = [\"http://h:1\", \"http://tell-nobody:@h\"] # http://x:tell-nobody@y",
        "urls = 1 # the password was tell-nobody",
        "x = { admin_password = \"tell-nobody\" }",
        "x = { y = 1, \"a\\u0064min_secret\" = [1, \"tell-nobody\"] }",
        "secret = tell-nobody, tell-nobody = \"tell-nobody",
        "x.secret = \"\"\"\ntell-nobody\"\"\" y",
        "\"secret = \"tell-nobody\"",
        "secret '= \"tell-nobody\"",
        "secret = tell-\r x\"tell-nobody",
        "x = \"\"\"\nsecret = 'tell-nobody'",
        "x = { secret = [\"tell-nobody\",\n\"tell-nobody\"], x = 1, x = 2 }",
    ] {
        let problems = load(&with("[upstreams.tasks]", line), &[]).expect_err(line);
        for shown in [
            problems.to_string(),
            problems.render(true),
            format!("{problems:?}"),
        ] {
            assert!(!shown.contains("tell-no"), "{shown}");
        }
        assert!(
            problems.to_string().contains("gateway.toml:5:")
                || problems.to_string().contains("gateway.toml:6:")
                || problems.to_string().contains("gateway.toml:11:"),
            "{problems}"
        );
    }
}

#[test]
fn problems_without_a_place_name_the_file() {
    let shown = load("", &[]).expect_err("empty").to_string();
    assert!(
        shown.contains("gateway.toml:1:1") && shown.contains("\n--> gateway.toml\n"),
        "{shown}"
    );
}

proptest::proptest! {
    /// Whatever is written, the answer is a configuration or a rendered list of problems, never a panic.
    #[test]
    fn no_text_breaks_the_reader(at in 0_usize..200, cut in 0_usize..20, put in "[\\PC\\n\"\\[\\]={}.#']{0,12}") {
        let at = GOOD.floor_char_boundary(at);
        let end = GOOD.floor_char_boundary((at + cut).min(GOOD.len()));
        let text = format!("{}{put}{}", &GOOD[..at], &GOOD[end..]);
        if let Err(problems) = load(&text, &[("GATEWAY_LOG_FILTER", &put.replace('\n', " "))]) {
            proptest::prop_assert!(problems.count() > 0);
            proptest::prop_assert!(!problems.to_string().is_empty());
        }
    }
}
