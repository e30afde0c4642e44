//! The names of all keys, once: unknown keys, environment names and `config/README.md` are checked
//! against this table.
//!
//! Invariant: a key that is not here is refused, and every key here is read by a section. `NAME` stands
//! for the name of an upstream; the keys under `routes` belong to each `[[routes]]` table.

/// Every key, by its dotted name, in the order of `config/README.md`.
pub const KEYS: &[&str] = &[
    "version",
    "hosts",
    "server.listen",
    "server.admin_listen",
    "server.data_dir",
    "server.trusted_proxies",
    "server.require_https",
    "server.threads",
    "server.drain",
    "server.drain_delay",
    "server.tls.cert_file",
    "server.tls.key_file",
    "server.limits.connections",
    "server.limits.connections_per_ip",
    "server.limits.header_timeout",
    "server.limits.keep_alive",
    "server.limits.keep_alive_requests",
    "server.limits.target_bytes",
    "server.limits.header_bytes",
    "server.limits.headers",
    "server.limits.body_bytes",
    "server.limits.body_timeout",
    "server.limits.body_min_rate",
    "server.limits.write_timeout",
    "server.limits.auth_body_bytes",
    "auth.profile",
    "auth.mount",
    "auth.issuer",
    "auth.audience",
    "auth.access_ttl",
    "auth.refresh_limit",
    "auth.leeway",
    "auth.legacy_tokens",
    "auth.token_cache",
    "auth.algorithm",
    "auth.hs256_secret_file",
    "auth.admin_password_file",
    "auth.schemes",
    "auth.grammar",
    "auth.challenge",
    "auth.realm",
    "auth.errors",
    "auth.login_answer",
    "auth.multipart",
    "auth.options_open",
    "auth.slash_redirect",
    "auth.conceal_methods",
    "auth.claims",
    "auth.password.memory",
    "auth.password.iterations",
    "auth.password.parallelism",
    "auth.password.workers",
    "auth.password.queue",
    "auth.password.min_length",
    "auth.password.max_bytes",
    "auth.external.issuer",
    "auth.external.audience",
    "auth.external.jwks_file",
    "auth.external.algorithms",
    "auth.external.roles_claim",
    "auth.external.roles",
    "auth.external.leeway",
    "auth.throttle.account_failures",
    "auth.throttle.account_cap",
    "auth.throttle.per_ip_per_minute",
    "upstreams.NAME.urls",
    "upstreams.NAME.secret_file",
    "upstreams.NAME.provision",
    "upstreams.NAME.connect_timeout",
    "upstreams.NAME.read_timeout",
    "upstreams.NAME.write_timeout",
    "upstreams.NAME.idle_timeout",
    "upstreams.NAME.dns_refresh",
    "upstreams.NAME.max_requests",
    "upstreams.NAME.preserve_host",
    "upstreams.NAME.identity_headers",
    "upstreams.NAME.identity_headers.user_id",
    "upstreams.NAME.identity_headers.user",
    "upstreams.NAME.identity_headers.email",
    "upstreams.NAME.identity_headers.roles",
    "upstreams.NAME.identity_headers.status",
    "routes.path",
    "routes.methods",
    "routes.upstream",
    "routes.builtin",
    "routes.access",
    "routes.access.roles",
    "routes.allow",
    "routes.allow_get_body",
    "routes.websocket",
    "routes.forward_authorization",
    "cors.origins",
    "cors.methods",
    "cors.headers",
    "cors.expose_headers",
    "cors.credentials",
    "cors.max_age",
    "log.format",
    "log.filter",
    "log.access",
];

/// Environment variables that are no key of the file, with what each is for.
pub const SPECIAL_ENV: &[(&str, &str)] = &[
    ("GATEWAY_CONFIG", "the configuration file"),
    (
        "GATEWAY_KEK_FILE",
        "the key that signing keys are sealed with",
    ),
    (
        "GATEWAY_ADMIN_PASSWORD",
        "the first administrator's password",
    ),
    (
        "GATEWAY_ADMIN_PASSWORD_FILE",
        "the same as GATEWAY_AUTH_ADMIN_PASSWORD_FILE",
    ),
    ("GATEWAY_AUTH_HS256_SECRET", "the shared HS256 secret"),
    (
        "GATEWAY_BIND",
        "read by docker-compose.yml, not by the gateway",
    ),
    (
        "GATEWAY_PORT",
        "read by docker-compose.yml, not by the gateway",
    ),
];

/// The environment name of a key; `None` for what only a file can hold (`version`, `[[routes]]`).
pub fn env_name(key: &str) -> Option<String> {
    if key == "version" || key.starts_with("routes.") || key.starts_with("auth.external.") {
        return None;
    }
    Some(format!(
        "GATEWAY_{}",
        key.replace(['.', '-'], "_").to_ascii_uppercase()
    ))
}

/// Says whether `name` is a key in the schema.
pub(super) fn is_key(name: &str) -> bool {
    KEYS.contains(&name)
}

/// Says whether `name` is a table with keys of its own.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter()
        .any(|key| key.strip_prefix(name).is_some_and(|r| r.starts_with('.')))
}

/// What may stand directly in the table `section` (empty: the top of the file), without repeats.
pub(super) fn children(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let rest = if section.is_empty() {
            Some(*key)
        } else {
            key.strip_prefix(section)
                .and_then(|rest| rest.strip_prefix('.'))
        };
        if let Some(name) = rest.and_then(|rest| rest.split('.').next())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// Sections in which a key of this name is at home, for keys written in the wrong table.
pub(super) fn homes(name: &str) -> Vec<&'static str> {
    KEYS.iter()
        .filter_map(|key| key.rsplit_once('.'))
        .filter(|(_, last)| *last == name)
        .map(|(section, _)| section)
        .collect()
}

/// The nearest of `candidates`, where one is near enough to be a slip of the fingers.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(name, c), c))
        .filter(|(distance, c)| *distance <= 1 + name.len().min(c.len()) / 4)
        .min()
        .map(|(_, c)| c)
}
