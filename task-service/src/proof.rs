//! Proof that a request came through the gateway, without which no identity
//! header is worth anything.
//!
//! Either both know a secret, which the gateway sends with every request; or no
//! secret is configured, and only this machine is believed.

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use hyper::header::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq as _;

use crate::error::Refusal;

/// How long a secret is believed without a look at its file.
const FRESH: Duration = Duration::from_secs(1);

/// What is asked of every request.
#[derive(Debug)]
pub enum Proof {
    /// To come from this machine.
    Loopback,
    /// To bring the secret.
    Secret(SecretFile),
}

impl Proof {
    /// Checks a request.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn check(&self, headers: &HeaderMap, peer: IpAddr) -> Result<(), Refusal> {
        match self {
            Self::Loopback if peer.to_canonical().is_loopback() => Ok(()),
            Self::Loopback => Err(Refusal::Unproven),
            Self::Secret(file) => file.check(headers),
        }
    }
}

/// A secret that the gateway keeps in a file: the file's bytes less one
/// trailing newline. The gateway may make it after this service has started,
/// and may change it at any time.
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    header: HeaderName,
    found: RwLock<Result<Held, io::ErrorKind>>,
}

/// The secret as it was read. Its `Debug` does not show it.
struct Held {
    secret: Vec<u8>,
    stamp: Stamp,
    looked: Instant,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// What tells one content of the file from another: inode, length, time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, u64, i64, i64);

impl SecretFile {
    /// The secret in the file at `path`, sent in `header`. The file need not be
    /// there yet.
    #[must_use]
    pub fn open(path: PathBuf, header: HeaderName) -> Self {
        let file = Self {
            path,
            header,
            found: RwLock::new(Err(io::ErrorKind::Other)),
        };
        file.look();
        file
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut values = headers.get_all(&self.header).iter();
        let sent = match (values.next(), values.next()) {
            (Some(value), None) => value.as_bytes(),
            // None, or two: nobody knows which was meant.
            _ => b"",
        };
        if self.matches(sent, FRESH) == Some(true) {
            return Ok(());
        }
        // Perhaps the file has changed since: look before refusing.
        self.look();
        match self.matches(sent, Duration::MAX) {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::Unproven),
            None => Err(Refusal::SecretMissing),
        }
    }

    /// Compares with the secret held, when it was looked at within `age`.
    fn matches(&self, sent: &[u8], age: Duration) -> Option<bool> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let held = found
            .as_ref()
            .ok()
            .filter(|held| held.looked.elapsed() < age)?;
        Some(held.secret.ct_eq(sent).into())
    }

    /// Reads the file, unless it is the one that was read before. Only what has
    /// changed is logged: this runs for every request that does not match.
    fn look(&self) {
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        let old = found.as_ref().ok().map(|held| held.stamp);
        let now = match self.read(old) {
            Ok(Some(held)) => {
                tracing::info!(path = %self.path.display(), "read the gateway secret");
                Ok(held)
            }
            Ok(None) => {
                if let Ok(held) = found.as_mut() {
                    held.looked = Instant::now();
                }
                return;
            }
            Err(error) => {
                if !matches!(*found, Err(kind) if kind == error.kind()) {
                    tracing::warn!(
                        path = %self.path.display(), %error,
                        "no gateway secret: nothing but /healthz is answered until it is there"
                    );
                }
                Err(error.kind())
            }
        };
        *found = now;
    }

    /// What the file holds, or nothing when it is still the one of `old`.
    fn read(&self, old: Option<Stamp>) -> io::Result<Option<Held>> {
        let meta = fs::metadata(&self.path)?;
        let stamp = Stamp(meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec());
        if old == Some(stamp) {
            return Ok(None);
        }
        let mut secret = fs::read(&self.path)?;
        secret.pop_if(|last| *last == b'\n');
        if secret.is_empty() {
            // Being made just now; and an empty secret everybody would know.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(Held {
            secret,
            stamp,
            looked: Instant::now(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(secrets: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for secret in secrets {
            headers.append("x-gateway-secret", secret.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_secret_is_looked_for_until_it_is_there_and_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let proof = Proof::Secret(SecretFile::open(
            path.clone(),
            HeaderName::from_static("x-gateway-secret"),
        ));
        let check = |secrets: &[&str]| proof.check(&headers(secrets), IpAddr::from([10, 0, 0, 9]));

        assert_eq!(check(&["one"]), Err(Refusal::SecretMissing));
        fs::write(&path, "").unwrap();
        assert_eq!(check(&[""]), Err(Refusal::SecretMissing));
        assert_eq!(check(&[]), Err(Refusal::SecretMissing));
        fs::write(&path, "one\n").unwrap();
        assert_eq!(check(&["one"]), Ok(()));
        assert_eq!(check(&["on"]), Err(Refusal::Unproven));
        assert_eq!(check(&[]), Err(Refusal::Unproven));
        assert_eq!(check(&["one", "one"]), Err(Refusal::Unproven));
        fs::write(&path, "another").unwrap();
        assert_eq!(check(&["another"]), Ok(()));
        assert_eq!(check(&["one"]), Err(Refusal::Unproven));
        fs::remove_file(&path).unwrap();
        assert_eq!(check(&["wrong"]), Err(Refusal::SecretMissing));
        assert!(!format!("{proof:?}").contains("another"));
    }

    #[test]
    fn without_a_secret_this_machine_is_believed() {
        let table = [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("2001:db8::1", false),
        ];
        for (peer, believed) in table {
            let outcome = Proof::Loopback.check(&HeaderMap::new(), peer.parse().unwrap());
            assert_eq!(outcome.is_ok(), believed, "{peer}");
        }
    }
}
