//! The configuration file as it is written, every key optional, and the
//! defaults.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyper::header::HeaderName;
use jiff::SignedDuration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{Config, ConfigError, Gateway, Limits, Overrides};
use crate::body::BodyLimits;
use crate::identity::IdentityHeaders;

const COUNT_MAX: usize = 1_000_000;
const SPAN_MAX: Duration = Duration::from_hours(24);

/// Declares the sections of the file once: their types, the list of keys that
/// the environment is asked for, and how one source fills the gaps of another.
macro_rules! sections {
    ($($section:ident : $type:ident { $($key:ident : $value:ty),+ $(,)? })+) => {
        /// A configuration with gaps.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct Raw {
            pub(super) version: Option<Version>,
            $($section: $type,)+
        }

        $(
            #[derive(Debug, Default, Deserialize)]
            #[serde(deny_unknown_fields, default)]
            struct $type {
                $($key: Option<$value>,)+
            }
        )+

        /// Every key, with its section.
        pub(super) const KEYS: &[(&str, &str)] =
            &[$($((stringify!($section), stringify!($key)),)+)+];

        impl Raw {
            /// Takes from `other` what is missing here.
            pub(super) fn fill_from(&mut self, other: Self) {
                $($(
                    if self.$section.$key.is_none() {
                        self.$section.$key = other.$section.$key;
                    }
                )+)+
            }
        }
    };
}

sections! {
    server: ServerSection {
        listen: SocketAddr,
        data_dir: PathBuf,
        cache_bytes: usize,
    }
    limits: LimitsSection {
        connections: Count,
        header_bytes: usize,
        header_timeout: Span,
        idle_timeout: Span,
        body_bytes: usize,
        body_timeout: Span,
        discard_bytes: usize,
        request_timeout: Span,
        write_timeout: Span,
        shutdown_grace: Span,
        write_queue: Count,
    }
    gateway: GatewaySection {
        secret_file: PathBuf,
        secret_header: Name,
        status_header: Name,
        user_id_header: Name,
        user_header: Name,
        email_header: Name,
        roles_header: Name,
    }
    log: LogSection {
        level: Level,
    }
}

impl Raw {
    /// Puts the command line over it, and the defaults under it.
    pub(super) fn finish(self, overrides: &Overrides) -> Result<Config, ConfigError> {
        let (server, limits, gateway) = (self.server, self.limits, self.gateway);
        let names = IdentityHeaders::default();
        let name = |sent: Option<Name>, default| sent.map_or(default, |name| name.0);
        let data_dir = overrides.data_dir.clone().or(server.data_dir);
        Ok(Config {
            listen: overrides
                .listen
                .or(server.listen)
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8000))),
            data_dir: match data_dir {
                Some(folder) => folder,
                None => state_dir().ok_or(ConfigError::NoDataDir)?,
            },
            cache_bytes: server.cache_bytes.unwrap_or(64 << 20),
            limits: Limits {
                connections: limits.connections.map_or(1024, |count| count.0),
                header_bytes: limits.header_bytes.unwrap_or(16 << 10),
                header_timeout: seconds(limits.header_timeout, 5),
                idle_timeout: seconds(limits.idle_timeout, 90),
                body: BodyLimits {
                    max_bytes: limits.body_bytes.unwrap_or(1 << 20),
                    timeout: seconds(limits.body_timeout, 10),
                    discard_bytes: limits.discard_bytes.unwrap_or(4 << 20),
                },
                request_timeout: seconds(limits.request_timeout, 30),
                write_timeout: seconds(limits.write_timeout, 30),
                shutdown_grace: seconds(limits.shutdown_grace, 10),
                write_queue: limits.write_queue.map_or(1024, |count| count.0),
            },
            gateway: Gateway {
                secret_file: gateway.secret_file,
                secret_header: name(
                    gateway.secret_header,
                    HeaderName::from_static("x-gateway-secret"),
                ),
                identity: IdentityHeaders {
                    status: name(gateway.status_header, names.status),
                    user_id: name(gateway.user_id_header, names.user_id),
                    user: name(gateway.user_header, names.user),
                    email: name(gateway.email_header, names.email),
                    roles: name(gateway.roles_header, names.roles),
                },
            },
            log_level: self
                .log
                .level
                .map_or_else(|| "info".to_owned(), |level| level.0),
        })
    }
}

fn seconds(sent: Option<Span>, default: u64) -> Duration {
    sent.map_or_else(|| Duration::from_secs(default), |span| span.0)
}

/// Where a program keeps what it must not lose (XDG Base Directory
/// Specification).
fn state_dir() -> Option<PathBuf> {
    let folder = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("task-service"))
}

/// The version of the file.
#[derive(Debug)]
pub(super) struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(D::Error::custom(format!(
                "version {other} is not known, only 1 is"
            ))),
        }
    }
}

/// How many of something: at least one, and no absurdity.
#[derive(Debug)]
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match usize::deserialize(deserializer)? {
            count @ 1..=COUNT_MAX => Ok(Self(count)),
            _ => Err(D::Error::custom(format!(
                "expected a number from 1 to {COUNT_MAX}"
            ))),
        }
    }
}

/// A length of time: "5s", "2m 30s".
#[derive(Debug)]
struct Span(Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || {
            D::Error::custom(
                "expected a length of time such as \"5s\" or \"500ms\", up to 24 hours",
            )
        };
        let text = String::deserialize(deserializer).map_err(|_| wrong())?;
        let span: SignedDuration = text.parse().map_err(|_| wrong())?;
        match Duration::try_from(span) {
            Ok(span) if !span.is_zero() && span <= SPAN_MAX => Ok(Self(span)),
            _ => Err(wrong()),
        }
    }
}

/// The name of a header.
#[derive(Debug)]
struct Name(HeaderName);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|_| D::Error::custom(format!("\"{text}\" is not the name of a header")))
    }
}

/// What is logged.
#[derive(Debug)]
struct Level(String);

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match tracing_subscriber::EnvFilter::try_new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(D::Error::custom(error.to_string())),
        }
    }
}
