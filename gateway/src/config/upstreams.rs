//! `[upstreams.NAME]`.

use std::path::PathBuf;
use std::time::Duration;

use super::auth::check_prefix;
use super::identity::IDENTITY_PRESETS;
use super::problem::{Place, Problem};
use super::reader::Reader;
use super::{IdentityHeaders, Origin, ServerConfig, UpstreamConfig, schema, secret};

/// Headers that carry something else, so that an identity must not be written over them.
const TAKEN_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-gateway-secret",
];

/// Reads every upstream, in the order of the file.
pub(super) fn read(reader: &mut Reader<'_>, server: &ServerConfig) -> Vec<UpstreamConfig> {
    let names = reader.upstreams.clone();
    names
        .into_iter()
        .map(|(name, place)| read_one(reader, server, name, place))
        .collect()
}

fn read_one(
    reader: &mut Reader<'_>,
    server: &ServerConfig,
    name: String,
    place: Place,
) -> UpstreamConfig {
    let key = |last: &str| format!("upstreams.{name}.{last}");
    let secs = Duration::from_secs;
    let secret_file: Option<PathBuf> = reader.optional(&key("secret_file"));
    if let Some(path) = &secret_file {
        secret::check_if_there(reader, &key("secret_file"), path);
    }
    UpstreamConfig {
        origins: origins(reader, server, &name, place),
        secret_file,
        provision: provision(reader, &key("provision")),
        connect_timeout: reader.positive(&key("connect_timeout"), secs(3)),
        read_timeout: reader.positive(&key("read_timeout"), secs(30)),
        write_timeout: reader.positive(&key("write_timeout"), secs(30)),
        idle_timeout: reader.positive(&key("idle_timeout"), secs(60)),
        dns_refresh: reader.positive(&key("dns_refresh"), secs(5)),
        max_requests: reader.positive(&key("max_requests"), 1024),
        identity_headers: identity_headers(reader, &key("identity_headers")),
        preserve_host: reader.get(&key("preserve_host"), true),
        name,
    }
}

fn provision(reader: &mut Reader<'_>, key: &str) -> Option<String> {
    let prefix: String = reader.optional(key)?;
    match check_prefix(&prefix) {
        Ok(()) => Some(prefix),
        Err((text, _)) => {
            reader.wrong(
                key,
                text,
                "write where the service takes users, with a slash in front and none behind: \"/people\"",
            );
            None
        }
    }
}

fn origins(
    reader: &mut Reader<'_>,
    server: &ServerConfig,
    name: &str,
    place: Place,
) -> Vec<Origin> {
    let key = format!("upstreams.{name}.urls");
    let missing = !reader.has(&key);
    let given = reader.list(&key).unwrap_or_default();
    if missing {
        reader.problem(Problem::new(
            place,
            format!("upstream `{name}` has no `urls`"),
            format!("write `urls = [\"http://{name}:8000\"]` under [upstreams.{name}]"),
        ));
    } else if given.is_empty() && reader.place(&key) != Place::Absent {
        reader.wrong(
            &key,
            "the list is empty",
            "name at least one address: `urls = [\"http://host:8000\"]`",
        );
    }
    let mut origins: Vec<(Origin, Place)> = Vec::new();
    for (text, at) in given {
        match parse_origin(&text) {
            Err((why, help)) => {
                reader.problem(Problem::new(
                    at,
                    format!("`upstreams.{name}.urls`: {why}"),
                    help,
                ));
            }
            Ok(origin) => {
                if let Some((_, first)) = origins.iter().find(|(known, _)| *known == origin) {
                    let problem = Problem::new(
                        at,
                        format!("`upstreams.{name}.urls`: `{text}` stands here a second time"),
                        "remove one of the two",
                    )
                    .related(first.clone(), "the same address");
                    reader.problem(problem);
                    continue;
                }
                if is_ourselves(&origin, server) {
                    reader.problem(Problem::new(
                        at.clone(),
                        format!("`upstreams.{name}.urls`: `{text}` is the gateway itself"),
                        "name the address of the service behind the gateway, or change `server.listen`",
                    ));
                }
                origins.push((origin, at));
            }
        }
    }
    origins.into_iter().map(|(origin, _)| origin).collect()
}

fn is_ourselves(origin: &Origin, server: &ServerConfig) -> bool {
    let ours = server.listen.ip();
    let same_host = match origin.host.parse::<std::net::IpAddr>() {
        Ok(ip) => ip == ours || (ip.is_loopback() && ours.is_unspecified()),
        Err(_) => origin.host == "localhost" && (ours.is_loopback() || ours.is_unspecified()),
    };
    server.listen.port() != 0 && origin.port == server.listen.port() && same_host
}

/// Reads `http://host:port`.
fn parse_origin(text: &str) -> Result<Origin, (String, String)> {
    const HELP: &str = "write the scheme, the host and the port: \"http://task-service:8000\"";
    let bad = |why: &str, help: &str| Err((why.to_owned(), help.to_owned()));
    // The text is not repeated where it may hold a password.
    if text.contains('@') {
        return bad("a URL here holds no user name and no password", HELP);
    }
    let not_a_url = || {
        (
            format!("`{text}` is not the URL of a service"),
            HELP.to_owned(),
        )
    };
    let uri: http::Uri = text.parse().map_err(|_| not_a_url())?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return bad(
                &format!("`{text}`: https to a service is not supported yet"),
                "write an http:// address on a private network, or put a TLS tunnel between",
            );
        }
        _ => return Err(not_a_url()),
    }
    let authority = uri.authority().map_or("", |a| a.as_str());
    let written = uri.host().unwrap_or_default();
    let host = written.trim_start_matches('[').trim_end_matches(']');
    let port = match uri.port_u16() {
        Some(port) => port,
        None if authority.len() == written.len() => 80,
        // Something stands behind the host that is no port.
        None => 0,
    };
    if !is_host(host) || port == 0 {
        return Err(not_a_url());
    }
    if uri.path() != "/" || uri.query().is_some() || text.ends_with('?') || text.contains('#') {
        return bad(
            &format!("`{text}` has a path or a query"),
            &format!(
                "requests keep their own path: write \"http://{}\"",
                uri.authority().map_or("host:8000", |a| a.as_str())
            ),
        );
    }
    Ok(Origin {
        host: host.to_ascii_lowercase(),
        port,
    })
}

/// An IP address or a DNS name (RFC 1123 §2.1; underscores occur in compose service names).
pub(super) fn is_host(text: &str) -> bool {
    let label = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.parse::<std::net::IpAddr>().is_ok()
        || (text.len() <= 253 && !text.is_empty() && text.split('.').all(label))
}

fn identity_headers(reader: &mut Reader<'_>, key: &str) -> IdentityHeaders {
    let usual = IdentityHeaders::preset("x-auth").unwrap_or(IdentityHeaders {
        user_id: None,
        user: None,
        email: None,
        roles: None,
        status: None,
    });
    let fields = ["user_id", "user", "email", "roles", "status"].map(|f| format!("{key}.{f}"));
    if fields.iter().any(|field| reader.has(field)) {
        let mut seen: Vec<String> = Vec::new();
        let [user_id, user, email, roles, status] =
            fields.map(|field| header(reader, &field, &mut seen));
        return IdentityHeaders {
            user_id,
            user,
            email,
            roles,
            status,
        };
    }
    let preset = reader.get(key, "x-auth".to_owned());
    if let Some(headers) = IdentityHeaders::preset(&preset) {
        return headers;
    }
    let help = match schema::nearest(&preset, IDENTITY_PRESETS.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "it can be {}, or a table of names: {{ user_id = \"x-user-id\" }}",
            IDENTITY_PRESETS.join(", ")
        ),
    };
    reader.wrong(key, format!("`{preset}` is no set of headers"), help);
    usual
}

fn header(reader: &mut Reader<'_>, key: &str, seen: &mut Vec<String>) -> Option<String> {
    let name: String = reader.optional(key)?;
    let lower = name.to_ascii_lowercase();
    if http::HeaderName::from_bytes(lower.as_bytes()).is_err() || lower.contains('_') {
        reader.wrong(
            key,
            format!("`{name}` is not a header name"),
            "use letters, digits and hyphens: \"x-user-id\" (many servers read `_` and `-` as the same)",
        );
    } else if TAKEN_HEADERS.contains(&lower.as_str()) {
        reader.wrong(
            key,
            format!("the header `{name}` means something else already"),
            "choose a name of its own, e.g. \"x-user-id\"",
        );
    } else if seen.contains(&lower) {
        reader.wrong(
            key,
            format!("the header `{name}` is used twice"),
            "give each value a name of its own",
        );
    }
    seen.push(lower.clone());
    Some(lower)
}
