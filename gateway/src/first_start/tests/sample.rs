//! A configuration with cheap hashing and nothing else of note.

use std::path::Path;
use std::time::Duration;

use crate::config::{
    AuthConfig, Config, Limits, LogConfig, LogFormat, PasswordConfig, Profile, ServerConfig,
    ThrottleConfig, TokenAlgorithm,
};
use crate::policy::Policy;
use crate::refusal::Habits;

pub(super) fn config(data_dir: &Path) -> Config {
    let second = Duration::from_secs(1);
    Config {
        server: ServerConfig {
            network_gateway: None,
            tls: None,
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: "127.0.0.1:0".parse().unwrap(),
            data_dir: data_dir.to_owned(),
            trusted_proxies: Vec::new(),
            require_https: false,
            insecure_dev: false,
            threads: 1,
            drain: second,
            drain_delay: second,
            limits: Limits {
                connections: 1,
                connections_per_ip: 1,
                header_timeout: second,
                keep_alive: second,
                keep_alive_requests: 1,
                target_bytes: 1,
                header_bytes: 1,
                headers: 1,
                body_bytes: 1,
                body_timeout: second,
                body_min_rate: 1,
                write_timeout: second,
                auth_body_bytes: 1,
            },
        },
        auth: AuthConfig {
            external: Vec::new(),
            profile: Profile::Standard,
            mount: "/api-auth".to_owned(),
            habits: Habits::standard(),
            issuer: "gateway".to_owned(),
            audience: "api".to_owned(),
            access_ttl: second,
            refresh_limit: second,
            leeway: second,
            legacy_tokens: false,
            token_cache: 0,
            algorithm: TokenAlgorithm::EdDsa,
            hs256_secret: None,
            admin_password: None,
            password: PasswordConfig {
                memory_kib: 64,
                iterations: 1,
                parallelism: 1,
                workers: 1,
                queue: 4,
                min_length: 12,
                max_bytes: 1024,
            },
            throttle: ThrottleConfig {
                account_failures: 5,
                account_cap: second,
                per_ip_per_minute: 60,
            },
        },
        upstreams: Vec::new(),
        policy: Policy::compile(Vec::new(), None, &[]).unwrap(),
        cors: None,
        log: LogConfig {
            format: LogFormat::Auto,
            filter: String::new(),
            access: false,
        },
        warnings: Vec::new(),
    }
}
