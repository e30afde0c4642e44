//! What the operator asked for, checked: [`Config`] holds no unset option, no unparsed string and no
//! reference that does not resolve. Nothing downstream checks again.
//!
//! Read from a TOML file, the environment and flags (a flag beats the environment, which beats the
//! file) by the modules below; every problem is reported in one run. The way of a value: `layers` puts
//! file, environment and flags on top of each other, `reader` turns the effective text of each key into
//! a value, the sections (`server`, `auth`, `upstreams`, `routes`) check what the values mean.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{SecretSlice, SecretString};

use crate::auth::external::ExternalIssuer;
pub use crate::auth::keys::TokenAlgorithm;
use crate::auth::token::TokenRules;
use crate::cors::Cors;
use crate::policy::Policy;
use crate::refusal::Habits;
use crate::request::HeadLimits;

mod auth;
mod container;
mod cors;
mod external;
mod flags;
mod hosts;
mod identity;
mod layers;
mod load;
mod mask;
mod own;
mod problem;
mod reader;
mod routes;
mod schema;
mod secret;
mod server;
mod summary;
mod upstreams;
mod value;

#[cfg(test)]
mod tests;

pub use flags::ServeArgs;
pub use identity::{IDENTITY_HEADER_NAMES, IDENTITY_PRESETS};
pub use load::{Resolved, process_env, resolve, resolve_text};
pub use problem::{ConfigProblems, Place, Problem, SourceText};
pub use reader::Setting;
pub use schema::{KEYS, SPECIAL_ENV, env_name};

/// The whole, valid configuration of one gateway process.
#[derive(Debug)]
pub struct Config {
    /// Listeners, data folder, limits.
    pub server: ServerConfig,
    /// Tokens, login and passwords.
    pub auth: AuthConfig,
    /// The services behind the gateway; a [`crate::policy::UpstreamId`] is an index into this list.
    pub upstreams: Vec<UpstreamConfig>,
    /// The compiled access rules.
    pub policy: Policy,
    /// What pages of other origins may do; `None` without `[cors]`.
    pub cors: Option<Arc<Cors>>,
    /// How logs are written.
    pub log: LogConfig,
    /// What is allowed but deserves a line at start and in `gateway check`.
    pub warnings: Vec<String>,
}

impl Config {
    /// What our tokens must look like.
    pub fn token_rules(&self) -> TokenRules {
        TokenRules {
            claims: self.auth.habits.claims,
            issuer: self.auth.issuer.clone(),
            audience: self.auth.audience.clone(),
            ttl: self.auth.access_ttl.as_secs(),
            leeway: self.auth.leeway.as_secs(),
            refresh_limit: self.auth.refresh_limit.as_secs(),
            legacy: self.auth.legacy_tokens,
        }
    }
}

impl Limits {
    /// The bounds on a request's head.
    pub fn head(&self) -> HeadLimits {
        HeadLimits {
            target_bytes: self.target_bytes,
            header_bytes: self.header_bytes,
            headers: self.headers,
        }
    }
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where clients connect. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are served; keep it off the public network.
    pub admin_listen: SocketAddr,
    /// The one volume: store, keys, first-start password.
    pub data_dir: PathBuf,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// In a container: the gateway of its network. A client with this address is one whose own address was
    /// translated away.
    pub network_gateway: Option<IpAddr>,
    /// Speak TLS to clients with this certificate.
    pub tls: Option<TlsFiles>,
    /// Refuse logins that did not arrive over https.
    pub require_https: bool,
    /// Development mode: short passwords work, loopback only, the store is marked.
    pub insecure_dev: bool,
    /// Worker threads of the proxy.
    pub threads: usize,
    /// How long a stop waits for requests in flight.
    pub drain: Duration,
    /// How long the gateway reports "not ready" before it stops accepting.
    pub drain_delay: Duration,
    /// Bounds on what one client may use.
    pub limits: Limits,
}

/// `[server.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to its root, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// `[server.limits]`
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open client connections in all.
    pub connections: usize,
    /// Open client connections from one address.
    pub connections_per_ip: usize,
    /// From the first byte wanted to the last byte of a request's header block.
    pub header_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Requests on one connection before it is closed.
    pub keep_alive_requests: u32,
    /// Bytes of the request target; more is 414.
    pub target_bytes: usize,
    /// Bytes of the whole header block; more is 431.
    pub header_bytes: usize,
    /// Header lines; more is 431.
    pub headers: usize,
    /// Bytes of a forwarded request body; more is 413.
    pub body_bytes: u64,
    /// Longest silence while a request body arrives.
    pub body_timeout: Duration,
    /// Bytes per second that a request body must bring on average once `body_timeout` has passed; less is 408.
    pub body_min_rate: u64,
    /// Longest silence while a response is taken by the client.
    pub write_timeout: Duration,
    /// Bytes of a body sent to the gateway's own endpoints; more is 413.
    pub auth_body_bytes: usize,
}

/// `[auth]`
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// The set of wire habits everything below defaults from.
    pub profile: Profile,
    /// Path prefix of the gateway's own endpoints, without a trailing slash, e.g. `/api-auth`.
    pub mount: String,
    /// The single wire habits, from the profile unless set.
    pub habits: Habits,
    /// The `iss` of our tokens.
    pub issuer: String,
    /// The `aud` of our tokens.
    pub audience: String,
    /// Lifetime of an access token.
    pub access_ttl: Duration,
    /// How long after the first login a `drf-jwt` token may be refreshed.
    pub refresh_limit: Duration,
    /// Clock difference forgiven when times in tokens are judged.
    pub leeway: Duration,
    /// Accept tokens without `jti`, `sid` and `ver` (migration from another minter).
    pub legacy_tokens: bool,
    /// Verified tokens that are remembered; 0 checks every signature anew.
    pub token_cache: usize,
    /// What new tokens are signed with.
    pub algorithm: TokenAlgorithm,
    /// The shared secret where `algorithm` is HS256 and the operator gave one; otherwise it is made at first start.
    pub hs256_secret: Option<SecretSlice<u8>>,
    /// The first administrator's password, where the operator gave one.
    pub admin_password: Option<SecretString>,
    /// Password hashing.
    pub password: PasswordConfig,
    /// Login throttling.
    pub throttle: ThrottleConfig,
    /// Other issuers whose tokens are accepted.
    pub external: Vec<ExternalIssuer>,
}

/// Which wire contract the gateway speaks by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// RFC 6750, RFC 9068, RFC 9457.
    Standard,
    /// The recorded contract of a Django REST application with JWT login.
    DrfJwt,
}

/// `[auth.password]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordConfig {
    /// Argon2id memory in KiB.
    pub memory_kib: u32,
    /// Argon2id passes.
    pub iterations: u32,
    /// Argon2id lanes.
    pub parallelism: u32,
    /// Hashing threads; memory in use is at most `workers × memory_kib`.
    pub workers: usize,
    /// Logins that may wait for a hashing thread; more get 503.
    pub queue: usize,
    /// Shortest password that may be set, in characters.
    pub min_length: usize,
    /// Longest password that is hashed, in bytes.
    pub max_bytes: usize,
}

/// `[auth.throttle]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleConfig {
    /// Failures of one account name before delays begin.
    pub account_failures: u32,
    /// Longest delay of one account name.
    pub account_cap: Duration,
    /// Login attempts from one address (IPv6: one /64) per minute.
    pub per_ip_per_minute: u32,
}

/// `[upstreams.NAME]`
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// The name in the file.
    pub name: String,
    /// `http://host:port`, at least one; all serve the same content.
    pub origins: Vec<Origin>,
    /// Where the shared secret lies; made at first start if it is not there.
    pub secret_file: Option<PathBuf>,
    /// Path prefix that user changes are sent to, without a trailing slash, e.g. `/people`.
    pub provision: Option<String>,
    /// Until a connection is made.
    pub connect_timeout: Duration,
    /// Longest wait for the next bytes of a response.
    pub read_timeout: Duration,
    /// Longest wait for the upstream to take bytes.
    pub write_timeout: Duration,
    /// How long a pooled connection is kept idle.
    pub idle_timeout: Duration,
    /// How often names are looked up again.
    pub dns_refresh: Duration,
    /// Requests in flight at most; more get 503.
    pub max_requests: usize,
    /// Names of the identity headers sent.
    pub identity_headers: IdentityHeaders,
    /// Send the client's `Host` (true) or the origin's own name.
    pub preserve_host: bool,
}

/// One address of an upstream as it stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// DNS name or IP address (IPv6 without brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http://{}:{}", self.host, self.port)
        }
    }
}

/// Names of the headers an upstream learns the caller from; lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// The user's number.
    pub user_id: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// The user's e-mail address.
    pub email: Option<String>,
    /// The user's roles, comma separated.
    pub roles: Option<String>,
    /// `anonymous` or `authenticated`.
    pub status: Option<String>,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// JSON lines, readable lines, or whichever suits where stderr goes.
    pub format: LogFormat,
    /// A `tracing` filter, e.g. `info` or `gateway=debug,warn`.
    pub filter: String,
    /// One line for each request.
    pub access: bool,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON unless stderr is a terminal.
    Auto,
    /// One JSON object a line.
    Json,
    /// For a person's eyes.
    Pretty,
}
