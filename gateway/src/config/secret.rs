//! Secrets and the files they lie in.
//!
//! Invariant: a secret is never part of a problem, a warning or a setting.

use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretSlice};

use super::reader::Reader;

/// No secret is longer; reading stops here, so that naming a device or a log file does no harm.
const MAX_BYTES: u64 = 64 * 1024;

/// What stands in `config show` for a secret.
pub(super) const SET: &str = "<set>";

/// Reads the file that `key` names: its bytes less one trailing newline. `None` where the key is not
/// set, or where the file cannot be used, which is noted.
pub(super) fn from_file(reader: &mut Reader<'_>, key: &str) -> Option<SecretSlice<u8>> {
    let path: PathBuf = reader.optional(key)?;
    match read(&path) {
        Ok(secret) if secret.expose_secret().is_empty() => {
            reader.wrong(
                key,
                format!("{} is empty", path.display()),
                format!(
                    "write the secret into it, e.g. `openssl rand -hex 32 > {}`",
                    path.display()
                ),
            );
            None
        }
        Ok(secret) => Some(secret),
        Err((text, help)) => {
            reader.wrong(key, text, help);
            None
        }
    }
}

/// Checks a file that may also be absent (it is made at the first start).
pub(super) fn check_if_there(reader: &mut Reader<'_>, key: &str, path: &Path) {
    if matches!(std::fs::symlink_metadata(path), Err(e) if e.kind() == ErrorKind::NotFound) {
        return;
    }
    match read(path) {
        Ok(secret) if secret.expose_secret().is_empty() => reader.wrong(
            key,
            format!("{} is empty", path.display()),
            "remove the file and the gateway makes one at the next start",
        ),
        Ok(_) => {}
        Err((text, help)) => reader.wrong(key, text, help),
    }
}

/// The bytes less one trailing newline (`\n` or `\r\n`), as editors and `echo` add one.
pub(super) fn trimmed(mut bytes: Vec<u8>) -> SecretSlice<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes.into()
}

fn read(path: &Path) -> Result<SecretSlice<u8>, (String, String)> {
    let shown = path.display();
    let explain = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => (
            format!("{shown} does not exist"),
            "make the file, mount it into the container, or correct the path".to_owned(),
        ),
        ErrorKind::PermissionDenied => not_permitted(path),
        _ => (
            format!("{shown} cannot be read: {error}"),
            "name a readable file".to_owned(),
        ),
    };
    let file = std::fs::File::open(path).map_err(|e| explain(&e))?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err((
            format!("{shown} is a folder"),
            "name a file. Docker makes a folder where a mounted file does not exist on the host"
                .to_owned(),
        ));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| explain(&e))?;
    if u64::try_from(bytes.len()).is_ok_and(|n| n > MAX_BYTES) {
        return Err((
            format!("{shown} is longer than {MAX_BYTES} bytes"),
            "name the file that holds the secret and nothing else".to_owned(),
        ));
    }
    Ok(trimmed(bytes))
}

pub(super) fn not_permitted(path: &Path) -> (String, String) {
    let uid = rustix::process::geteuid().as_raw();
    let shown = path.display();
    let help = format!(
        "run `chown {uid} {shown}` (and `chmod 0400 {shown}`) as root, or run the gateway as the file's owner"
    );
    let text = match std::fs::metadata(path) {
        Ok(meta) => format!(
            "{shown} may not be read: it belongs to uid {}, gid {}, mode {:04o}, and the gateway runs as uid {uid}",
            meta.uid(),
            meta.gid(),
            meta.mode() & 0o7777,
        ),
        Err(_) => format!(
            "{shown} may not be read: the gateway runs as uid {uid} and may not even look into its folder"
        ),
    };
    (text, help)
}
