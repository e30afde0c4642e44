//! The random password of the first administrator, in a file that soon goes away.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{FirstStartError, UnixSeconds, check_private, create_private, explain, read, remove};

/// The file's name in the data folder.
pub const FILE_NAME: &str = "initial-admin-password";

/// Letters and digits that no font makes look alike: no `0 O 1 l I`. 20 of these 57 are 116 bits.
const ALPHABET: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Characters of the password.
const LENGTH: usize = 20;

/// How long the file stays, in seconds.
const LIFETIME_SECS: u64 = 24 * 60 * 60;

/// When [`retire_initial_password`] removes the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retire {
    /// The first administrator's password was changed or the user removed: the file is wrong now.
    Now,
    /// Only where the file is older than 24 hours.
    IfExpired {
        /// The time, in Unix seconds.
        now: UnixSeconds,
    },
}

/// Removes the file with the first administrator's random password. `true` where one was removed. Call it
/// with [`Retire::Now`] after a change to the password of the user `admin`, and now and then with
/// [`Retire::IfExpired`]. Blocks for a moment.
///
/// # Errors
/// [`FirstStartError::Io`] with what to do.
pub fn retire_initial_password(data_dir: &Path, when: Retire) -> Result<bool, FirstStartError> {
    let path = data_dir.join(FILE_NAME);
    let due = match when {
        Retire::Now => true,
        Retire::IfExpired { now } => {
            written_at(&path).is_some_and(|written| now.saturating_sub(written) >= LIFETIME_SECS)
        }
    };
    if !due {
        return Ok(false);
    }
    remove(&path).map_err(|e| FirstStartError::Io(explain("remove", &path, &e)))
}

/// The file, where it is there and closed to others.
pub(super) fn find(data_dir: &Path) -> Result<Option<PathBuf>, FirstStartError> {
    let path = data_dir.join(FILE_NAME);
    if !path.exists() {
        return Ok(None);
    }
    check_private(&path).map_err(FirstStartError::Io)?;
    Ok(Some(path))
}

/// The password in its file, made unless an unfinished start left one: of two starts at once, both get the
/// password that the file holds.
pub(super) fn make(data_dir: &Path, now: UnixSeconds) -> Result<SecretString, FirstStartError> {
    let path = data_dir.join(FILE_NAME);
    let failed = |e: std::io::Error| FirstStartError::Io(explain("write", &path, &e));
    if find(data_dir)?.is_some() && stored(&path).map_err(failed)?.is_none() {
        remove(&path).map_err(failed)?;
    }
    let line = Zeroizing::new(format!("{}\n", random()?.as_str()));
    create_private(&path, line.as_bytes()).map_err(failed)?;
    let password = stored(&path)
        .map_err(failed)?
        .ok_or_else(|| failed(std::io::Error::other("something else writes there")))?;
    // Its age is told by the caller's clock, and begins when somebody can use it.
    std::fs::File::open(&path)
        .and_then(|file| file.set_modified(UNIX_EPOCH + Duration::from_secs(now)))
        .map_err(failed)?;
    Ok(password)
}

/// What the file holds, where it is a password as [`random`] makes them.
fn stored(path: &Path) -> std::io::Result<Option<SecretString>> {
    let bytes = read(path)?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let is_ours = line.len() == LENGTH && line.iter().all(|byte| ALPHABET.contains(byte));
    let text = std::str::from_utf8(line).ok().filter(|_| is_ours);
    Ok(text.map(SecretString::from))
}

fn random() -> Result<Zeroizing<String>, FirstStartError> {
    let mut password = Zeroizing::new(String::with_capacity(LENGTH));
    let mut byte = [0_u8; 1];
    while password.len() < LENGTH {
        getrandom::fill(&mut byte).map_err(|_| FirstStartError::Random)?;
        let [byte] = byte;
        // 57 × 4 = 228: a byte above that would favour the first letters.
        if usize::from(byte) < ALPHABET.len() * 4 {
            let letter = ALPHABET.get(usize::from(byte) % ALPHABET.len());
            password.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    Ok(password)
}

fn written_at(path: &Path) -> Option<UnixSeconds> {
    let written = std::fs::metadata(path).ok()?.modified().ok()?;
    Some(written.duration_since(UNIX_EPOCH).ok()?.as_secs())
}
