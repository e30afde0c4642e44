//! Configurations, good and bad.

use super::*;

mod bad;
mod cors;
mod external;
mod keys;
mod layers;
mod page;
mod services;
mod shipped;

/// A complete, small file that the tests vary.
const GOOD: &str = r#"version = 1
[server]
data_dir = "/data"
[upstreams.tasks]
urls = ["http://127.0.0.1:8000"]
[[routes]]
path = "/tasks/**"
upstream = "tasks"
access = "read-public"
"#;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn source(text: &str) -> SourceText {
    SourceText {
        path: PathBuf::from("gateway.toml"),
        text: text.to_owned(),
    }
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Resolved, ConfigProblems> {
    resolve_text(&ServeArgs::default(), env(variables), source(text))
}

fn good(text: &str) -> Config {
    match load(text, &[]) {
        Ok(resolved) => resolved.config,
        Err(problems) => panic!("{problems}"),
    }
}
