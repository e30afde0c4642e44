//! Which tokens are valid, said once more and in another way: from the documentation, as one list of what must
//! hold, with the signature last.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use gateway::auth::token::{ClaimSet, TokenRules};
use gateway::user::User;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{ISSUER, SECRET, WORLD};

const DAY: u64 = 24 * 60 * 60;

/// Takes every spelling of base64url; what is no canonical one shows when it is encoded again.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[derive(Debug, PartialEq)]
pub enum Who {
    User(u64),
    Subject(String),
}

/// What a valid token says.
#[derive(Debug)]
pub struct Claims {
    pub who: Who,
    pub expires: u64,
    pub jti: Option<String>,
}

pub struct Oracle<'a> {
    pub rules: &'a TokenRules,
    pub users: &'a [User],
    pub external: bool,
    pub now: u64,
}

type Object = BTreeMap<String, Value>;

impl Oracle<'_> {
    /// What a token says, or `None` where it must be refused.
    pub fn judge(&self, token: &str) -> Option<Claims> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = *parts.as_slice() else {
            return None;
        };
        if token.len() > 8192 {
            return None;
        }
        let signature = canonical(signature)?;
        let header = object(&canonical(header)?)?;
        let payload = object(&canonical(payload)?)?;
        let message = token.rsplit_once('.')?.0.as_bytes();
        if ["crit", "b64", "zip", "enc"]
            .iter()
            .any(|name| header.contains_key(*name))
        {
            return None;
        }
        let theirs = self.external && payload.get("iss") == Some(&Value::from(ISSUER));
        let (claims, signed) = if theirs {
            (
                self.their_claims(&header, &payload)?,
                signed_by_them(&header, message, &signature),
            )
        } else {
            (
                self.our_claims(&header, &payload)?,
                self.signed_by_us(&header, message, &signature),
            )
        };
        signed.then_some(claims)
    }

    fn drf(&self) -> bool {
        self.rules.claims == ClaimSet::DrfJwt
    }

    fn our_claims(&self, header: &Object, payload: &Object) -> Option<Claims> {
        let expires = self.expiry(payload, self.drf(), self.rules.leeway)?;
        let (jti, sid) = (text(payload, "jti")?, text(payload, "sid")?);
        let user = if self.drf() {
            if payload.contains_key("aud") {
                return None;
            }
            let name = payload.get("username")?.as_str()?;
            let user = self
                .users
                .iter()
                .find(|user| user.username == name && !name.is_empty())?;
            let made = payload.get("orig_iat").or_else(|| payload.get("iat"));
            let made_for = || made.and_then(Value::as_f64) >= Some(user.created_at as f64);
            match payload.get("user_id") {
                Some(id) => (*id == Value::from(user.id.0)).then_some(user)?,
                None => (self.rules.legacy && made_for()).then_some(user)?,
            }
        } else {
            let typ = header.get("typ")?.as_str()?.to_ascii_lowercase();
            let types: &[&str] = if self.rules.legacy {
                &["at+jwt", "jwt"]
            } else {
                &["at+jwt"]
            };
            // The prefix is the one part whose case counts here.
            let prefixed = header["typ"].as_str()?.starts_with("application/");
            let typ = if prefixed {
                typ.strip_prefix("application/")?
            } else {
                &typ
            };
            let ours = payload.get("iss") == Some(&Value::from("gateway"));
            if !types.contains(&typ) || !ours || !meant_for(payload, "api") {
                return None;
            }
            let sub = payload.get("sub")?.as_str()?;
            self.users
                .iter()
                .find(|user| user.id.0.to_string() == sub)?
        };
        let session = match payload.get("ver") {
            Some(ver) => {
                *ver == Value::from(user.epoch)
                    && (self.rules.legacy || (jti.is_some() && sid.is_some()))
            }
            None => self.rules.legacy && user.epoch == 0,
        };
        (user.active && session).then_some(Claims {
            who: Who::User(user.id.0),
            expires,
            jti,
        })
    }

    fn their_claims(&self, header: &Object, payload: &Object) -> Option<Claims> {
        let expires = self.expiry(payload, false, 0)?;
        let typ = text(header, "typ")?.unwrap_or_else(|| "JWT".to_owned());
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        let typed = ["at+jwt", "jwt"].contains(&typ.to_ascii_lowercase().as_str());
        let sub = payload.get("sub")?.as_str()?;
        let named = (1..=255).contains(&sub.len()) && !sub.chars().any(char::is_control);
        let jti = text(payload, "jti")?;
        let who = Who::Subject(sub.to_owned());
        (typed && named && meant_for(payload, "tasks")).then_some(Claims { who, expires, jti })
    }

    /// The end of a life that has begun, is not over, and is no longer than a day.
    fn expiry(&self, payload: &Object, fractions: bool, leeway: u64) -> Option<u64> {
        let seconds = |name: &str| match payload.get(name) {
            None => Some(None),
            Some(value) => match (value.as_u64(), value.as_f64()) {
                (Some(whole), _) => (whole <= i64::MAX as u64).then_some(Some(whole)),
                (None, Some(f)) if fractions && (0.0..9e15).contains(&f) => {
                    Some(Some(f.floor() as u64))
                }
                _ => None,
            },
        };
        let (exp, nbf, iat) = (seconds("exp")??, seconds("nbf")?, seconds("iat")?);
        let (exp_, now, leeway) = (i128::from(exp), i128::from(self.now), i128::from(leeway));
        let begun = [nbf, iat]
            .iter()
            .flatten()
            .all(|from| i128::from(*from) <= now + leeway);
        let from = iat.map_or(now, i128::from);
        (begun && now < exp_ + leeway && exp_ - from <= i128::from(DAY)).then_some(exp)
    }

    fn signed_by_us(&self, header: &Object, message: &[u8], signature: &[u8]) -> bool {
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.as_str()),
            Some(_) if self.drf() => None,
            Some(_) => return false,
        };
        let known = kid.filter(|kid| !self.drf() || ["s", "e"].contains(kid));
        let named = |name: &str| known.is_none_or(|kid| kid == name);
        match header.get("alg").and_then(Value::as_str) {
            Some("HS256") => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
                named("s") && hmac::verify(&key, message, signature).is_ok()
            }
            Some("EdDSA") => {
                let key = UnparsedPublicKey::new(&ED25519, WORLD.ours.public_key());
                named("e") && key.verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

fn signed_by_them(header: &Object, message: &[u8], signature: &[u8]) -> bool {
    let named = header.get("kid").is_none_or(|kid| *kid == Value::from("x"));
    let key = UnparsedPublicKey::new(&ED25519, WORLD.theirs.public_key());
    header.get("alg") == Some(&Value::from("EdDSA"))
        && named
        && key.verify(message, signature).is_ok()
}

/// A member that may be absent and else is text.
fn text(object: &Object, name: &str) -> Option<Option<String>> {
    match object.get(name) {
        None => Some(None),
        Some(value) => value.as_str().map(|text| Some(text.to_owned())),
    }
}

fn meant_for(payload: &Object, audience: &str) -> bool {
    match payload.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(list)) => {
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            texts.is_some_and(|texts| texts.contains(&audience))
        }
        _ => false,
    }
}

fn canonical(part: &str) -> Option<Vec<u8>> {
    let bytes = FORGIVING.decode(part).ok()?;
    (FORGIVING.encode(&bytes) == part).then_some(bytes)
}

/// An object in which every name stands once.
fn object(bytes: &[u8]) -> Option<Object> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Value)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let members = json.deserialize_map(Members).ok()?;
    json.end().ok()?;
    let count = members.len();
    let object: Object = members.into_iter().collect();
    (object.len() == count).then_some(object)
}
