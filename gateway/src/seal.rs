//! The key-encryption key: signing keys lie in the store only under it, so that a copy of the store
//! alone mints no token.
//!
//! Invariants: the key never leaves [`Kek`]; a sealed key opens only under the kid it was sealed for.

use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use secrecy::SecretSlice;
use zeroize::{Zeroize, Zeroizing};

use crate::store::{Created, check_private, create_private, explain, read};

/// Bytes of the key file.
const KEK_BYTES: usize = 32;

/// Where the key lies when the operator names no place.
const FILE_NAME: &str = "kek";

/// Why the key-encryption key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Reading or making the file failed.
    #[error("{0}")]
    Io(String),
    /// The file is open to everyone; the text holds what to run.
    #[error("{0}")]
    Exposed(String),
    /// Not 32 bytes.
    #[error(
        "{} holds {found} bytes, a key-encryption key has {KEK_BYTES}: restore the file from a backup", path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length, in bytes.
        found: usize,
    },
    /// The store holds keys that were sealed with a key that is not here.
    #[error(
        "the store holds sealed signing keys, but {} is missing: restore that file from the backup that belongs to the store", path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Another key sealed it, or it was changed.
    #[error(
        "the signing key `{kid}` does not open with this key-encryption key: the store and the key file come from two installations; restore the key file that belongs to the store"
    )]
    Open {
        /// Which key.
        kid: String,
    },
    /// The library refused, or the system gave no random bytes.
    #[error("sealing failed: the system gives no random bytes")]
    Seal,
}

/// The key-encryption key, AES-256-GCM.
pub struct Kek {
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for Kek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kek([redacted])")
    }
}

impl Kek {
    /// Where the key of a data folder lies: `file` where the operator gave one.
    pub fn path(data_dir: &Path, file: Option<&Path>) -> PathBuf {
        file.map_or_else(|| data_dir.join(FILE_NAME), Path::to_owned)
    }

    /// Reads the key.
    ///
    /// # Errors
    /// [`SealError`] where it is missing, open to everyone or not a key.
    pub fn load(path: &Path) -> Result<Self, SealError> {
        if !is_there(path)? {
            return Err(SealError::Missing {
                path: path.to_owned(),
            });
        }
        check_private(path).map_err(SealError::Exposed)?;
        let bytes = read(path).map_err(|e| SealError::Io(explain("read", path, &e)))?;
        let found = bytes.len();
        if found != KEK_BYTES {
            return Err(SealError::Length {
                path: path.to_owned(),
                found,
            });
        }
        Self::from_bytes(&bytes)
    }

    /// Reads the key, or makes it where there is none yet. Only for a store that holds no sealed key.
    ///
    /// # Errors
    /// As [`Kek::load`].
    pub fn load_or_create(path: &Path) -> Result<Self, SealError> {
        if !is_there(path)? {
            let mut bytes = Zeroizing::new([0; KEK_BYTES]);
            getrandom::fill(&mut *bytes).map_err(|_| SealError::Seal)?;
            match create_private(path, &*bytes) {
                // Read back either way: another process may have been first.
                Ok(Created::New | Created::Existing) => {}
                Err(e) => return Err(SealError::Io(explain("create", path, &e))),
            }
        }
        Self::load(path)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::Seal)?;
        Ok(Self { key })
    }

    /// Seals the bytes of the key `kid`: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// [`SealError::Seal`]
    pub fn seal(&self, kid: &str, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut body = bytes.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(kid.as_bytes()), &mut body)
            .map_err(|_| SealError::Seal)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what [`Kek::seal`] made for the same `kid`.
    ///
    /// # Errors
    /// [`SealError::Open`]
    pub fn open(&self, kid: &str, sealed: &[u8]) -> Result<SecretSlice<u8>, SealError> {
        let failed = || SealError::Open {
            kid: kid.to_owned(),
        };
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        let mut body = body.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(kid.as_bytes()), &mut body)
            .map(|plain| SecretSlice::from(plain.to_vec()))
            .map_err(|_| failed());
        body.zeroize();
        opened
    }
}

/// A folder that may not be looked into is an error, not a missing key.
fn is_there(path: &Path) -> Result<bool, SealError> {
    path.try_exists()
        .map_err(|e| SealError::Io(explain("read", path, &e)))
}

#[cfg(test)]
mod tests {
    use super::{Kek, SealError};
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_sealed_opens_under_its_kid_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = Kek::path(dir.path(), None);
        let kek = Kek::load_or_create(&path).unwrap();
        let again = Kek::load_or_create(&path).unwrap();
        let sealed = kek.seal("k1", b"secret bytes").unwrap();
        assert_eq!(
            again.open("k1", &sealed).unwrap().expose_secret(),
            b"secret bytes"
        );
        assert!(matches!(
            kek.open("k2", &sealed),
            Err(SealError::Open { .. })
        ));
        assert_ne!(sealed, kek.seal("k1", b"secret bytes").unwrap());
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(kek.open("k1", &changed).is_err(), "{i}");
            assert!(kek.open("k1", &sealed[..i]).is_err(), "{i}");
        }
        let other = Kek::load_or_create(&dir.path().join("other")).unwrap();
        assert!(other.open("k1", &sealed).is_err());
        assert_eq!(format!("{kek:?}"), "Kek([redacted])");
    }

    #[test]
    fn p85_a_key_file_that_is_open_or_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = Kek::path(dir.path(), None);
        assert!(matches!(Kek::load(&path), Err(SealError::Missing { .. })));
        Kek::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).unwrap();
        let error = Kek::load(&path).unwrap_err();
        assert!(matches!(error, SealError::Exposed(_)));
        assert!(error.to_string().contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [1; 31]).unwrap();
        assert!(matches!(
            Kek::load_or_create(&path),
            Err(SealError::Length { found: 31, .. })
        ));
    }
}
