//! `[server]` and `[log]`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::problem::{Place, Problem};
use super::reader::Reader;
use super::value::{Size, Value as _};
use super::{Limits, LogConfig, LogFormat, ServerConfig, TlsFiles};

/// Reads `[server]`. `data_dir` is the default that the environment gives.
pub(super) fn read(
    reader: &mut Reader<'_>,
    data_dir: Option<PathBuf>,
    insecure_dev: bool,
) -> ServerConfig {
    let listen = reader.get("server.listen", SocketAddr::from(([127, 0, 0, 1], 8080)));
    let admin_listen = reader.get(
        "server.admin_listen",
        SocketAddr::from(([127, 0, 0, 1], 9901)),
    );
    listeners(reader, listen, admin_listen, insecure_dev);
    if data_dir.is_none() && !reader.has("server.data_dir") {
        reader.wrong(
            "server.data_dir",
            "not set, and neither XDG_STATE_HOME nor HOME says where it could be",
            "write `data_dir = \"/data\"` in [server], or start with --data-dir /data",
        );
    }
    let data_dir = reader.get("server.data_dir", data_dir.unwrap_or_default());
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = reader.positive("server.threads", cores);
    if threads > 1024 {
        reader.wrong(
            "server.threads",
            format!("{threads} is more than 1024"),
            "write the number of processor cores, or remove the key",
        );
    }
    ServerConfig {
        listen,
        admin_listen,
        data_dir,
        trusted_proxies: trusted_proxies(reader),
        network_gateway: super::container::network_gateway(Path::new("/")),
        tls: tls(reader),
        require_https: reader.get("server.require_https", false),
        insecure_dev,
        threads,
        drain: reader.get("server.drain", Duration::from_secs(5)),
        drain_delay: reader.get("server.drain_delay", Duration::ZERO),
        limits: limits(reader),
    }
}

/// Both files or none. That they hold a certificate and its key is found out before anything listens.
fn tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    const CERT: &str = "server.tls.cert_file";
    const KEY: &str = "server.tls.key_file";
    let (cert, key): (Option<PathBuf>, Option<PathBuf>) =
        (reader.optional(CERT), reader.optional(KEY));
    for (name, path) in [(CERT, &cert), (KEY, &key)] {
        if let Some(path) = path
            && let Err(error) = std::fs::File::open(path)
        {
            reader.wrong(
                name,
                format!("{} cannot be read: {error}", path.display()),
                "name a PEM file that the user of the gateway may read",
            );
        }
    }
    match (cert, key) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
        (None, None) => None,
        (Some(_), None) => {
            reader.wrong(
                CERT,
                "a certificate without its key",
                "set server.tls.key_file as well",
            );
            None
        }
        (None, Some(_)) => {
            reader.wrong(
                KEY,
                "a key without its certificate",
                "set server.tls.cert_file as well",
            );
            None
        }
    }
}

fn listeners(reader: &mut Reader<'_>, listen: SocketAddr, admin: SocketAddr, insecure_dev: bool) {
    let overlap =
        listen.ip() == admin.ip() || listen.ip().is_unspecified() || admin.ip().is_unspecified();
    if listen.port() != 0 && listen.port() == admin.port() && overlap {
        let problem = Problem::new(
            reader.place("server.admin_listen"),
            format!("`server.admin_listen`: {admin} is taken by `server.listen`"),
            "give the administration its own port, e.g. `127.0.0.1:9901`",
        )
        .related(reader.place("server.listen"), "clients connect here");
        reader.problem(problem);
    }
    for (key, address) in [("server.listen", listen), ("server.admin_listen", admin)] {
        if insecure_dev && !address.ip().is_loopback() {
            reader.wrong(
                key,
                format!("--insecure-dev binds to loopback only, and {address} is not"),
                "listen on 127.0.0.1, or start without --insecure-dev",
            );
        }
    }
}

fn trusted_proxies(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let mut nets = Vec::new();
    for (text, place) in list_or_empty(reader, "server.trusted_proxies") {
        // A bare address is the network of that one address.
        let net = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
        match net {
            Ok(net) if net.prefix_len() == 0 => reader.problem(
                Problem::new(
                    place,
                    format!("`server.trusted_proxies`: `{text}` trusts every address"),
                    "name the network of the proxy in front, e.g. \"172.18.0.0/16\": whoever is trusted can claim any client address",
                )
                .label("everybody"),
            ),
            Ok(net) => nets.push(net),
            Err(_) => reader.problem(Problem::new(
                place,
                format!("`server.trusted_proxies`: `{text}` is not a network"),
                "write it as \"10.0.0.0/8\", \"192.0.2.7\" or \"fd00::/8\"",
            )),
        }
    }
    nets
}

fn list_or_empty(reader: &mut Reader<'_>, key: &str) -> Vec<(String, Place)> {
    match reader.list(key) {
        Some(items) => items,
        None => {
            reader.show(key, String::new());
            Vec::new()
        }
    }
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    let secs = Duration::from_secs;
    Limits {
        connections: reader.positive("server.limits.connections", 10_000),
        connections_per_ip: reader.positive("server.limits.connections_per_ip", 1_000),
        header_timeout: reader.positive("server.limits.header_timeout", secs(10)),
        keep_alive: reader.positive("server.limits.keep_alive", secs(60)),
        keep_alive_requests: reader.positive("server.limits.keep_alive_requests", 1_000),
        target_bytes: reader
            .positive("server.limits.target_bytes", Size::kib(8))
            .as_usize(),
        header_bytes: reader
            .positive("server.limits.header_bytes", Size::kib(32))
            .as_usize(),
        headers: reader.positive("server.limits.headers", 100),
        body_bytes: reader.positive("server.limits.body_bytes", Size::mib(10)).0,
        body_timeout: reader.positive("server.limits.body_timeout", secs(30)),
        body_min_rate: reader.positive("server.limits.body_min_rate", Size(512)).0,
        write_timeout: reader.positive("server.limits.write_timeout", secs(30)),
        auth_body_bytes: reader
            .positive("server.limits.auth_body_bytes", Size::kib(8))
            .as_usize(),
    }
}

/// Reads `[log]`.
pub(super) fn read_log(reader: &mut Reader<'_>) -> LogConfig {
    let format = reader.get("log.format", LogFormat::Auto);
    let filter: String = reader.positive("log.filter", "info".to_owned());
    if let Err(why) = tracing_subscriber::EnvFilter::try_new(&filter) {
        reader.wrong(
            "log.filter",
            format!("`{filter}` is not a filter: {why}"),
            "write a level (error, warn, info, debug), or levels per module: \"gateway=debug,warn\"",
        );
    }
    LogConfig {
        format,
        filter,
        access: reader.get("log.access", true),
    }
}

/// What is allowed here but deserves a word.
pub(super) fn warnings(server: &ServerConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    let plain = server.tls.is_none();
    if plain && !server.listen.ip().is_loopback() && server.trusted_proxies.is_empty() {
        warnings.push(format!(
            "server.listen = {} is reachable from other machines and speaks plain HTTP: passwords and tokens can be read on the way. Set server.tls, or put TLS in front and name that proxy in server.trusted_proxies, or listen on 127.0.0.1",
            server.listen
        ));
    }
    if let Some(gateway) = server.network_gateway
        && server.trusted_proxies.is_empty()
        && !server.listen.ip().is_loopback()
    {
        warnings.push(format!(
            "this is a container: where its port is published through address translation, every client appears as {gateway}, and limits for each address count all of them as one. Look at `client` in the access log or at gateway_doubtful_addresses; a proxy in front that is named in server.trusted_proxies, or host networking, shows the clients"
        ));
    }
    if plain && server.require_https && server.trusted_proxies.is_empty() {
        warnings.push(
            "server.require_https is set, but neither server.tls nor server.trusted_proxies is: every login is refused, because nobody is believed to have spoken https"
                .to_owned(),
        );
    }
    if !server.admin_listen.ip().is_loopback() {
        warnings.push(format!(
            "server.admin_listen = {} is reachable from other machines: metrics and readiness are shown without a login. Listen on 127.0.0.1, or keep the port inside a private network",
            server.admin_listen
        ));
    }
    if server.insecure_dev {
        warnings.push(format!(
            "--insecure-dev: short passwords work, and the store in {} is marked",
            server.data_dir.show()
        ));
    }
    warnings
}
