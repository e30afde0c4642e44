//! Which headers of a client never reach an upstream. Asked for every header of every forwarded request, so
//! it allocates nothing.

use std::collections::HashSet;

use super::REQUEST_ID_HEADER;
use crate::config::IDENTITY_HEADER_NAMES;

/// What begins so says something that only a gateway may say.
const PREFIXES: [&str; 25] = [
    "x-forwarded-",
    "x-original-",
    "x-envoy-",
    "x-auth-",
    "x-gateway-",
    "x-remote-",
    "x-authenticated-",
    "x-authentik-",
    "x-webauth-",
    "x-goog-authenticated-",
    "x-ms-client-principal",
    "cf-access-",
    "tailscale-",
    "ssl-client-",
    "x-ssl-",
    "x-client-cert",
    "client-cert",
    "x-amzn-oidc-",
    "x-appengine-user-",
    "x-goog-iap-",
    "x-hasura-",
    "x-ms-token-aad-",
    "x-pomerium-",
    "x-vouch-",
    "oidc-",
];

const NAMES: [&str; 29] = [
    "authorization",
    "forwarded",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "client-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "fastly-client-ip",
    "x-rewrite-url",
    // WSGI servers and applications take a part of the path for their mount when these say so.
    "script-name",
    "path-info",
    "x-script-name",
    "x-scheme",
    "x-http-method-override",
    "x-http-method",
    "x-http-verb",
    "x-method-override",
    "auth-type",
    "auth-user",
    "front-end-https",
    "http-remote-user",
    "sm-user",
    "x-endpoint-api-userinfo",
    "x-url-scheme",
    "proxy-authorization",
    "proxy",
    REQUEST_ID_HEADER,
];

/// As they are spelled, these are between the HTTP layers on both sides; a server that takes `_` for `-` would
/// read them in another spelling too, and find another request (RFC 9110 §17.10).
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Longest name that is compared whole; one beyond it can only begin like one of ours.
const LONGEST: usize = 128;

/// The names that are removed, folded.
#[derive(Debug, Clone)]
pub(super) struct Removal {
    names: HashSet<Box<str>>,
}

impl Removal {
    /// Everything that is known, and these names.
    pub(super) fn new<'a>(own: impl Iterator<Item = &'a str>) -> Self {
        let known = IDENTITY_HEADER_NAMES.iter().chain(&NAMES).copied();
        let names = known.chain(own).map(|name| {
            let folded: String = name.bytes().map(|b| char::from(fold(b))).collect();
            folded.into()
        });
        Self {
            names: names.collect(),
        }
    }

    /// Says whether a header of this name, in lower case, is removed.
    pub(super) fn takes(&self, name: &str) -> bool {
        let mut buffer = [0; LONGEST];
        let mut same = true;
        for (to, from) in buffer.iter_mut().zip(name.bytes()) {
            *to = fold(from);
            same &= *to == from;
        }
        let folded = buffer.get(..name.len().min(LONGEST)).unwrap_or_default();
        // `fold` makes ASCII of everything.
        let folded = std::str::from_utf8(folded).unwrap_or_default();
        (name.len() <= LONGEST && self.names.contains(folded))
            || PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
            || (!same && FRAMING.contains(&folded))
    }
}

/// Lower case, and `-` for everything that is no letter or digit: CGI and WSGI make `_` of `-`, and some servers
/// of all else.
fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p044_names_are_compared_folded_and_neighbours_stay() {
        let removal = Removal::new(["X-Own_User"].into_iter());
        let long = format!("x-auth-{}", "a".repeat(500));
        for name in [
            "authorization",
            "x_auth_user",
            "x-auth.user",
            "x-auth-anything",
            "x-own-user",
            "x_own_user",
            "remote_user",
            "x-forwarded-anything",
            "x_http_method_override",
            "content_length",
            "transfer.encoding",
            "script_name",
            "client_cert_chain",
            "oidc_claim_email",
            "x-pomerium-claim-email",
            "sm_user",
            long.as_str(),
        ] {
            assert!(removal.takes(name), "{name}");
        }
        let long = "a".repeat(500);
        for name in [
            "content-length",
            "transfer-encoding",
            "host",
            "x-own-user2",
            "x-own",
            "accept",
            "content-type",
            "cookie",
            "x-auth",
            "proxy2",
            "user-agent",
            "",
            long.as_str(),
        ] {
            assert!(!removal.takes(name), "{name}");
        }
    }
}
