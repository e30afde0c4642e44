//! Counters, gauges and histograms of one gateway, in a registry of their own.
//!
//! Invariant: every label is of bounded number: route patterns, never paths; known methods or `_OTHER`;
//! names of upstreams; codes from a table.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{
    EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Buckets in seconds that OpenTelemetry's HTTP conventions advise.
const REQUEST_BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Around the 14 ms of the default parameters and the seconds of imported hashes.
const HASH_BUCKETS: [f64; 10] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// Pattern of a rule as a label; cheap to clone, so make it once for each rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteLabel(Arc<str>);

impl RouteLabel {
    /// From [`crate::policy::Rule::path`]; never from a request's path.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// For requests that met no rule.
    pub fn none() -> Self {
        Self::new("_NONE")
    }
}

impl EncodeLabelValue for RouteLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        (&*self.0).encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    code: u16,
    route: RouteLabel,
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    method: &'static str,
    route: RouteLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProvisionLabels {
    upstream: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthLabels {
    result: &'static str,
    reason: &'static str,
}

/// Why the address of a client may stand for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressDoubt {
    /// It is that of the container network's gateway: address translation.
    Translated,
    /// A forwarding header came from an address that is no trusted proxy.
    UntrustedProxy,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DoubtLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// One finished request.
#[derive(Debug, Clone, Copy)]
pub struct RequestSample<'a> {
    /// Method as sent; unknown ones count as `_OTHER`.
    pub method: &'a str,
    /// Status of the answer.
    pub code: u16,
    /// Pattern of the rule.
    pub route: &'a RouteLabel,
    /// `answer`, `refuse` or `forward`.
    pub decision: &'static str,
    /// From the header to the end of the answer.
    pub duration: Duration,
}

/// The metrics of one gateway.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    upstream_errors: Family<UpstreamLabels, Counter>,
    auth_decisions: Family<AuthLabels, Counter>,
    logins: Family<ResultLabels, Counter>,
    login_networks: Gauge,
    doubtful_addresses: Family<DoubtLabels, Counter>,
    password_hash: Histogram,
    login_queue: Gauge,
    view_version: Gauge,
    config_reload_ok: Gauge,
    provision_pending: Family<ProvisionLabels, Gauge>,
    provision_parked: Family<ProvisionLabels, Gauge>,
    connections: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A fresh set, everything at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS)),
            upstream_errors: Family::default(),
            auth_decisions: Family::default(),
            logins: Family::default(),
            login_networks: Gauge::default(),
            doubtful_addresses: Family::default(),
            password_hash: Histogram::new(HASH_BUCKETS),
            login_queue: Gauge::default(),
            view_version: Gauge::default(),
            config_reload_ok: Gauge::default(),
            provision_pending: Family::default(),
            provision_parked: Family::default(),
            connections: Gauge::default(),
        };
        metrics.config_reload_ok.set(1);
        metrics.registered()
    }

    /// Names every metric. A counter's `_total` and an info's `_info` are added when it is written.
    fn registered(mut self) -> Self {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let to = &mut self.registry;
        to.register("gateway_build", "The running program", build);
        to.register(
            "gateway_http_requests",
            "Requests by method, status, route and decision",
            self.requests.clone(),
        );
        to.register(
            "gateway_http_request_duration_seconds",
            "From the request's header to the end of its answer",
            self.durations.clone(),
        );
        to.register(
            "gateway_upstream_errors",
            "Requests that an upstream failed",
            self.upstream_errors.clone(),
        );
        to.register(
            "gateway_auth_decisions",
            "Judged credentials",
            self.auth_decisions.clone(),
        );
        to.register("gateway_logins", "Log-ins by result", self.logins.clone());
        to.register(
            "gateway_login_networks",
            "Client networks that log-ins were tried from since the start; 1 for many people means that their addresses are hidden",
            self.login_networks.clone(),
        );
        to.register(
            "gateway_doubtful_addresses",
            "Requests whose client address may stand for many clients",
            self.doubtful_addresses.clone(),
        );
        to.register(
            "gateway_password_hash_seconds",
            "Time to hash one password",
            self.password_hash.clone(),
        );
        to.register(
            "gateway_login_queue",
            "Log-ins that wait for a hashing thread",
            self.login_queue.clone(),
        );
        to.register(
            "gateway_view_version",
            "Change of the store that the view has reached",
            self.view_version.clone(),
        );
        to.register(
            "gateway_config_reload_ok",
            "1 where the last reload worked",
            self.config_reload_ok.clone(),
        );
        to.register(
            "gateway_provision_pending",
            "User changes that an upstream was not told of yet",
            self.provision_pending.clone(),
        );
        to.register(
            "gateway_provision_parked",
            "User changes that an upstream refused",
            self.provision_parked.clone(),
        );
        to.register(
            "gateway_connections",
            "Open client connections",
            self.connections.clone(),
        );
        self
    }

    /// Counts a finished request.
    pub fn request(&self, sample: &RequestSample<'_>) {
        let method = method_label(sample.method);
        let labels = RequestLabels {
            method,
            code: sample.code,
            route: sample.route.clone(),
            decision: sample.decision,
        };
        self.requests.get_or_create(&labels).inc();
        let labels = DurationLabels {
            method,
            route: labels.route,
        };
        self.durations
            .get_or_create(&labels)
            .observe(sample.duration.as_secs_f64());
    }

    /// Counts a failure of an upstream; `kind` is the refusal's code.
    pub fn upstream_error(&self, upstream: &str, kind: &'static str) {
        let upstream = upstream.to_owned();
        self.upstream_errors
            .get_or_create(&UpstreamLabels { upstream, kind })
            .inc();
    }

    /// Counts a judged credential: `ok`, `anonymous` or `refused`, and the refusal's code (or empty).
    pub fn auth_decision(&self, result: &'static str, reason: &'static str) {
        self.auth_decisions
            .get_or_create(&AuthLabels { result, reason })
            .inc();
    }

    /// Counts a login: `ok`, or the refusal's code.
    pub fn login(&self, result: &'static str) {
        self.logins.get_or_create(&ResultLabels { result }).inc();
    }

    /// Client networks that logins were tried from.
    pub fn set_login_networks(&self, networks: usize) {
        self.login_networks.set(count(networks));
    }

    /// Counts a request whose client address may stand for many.
    pub fn doubtful_address(&self, doubt: AddressDoubt) {
        let reason = match doubt {
            AddressDoubt::Translated => "translated",
            AddressDoubt::UntrustedProxy => "untrusted_proxy",
        };
        self.doubtful_addresses
            .get_or_create(&DoubtLabels { reason })
            .inc();
    }

    /// Notes how long one password took.
    pub fn password_hashed(&self, took: Duration) {
        self.password_hash.observe(took.as_secs_f64());
    }

    /// Logins that wait for a hashing thread.
    pub fn set_login_queue(&self, waiting: usize) {
        self.login_queue.set(count(waiting));
    }

    /// The change of the store that the view has reached.
    pub fn set_view_version(&self, version: u64) {
        self.view_version
            .set(i64::try_from(version).unwrap_or(i64::MAX));
    }

    /// Says whether the last reload of the configuration worked.
    pub fn set_config_reload(&self, ok: bool) {
        self.config_reload_ok.set(i64::from(ok));
    }

    /// How far an upstream is behind, and how many changes it refused.
    pub fn set_provision(&self, upstream: &str, pending: u64, parked: usize) {
        let labels = ProvisionLabels {
            upstream: upstream.to_owned(),
        };
        self.provision_pending
            .get_or_create(&labels)
            .set(i64::try_from(pending).unwrap_or(i64::MAX));
        self.provision_parked
            .get_or_create(&labels)
            .set(count(parked));
    }

    /// Open client connections.
    pub fn set_connections(&self, open: u64) {
        self.connections
            .set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Everything as OpenMetrics text
    /// (`application/openmetrics-text; version=1.0.0; charset=utf-8`).
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail; a label that could not be encoded would cut the text off
        // before its `# EOF`, which every reader notices.
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the metrics could not be encoded");
        }
        text
    }
}

fn method_label(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
