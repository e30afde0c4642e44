//! The log-in, without ever a right password: what is sent here is refused before a password is looked at.

use super::{AS_IT_IS, Attack};
use crate::selftest::case::Expect;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        property: 100,
        why: "a log-in of more than 8 KiB",
        template: b"POST {mount}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{\"username\":\"{random}\",\"password\":\"{padding}\"}",
        fill: AS_IT_IS,
        expect: Expect::status(&[413]),
    },
    Attack {
        property: 100,
        why: "a log-in of more than 8 KiB that does not say so",
        template: b"POST {mount}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2328\r\n{padding}\r\n0\r\n\r\n",
        fill: AS_IT_IS,
        expect: Expect::status(&[413]),
    },
    Attack {
        property: 100,
        why: "a password of more than 1024 bytes",
        template: b"POST {mount}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{\"username\":\"{random}\",\"password\":\"{long}\"}",
        fill: AS_IT_IS,
        expect: Expect::status(&[400]),
    },
    Attack {
        property: 105,
        why: "a log-in of another media type",
        template: b"POST {mount}/ HTTP/1.1\r\nHost: {host}\r\nContent-Type: {}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{\"username\":\"{random}\",\"password\":\"{random}\"}",
        fill: &[b"text/plain", b"application/xml", b"", b"application/jsonx"],
        expect: Expect::status(&[415]),
    },
    Attack {
        property: 109,
        why: "another method on the log-in",
        template: b"{} {mount}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: &[b"GET", b"PUT", b"DELETE"],
        expect: Expect::status(&[401, 405]),
    },
    Attack {
        property: 109,
        why: "an address of the gateway's that is none",
        template: b"{} {mount}/{random} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
        fill: &[b"GET", b"POST", b"DELETE"],
        expect: Expect::status(&[404]),
    },
];
