//! Tokens of other issuers: their keys, and who their subjects are here.
//!
//! Invariants: a key verifies for its issuer and its algorithms alone; a subject of another issuer is
//! never one of our users, whatever it is called; it holds no role that its issuer may not give.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::claims::StrictObject;
use super::keys::MIN_SECRET_BYTES;
use crate::user::UnixSeconds;

/// Most keys of one issuer.
const MAX_KEYS: usize = 64;

/// Shortest RSA modulus, in bytes: 2048 bits (RFC 7518 §3.3).
const MIN_RSA_BYTES: usize = 256;

/// Longest subject, in bytes (OpenID Connect Core §2).
const MAX_SUBJECT_BYTES: usize = 255;

/// What the configuration says of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSpec {
    /// `iss` of its tokens, exact.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// `alg` values that are accepted.
    pub algorithms: Vec<String>,
    /// The claim that holds role names.
    pub roles_claim: String,
    /// Role names that it may give; others are dropped.
    pub roles: Vec<String>,
    /// Clock difference forgiven, seconds.
    pub leeway: u64,
}

/// Why an issuer cannot be trusted as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Not an `alg` of a signature that is verified here.
    #[error(
        "`{0}` is not an algorithm that is verified here: use EdDSA, ES256, ES384, PS256, RS256 and their kin"
    )]
    Algorithm(String),
    /// Not a JWK set.
    #[error("not a JWK set (RFC 7517): {0}")]
    Set(String),
    /// More than 64 keys.
    #[error("more than {MAX_KEYS} keys")]
    TooMany,
    /// No key for any of the algorithms.
    #[error("no signature key in it is for any of the configured algorithms")]
    NoKey,
    /// A key too weak to prove anything.
    #[error("key {0} is too weak: RSA wants 2048 bits, HMAC 32 bytes")]
    Weak(String),
}

/// Another issuer whose tokens are accepted.
#[derive(Clone)]
pub struct ExternalIssuer {
    spec: IssuerSpec,
    keys: Vec<ExternalKey>,
}

#[derive(Clone)]
struct ExternalKey {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// A subject of another issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalSubject {
    /// Who says so.
    pub issuer: String,
    /// The name it has there.
    pub subject: String,
    /// Roles that the issuer gave and may give.
    pub roles: Vec<String>,
}

impl ExternalIssuer {
    /// An issuer with the keys of its JWK set.
    ///
    /// # Errors
    /// See [`IssuerError`].
    pub fn new(spec: IssuerSpec, jwks: &[u8]) -> Result<Self, IssuerError> {
        let allowed = spec
            .algorithms
            .iter()
            .map(|name| {
                name.parse::<Algorithm>()
                    .map_err(|_| IssuerError::Algorithm(name.clone()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let set: JwkSet =
            serde_json::from_slice(jwks).map_err(|e| IssuerError::Set(e.to_string()))?;
        if set.keys.len() > MAX_KEYS {
            return Err(IssuerError::TooMany);
        }
        let mut keys = Vec::new();
        for jwk in &set.keys {
            let algorithms: Vec<Algorithm> = algorithms_of(jwk)
                .into_iter()
                .filter(|algorithm| allowed.contains(algorithm))
                .collect();
            if algorithms.is_empty() {
                continue;
            }
            check_strength(jwk)?;
            let key = DecodingKey::from_jwk(jwk).map_err(|e| IssuerError::Set(e.to_string()))?;
            keys.push(ExternalKey {
                kid: jwk.common.key_id.clone(),
                algorithms,
                key,
            });
        }
        if keys.is_empty() {
            return Err(IssuerError::NoKey);
        }
        Ok(Self { spec, keys })
    }

    /// What the configuration says of it.
    pub fn spec(&self) -> &IssuerSpec {
        &self.spec
    }

    /// The accepted algorithm of this name; case counts.
    pub fn algorithm(&self, name: &str) -> Option<Algorithm> {
        self.spec
            .algorithms
            .iter()
            .find(|known| *known == name)?
            .parse()
            .ok()
    }

    /// Says whether one of its keys for `algorithm` made this signature (base64url). A `kid` narrows the
    /// keys to those it names.
    pub fn verifies(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &[u8],
        signature: &str,
    ) -> bool {
        self.keys
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm))
            .filter(|key| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid)))
            .any(|key| {
                jsonwebtoken::crypto::verify(signature, message, &key.key, algorithm)
                    .unwrap_or(false)
            })
    }

    /// Who a verified token of this issuer speaks for; `None` where it names nobody.
    pub fn subject(&self, claims: &StrictObject) -> Option<ExternalSubject> {
        let subject = claims.0.get("sub")?.as_str()?;
        let fits = !subject.is_empty()
            && subject.len() <= MAX_SUBJECT_BYTES
            && !subject.chars().any(char::is_control);
        fits.then(|| ExternalSubject {
            issuer: self.spec.issuer.clone(),
            subject: subject.to_owned(),
            roles: self.roles(claims),
        })
    }

    /// Exact names from a list of texts; a text that merely contains one is not one.
    fn roles(&self, claims: &StrictObject) -> Vec<String> {
        let given = claims
            .0
            .get(&self.spec.roles_claim)
            .and_then(serde_json::Value::as_array);
        let given = given
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_str);
        given
            .filter(|role| self.spec.roles.iter().any(|known| known == role))
            .map(str::to_owned)
            .collect()
    }

    /// Clock difference forgiven, seconds.
    pub fn leeway(&self) -> UnixSeconds {
        self.spec.leeway
    }
}

impl std::fmt::Debug for ExternalIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalIssuer")
            .field("spec", &self.spec)
            .field("keys", &self.keys.len())
            .finish()
    }
}

/// What a key may verify: the algorithm it names, else those of its kind. Nothing for encryption keys.
fn algorithms_of(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{
        ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
    };
    if jwk
        .common
        .public_key_use
        .as_ref()
        .is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
    {
        return Vec::new();
    }
    let kind = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
            vec![EdDSA]
        }
        AlgorithmParameters::OctetKey(_) => vec![HS256, HS384, HS512],
        _ => Vec::new(),
    };
    match jwk.common.key_algorithm {
        None => kind,
        Some(named) => Algorithm::try_from(named).map_or_else(
            |_| Vec::new(),
            |named| {
                kind.into_iter()
                    .filter(|algorithm| *algorithm == named)
                    .collect()
            },
        ),
    }
}

fn check_strength(jwk: &Jwk) -> Result<(), IssuerError> {
    use base64::Engine;
    let bytes = |text: &str| {
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .unwrap_or_default()
    };
    let strong = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = bytes(&rsa.n);
            modulus.iter().skip_while(|b| **b == 0).count() >= MIN_RSA_BYTES
        }
        AlgorithmParameters::OctetKey(secret) => bytes(&secret.value).len() >= MIN_SECRET_BYTES,
        _ => true,
    };
    if strong {
        Ok(())
    } else {
        Err(IssuerError::Weak(
            jwk.common
                .key_id
                .clone()
                .unwrap_or_else(|| "without kid".to_owned()),
        ))
    }
}

#[cfg(test)]
mod tests;
