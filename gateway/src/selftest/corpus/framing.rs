//! Where a message ends, and what is in its head.

use super::{AS_IT_IS, Attack};
use crate::selftest::case::{Expect, MALFORMED, SHUT};

/// Whatever the refusal, the rest is a body and nothing else.
const ONE_REFUSAL: Expect =
    Expect::status(&[400, 401, 403, 404, 405, 411, 413, 414, 415, 421, 429, 501]).once();

/// RFC 9112 §6.1: a coding that is not known may also be answered 501.
const NO_CODING: Expect = Expect::status(&[400, 501]).or_silence().and_close().once();

const HEAD_LINE: &[u8] = b"POST {write} HTTP/1.1\r\nHost: {host}\r\n{}\r\n\r\n0\r\n\r\nG";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        property: 1,
        why: "two readers find two ends of one message (RFC 9112 §6.3)",
        template: HEAD_LINE,
        fill: &[
            b"Content-Length: 6\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nContent-Length: 6",
            b"content-length: 6\r\ntransfer-encoding: chunked",
        ],
        expect: MALFORMED,
    },
    Attack {
        property: 2,
        why: "a coding that one reader knows and another does not (RFC 9112 §6.1)",
        template: HEAD_LINE,
        fill: &[
            b"Transfer-Encoding: gzip, chunked",
            b"Transfer-Encoding: chunked, chunked",
            b"Transfer-Encoding: chunked, identity",
            b"Transfer-Encoding: identity",
            b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding:\x0bchunked",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            b"Transfer-Encoding : chunked",
            b"Transfer-Encoding:\r\n chunked",
        ],
        expect: NO_CODING,
    },
    Attack {
        property: 2,
        why: "HTTP/1.0 has no transfer codings (RFC 9112 §6.1)",
        template: b"POST {write} HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        fill: AS_IT_IS,
        expect: NO_CODING,
    },
    Attack {
        property: 3,
        why: "a length that two readers read as two numbers (RFC 9112 §6.3)",
        template: HEAD_LINE,
        fill: &[
            b"Content-Length: 5\r\nContent-Length: 6",
            b"Content-Length: 5, 6",
            b"Content-Length: +5",
            b"Content-Length: -5",
            b"Content-Length: 0x5",
            b"Content-Length: 5 5",
            b"Content-Length:",
            b"Content-Length: 9223372036854775808",
            b"Content-Length: 99999999999999999999",
            b"Content-Length: five",
        ],
        expect: MALFORMED,
    },
    Attack {
        property: 4,
        why: "a request behind an HTTP/1.0 request that announces no body",
        template: b"POST {write} HTTP/1.0\r\nHost: {host}\r\n\r\n{inner}",
        fill: AS_IT_IS,
        expect: ONE_REFUSAL,
    },
    Attack {
        property: 5,
        why: "a header line that readers take apart in different places (RFC 9112 §5)",
        template: HEAD_LINE,
        fill: &[
            b"Content-Length: 6\r\nX-A: a\r\n folded",
            b"Content-Length: 6\r\nX A: a",
            b"Content-Length: 6\r\nX-A : a",
            b"Content-Length : 6",
            b"Content-Length: 6\r\nX-A: a\rb",
            b"Content-Length: 6\r\nX-A: a\0b",
            b"Content-Length: 6\r\nX\xe4: a",
            b"Content-Length: 6\r\n: a",
            b"Content-Length: 6\r\nno colon",
        ],
        expect: MALFORMED,
    },
    Attack {
        property: 6,
        why: "a whole request as the body of one that is refused",
        template: b"{}\r\nContent-Length: {length}\r\n\r\n{inner}",
        fill: &[
            b"POST {write} HTTP/1.1\r\nHost: {host}",
            b"POST {write}/%2e%2e HTTP/1.1\r\nHost: {host}",
            b"GET {open} HTTP/1.1\r\nHost: {host}",
            b"FOO {write} HTTP/1.1\r\nHost: {host}",
            b"POST {mount}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain",
            b"POST {mount}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json",
            b"POST {mount}/{random} HTTP/1.1\r\nHost: {host}",
        ],
        expect: ONE_REFUSAL,
    },
    Attack {
        property: 6,
        why: "a whole request in a body that is too large to be read",
        template: b"POST {mount}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{inner}{padding}",
        fill: AS_IT_IS,
        expect: ONE_REFUSAL,
    },
    Attack {
        property: 6,
        why: "a whole request where a chunk should begin",
        template: b"POST {write} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n{}{inner}",
        fill: &[b"-5\r\n", b"xyz\r\n"],
        expect: Expect::status(&[400, 401]).and_close().once(),
    },
    Attack {
        property: 6,
        why: "a whole request among the trailers",
        template: b"POST {write} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n{inner}",
        fill: AS_IT_IS,
        expect: ONE_REFUSAL,
    },
    Attack {
        property: 8,
        why: "CONNECT, and bytes for the other end",
        template: b"CONNECT {} HTTP/1.1\r\nHost: {host}\r\n\r\n{inner}",
        fill: &[b"{host}", b"127.0.0.1:9", b"{canary}"],
        expect: SHUT.once(),
    },
    Attack {
        property: 9,
        why: "an Upgrade to pass by the rules on a write",
        template: b"DELETE {write} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        fill: &[b"h2c", b"TLS/1.0", b"foo", b"websocket", b"websocket, h2c"],
        expect: SHUT,
    },
    Attack {
        property: 52,
        why: "the preamble of the PROXY protocol, or of HTTP/2",
        template: b"{}GET {canary} HTTP/1.1\r\nHost: {host}\r\n\r\n",
        fill: &[
            b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n",
            b"\r\n\r\n\0\r\nQUIT\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ],
        expect: MALFORMED,
    },
];
