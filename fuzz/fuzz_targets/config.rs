//! A configuration in: problems that can be shown and tell no secret, or a configuration that is closed by default.
//!
//! Input: the file; behind a line `%%` the flags (`--listen=ADDR`) and variables (`NAME=VALUE`), one a line.
#![no_main]

use std::path::PathBuf;

use gateway::config::{ConfigProblems, Resolved, ServeArgs, SourceText, resolve_text};
use gateway::policy::{Access, Rule};
use libfuzzer_sys::{Corpus, fuzz_target};
use toml::{Table, Value};

/// What stands for a secret in inputs. Nothing that is shown may hold it, see [`tells_only_where_it_must_not`].
const SECRET: &str = "5ecre7";

fuzz_target!(|text: &str| -> Corpus {
    let (file, rest) = text.split_once("\n%%\n").unwrap_or((text, ""));
    // Files are opened where they are named, and a device may let us wait. Escapes could spell one.
    let devices = ["/dev", "/proc", "\\u", "\\U", "\\x"];
    if devices.iter().any(|odd| text.contains(odd)) {
        return Corpus::Reject;
    }
    let mut args = ServeArgs::default();
    let mut env = Vec::new();
    // Few: looking for what an unknown variable was meant to be is the slowest of all.
    for line in rest.lines().take(4) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let value = value.to_owned();
        match name {
            "--upstream" => args.upstream = Some(value),
            "--access" => args.access = Some(value),
            "--listen" => args.listen = Some(value),
            "--admin-listen" => args.admin_listen = Some(value),
            "--data-dir" => args.data_dir = Some(PathBuf::from(value)),
            "--insecure-dev" => args.insecure_dev = true,
            _ => env.push((name.to_owned(), value)),
        }
    }
    // A file and an upstream exclude each other on the command line.
    let file = if args.upstream.is_some() { "" } else { file };
    let source = SourceText {
        path: PathBuf::from("gateway.toml"),
        text: file.to_owned(),
    };
    let parsed = file.parse::<Table>();
    let shown = match resolve_text(&args, env.clone(), source) {
        Ok(resolved) => {
            assert!(parsed.is_ok());
            check_accepted(&resolved, parsed.as_ref().unwrap_or(&Table::new()))
        }
        Err(problems) => check_refused(&problems, file),
    };
    if tells_only_where_it_must_not(file, parsed.ok().as_ref(), &env, &args) {
        assert!(!shown.contains(SECRET), "a secret is shown:\n{shown}");
    }
    Corpus::Keep
});

/// Every problem has a place, a title and a remedy, and can be shown.
fn check_refused(problems: &ConfigProblems, file: &str) -> String {
    assert!(problems.count() > 0);
    for problem in problems.iter() {
        assert!(!problem.title.is_empty(), "{problem:?}");
        assert!(!problem.help.is_empty(), "{problem:?}");
        assert!(!problems.place_name(problem).is_empty(), "{problem:?}");
        if let Some((line, column)) = problems.position(problem) {
            let found = file.split('\n').nth(line - 1).expect("a line of the file");
            assert!(column <= found.chars().count() + 1, "{problem:?}");
        }
    }
    // Showing takes longer than everything else together; in one of four, and where there may be a secret to show.
    if count(file) == 0 && file.len() % 4 > 0 {
        return String::new();
    }
    let shown = problems.render(false);
    if file.len() % 16 == 0 {
        assert!(
            problems.render(true).len() >= shown.len(),
            "colours take room"
        );
    }
    shown
}

/// What is open was opened by somebody, and everything about the configuration can be shown.
fn check_accepted(resolved: &Resolved, file: &Table) -> String {
    let config = &resolved.config;
    let routes = file.get("routes").and_then(Value::as_array);
    for route in routes.into_iter().flatten().filter_map(Value::as_table) {
        if route.contains_key("access") {
            continue;
        }
        let path = route
            .get("path")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let methods: Vec<&str> = route
            .get("methods")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let is_it =
            |rule: &&Rule| rule.path() == path && rule.methods().eq(methods.iter().copied());
        let rule = config
            .policy
            .rules()
            .iter()
            .find(is_it)
            .expect("a rule for each route");
        assert!(
            matches!(rule.access, Access::Token),
            "{path} is open by default"
        );
    }
    let mut shown = config.public_summary();
    shown.extend(config.builtin_addresses());
    shown.extend(config.identity_header_names());
    shown.extend(config.warnings.iter().cloned());
    for setting in &resolved.settings {
        assert!(!resolved.source.name(&setting.place).is_empty());
        shown.push(format!("{} = {}", setting.key, setting.value));
    }
    shown.push(format!("{:?} {:?}", config, resolved.source));
    shown.join("\n")
}

/// Says whether the marker stands in nothing but secrets: values of keys that speak of one, the user part of
/// URLs, and the two variables that hold one.
fn tells_only_where_it_must_not(
    file: &str,
    parsed: Option<&Table>,
    env: &[(String, String)],
    args: &ServeArgs,
) -> bool {
    let hidden: usize = match parsed {
        Some(table) => table
            .iter()
            .map(|(name, value)| in_secrets(name, value))
            .sum(),
        // No value can be told from its key where the file is no TOML; then a line is what is looked at.
        None => file.lines().map(in_secret_of_line).sum(),
    };
    let held = ["GATEWAY_AUTH_HS256_SECRET", "GATEWAY_ADMIN_PASSWORD"];
    let open = |(name, value): &(String, String)| {
        count(name) > 0 || (count(value) > 0 && !held.contains(&name.as_str()))
    };
    count(file) == hidden && !env.iter().any(open) && count(&format!("{args:?}")) == 0
}

fn count(text: &str) -> usize {
    text.matches(SECRET).count()
}

fn speaks_of_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.ends_with("_file")
        && ["secret", "password", "passwd", "private"].iter().any(|word| name.contains(word))
        // The table of password settings holds none.
        && name != "password"
}

fn in_secrets(name: &str, value: &Value) -> usize {
    match value {
        Value::String(text) if speaks_of_a_secret(name) => count(text),
        Value::String(text) => text
            .split_once("://")
            .and_then(|(_, rest)| rest.rsplit_once('@'))
            .map_or(0, |(user, _)| count(user)),
        Value::Array(list) => list.iter().map(|item| in_secrets(name, item)).sum(),
        Value::Table(table) => table
            .iter()
            .map(|(name, value)| in_secrets(name, value))
            .sum(),
        _ => 0,
    }
}

/// In `KEY = VALUE`, as far as that can be said of what is no TOML.
fn in_secret_of_line(line: &str) -> usize {
    let Some((key, value)) = line.split_once('=') else {
        return 0;
    };
    let key = key.rsplit([',', '{']).next().unwrap_or(key).trim();
    let looks_like_one =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'' | ' ');
    if key.chars().all(looks_like_one) && speaks_of_a_secret(key) {
        count(value)
    } else {
        0
    }
}
