//! Logs and metrics.
//!
//! Invariants: no token, cookie, query or password is ever handed to a log line ([`AccessLine`] has no
//! field for one, and libraries that print headers are held at a level where they do not); a byte from
//! the network cannot end a log line or forge a field; metrics have no global registry and only
//! labels of bounded number.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{Directive, EnvFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogConfig, LogFormat};

mod access;
mod json;
mod metrics;
mod sink;

pub use access::{ACCESS_TARGET, AccessLine};
pub use metrics::{AddressDoubt, Metrics, RequestSample, RouteLabel};
pub use sink::{LogGuard, Record, Sink};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` does not parse (the configuration checks it first).
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in this process set up logging before.
    #[error("logging was set up already: {0}")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
    /// The system gives no thread for the log.
    #[error("no thread for the log: {0}")]
    Thread(#[from] std::io::Error),
}

/// Sends logs to stderr for the rest of the process, those of libraries that use `log` (Pingora) too. The
/// guard belongs to whoever ends last: what waits is written when it is dropped.
///
/// # Errors
/// [`TelemetryError`]: a filter that does not parse, or a second call in one process.
pub fn init(config: &LogConfig) -> Result<LogGuard, TelemetryError> {
    let terminal = std::io::stderr().is_terminal();
    let json = match config.format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Pretty => false,
    };
    let notice: fn(u64) -> String = if json {
        |lost| {
            format!(
                r#"{{"level":"WARN","message":"log lines were lost: nobody read","lost":{lost}}}"#
            )
        }
    } else {
        |lost| format!("{lost} log lines were lost: nobody read")
    };
    let (sink, guard) = Sink::new(Box::new(std::io::stderr()), notice)?;
    // `try_init` also installs the bridge from `log`.
    if json {
        json_subscriber(config, sink)?.try_init()?;
    } else {
        line_subscriber(config, sink, terminal)?.try_init()?;
    }
    Ok(guard)
}

/// One JSON object a line.
fn json_subscriber<W>(
    config: &LogConfig,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(json::JsonLines::new())
        .with_writer(writer);
    Ok(tracing_subscriber::registry()
        .with(env_filter(config)?)
        .with(filter_fn(is_harmless))
        .with(layer))
}

/// One line for a person's eyes; text fields are quoted and escaped.
fn line_subscriber<W>(
    config: &LogConfig,
    writer: W,
    colours: bool,
) -> Result<impl Subscriber + Send + Sync + use<W>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        .with_writer(writer);
    Ok(tracing_subscriber::registry()
        .with(env_filter(config)?)
        .with(filter_fn(is_harmless))
        .with(layer))
}

/// The operator's filter; the access log has its own switch and does not follow the level.
fn env_filter(config: &LogConfig) -> Result<EnvFilter, TelemetryError> {
    let access = if config.access {
        LevelFilter::INFO
    } else {
        LevelFilter::OFF
    };
    let directive: Directive = format!("{ACCESS_TARGET}={access}").parse()?;
    Ok(EnvFilter::try_new(&config.filter)?.add_directive(directive))
}

/// Pingora prints whole headers below `warn`, HTTP libraries below `info`: no filter can ask for that.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    if target.starts_with("gateway") {
        true
    } else if target.starts_with("pingora") {
        *metadata.level() <= Level::WARN
    } else {
        *metadata.level() <= Level::INFO
    }
}

#[cfg(test)]
mod tests;
