//! The secret that an upstream knows the gateway by: one line in a file that both can read.
//!
//! Invariants: the file appears whole or not at all; one that is there is never written; its content is in
//! no log, no `Debug` and no error.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use zeroize::Zeroizing;

/// Random bytes in a secret that the gateway makes.
const SECRET_BYTES: usize = 32;

/// A shorter secret could be guessed by whoever reaches the upstream.
const SHORTEST: usize = 32;

/// No secret is longer; more is some other file.
const LONGEST: u64 = 1024;

/// Why an upstream's shared secret is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is there and cannot be read.
    #[error(
        "upstream {upstream}: cannot read the secret file {}: {cause}; let the gateway's user read it", path.display()
    )]
    Read {
        /// Name of the upstream.
        upstream: String,
        /// `secret_file` of the upstream.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is not there and cannot be made.
    #[error(
        "upstream {upstream}: cannot make the secret file {}: {cause}; let the gateway's user write to its folder, or put a secret there yourself", path.display()
    )]
    Create {
        /// Name of the upstream.
        upstream: String,
        /// `secret_file` of the upstream.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file's content is no secret.
    #[error(
        "upstream {upstream}: the secret file {} must hold one line of at least 32 visible ASCII characters; remove it and the gateway makes a new one", path.display()
    )]
    Content {
        /// Name of the upstream.
        upstream: String,
        /// `secret_file` of the upstream.
        path: PathBuf,
    },
}

/// Reads the secret, or makes one where the file is not there.
pub(super) fn read_or_create(upstream: &str, path: &Path) -> Result<HeaderValue, SecretError> {
    let read_error = |cause| SecretError::Read {
        upstream: upstream.to_owned(),
        path: path.to_owned(),
        cause,
    };
    let text = match read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            create(path).map_err(|cause| SecretError::Create {
                upstream: upstream.to_owned(),
                path: path.to_owned(),
                cause,
            })?;
            // What is in the file counts: another process may have been first.
            read(path).map_err(read_error)?
        }
        other => other.map_err(read_error)?,
    };
    header_value(&text).ok_or_else(|| SecretError::Content {
        upstream: upstream.to_owned(),
        path: path.to_owned(),
    })
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    // Never grown, so that no copy of the secret stays behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * 1024));
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

fn header_value(text: &str) -> Option<HeaderValue> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let fits = line.len() >= SHORTEST
        && line.len() as u64 <= LONGEST
        && line.bytes().all(|b| b.is_ascii_graphic());
    let mut value = HeaderValue::from_str(line).ok().filter(|_| fits)?;
    value.set_sensitive(true);
    Some(value)
}

fn create(path: &Path) -> io::Result<()> {
    let mut random = Zeroizing::new([0u8; SECRET_BYTES]);
    getrandom::fill(&mut *random).map_err(io::Error::other)?;
    let mut line = Zeroizing::new(URL_SAFE_NO_PAD.encode(*random));
    line.push('\n');
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let draft = draft_name(path)?;
    let written = write_draft(&draft, line.as_bytes()).and_then(|()| publish(&draft, path));
    let _ = std::fs::remove_file(&draft);
    match written {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.exists() => Ok(()),
        Err(e) => Err(e),
        // The name must survive a crash too, or the other side would hold a secret that we no longer know.
        Ok(()) => File::open(folder)?.sync_all(),
    }
}

/// A link, unlike a rename, never replaces what somebody else has put there meanwhile. Not every volume
/// has links.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    match std::fs::hard_link(draft, path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => std::fs::rename(draft, path),
        linked => linked,
    }
}

/// A name of our own, so that two that start together do not write the same draft. Process numbers do
/// not tell containers on one volume apart.
fn draft_name(path: &Path) -> io::Result<PathBuf> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{random:016x}.new"));
    Ok(path.with_file_name(name))
}

fn write_draft(draft: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(content)?;
    file.sync_all()
}
