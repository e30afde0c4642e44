//! `[cors]`: pages of which other origins may call, and how.
//!
//! Invariant: an origin is compared byte for byte, so one that no browser would ever send is refused here
//! and not a silence in front of a page that does not work.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::problem::{Place, Problem};
use super::reader::Reader;
use super::schema;
use super::upstreams::is_host;
use crate::cors::{Cors, Origins};
use crate::policy::Policy;
use crate::request::Method;

const ORIGINS: &str = "cors.origins";
const METHODS: &str = "cors.methods";
const HEADERS: &str = "cors.headers";
const EXPOSED: &str = "cors.expose_headers";
const CREDENTIALS: &str = "cors.credentials";
const MAX_AGE: &str = "cors.max_age";

const USUAL_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const USUAL_HEADERS: [&str; 2] = ["authorization", "content-type"];

/// Firefox remembers no answer for longer, Chromium for two hours.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads `[cors]`; `None` where no key of it is set.
pub(super) fn read(reader: &mut Reader<'_>, policy: &Policy) -> Option<Cors> {
    let set = schema::KEYS
        .iter()
        .any(|key| key.starts_with("cors.") && reader.has(key));
    let on = set || reader.cors.is_some();
    if on && !reader.has(ORIGINS) {
        let place = reader.cors.clone().unwrap_or(Place::Absent);
        reader.problem(Problem::new(
            place,
            "[cors] has no `origins`, so no page would be let in",
            "name those whose pages may call: `origins = [\"https://app.example.com\"]`, or remove the section",
        ));
    }
    let listed = list(reader, ORIGINS, &[], origin);
    let methods = list(reader, METHODS, &USUAL_METHODS, |name| method(name, policy));
    let headers = list(reader, HEADERS, &USUAL_HEADERS, header);
    let expose_headers = list(reader, EXPOSED, &[], header).join(", ");
    let credentials = reader.get(CREDENTIALS, false);
    let max_age = reader.get(MAX_AGE, Duration::from_secs(600));
    if max_age > LONGEST {
        reader.wrong(
            MAX_AGE,
            "longer than a day: no browser remembers an answer for so long",
            "write at most \"24h\"; Chromium takes two hours for more",
        );
    }
    let any = listed.iter().any(|origin| origin == "*");
    if any && listed.len() > 1 {
        reader.wrong(
            ORIGINS,
            "`*` lets every origin in, so the others say nothing",
            "keep `*` alone, or remove it",
        );
    }
    if any && credentials {
        let problem = Problem::new(
            reader.place(CREDENTIALS),
            "`cors.credentials` beside `*`: every page on the Internet could act for whoever visits it",
            "name the origins, or remove `credentials`: a token in `Authorization` does not need it",
        )
        .related(reader.place(ORIGINS), "every origin");
        reader.problem(problem);
    }
    on.then_some(Cors {
        origins: if any {
            Origins::Any
        } else {
            Origins::Listed {
                origins: listed,
                credentials,
            }
        },
        methods,
        headers,
        expose_headers,
        max_age: max_age.as_secs(),
    })
}

/// What is wrong with an entry, and what to write instead.
type Fault = (String, String);

/// The entries of a list as `check` gives them back, or the usual ones.
fn list(
    reader: &mut Reader<'_>,
    key: &str,
    usual: &[&str],
    check: impl Fn(&str) -> Result<String, Fault>,
) -> Vec<String> {
    let had = reader.problems.len();
    let Some(given) = reader.list(key) else {
        reader.show(key, usual.join(", "));
        return usual.iter().map(|entry| (*entry).to_owned()).collect();
    };
    let needed = matches!(key, ORIGINS | METHODS);
    if given.is_empty() && needed && reader.problems.len() == had {
        reader.wrong(
            key,
            "the list is empty, so no page could send anything",
            "name at least one; without [cors] the gateway says nothing of other origins",
        );
    }
    let mut entries: Vec<String> = Vec::new();
    for (text, place) in given {
        let fault = match check(&text) {
            Ok(entry) if entries.contains(&entry) => (
                format!("`{text}` stands here a second time"),
                "remove one of the two".to_owned(),
            ),
            Ok(entry) => {
                entries.push(entry);
                continue;
            }
            Err(fault) => fault,
        };
        reader.problem(Problem::new(
            place,
            format!("`{key}`: {}", fault.0),
            fault.1,
        ));
    }
    entries
}

/// A header name in lower case.
fn header(name: &str) -> Result<String, Fault> {
    // `*` is a name by its grammar, and to a browser it never covers `Authorization`.
    match http::HeaderName::from_bytes(name.as_bytes()) {
        Ok(header) if header != "*" => Ok(header.as_str().to_owned()),
        _ => Err((
            format!("`{name}` is not a header name"),
            "write each name out, in letters, digits and hyphens: \"x-request-id\"".to_owned(),
        )),
    }
}

/// A method that is served somewhere.
fn method(name: &str, policy: &Policy) -> Result<String, Fault> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        return Err((
            format!("`{name}` is not a method name"),
            "write each method out, in capitals: \"PATCH\"".to_owned(),
        ));
    }
    let named = |rule: &crate::policy::Rule| rule.methods().any(|method| method == name);
    match Method::parse(name) {
        Method::Never(_) => Err((
            format!("{name} is never served"),
            "leave it out: TRACE, TRACK and CONNECT are always refused".to_owned(),
        )),
        // Without rules there are problems that are told already.
        Method::Other(_) if !policy.rules().is_empty() && !policy.rules().iter().any(named) => {
            Err((
                format!("{name} is served nowhere"),
                "leave it out, or name it in the `methods` of a route".to_owned(),
            ))
        }
        _ => Ok(name.to_owned()),
    }
}

/// An origin as browsers write it in `Origin` (RFC 6454 §6.2, URL standard §4.5), or `*`.
fn origin(text: &str) -> Result<String, Fault> {
    const HELP: &str =
        "write scheme and host, and a port that is not the usual one: \"https://app.example.com\"";
    let bad = |why: String, help: &str| Err((why, help.to_owned()));
    if text == "*" {
        return Ok(text.to_owned());
    }
    // The text is not repeated where it may hold a password.
    if text.contains('@') {
        return bad(
            "an origin holds no user name and no password".to_owned(),
            HELP,
        );
    }
    if text.eq_ignore_ascii_case("null") {
        return bad(
            format!("`{text}` is what every sandboxed frame and every local file calls itself"),
            "serve the page from an address of its own, and name that",
        );
    }
    if text.contains('*') {
        return bad(
            format!("`{text}` is a pattern, and whoever gets a name that fits would be let in"),
            "write each origin out, or `origins = [\"*\"]` for all of them, without credentials",
        );
    }
    let no_origin = || (format!("`{text}` is not an origin"), HELP.to_owned());
    let uri: http::Uri = text.parse().map_err(|_| no_origin())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(no_origin());
    };
    let host = canonical_host(authority.host()).ok_or_else(no_origin)?;
    let scheme = scheme.to_ascii_lowercase();
    let port = match (scheme.as_str(), authority.port_u16()) {
        // Something stands behind the host that is no port.
        (_, None) if authority.as_str().len() != authority.host().len() => return Err(no_origin()),
        (_, None) | ("https", Some(443)) | ("http", Some(80)) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    let written = format!("{scheme}://{host}{port}");
    if written == text {
        return Ok(written);
    }
    let why = if text.len() > written.len() && uri.path() != "/" {
        "has a path"
    } else if text.ends_with('/') {
        "ends with a slash"
    } else {
        "is not written as a browser writes it"
    };
    bad(format!("`{text}` {why}"), &format!("write \"{written}\""))
}

/// A host in lower case, and an IPv6 address in its shortest form. Browsers and this library differ in how they
/// write IPv4 inside IPv6.
fn canonical_host(host: &str) -> Option<String> {
    let Some(inner) = host.strip_prefix('[') else {
        return (is_host(host) && !host.contains(':')).then(|| host.to_ascii_lowercase());
    };
    let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
    address
        .to_ipv4_mapped()
        .is_none()
        .then(|| format!("[{address}]"))
}
