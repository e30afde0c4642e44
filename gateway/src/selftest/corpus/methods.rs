//! Methods: none is folded, and none is another in disguise.

use super::{AS_IT_IS, Attack};
use crate::selftest::case::Expect;

/// Not served here, or not to somebody without a token.
const NO_METHOD: Expect = Expect::status(&[400, 401, 403, 404, 405, 501]).or_silence();

const NEEDS_A_TOKEN: Expect = Expect::status(&[400, 401, 403, 405]);

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        property: 29,
        why: "a WebSocket, opened by an anonymous GET",
        template: b"GET {} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        fill: &[b"{mixed}"],
        expect: NEEDS_A_TOKEN,
    },
    Attack {
        property: 30,
        why: "a method that shows the request, headers included, or opens a tunnel (RFC 9110 §9.3.8)",
        template: b"{} {canary} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: &[b"TRACE", b"TRACK", b"CONNECT"],
        expect: Expect::status(&[400, 401, 403, 405, 501]),
    },
    Attack {
        property: 31,
        why: "a method that looks like GET (RFC 9110 §9.1: methods are case-sensitive)",
        template: b"{} {canary} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: &[b"get", b"Get", b"gET", b"GETT", b"GET\t", b"HEAD\t", b"head"],
        expect: NO_METHOD,
    },
    Attack {
        property: 31,
        why: "a method that looks like a write, or like nothing",
        template: b"{} {write} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: &[b"delete", b"Delete", b"DELETEX", b"FOO", b"PROPFIND", b"G"],
        expect: NO_METHOD,
    },
    Attack {
        property: 31,
        why: "a method of more than a kilobyte",
        template: b"{long} {canary} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: AS_IT_IS,
        expect: Expect::status(&[400, 401, 403, 405, 414, 431, 501]).or_silence(),
    },
    Attack {
        property: 33,
        why: "a write that some frameworks read from the query of a GET",
        template: b"GET {mixed}?{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: &[
            b"_method=DELETE",
            b"_METHOD=delete",
            b"a=b&_method=PUT",
            b"%5Fmethod=DELETE",
            b"_method=%44ELETE",
            b"_method=POST&_method=GET",
        ],
        expect: NEEDS_A_TOKEN,
    },
    Attack {
        property: 34,
        why: "a read with a body (RFC 9110 §9.3.1); a rule can allow it (allow_get_body)",
        template: b"{} {open} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\nx",
        fill: &[b"GET", b"HEAD"],
        expect: Expect::status(&[400]).once(),
    },
    Attack {
        property: 34,
        why: "a read with a chunked body (RFC 9110 §9.3.1); a rule can allow it (allow_get_body)",
        template: b"{} {open} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        fill: &[b"GET", b"HEAD"],
        expect: Expect::status(&[400]).once(),
    },
];
