//! Makes tokens that must be refused.
//!
//! What a client cannot make is a token with other claims and the gateway's own signature, so nothing here
//! shows how claims are judged; a token that is changed in any way must be refused for its signature.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::world::{Known, NO_TOKEN, World};

mod public_key;

use public_key::encodings;

/// A token that must be refused.
pub(super) struct Forgery {
    pub(super) property: u8,
    pub(super) why: String,
    pub(super) token: Known<String>,
    /// Made from scratch, its refusal shows nothing.
    pub(super) needs_a_valid_one: bool,
}

/// What forgeries are made from.
struct Base {
    header: Map<String, Value>,
    header_text: String,
    claims_text: String,
    signature: String,
    /// As it was given.
    token: Known<String>,
}

impl Base {
    fn of(world: &World) -> Self {
        Self::from_token(&world.token).unwrap_or_else(|| Self::from_scratch(&world.token))
    }

    fn from_token(token: &Known<String>) -> Option<Self> {
        let parts: Vec<&str> = token.as_ref().ok()?.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return None;
        };
        Some(Self {
            header: serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?,
            header_text: (*header).to_owned(),
            claims_text: (*claims).to_owned(),
            signature: (*signature).to_owned(),
            token: token.clone(),
        })
    }

    /// As close as one gets without knowing anything.
    fn from_scratch(token: &Known<String>) -> Self {
        let now = crate::clock::now();
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt" });
        let claims = json!({
            "iss": "gateway", "aud": "api", "sub": "1", "user_id": 1, "username": "admin", "email": "", "iat": now,
            "orig_iat": now, "exp": now.saturating_add(300), "jti": "selftest", "sid": "selftest", "ver": 0,
            "client_id": "api", "roles": ["admin"],
        });
        Self {
            header_text: segment(&header),
            claims_text: segment(&claims),
            header: header.as_object().cloned().unwrap_or_default(),
            signature: URL_SAFE_NO_PAD.encode([0; 64]),
            token: token.clone(),
        }
    }

    /// The header with other members; `null` takes one away.
    fn header_with(&self, members: &Value) -> String {
        let mut header = self.header.clone();
        for (name, value) in members.as_object().into_iter().flatten() {
            if value.is_null() {
                header.remove(name);
            } else {
                header.insert(name.clone(), value.clone());
            }
        }
        segment(&Value::Object(header))
    }

    /// Under another header, signed with this secret.
    fn hs256(&self, members: &Value, secret: &[u8]) -> String {
        let message = format!("{}.{}", self.header_with(members), self.claims_text);
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret),
            message.as_bytes(),
        );
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }

    /// What only counts where the token was valid before.
    fn with_valid(
        &self,
        property: u8,
        why: impl Into<String>,
        make: impl FnOnce(&str) -> String,
    ) -> Forgery {
        Forgery {
            property,
            why: why.into(),
            token: self.token.as_deref().map(make).map_err(String::clone),
            needs_a_valid_one: true,
        }
    }
}

fn segment(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn forged(property: u8, why: impl Into<String>, token: String) -> Forgery {
    Forgery {
        property,
        why: why.into(),
        token: Ok(token),
        needs_a_valid_one: true,
    }
}

/// All of them, but for those that [`bringing_a_key`].
pub(super) fn forgeries(world: &World) -> Vec<Forgery> {
    let base = Base::of(world);
    let kinds = [
        without_signature(&base),
        signed_with_public_keys(&base, world),
        choosing_a_key(&base),
        misshapen(&base),
        respelt(&base),
        changed(&base),
    ];
    kinds.into_iter().flatten().collect()
}

/// RFC 8725 §3.2.
fn without_signature(base: &Base) -> Vec<Forgery> {
    let spellings = [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!("NONE"),
        json!(""),
        json!(null),
        json!([]),
        json!(0),
    ];
    let mut all = Vec::new();
    for alg in spellings {
        let header = base.header_with(&json!({ "alg": alg }));
        for (what, signature) in [
            ("no signature", ""),
            ("the old signature", base.signature.as_str()),
        ] {
            let token = format!("{header}.{}.{signature}", base.claims_text);
            all.push(forged(59, format!("alg {alg} and {what}"), token));
        }
    }
    all.push(forged(
        59,
        "no signature",
        format!("{}.{}.", base.header_text, base.claims_text),
    ));
    all
}

/// RFC 8725 §2.1: who takes the algorithm from the token verifies an HMAC with a public key.
fn signed_with_public_keys(base: &Base, world: &World) -> Vec<Forgery> {
    let why = "HS256, with a published key as its secret";
    let missing = |reason: &str| Forgery {
        property: 60,
        why: why.to_owned(),
        token: Err(reason.to_owned()),
        needs_a_valid_one: true,
    };
    let published = match &world.published {
        Ok(published) if published.keys.is_empty() => {
            return vec![missing(
                "the published key set is empty, so there is no public key to sign with",
            )];
        }
        Ok(published) => published,
        Err(reason) => return vec![missing(reason)],
    };
    let mut secrets = vec![("the whole key set", published.document.clone())];
    for key in &published.keys {
        secrets.extend(encodings(key));
    }
    let mut all = Vec::new();
    for (what, secret) in &secrets {
        for kid in [
            json!({ "alg": "HS256" }),
            json!({ "alg": "HS256", "kid": null }),
        ] {
            all.push(forged(
                60,
                format!("{why}: {what}"),
                base.hs256(&kid, secret),
            ));
        }
    }
    all
}

fn choosing_a_key(base: &Base) -> Vec<Forgery> {
    [
        ("../../../../../../dev/null", ""),
        ("/dev/null", ""),
        ("", ""),
        ("x' UNION SELECT 'x", "x"),
        ("' OR 1=1 --", "x"),
    ]
    .into_iter()
    .map(|(kid, secret)| {
        let members = json!({ "alg": "HS256", "kid": kid });
        forged(
            61,
            format!("kid {kid:?}, and signed with {secret:?}"),
            base.hs256(&members, secret.as_bytes()),
        )
    })
    .chain([forged(
        61,
        "a kid of 5000 bytes",
        base.hs256(&json!({ "alg": "HS256", "kid": "x".repeat(5000) }), b""),
    )])
    .collect()
}

/// Signed with a key of its own, which it brings along or names an address of.
pub(super) fn bringing_a_key(world: &World, url: &str) -> Known<Vec<Forgery>> {
    let base = Base::of(world);
    let pair = Ed25519KeyPair::generate().map_err(|_| "no key could be made".to_owned())?;
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "selftest", "x": URL_SAFE_NO_PAD.encode(pair.public_key()),
    });
    let headers = [
        json!({ "jwk": jwk }),
        json!({ "jwk": jwk, "kid": null }),
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "x5c": [STANDARD.encode(pair.public_key())] }),
        json!({ "kid": url }),
    ];
    let sign = |members: &Value| {
        let mut all = json!({ "alg": "EdDSA", "kid": "selftest" });
        if let (Some(all), Some(members)) = (all.as_object_mut(), members.as_object()) {
            all.extend(members.clone());
        }
        let message = format!("{}.{}", base.header_with(&all), base.claims_text);
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()).as_ref());
        let names: Vec<&String> = members
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .collect();
        forged(
            68,
            format!("its own key, by {names:?}"),
            format!("{message}.{signature}"),
        )
    };
    Ok(headers.iter().map(sign).collect())
}

/// Nothing of these is valid anywhere: what is asked is that they are refused at once.
fn misshapen(base: &Base) -> Vec<Forgery> {
    let shape = |why: &str, token: String| Forgery {
        needs_a_valid_one: false,
        ..forged(70, why, token)
    };
    vec![
        shape("of 9000 bytes", format!("{NO_TOKEN}{}", "x".repeat(9_000))),
        shape("of 12000 dots", ".".repeat(12_000)),
        shape("of two dots", "..".to_owned()),
        shape("of one part", "x".repeat(100)),
        shape(
            "of two parts",
            format!("{}.{}", base.header_text, base.claims_text),
        ),
        base.with_valid(70, "valid, and a fourth part", |token| format!("{token}.x")),
        base.with_valid(70, "valid, behind an empty part", |token| {
            format!(".{token}")
        }),
    ]
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 7515 §2: no padding, one alphabet; RFC 4648 §3.5: no bits that count for nothing.
fn respelt(base: &Base) -> Vec<Forgery> {
    let mut all = vec![
        base.with_valid(71, "valid, and padded", |token| format!("{token}=")),
        base.with_valid(71, "valid, and padded twice", |token| format!("{token}==")),
        base.with_valid(71, "valid, with padding within", |token| {
            token.replacen('.', "=.", 1)
        }),
    ];
    // The last character of a signature of 32 or 64 bytes has two or four bits that count for nothing.
    let spare = match base.signature.len() % 4 {
        2 => 16,
        3 => 4,
        _ => return all,
    };
    for bits in 1..spare {
        all.push(
            base.with_valid(71, format!("valid, with the unused bits {bits}"), |token| {
                change(token, token.len().saturating_sub(1), |digit| {
                    (digit & !(spare - 1)) | bits
                })
            }),
        );
    }
    all
}

/// The token with another character at a place, if there is a digit of base64url.
fn change(token: &str, at: usize, to: impl Fn(usize) -> usize) -> String {
    let changed = token.bytes().enumerate().map(|(place, byte)| {
        let digit = ALPHABET.iter().position(|known| *known == byte);
        match digit.and_then(|digit| ALPHABET.get(to(digit))) {
            Some(other) if place == at => char::from(*other),
            _ => char::from(byte),
        }
    });
    changed.collect()
}

/// Bits flipped, of a sample of the characters.
const SAMPLE: usize = 30;

fn changed(base: &Base) -> Vec<Forgery> {
    let mut all = Vec::new();
    let length = base.token.as_ref().map_or(0, String::len);
    for n in 0..SAMPLE {
        // Never the last character of all, which has bits that count for nothing.
        let at = n * length.saturating_sub(2) / SAMPLE;
        all.push(base.with_valid(
            72,
            format!("valid but for a bit of character {at}"),
            |token| {
                let flipped = change(token, at, |digit| digit ^ (1 << (n % 6)));
                // A dot has no bits; without it there are not three parts.
                if flipped == *token {
                    token.replacen('.', "A", 1)
                } else {
                    flipped
                }
            },
        ));
    }
    for members in [
        json!({ "crit": ["exp"] }),
        json!({ "b64": false }),
        json!({ "zip": "DEF" }),
        json!({ "typ": "JWT", "cty": "JWT" }),
    ] {
        let header = base.header_with(&members);
        all.push(
            base.with_valid(72, format!("valid but for the header's {members}"), |_| {
                format!("{header}.{}.{}", base.claims_text, base.signature)
            }),
        );
    }
    for claims in [r#"{"sub":"1","username":"admin","user_id":1}"#, "{}", ""] {
        let claims = URL_SAFE_NO_PAD.encode(claims);
        all.push(base.with_valid(72, "valid but for its claims", |_| {
            format!("{}.{claims}.{}", base.header_text, base.signature)
        }));
    }
    all
}
