//! The key ring: opened, and given a key of the configured algorithm where it has none.

use std::path::Path;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretSlice};
use zeroize::Zeroizing;

use super::{Config, FirstStartError, OpenedKey, Store, StoreError, UnixSeconds};
use crate::auth::keys::{KeyError, KeyMaterial, KeyRing};
use crate::config::TokenAlgorithm;
use crate::seal::Kek;
use crate::store::SealedKey;

/// Key id of an HS256 secret from the configuration. It says nothing of the secret, and stays the same over
/// restarts and on every replica.
pub const CONFIGURED_KID: &str = "configured";

/// Rounds against other processes that change the ring at the same time.
const ROUNDS: usize = 10;

/// Bytes of entropy in a key that we make (RFC 7518 §3.2 asks for 32 at HS256) and in its id.
const SECRET_BYTES: usize = 32;
const KID_BYTES: usize = 12;

pub(super) async fn keys(
    config: &Config,
    kek: &Kek,
    store: &dyn Store,
    now: UnixSeconds,
) -> Result<Vec<OpenedKey>, FirstStartError> {
    let algorithm = config.auth.algorithm;
    if let Some(key) = configured(config) {
        return Ok(vec![key]);
    }
    for _ in 0..ROUNDS {
        let ring = store.keys().await?;
        let mut sealed = ring.value;
        if sealed.iter().any(|key| key.algorithm == name(algorithm)) {
            return sealed.into_iter().map(|key| open(kek, key)).collect();
        }
        sealed.push(make(algorithm, kek, now)?);
        match store.put_keys(ring.version, sealed).await {
            // Read back: what is served is what is stored. A loser takes the winner's key.
            Ok(_) | Err(StoreError::Stale) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(FirstStartError::Contended)
}

/// The keys of a ring that a server has made before, for commands that read: nothing is created.
///
/// # Errors
/// [`FirstStartError::Seal`] where the key-encryption key is not there or not the one they were sealed with.
pub fn open_keys(
    config: &Config,
    kek_path: &Path,
    sealed: Vec<SealedKey>,
) -> Result<Vec<OpenedKey>, FirstStartError> {
    if let Some(key) = configured(config) {
        return Ok(vec![key]);
    }
    let kek = Kek::load(kek_path)?;
    sealed.into_iter().map(|key| open(&kek, key)).collect()
}

/// The ring of these keys: the youngest of the configured algorithm signs, all verify.
///
/// # Errors
/// [`KeyError`] where one of them is no key.
pub fn key_ring(opened: &[OpenedKey], signing: TokenAlgorithm) -> Result<KeyRing, KeyError> {
    let mut keys: Vec<KeyMaterial> = opened
        .iter()
        .filter_map(|key| {
            let algorithm = TokenAlgorithm::from_name(&key.algorithm)?;
            Some(KeyMaterial {
                kid: key.kid.clone(),
                algorithm,
                bytes: key.bytes.clone(),
            })
        })
        .collect();
    keys.reverse();
    keys.sort_by_key(|key| key.algorithm != signing);
    KeyRing::new(&keys)
}

/// The HS256 secret of the configuration: who sets one wants no other to count.
fn configured(config: &Config) -> Option<OpenedKey> {
    let secret = config
        .auth
        .hs256_secret
        .as_ref()
        .filter(|_| config.auth.algorithm == TokenAlgorithm::Hs256)?;
    Some(OpenedKey {
        kid: CONFIGURED_KID.to_owned(),
        algorithm: name(TokenAlgorithm::Hs256).to_owned(),
        bytes: SecretSlice::from(secret.expose_secret().to_vec()),
        created_at: 0,
    })
}

fn open(kek: &Kek, key: SealedKey) -> Result<OpenedKey, FirstStartError> {
    Ok(OpenedKey {
        bytes: kek.open(&key.kid, &key.sealed)?,
        kid: key.kid,
        algorithm: key.algorithm,
        created_at: key.created_at,
    })
}

fn make(
    algorithm: TokenAlgorithm,
    kek: &Kek,
    now: UnixSeconds,
) -> Result<SealedKey, FirstStartError> {
    let kid = text(&random::<KID_BYTES>()?);
    let bytes = match algorithm {
        TokenAlgorithm::EdDsa => Zeroizing::new(
            Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(|_| FirstStartError::Random)?
                .as_ref()
                .to_vec(),
        ),
        TokenAlgorithm::Hs256 => {
            Zeroizing::new(text(&*Zeroizing::new(random::<SECRET_BYTES>()?)).into_bytes())
        }
    };
    Ok(SealedKey {
        sealed: kek.seal(&kid, &bytes)?,
        algorithm: name(algorithm).to_owned(),
        created_at: now,
        kid,
    })
}

/// The algorithm's name in tokens (RFC 7518 §3.1, RFC 8037 §3.1).
fn name(algorithm: TokenAlgorithm) -> &'static str {
    match algorithm {
        TokenAlgorithm::EdDsa => "EdDSA",
        TokenAlgorithm::Hs256 => "HS256",
    }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn random<const N: usize>() -> Result<[u8; N], FirstStartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| FirstStartError::Random)?;
    Ok(bytes)
}
