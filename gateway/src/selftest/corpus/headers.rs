//! Headers that say what the request line does not.

use super::Attack;
use crate::selftest::case::{DENIED, Expect};

/// Closed, as without the header.
const CLOSED: Expect = Expect::status(&[400, 401, 403, 421]);

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        property: 48,
        why: "a header that names another path, method, host or origin for a closed read",
        template: b"GET {closed} HTTP/1.1\r\nHost: {host}\r\n{}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"X-Original-URL: {open}",
            b"X-Rewrite-URL: {open}",
            b"X-Forwarded-Uri: {open}",
            b"X-Forwarded-Path: {open}",
            b"X-Forwarded-Prefix: {open}",
            b"X-Original-URI: {open}",
            b"X-Forwarded-Method: OPTIONS",
            b"X-Forwarded-Host: localhost",
            b"X-Forwarded-For: 127.0.0.1",
            b"X-Real-IP: 127.0.0.1",
            b"Forwarded: for=127.0.0.1;host=localhost;proto=https",
            b"X-Custom-IP-Authorization: 127.0.0.1",
        ],
        expect: CLOSED,
    },
    Attack {
        property: 48,
        why: "a header that makes a read of a write",
        template: b"DELETE {write} HTTP/1.1\r\nHost: {host}\r\n{}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"X-HTTP-Method-Override: GET",
            b"X_HTTP_Method_Override: GET",
            b"X-HTTP-Method: GET",
            b"X-Method-Override: GET",
            b"X-Forwarded-Method: GET",
            b"X-Original-Method: GET",
            b"X-Forwarded-Uri: {open}",
            b"X-Original-URL: {open}",
        ],
        expect: CLOSED,
    },
    Attack {
        property: 51,
        why: "a header that somebody's inside trusts",
        template: b"GET {closed} HTTP/1.1\r\nHost: {host}\r\n{}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"X-Middleware-Subrequest: middleware:middleware:middleware:middleware:middleware",
            b"X-Auth-Status: authenticated\r\nX-Auth-User: admin\r\nX-Auth-User-Id: 1\r\nX-Auth-Roles: admin",
            b"Remote-User: admin",
            b"X-Forwarded-User: admin",
            b"X-Consumer-Username: admin",
            b"X-Gateway-Secret: {random}",
            b"X-Internal: true",
            b"X-Forwarded-Proto: https\r\nX-SSL-Client-Verify: SUCCESS",
            b"Proxy-Authorization: Basic YWRtaW46YWRtaW4=",
        ],
        expect: CLOSED,
    },
    Attack {
        property: 53,
        why: "a credential that is none, on an open address",
        template: b"GET {open} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scheme}{}\r\nConnection: close\r\n\r\n",
        fill: &[b"", b" a", b" a.b.c", b" a b", b" ..", b" \xff"],
        expect: DENIED,
    },
    Attack {
        property: 53,
        why: "a credential of another kind, on a closed address",
        template: b"GET {closed} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"Basic YWRtaW46YWRtaW4=",
            b"Negotiate YTpi",
            b"null",
            b"",
            b"undefined undefined",
        ],
        expect: DENIED,
    },
    Attack {
        property: 54,
        why: "a caller that looks like a health check",
        template: b"GET {closed} HTTP/1.1\r\nHost: {host}\r\n{}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"User-Agent: kube-probe/1.30",
            b"User-Agent: GoogleHC/1.0",
            b"User-Agent: ELB-HealthChecker/2.0",
            b"User-Agent: Envoy/HC",
            b"X-Envoy-Health-Check: true",
        ],
        expect: CLOSED,
    },
    Attack {
        property: 58,
        why: "a valid token in a place where none is looked for",
        template: b"GET {closed}{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: &[b"?access_token={token}", b"?token={token}&jwt={token}"],
        expect: DENIED,
    },
    Attack {
        property: 58,
        why: "a valid token in a header where none is looked for",
        template: b"GET {closed} HTTP/1.1\r\nHost: {host}\r\n{}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"Cookie: token={token}; jwt={token}; session={token}",
            b"Proxy-Authorization: {scheme} {token}",
            b"X-Auth-Token: {token}\r\nX-Forwarded-Access-Token: {token}",
        ],
        expect: DENIED,
    },
    Attack {
        property: 57,
        why: "a valid token with something about it that is no token (RFC 6750 §2.1)",
        template: b"GET {closed} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"{token}",
            b"{scheme}{token}",
            b"{scheme}: {token}",
            b"{scheme}={token}",
            b"{scheme} \"{token}\"",
            b"{scheme} {token},{token}",
            b"{scheme} {token}, {scheme} {token}",
            b"{scheme} {token} x",
            b"{scheme} x {token}",
            b"X{scheme} {token}",
        ],
        expect: DENIED,
    },
];
