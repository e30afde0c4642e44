//! Holds the rules of `docs/ARCHITECTURE.md` that the compiler does not: the floors, who may use Pingora,
//! the clock and the client's socket, and how long a file may be. Reads the source; starts nothing.

#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole crate is tests; clippy knows only the functions marked as such"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Floor 0: no I/O, no clock, no Pingora but for its request header.
const PURE: &[&str] = &[
    "answer",
    "auth::cache",
    "auth::claims",
    "auth::credential",
    "auth::external",
    "auth::keys",
    "auth::token",
    "auth::view",
    "cors",
    "decision",
    "policy",
    "refusal",
    "request",
    "user",
    "username",
];

/// Floor 1: I/O, no Pingora.
const IO: &[&str] = &[
    "auth::password",
    "clock",
    "config",
    "first_start",
    "limits",
    "provisioning",
    "seal",
    "selftest",
    "state",
    "store",
    "telemetry",
    "tls",
    "upstream",
];

/// Floor 2: Pingora, and the command line that starts it all.
const SERVING: &[&str] = &[
    "admin",
    "cli",
    "edge",
    "endpoints",
    "equipment",
    "identity_headers",
    "proxy",
    "respond",
    "server",
];

/// Most lines of a file; more than 400 is a hint to look for a seam.
const LINES: usize = 500;

/// One source file without its comments and its tests.
struct File {
    /// Under `src`, e.g. `auth/token.rs`.
    name: String,
    /// E.g. `["auth", "token"]`; empty for `lib.rs` and `main.rs`.
    module: Vec<String>,
    code: String,
    lines: usize,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn files() -> Vec<File> {
    let root = source();
    let mut paths = Vec::new();
    rust_files(&root, &mut paths);
    paths.sort();
    let files: Vec<File> = paths.iter().map(|path| read(&root, path)).collect();
    assert!(files.len() > 50, "only {} files", files.len());
    files
}

fn read(root: &Path, path: &Path) -> File {
    let name = path.strip_prefix(root).expect("under src");
    let name = name.to_str().expect("UTF-8").to_owned();
    let text = std::fs::read_to_string(path).expect("a file");
    let module = name.trim_end_matches(".rs").split('/').map(str::to_owned);
    let mut module: Vec<String> = module.collect();
    if matches!(name.as_str(), "lib.rs" | "main.rs") {
        module.clear();
    }
    File {
        code: code(&text),
        lines: text.lines().count(),
        name,
        module,
    }
}

/// Without comments, and without the part for tests, which stands last.
fn code(text: &str) -> String {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| line.split(" // ").next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Only there for tests.
fn is_test(file: &File) -> bool {
    file.module
        .iter()
        .any(|part| part == "tests" || part == "laws")
}

/// The floor of a module path; `None` for what is above all floors or only groups modules.
fn floor(path: &[String]) -> Option<usize> {
    let first = path.first()?;
    let two = path.get(1).map(|second| format!("{first}::{second}"));
    [PURE, IO, SERVING].iter().position(|modules| {
        modules.contains(&first.as_str())
            || two.as_deref().is_some_and(|two| modules.contains(&two))
    })
}

/// Every path in a file that begins with `crate` or `super`, from the crate's root on.
fn paths(file: &File) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in file.code.match_indices(start) {
            let before = file.code[..at].chars().next_back();
            // Not the middle of a longer path, and not `pub(crate)`.
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            found.extend(expand(&file.code[at..], file));
        }
    }
    found
}

fn expand(text: &str, file: &File) -> Vec<Vec<String>> {
    let mut base = file.module.clone();
    let mut rest = text;
    if let Some(after) = rest.strip_prefix("crate::") {
        base.clear();
        rest = after;
    }
    while let Some(after) = rest.strip_prefix("super::") {
        base.pop();
        rest = after;
    }
    let names = |text: &str| -> Vec<String> {
        text.split("::")
            .map(|part| part.split(|c: char| !(c.is_alphanumeric() || c == '_')))
            .filter_map(|mut part| part.next().map(str::to_owned))
            .take_while(|part| !part.is_empty())
            .take(2)
            .collect()
    };
    let group = rest.strip_prefix('{').map(|inner| {
        let mut depth = 1_usize;
        let end = inner.find(|c| {
            depth = match c {
                '{' => depth + 1,
                '}' => depth - 1,
                _ => depth,
            };
            depth == 0
        });
        &inner[..end.unwrap_or(inner.len())]
    });
    let tails: Vec<Vec<String>> = match group {
        Some(group) => group.split(',').map(|item| names(item.trim())).collect(),
        None => vec![names(rest)],
    };
    tails
        .into_iter()
        .filter(|tail| !tail.is_empty())
        .map(|tail| base.iter().cloned().chain(tail).collect())
        .collect()
}

/// Says whether a word stands in a text.
fn has_word(text: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(part_of_word)
            && !text[at + word.len()..]
                .chars()
                .next()
                .is_some_and(part_of_word)
    })
}

/// Names of the files outside of tests that hold one of these words.
fn holding(words: &[&str]) -> Vec<String> {
    files()
        .into_iter()
        .filter(|file| !is_test(file))
        .filter(|file| words.iter().any(|word| has_word(&file.code, word)))
        .map(|file| file.name)
        .collect()
}

#[test]
fn every_module_has_its_floor() {
    for file in files() {
        if file.module.is_empty() || file.name == "auth.rs" {
            continue;
        }
        assert!(
            floor(&file.module).is_some(),
            "{} stands on no floor: enter it here and in the tour of lib.rs",
            file.name
        );
    }
}

#[test]
fn floors_go_one_way() {
    let mut seen: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for file in files().iter().filter(|file| !is_test(file)) {
        let Some(own) = floor(&file.module) else {
            continue;
        };
        for path in paths(file) {
            let Some(used) = floor(&path) else { continue };
            *seen.entry((own, used)).or_default() += 1;
            assert!(
                used <= own,
                "{} on floor {own} uses `{}` on floor {used}",
                file.name,
                path.join("::")
            );
        }
    }
    for pair in [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2)] {
        assert!(
            seen.get(&pair).is_some_and(|count| *count > 5),
            "the test reads no paths any more: {seen:?}"
        );
    }
}

#[test]
fn pingora_is_on_the_top_floor_alone() {
    for file in files().iter().filter(|file| !is_test(file)) {
        let header_only = file.name.starts_with("request") || file.name == "cli/explain.rs";
        let rest = if header_only {
            file.code.replace("pingora::http::RequestHeader", "")
        } else if floor(&file.module) == Some(2) && file.module[0] != "cli" {
            continue;
        } else {
            file.code.clone()
        };
        for library in [
            "pingora::",
            "pingora_core::",
            "pingora_proxy::",
            "pingora_runtime::",
        ] {
            assert!(!rest.contains(library), "{} uses {library}", file.name);
        }
    }
}

#[test]
fn the_ground_floor_is_pure() {
    let impure = [
        "tokio",
        "async",
        "fs",
        "env",
        "Instant",
        "SystemTime",
        "tracing",
        "getrandom",
        "TcpStream",
        "Mutex",
        "static",
    ];
    for file in files().iter().filter(|file| !is_test(file)) {
        if floor(&file.module) != Some(0) {
            continue;
        }
        for word in impure {
            // The cache remembers, and changes no answer (p073_answers_are_the_same_with_the_cache_and_without).
            if file.name == "auth/cache.rs" && word == "Mutex" {
                continue;
            }
            let code = file.code.replace("'static", "");
            assert!(!has_word(&code, word), "{} holds `{word}`", file.name);
        }
    }
}

#[test]
fn the_system_clock_is_read_in_one_file() {
    assert_eq!(holding(&["SystemTime"]), ["clock.rs"]);
    assert_eq!(holding(&["Zoned::now", "Timestamp::now"]), [""; 0]);
}

#[test]
fn local_answers_are_written_in_one_file() {
    let writers = [
        "write_response_header",
        "write_response_header_ref",
        "write_response_body",
        "write_response_trailers",
        "write_error_response",
        "respond_error",
        "respond_error_with_body",
        "generate_error",
    ];
    assert_eq!(holding(&writers), ["respond.rs"]);
}

#[test]
fn pingoras_phases_are_implemented_in_one_file() {
    assert_eq!(holding(&["ProxyHttp"]), ["proxy.rs"]);
}

#[test]
fn no_file_is_too_long() {
    for file in files() {
        assert!(
            file.lines <= LINES,
            "{} has {} lines: split it by its nouns",
            file.name,
            file.lines
        );
    }
}

#[test]
fn the_reader_of_this_test_sees_paths() {
    let file = |code: &str| File {
        name: "auth/token.rs".to_owned(),
        module: vec!["auth".to_owned(), "token".to_owned()],
        code: self::code(code),
        lines: 1,
    };
    for (code, want) in [
        ("use crate::config::Config;", vec!["config::Config"]),
        ("use super::password::x;", vec!["auth::password::x"]),
        ("super::super::server::run()", vec!["server::run"]),
        (
            "use crate::{edge, store::redb};",
            vec!["edge", "store::redb"],
        ),
        ("pub(crate) fn a(); // crate::edge", vec![]),
        ("/// [`crate::edge`]\nfn a();", vec![]),
    ] {
        let found: Vec<String> = paths(&file(code)).iter().map(|p| p.join("::")).collect();
        assert_eq!(found, want, "{code}");
    }
    assert!(has_word("a SystemTime::now()", "SystemTime"));
    assert!(!has_word("a_SystemTime", "SystemTime"));
}
