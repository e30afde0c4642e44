//! Targets that are no path, and hosts.

use super::Attack;
use crate::selftest::case::{Expect, SHUT};

/// Refused before anything is judged.
const NO_TARGET: Expect = Expect::status(&[400]).or_silence().once();

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        property: 22,
        why: "a fragment, which no client sends (RFC 9112 §3.2)",
        template: b"GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        fill: &[b"{canary}#b", b"{canary}?a#b", b"{canary}#{closed}"],
        expect: NO_TARGET,
    },
    Attack {
        property: 26,
        why: "an absolute target that names a closed address",
        template: b"GET {}{closed} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"http://{host}",
            b"https://{host}",
            b"HTTP://{host}",
            b"http:",
        ],
        expect: SHUT,
    },
    Attack {
        property: 26,
        why: "an absolute target beside another Host, or with a user (RFC 9112 §3.2.2, RFC 9110 §4.2.4)",
        template: b"GET {}{open} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        fill: &[b"http://{random}.invalid", b"http://admin@{host}"],
        expect: Expect::status(&[400, 403, 404, 421]).or_silence(),
    },
    Attack {
        property: 27,
        why: "a target without a first slash, not in ASCII, or of two readings",
        template: b"GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        fill: &[
            b"x{canary}",
            b"x:{canary}",
            b"*",
            b"{canary}\xff",
            b"{canary}\xc3\xa4",
            b"{canary}\tb",
            b"{canary}\x01",
        ],
        expect: NO_TARGET,
    },
    Attack {
        property: 27,
        why: "a request line without a version, or with one that is not spoken",
        template: b"GET {canary}{}\r\nHost: {host}\r\n\r\n",
        fill: &[b"", b" HTTP/2.0", b" HTTP/9.9", b" HTTPS/1.1"],
        expect: Expect::status(&[400, 505]).or_silence(),
    },
    Attack {
        property: 45,
        why: "no host, several, or none that is one (RFC 9112 §3.2)",
        template: b"GET {canary} HTTP/1.1\r\n{}\r\n\r\n",
        fill: &[
            b"Host: {host}\r\nHost: {host}",
            b"Host: {host}\r\nHost: {random}.invalid",
            b"Host:",
            b"X-A: b",
            b"Host: a b",
            b"Host: {host}, {host}",
            b"Host: {host}@{random}.invalid",
        ],
        expect: NO_TARGET,
    },
    Attack {
        property: 45,
        why: "a valid token, and another credential beside it",
        template: b"GET {closed} HTTP/1.1\r\nHost: {host}\r\n{}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"Authorization: {scheme} {token}\r\nAuthorization: {scheme} {token}",
            b"Authorization: {scheme} {token}\r\nauthorization: Basic YTpi",
            b"Authorization: Basic YTpi\r\nAuthorization: {scheme} {token}",
        ],
        expect: Expect::status(&[400, 401]),
    },
];
