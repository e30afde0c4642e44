//! Proof that a request came through the gateway, without which no identity
//! header is worth anything.
//!
//! Either both know a secret, which the gateway sends with every request; or no
//! secret is configured, and only this machine is believed.

use std::fs;
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
    held: RwLock<Option<Held>>,
}

/// The secret as it was read. It has no `Debug` that would show it.
struct Held {
    secret: Vec<u8>,
    stamp: Stamp,
    looked: Instant,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// What tells one content of the file from another.
#[derive(Debug, PartialEq, Eq)]
struct Stamp(u64, u64, i64, i64);

impl SecretFile {
    /// The secret in the file at `path`, sent in `header`.
    #[must_use]
    pub fn new(path: PathBuf, header: HeaderName) -> Self {
        Self {
            path,
            header,
            held: RwLock::new(None),
        }
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
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref().filter(|held| held.looked.elapsed() < age)?;
        Some(held.secret.ct_eq(sent).into())
    }

    /// Reads the file, unless it is the one that was read before.
    fn look(&self) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let stamp = fs::metadata(&self.path)
            .map(|meta| Stamp(meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()));
        if let (Ok(stamp), Some(old)) = (&stamp, held.as_mut())
            && *stamp == old.stamp
        {
            old.looked = Instant::now();
            return;
        }
        let read = stamp.and_then(|stamp| Ok((stamp, fs::read(&self.path)?)));
        let had = held.is_some();
        *held = match read {
            Ok((stamp, mut secret)) => {
                secret.pop_if(|last| *last == b'\n');
                // A file that is being made has nothing in it yet, and an empty
                // secret would be known to everybody.
                (!secret.is_empty()).then(|| Held {
                    secret,
                    stamp,
                    looked: Instant::now(),
                })
            }
            Err(error) => {
                if had {
                    tracing::warn!(path = %self.path.display(), %error, "the gateway secret is gone");
                }
                None
            }
        };
        if held.is_some() {
            tracing::info!(path = %self.path.display(), "read the gateway secret");
        }
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
        let proof = Proof::Secret(SecretFile::new(
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
