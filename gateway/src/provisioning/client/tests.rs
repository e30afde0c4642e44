//! What an answer means, and what is kept of its reason.

use super::*;

#[test]
fn statuses_have_one_meaning_each() {
    let again = |status: u16| {
        matches!(
            verdict(
                &Method::PUT,
                StatusCode::from_u16(status).expect("a status"),
                b""
            ),
            Verdict::Again(_)
        )
    };
    for (method, status, want) in [
        (Method::PUT, 200, true),
        (Method::PUT, 201, true),
        (Method::PUT, 204, true),
        (Method::PUT, 404, false),
        (Method::DELETE, 404, true),
        (Method::DELETE, 410, true),
        (Method::DELETE, 409, false),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        assert_eq!(
            verdict(&method, status, b"") == Verdict::Acknowledged,
            want,
            "{method} {status}"
        );
    }
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        assert!(again(status), "{status}");
    }
    for status in [301, 400, 401, 403, 404, 405, 409, 422] {
        assert!(!again(status), "{status}");
    }
}

#[test]
fn a_reason_is_short_and_safe_to_print() {
    for (body, want) in [
        (&b"  no such team\n"[..], "no such team"),
        (b"a\x1b[31mb\0c", "a [31mb c"),
        (b"", ""),
        (b"\xff", "\u{fffd}"),
    ] {
        assert_eq!(reason(body), want);
    }
    assert_eq!(reason(&[b'x'; 5000]).len(), 200);
    assert!(reason(&[0xff; 5000]).len() <= 200);
    assert!(reason("é".repeat(300).as_bytes()).len() <= 200);
}
