//! What a request presented to prove who it is. Absent and bad are different values and never mix.

use http::HeaderValue;
use http::header::GetAll;

/// Longest token that is looked at, in bytes. Ours are under 1 KiB; RFC 7519 sets no limit.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The credential of one request.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// None was presented: anonymous.
    None,
    /// Exactly one token.
    One(String),
    /// Something was presented that is not one token. Never treated as absent.
    Malformed(Malformed),
}

/// What is wrong with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The scheme without anything behind it.
    #[error("no credentials behind the scheme")]
    Empty,
    /// More than one word behind the scheme.
    #[error("white space inside the credentials")]
    Spaces,
    /// Two `Authorization` headers.
    #[error("more than one Authorization header")]
    Repeated,
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// A scheme that is not ours, or bytes that no credential has.
    #[error("not a credential of a scheme that is accepted here")]
    Grammar,
}

impl Malformed {
    /// The text of the recorded contract.
    pub(crate) fn drf_text(self) -> &'static str {
        match self {
            Self::Empty => "Invalid Authorization header. No credentials provided.",
            Self::Spaces | Self::Repeated => {
                "Invalid Authorization header. Credentials string should not contain spaces."
            }
            Self::TooLong | Self::Grammar => "Error decoding signature.",
        }
    }
}

/// How an `Authorization` value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grammar {
    /// Accepted schemes, lower case.
    pub schemes: Vec<String>,
    /// Words separated by any white space, and another scheme means anonymous (the recorded contract);
    /// otherwise exactly `scheme SP token68` (RFC 6750 §2.1), and another scheme is refused.
    pub lenient: bool,
}

impl Grammar {
    /// `Bearer` and `JWT`, exactly one space, nothing else.
    pub fn strict() -> Self {
        Self {
            schemes: vec!["bearer".to_owned(), "jwt".to_owned()],
            lenient: false,
        }
    }

    /// `JWT` in the white space that the recorded contract takes.
    pub fn lenient() -> Self {
        Self {
            schemes: vec!["jwt".to_owned()],
            lenient: true,
        }
    }

    fn accepts(&self, scheme: &[u8]) -> bool {
        self.schemes
            .iter()
            .any(|s| scheme.eq_ignore_ascii_case(s.as_bytes()))
    }
}

impl Credential {
    /// Reads all `Authorization` values of a request.
    pub fn read(values: &GetAll<'_, HeaderValue>, grammar: &Grammar) -> Self {
        let mut values = values.iter();
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(_), Some(_)) => Self::Malformed(Malformed::Repeated),
            (Some(value), None) if grammar.lenient => read_lenient(value.as_bytes(), grammar),
            (Some(value), None) => read_strict(value.as_bytes(), grammar),
        }
    }
}

fn read_strict(value: &[u8], grammar: &Grammar) -> Credential {
    if value.is_empty() {
        return Credential::Malformed(Malformed::Empty);
    }
    let mut parts = value.splitn(2, |b| *b == b' ');
    let scheme = parts.next().unwrap_or_default();
    if !grammar.accepts(scheme) {
        return Credential::Malformed(Malformed::Grammar);
    }
    match parts.next() {
        None | Some(b"") => Credential::Malformed(Malformed::Empty),
        Some(token) => match one(token, is_token68) {
            Credential::Malformed(_) if token.iter().any(|b| b" \t".contains(b)) => {
                Credential::Malformed(Malformed::Spaces)
            }
            read => read,
        },
    }
}

fn read_lenient(value: &[u8], grammar: &Grammar) -> Credential {
    let mut words = value
        .split(u8::is_ascii_whitespace)
        .filter(|w| !w.is_empty());
    let Some(scheme) = words.next() else {
        return Credential::None;
    };
    if !grammar.accepts(scheme) {
        return Credential::None;
    }
    match (words.next(), words.next()) {
        (None, _) => Credential::Malformed(Malformed::Empty),
        (Some(_), Some(_)) => Credential::Malformed(Malformed::Spaces),
        // What no token can look like is left for the verifier to refuse with its own text.
        (Some(token), None) => one(token, |_| true),
    }
}

fn one(token: &[u8], fits: impl Fn(&[u8]) -> bool) -> Credential {
    if token.len() > MAX_TOKEN_BYTES {
        return Credential::Malformed(Malformed::TooLong);
    }
    if !fits(token) {
        return Credential::Malformed(Malformed::Grammar);
    }
    // What is no text is no token, and is not mended into one.
    std::str::from_utf8(token).map_or(Credential::Malformed(Malformed::Grammar), |token| {
        Credential::One(token.to_owned())
    })
}

/// RFC 9110 §11.2.
fn is_token68(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|b| **b == b'=').count();
    let (body, _) = token.split_at(token.len() - padding);
    // Without leaving early, so that many bytes are looked at in one step.
    let fits = |all, b: &u8| all & TOKEN68.get(usize::from(*b)).copied().unwrap_or_default();
    !body.is_empty() && body.iter().fold(true, fits)
}

/// Whether a token may hold the byte that is the place in the table.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, within the table"
)]
const TOKEN68: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        table[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        byte += 1;
    }
    table
};

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::One(_) => f.write_str("One(…)"),
            Self::Malformed(why) => write!(f, "Malformed({why:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str], grammar: &Grammar) -> Credential {
        let mut map = http::HeaderMap::new();
        for value in values {
            map.append(
                "authorization",
                HeaderValue::from_bytes(value.as_bytes()).expect("value"),
            );
        }
        Credential::read(&map.get_all("authorization"), grammar)
    }

    fn token(text: &str) -> Credential {
        Credential::One(text.to_owned())
    }

    #[test]
    fn p057_the_strict_grammar_is_scheme_space_token68() {
        let check = |value: &str, want: Credential| {
            assert_eq!(read(&[value], &Grammar::strict()), want, "{value:?}");
        };
        check("Bearer a.b.c", token("a.b.c"));
        check("jwt a.b.c", token("a.b.c"));
        check("", Credential::Malformed(Malformed::Empty));
        check("Bearer", Credential::Malformed(Malformed::Empty));
        check("Bearer ", Credential::Malformed(Malformed::Empty));
        check("Bearer  a", Credential::Malformed(Malformed::Spaces));
        check("Bearer a ", Credential::Malformed(Malformed::Spaces));
        check("Bearer a b", Credential::Malformed(Malformed::Spaces));
        for value in [
            "Bearer\ta",
            "Basic eA==",
            "Bearer a,b",
            "Bearer \"a\"",
            "Bearer é",
            "Bearer ===",
        ] {
            check(value, Credential::Malformed(Malformed::Grammar));
        }
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        check(&long, Credential::Malformed(Malformed::TooLong));
    }

    #[test]
    fn the_lenient_grammar_is_as_recorded() {
        let check = |value: &str, want: Credential| {
            assert_eq!(read(&[value], &Grammar::lenient()), want, "{value:?}");
        };
        check("", Credential::None);
        check("Bearer x", Credential::None);
        check("JWT: x", Credential::None);
        check("JWT", Credential::Malformed(Malformed::Empty));
        check("JWT ", Credential::Malformed(Malformed::Empty));
        check("JWT a b", Credential::Malformed(Malformed::Spaces));
        check("jWt \t a  ", token("a"));
        check("JWT é", token("é"));
        let bytes = HeaderValue::from_bytes(b"JWT \xe9").expect("value");
        let map = http::HeaderMap::from_iter([(http::header::AUTHORIZATION, bytes)]);
        assert_eq!(
            Credential::read(&map.get_all("authorization"), &Grammar::lenient()),
            Credential::Malformed(Malformed::Grammar),
            "what is no text is mended into no token"
        );
    }

    #[test]
    fn p045_two_headers_are_never_one_credential() {
        for grammar in [Grammar::strict(), Grammar::lenient()] {
            assert_eq!(
                read(&["JWT a", "JWT a"], &grammar),
                Credential::Malformed(Malformed::Repeated)
            );
        }
    }
}
