//! `Authorization` in, credential out: a token is read only where exactly one was sent, and byte for byte.
//!
//! Input: a line for the grammar (`strict` or anything else), then one line for each `Authorization` value.
#![no_main]

use gateway::auth::credential::{Credential, Grammar, MAX_TOKEN_BYTES};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    let mut lines = data.split(|b| *b == b'\n');
    let strict = lines.next() == Some(b"strict");
    let mut headers = HeaderMap::new();
    for line in lines {
        // What is no field value never arrives.
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return Corpus::Reject;
        };
        headers.append(AUTHORIZATION, value);
    }
    let sent: Vec<&[u8]> = headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let (grammar, wanted) = match (strict, sent.as_slice()) {
        (true, []) => (Grammar::strict(), Wanted::Nothing),
        (true, [value]) => (Grammar::strict(), strictly(value)),
        (true, _) => (Grammar::strict(), Wanted::Refusal),
        (false, []) => (Grammar::lenient(), Wanted::Nothing),
        (false, [value]) => (Grammar::lenient(), leniently(value)),
        (false, _) => (Grammar::lenient(), Wanted::Refusal),
    };
    let got = Credential::read(&headers.get_all(AUTHORIZATION), &grammar);
    match (&got, wanted) {
        (Credential::None, Wanted::Nothing) | (Credential::Malformed(_), Wanted::Refusal) => {}
        (Credential::One(token), Wanted::Token(sent)) => assert_eq!(token.as_bytes(), sent),
        (got, wanted) => panic!("{got:?} for {sent:?}, and {wanted:?} was wanted"),
    }
    assert!(
        !format!("{got:?}").contains("token-of-the-seeds"),
        "a token in debug text"
    );
    Corpus::Keep
});

#[derive(Debug)]
enum Wanted<'a> {
    Nothing,
    Token(&'a [u8]),
    Refusal,
}

/// RFC 6750 §2.1, `scheme SP token68`, read from the left byte by byte.
fn strictly(value: &[u8]) -> Wanted<'_> {
    let token = ["bearer ", "jwt "].iter().find_map(|scheme| {
        let (head, token) = value.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme.as_bytes())
            .then_some(token)
    });
    let Some(token) = token else {
        return Wanted::Refusal;
    };
    let symbol = |b: &u8| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    let body = token.iter().position(|b| !symbol(b)).unwrap_or(token.len());
    let (body, padding) = token.split_at(body);
    if body.is_empty() || padding.iter().any(|b| *b != b'=') || token.len() > MAX_TOKEN_BYTES {
        return Wanted::Refusal;
    }
    Wanted::Token(token)
}

/// The recorded contract: words between white space, of which the first is `JWT` and the second the token.
fn leniently(value: &[u8]) -> Wanted<'_> {
    let mut rest = value;
    let mut words = Vec::new();
    while let Some(start) = rest.iter().position(|b| !b" \t".contains(b)) {
        rest = &rest[start..];
        let (word, behind) = rest.split_at(
            rest.iter()
                .position(|b| b" \t".contains(b))
                .unwrap_or(rest.len()),
        );
        words.push(word);
        rest = behind;
    }
    match words.as_slice() {
        [] => Wanted::Nothing,
        [scheme, ..] if !scheme.eq_ignore_ascii_case(b"jwt") => Wanted::Nothing,
        [_, token] if token.len() <= MAX_TOKEN_BYTES && std::str::from_utf8(token).is_ok() => {
            Wanted::Token(token)
        }
        _ => Wanted::Refusal,
    }
}
