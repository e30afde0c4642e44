//! `hosts`: the names the gateway answers to.

use super::problem::Problem;
use super::reader::Reader;
use super::upstreams::is_host;

/// What development mode answers to. A page of the Internet whose name is pointed at this machine (DNS
/// rebinding) would otherwise reach a gateway with known passwords through its visitor's browser.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names to answer to; `None` where every name is answered.
pub(super) fn read(reader: &mut Reader<'_>, insecure_dev: bool) -> Option<Vec<String>> {
    let configured = configured(reader);
    if insecure_dev {
        return Some(LOOPBACK.map(str::to_owned).to_vec());
    }
    configured
}

/// Reads `hosts`, in lower case and without a last dot.
fn configured(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let Some(given) = reader.list("hosts") else {
        reader.show("hosts", "-".to_owned());
        return None;
    };
    if given.is_empty() {
        reader.wrong(
            "hosts",
            "the list is empty, so every request would be refused",
            "name the hosts, or remove the key: then the gateway answers to every name",
        );
    }
    let mut hosts: Vec<String> = Vec::new();
    for (text, place) in given {
        let lower = text.to_ascii_lowercase();
        let bare = lower.strip_suffix('.').unwrap_or(&lower);
        // IPv6 addresses stand in brackets in `Host`.
        let inner = bare.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let fits = match inner {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_host(bare) && !bare.contains(':'),
        };
        if !fits {
            reader.problem(Problem::new(
                place,
                format!("`hosts`: `{text}` is not a host name"),
                "write the bare name, without scheme, port and star: \"tasks.example.com\"",
            ));
        } else if hosts.iter().any(|known| known == bare) {
            reader.problem(Problem::new(
                place,
                format!("`hosts`: `{text}` stands here a second time"),
                "remove one of the two",
            ));
        } else {
            hosts.push(bare.to_owned());
        }
    }
    Some(hosts)
}
