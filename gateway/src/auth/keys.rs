//! The key ring: which keys our tokens are signed and checked with.
//!
//! Invariant: a key is bound to one algorithm, here and for ever; a token's header never chooses.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;
use serde_json::{Value, json};

/// Signature algorithms the gateway mints with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// HMAC with SHA-256 and a shared secret of at least 32 bytes.
    Hs256,
}

impl TokenAlgorithm {
    /// The `alg` value (RFC 7518 §3.1, RFC 8037 §3.1).
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// Reads an `alg` value; case counts.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EdDsa, Self::Hs256]
            .into_iter()
            .find(|a| a.name() == name)
    }

    fn library(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Hs256 => Algorithm::HS256,
        }
    }
}

/// Fewest bytes of an HS256 secret (RFC 7518 §3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// A private key as it comes out of the store or the configuration.
#[derive(Debug, Clone)]
pub struct KeyMaterial {
    /// Key id.
    pub kid: String,
    /// What it signs with.
    pub algorithm: TokenAlgorithm,
    /// PKCS#8 DER for EdDSA, the shared secret for HS256.
    pub bytes: SecretSlice<u8>,
}

/// Why key material is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not PKCS#8 of an Ed25519 key.
    #[error("key {0} is not a PKCS#8 Ed25519 key")]
    NotEd25519(String),
    /// Shorter than [`MIN_SECRET_BYTES`].
    #[error("key {0} is shorter than 32 bytes")]
    TooShort(String),
    /// A ring without a key can neither mint nor verify.
    #[error("there is no signing key")]
    Empty,
}

/// One key of the ring.
pub struct Key {
    /// Key id.
    pub kid: String,
    /// The one algorithm it is for.
    pub algorithm: TokenAlgorithm,
    signing: EncodingKey,
    verifying: DecodingKey,
    public: Option<Value>,
}

impl Key {
    fn new(material: &KeyMaterial) -> Result<Self, KeyError> {
        let bytes = material.bytes.expose_secret();
        let kid = material.kid.clone();
        let (signing, verifying, public) = match material.algorithm {
            TokenAlgorithm::Hs256 if bytes.len() < MIN_SECRET_BYTES => {
                return Err(KeyError::TooShort(kid));
            }
            TokenAlgorithm::Hs256 => (
                EncodingKey::from_secret(bytes),
                DecodingKey::from_secret(bytes),
                None,
            ),
            TokenAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(bytes)
                    .map_err(|_| KeyError::NotEd25519(kid.clone()))?;
                let public = pair.public_key().as_ref();
                let jwk = json!({
                    "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(public),
                    "kid": kid, "alg": "EdDSA", "use": "sig",
                });
                (
                    EncodingKey::from_ed_der(bytes),
                    DecodingKey::from_ed_der(public),
                    Some(jwk),
                )
            }
        };
        Ok(Self {
            kid,
            algorithm: material.algorithm,
            signing,
            verifying,
            public,
        })
    }

    /// Makes a token of these claims. `named` puts the key id into the header.
    ///
    /// # Errors
    /// Where the cryptographic library refuses the key.
    pub fn sign<T: Serialize>(
        &self,
        typ: &str,
        named: bool,
        claims: &T,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(self.algorithm.library());
        header.typ = Some(typ.to_owned());
        header.kid = named.then(|| self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.signing)
    }

    /// Says whether `signature` (base64url) is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(
            signature,
            message,
            &self.verifying,
            self.algorithm.library(),
        )
        .unwrap_or(false)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Every key a token may be signed with; the first signs.
#[derive(Debug)]
pub struct KeyRing {
    keys: Vec<Key>,
}

impl KeyRing {
    /// Builds the ring and tries each key once, so that a broken one is found at start and not at the
    /// first login.
    ///
    /// # Errors
    /// The first key that cannot be used, or that there is none.
    pub fn new(material: &[KeyMaterial]) -> Result<Self, KeyError> {
        let keys = material
            .iter()
            .map(Key::new)
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::Empty);
        }
        for key in &keys {
            let works = key.sign("JWT", false, &json!({})).is_ok_and(|token| {
                token
                    .rsplit_once('.')
                    .is_some_and(|(message, signature)| key.verifies(message.as_bytes(), signature))
            });
            if !works {
                return Err(KeyError::NotEd25519(key.kid.clone()));
            }
        }
        Ok(Self { keys })
    }

    /// The key that new tokens are signed with.
    pub fn signing(&self) -> Option<&Key> {
        self.keys.first()
    }

    /// Keys that may have signed a token of this algorithm. A `kid` narrows them to the key it names;
    /// one that names no key of ours leaves none, or, for `lenient`, is no hint at all.
    pub fn candidates<'a>(
        &'a self,
        algorithm: TokenAlgorithm,
        kid: Option<&'a str>,
        lenient: bool,
    ) -> impl Iterator<Item = &'a Key> {
        let known = kid.filter(|kid| !lenient || self.keys.iter().any(|k| k.kid == *kid));
        self.keys
            .iter()
            .filter(move |key| key.algorithm == algorithm && known.is_none_or(|kid| key.kid == kid))
    }

    /// Says whether any key is for this algorithm.
    pub fn has(&self, algorithm: TokenAlgorithm) -> bool {
        self.keys.iter().any(|key| key.algorithm == algorithm)
    }

    /// RFC 7517 set of the public keys. Symmetric keys have no public part and are never in it.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().filter_map(|key| key.public.as_ref()).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p079_symmetric_keys_are_not_published() {
        let ring = KeyRing::new(&[KeyMaterial {
            kid: "s".to_owned(),
            algorithm: TokenAlgorithm::Hs256,
            bytes: vec![7u8; 32].into(),
        }])
        .expect("ring");
        assert_eq!(ring.jwks(), json!({ "keys": [] }));
    }

    #[test]
    fn p085_short_secrets_and_garbage_are_no_keys() {
        let ring = |algorithm, bytes: Vec<u8>| {
            KeyRing::new(&[KeyMaterial {
                kid: "k".to_owned(),
                algorithm,
                bytes: bytes.into(),
            }])
        };
        assert!(matches!(
            ring(TokenAlgorithm::Hs256, vec![1; 31]),
            Err(KeyError::TooShort(_))
        ));
        assert!(matches!(
            ring(TokenAlgorithm::EdDsa, vec![1; 83]),
            Err(KeyError::NotEd25519(_))
        ));
        assert!(matches!(KeyRing::new(&[]), Err(KeyError::Empty)));
    }
}
