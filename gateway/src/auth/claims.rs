//! Claims: what a token says, decoded and not yet trusted.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::token::TokenError;
use crate::user::UnixSeconds;

/// A JSON object in which no member stands twice. Two readers could pick different ones (RFC 8725 §2.4).
#[derive(Debug, Clone, PartialEq)]
pub struct StrictObject(pub Map<String, Value>);

impl StrictObject {
    /// Parses exactly one object.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// A member that is absent or text.
    ///
    /// # Errors
    /// `wrong` where it is something else.
    pub fn text(&self, name: &str, wrong: TokenError) -> Result<Option<&str>, TokenError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong),
        }
    }
}

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = StrictObject;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object without repeated members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("repeated member"));
                    }
                }
                Ok(StrictObject(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The times of a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// End of life; at this second the token is dead (RFC 7519 §4.1.4).
    pub exp: UnixSeconds,
    /// Not valid before.
    pub nbf: Option<UnixSeconds>,
    /// Made at.
    pub iat: Option<UnixSeconds>,
}

impl Times {
    /// Reads the times. `exp` is required. `fractions` takes `12.5` as 12 (the recorded contract does).
    ///
    /// # Errors
    /// The kind of time that is absent or no whole number of seconds.
    pub fn read(claims: &StrictObject, fractions: bool) -> Result<Self, TokenError> {
        let seconds = |name: &str, wrong: TokenError| match claims.0.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => whole_seconds(number, fractions).map(Some).ok_or(wrong),
            Some(_) => Err(wrong),
        };
        let iat = seconds("iat", TokenError::IssuedAtType)?;
        let nbf = seconds("nbf", TokenError::NotBeforeType)?;
        let exp = seconds("exp", TokenError::ExpiryType)?.ok_or(TokenError::NoExpiry)?;
        Ok(Self { exp, nbf, iat })
    }

    /// The only time check. `leeway` is in seconds and forgives clock differences.
    ///
    /// # Errors
    /// [`TokenError::NotYetValid`] or [`TokenError::Expired`].
    pub fn check(&self, now: UnixSeconds, leeway: u64) -> Result<(), TokenError> {
        let latest_start = now.saturating_add(leeway);
        if self.nbf.is_some_and(|nbf| nbf > latest_start)
            || self.iat.is_some_and(|iat| iat > latest_start)
        {
            return Err(TokenError::NotYetValid);
        }
        if now >= self.exp.saturating_add(leeway) {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

/// Non-negative seconds that fit; `None` for everything else.
fn whole_seconds(number: &Number, fractions: bool) -> Option<UnixSeconds> {
    if let Some(whole) = number.as_u64() {
        return i64::try_from(whole).ok().map(|_| whole);
    }
    let float = number
        .as_f64()
        .filter(|f| fractions && f.is_finite() && (0.0..9e15).contains(f))?;
    format!("{float:.0}").parse::<u64>().ok().map(|rounded| {
        if rounded as f64 > float {
            rounded - 1
        } else {
            rounded
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(json: &str) -> Result<Times, TokenError> {
        Times::read(
            &StrictObject::parse(json.as_bytes()).expect("object"),
            false,
        )
    }

    #[test]
    fn p062_the_expiry_is_a_whole_number_of_seconds() {
        assert_eq!(times("{}"), Err(TokenError::NoExpiry));
        for exp in [
            "\"1e12\"",
            "null",
            "true",
            "[]",
            "-1",
            "1.5",
            "1e400",
            "18446744073709551616",
            "9223372036854775808",
        ] {
            let json = format!("{{\"exp\":{exp}}}");
            let got = StrictObject::parse(json.as_bytes()).map(|o| Times::read(&o, false));
            assert!(
                matches!(got, None | Some(Err(TokenError::ExpiryType))),
                "{exp}: {got:?}"
            );
        }
        assert_eq!(times("{\"exp\":5}").map(|t| t.exp), Ok(5));
        let fraction = StrictObject::parse(b"{\"exp\":5.9}").expect("object");
        assert_eq!(Times::read(&fraction, true).map(|t| t.exp), Ok(5));
    }

    #[test]
    fn p064_a_token_dies_exactly_at_its_expiry_and_leeway() {
        let t = Times {
            exp: 100,
            nbf: None,
            iat: None,
        };
        assert_eq!(t.check(99, 0), Ok(()));
        assert_eq!(t.check(100, 0), Err(TokenError::Expired));
        assert_eq!(t.check(104, 5), Ok(()));
        assert_eq!(t.check(105, 5), Err(TokenError::Expired));
        let t = Times {
            exp: u64::MAX,
            nbf: Some(50),
            iat: None,
        };
        assert_eq!(t.check(44, 5), Err(TokenError::NotYetValid));
        assert_eq!(t.check(45, 5), Ok(()));
    }

    #[test]
    fn p069_repeated_members_are_refused() {
        assert!(StrictObject::parse(br#"{"sub":"a","sub":"b"}"#).is_none());
        assert!(StrictObject::parse(br#"{"sub":"a","s\u0075b":"b"}"#).is_none());
        assert!(StrictObject::parse(br#"{"sub":"a"} x"#).is_none());
        assert!(StrictObject::parse(br#"["sub"]"#).is_none());
    }
}
