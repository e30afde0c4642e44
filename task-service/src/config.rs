//! Configuration: command line over environment over file over defaults.
//!
//! What is read is a `Raw` in which anything may be missing; what the rest of
//! the crate sees is a [`Config`] in which nothing is.

mod raw;

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::HeaderName;

use self::raw::{KEYS, Raw};
use crate::body::BodyLimits;
use crate::identity::IdentityHeaders;

/// The beginning of every environment name.
const ENV_PREFIX: &str = "TASK_SERVICE_";

/// How the service shall run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The folder of the store.
    pub data_dir: PathBuf,
    /// The store's cache.
    pub cache_bytes: usize,
    /// What bounds time and memory.
    pub limits: Limits,
    /// How the gateway is known.
    pub gateway: Gateway,
    /// What is logged, as `tracing` directives.
    pub log_level: String,
}

/// What bounds time and memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// A longer request header is refused with 431.
    pub header_bytes: usize,
    /// A request header that takes longer ends its connection.
    pub header_timeout: Duration,
    /// A connection without requests ends after this.
    pub idle_timeout: Duration,
    /// What bounds a body.
    pub body: BodyLimits,
    /// A request that takes longer, its body included, is answered 503.
    pub request_timeout: Duration,
    /// A client that reads nothing of its answer for so long is cut off.
    pub write_timeout: Duration,
    /// How long requests may go on after the signal to stop.
    pub shutdown_grace: Duration,
    /// Changes that wait for their commit; one more is answered 503.
    pub write_queue: usize,
}

/// How the gateway is known.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The file with the secret; without one only this machine is believed.
    pub secret_file: Option<PathBuf>,
    /// The header that brings the secret.
    pub secret_header: HeaderName,
    /// The headers that say who calls.
    pub identity: IdentityHeaders,
}

/// What the command line says; it has the last word.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// The address to listen on.
    pub listen: Option<SocketAddr>,
    /// The folder of the store.
    pub data_dir: Option<PathBuf>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An environment variable is wrong.
    #[error(
        "environment variable {name}: {message}\nremedy: correct it, or unset it for the default"
    )]
    Env {
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// The file is wrong.
    #[error("{path}:{line}:{column}: {message}\nremedy: {remedy}")]
    File {
        /// Which file.
        path: String,
        /// Where in it, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// What to write instead.
        remedy: &'static str,
    },
    /// There is no place to keep tasks in.
    #[error(
        "no data folder: neither XDG_STATE_HOME nor HOME is set\n\
         remedy: say where with --data-dir or server.data_dir"
    )]
    NoDataDir,
    /// The file cannot be read.
    #[error(
        "cannot read {path}: {source}\nremedy: name a readable file with --config, or leave it out"
    )]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When the file or an environment variable is wrong.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut raw = from_env(|name| env::var(name).ok())?;
        if let Some(path) = &overrides.file {
            raw.fill_from(from_file(path)?);
        }
        raw.finish(overrides)
    }
}

fn from_file(path: &Path) -> Result<Raw, ConfigError> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: shown.clone(),
        source,
    })?;
    parse_file(&shown, &text)
}

fn parse_file(path: &str, text: &str) -> Result<Raw, ConfigError> {
    let wrong = |at: usize, message: String, remedy| {
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError::File {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message,
            remedy,
        }
    };
    let raw: Raw = toml::from_str(text).map_err(|error| {
        wrong(
            error.span().map_or(0, |span| span.start),
            error.message().replace('\n', ", "),
            "correct this key, or remove it for the default; the shipped \
             config/task-service.toml names every key",
        )
    })?;
    match raw.version {
        Some(_) => Ok(raw),
        None => Err(wrong(
            0,
            "the version of this file is missing".to_owned(),
            "begin the file with the line: version = 1",
        )),
    }
}

/// Reads each variable as if it stood in a file of its own.
fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Raw, ConfigError> {
    let mut raw = Raw::default();
    for (section, key) in KEYS {
        let name = format!("{ENV_PREFIX}{section}_{key}").to_uppercase();
        let Some(value) = variable(&name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let as_toml = |value: &str| toml::from_str(&format!("[{section}]\n{key} = {value}\n"));
        let quoted = toml::Value::String(value.clone()).to_string();
        // Digits can be a number or the name of a file: the key knows.
        let one = as_toml(&quoted).or_else(|error| match value.parse::<u64>() {
            Ok(number) => as_toml(&number.to_string()),
            Err(_) => Err(error),
        });
        let one = one.map_err(|error| ConfigError::Env {
            name,
            message: error.message().replace('\n', ", "),
        })?;
        raw.fill_from(one);
    }
    Ok(raw)
}

#[cfg(test)]
mod tests;
