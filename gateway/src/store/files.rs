//! Files that only the gateway may read: made 0600 in one step, refused when others can read them, and
//! every failure told with what to run.
//!
//! Invariant: a file made here is there whole and durable, or not at all.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Longest file that [`read`] takes, in bytes: keys and passwords are shorter by far.
const MAX_BYTES: u64 = 64 * 1024;

/// Between the name of a file that is being made and a random number.
const DRAFT: &str = ".new-";

/// What [`create_private`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    /// The file is new and holds the given bytes.
    New,
    /// It was there already and is as it was.
    Existing,
}

/// Reads a small secret file.
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_BYTES {
        return Err(io::Error::other(format!("longer than {MAX_BYTES} bytes")));
    }
    std::fs::read(path).map(Zeroizing::new)
}

/// Makes `path` with mode 0600 and these bytes, durable, unless it is there already.
///
/// The bytes go to a file beside it that then gets the name by a hard link, which fails where the name is
/// taken: no crash leaves half a key behind and no two processes make two keys.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<Created> {
    create_private_with(path, |mut file, _| file.write_all(bytes))
}

/// The same for a file that something else fills: `fill` gets it open and by its temporary name.
pub(crate) fn create_private_with(
    path: &Path,
    fill: impl FnOnce(&File, &Path) -> io::Result<()>,
) -> io::Result<Created> {
    let beside = beside(path)?;
    let outcome = write_new(&beside, fill).and_then(|()| take_name(&beside, path));
    // After a rename there is nothing to remove.
    let _ = std::fs::remove_file(&beside);
    let created = outcome?;
    sync_folder(path)?;
    Ok(created)
}

/// Removes what a killed process left of files that it was making. Only for the one server of the folder:
/// somebody else may be making one.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let draft = name
            .to_str()
            .and_then(|name| name.rsplit_once(DRAFT))
            .is_some_and(|(_, tail)| {
                tail.len() == 16 && tail.bytes().all(|b| b.is_ascii_hexdigit())
            });
        if draft {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file durably. `false` where there was none.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Refuses a file that every account of the machine can read or write. Group access is left to the
/// operator: orchestrators share volumes through a group.
pub(crate) fn check_private(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.mode() & 0o007 != 0 => Err(format!(
            "{} is open to every account on this machine (mode {:o}): run `chmod 600 {}`",
            path.display(),
            meta.mode() & 0o7777,
            path.display()
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(explain("read", path, &error)),
    }
}

/// One sentence for an I/O error: what failed, on which file, and for a refused permission who owns it,
/// who we are and what to run.
pub(crate) fn explain(action: &str, path: &Path, error: &io::Error) -> String {
    let mut text = format!("cannot {action} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => add_permission_help(&mut text, path),
        io::ErrorKind::NotFound => {
            text.push_str("; make the folder first, or correct server.data_dir");
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            text.push_str("; free space on that volume, then start again");
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            text.push_str("; mount the volume writable, or set server.data_dir to one that is");
        }
        _ => {}
    }
    text
}

fn add_permission_help(text: &mut String, path: &Path) {
    // The file itself may not be there: then its folder is what refuses.
    let Some((place, meta)) = path
        .ancestors()
        .find_map(|place| std::fs::metadata(place).ok().map(|meta| (place, meta)))
    else {
        return;
    };
    let mode = if meta.is_dir() { "700" } else { "600" };
    let place = place.display();
    // The folder of this process in /proc belongs to its effective user; elsewhere leave it out.
    let ours = std::fs::metadata("/proc/self").ok().map(|own| own.uid());
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "; {place} belongs to uid {} with mode {:o}",
        meta.uid(),
        meta.mode() & 0o7777
    );
    match ours {
        Some(ours) if ours != meta.uid() => {
            let _ = write!(
                text,
                ", this process runs as uid {ours}: run `chown -R {ours} {place}` as root"
            );
        }
        _ => {
            let _ = write!(text, ": run `chmod {mode} {place}`");
        }
    }
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!("{DRAFT}{:016x}", u64::from_ne_bytes(random)));
    Ok(path.with_file_name(name))
}

fn write_new(path: &Path, fill: impl FnOnce(&File, &Path) -> io::Result<()>) -> io::Result<()> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    fill(&file, path)?;
    file.sync_all()
}

fn take_name(from: &Path, to: &Path) -> io::Result<Created> {
    match std::fs::hard_link(from, to) {
        Ok(()) => Ok(Created::New),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Existing),
        // Some shared and network folders have no hard links; a rename would replace, so look first.
        Err(_) if to.try_exists()? => Ok(Created::Existing),
        Err(_) => std::fs::rename(from, to).map(|()| Created::New),
    }
}

/// A new name survives a power cut only once its folder is on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Created, check_private, create_private, explain, read, remove};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn what_a_killed_process_left_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let draft = "gateway.redb.new-0123456789abcdef";
        for name in ["gateway.redb", draft, "notes.new-year", "kek"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        super::sweep(dir.path()).unwrap();
        assert!(!dir.path().join(draft).exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_file_that_could_not_be_filled_does_not_exist() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let full = super::create_private_with(&path, |mut file, _| {
            std::io::Write::write_all(&mut file, b"half")?;
            Err(std::io::Error::other("full"))
        });
        assert!(full.is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_private_file_is_whole_0600_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek");
        assert_eq!(create_private(&path, b"one").unwrap(), Created::New);
        assert_eq!(create_private(&path, b"two").unwrap(), Created::Existing);
        assert_eq!(read(&path).unwrap().as_slice(), b"one");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
    }

    #[test]
    fn p85_a_file_open_to_everyone_is_refused_with_the_command_to_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek");
        create_private(&path, b"x").unwrap();
        assert_eq!(check_private(&path), Ok(()));
        for (mode, fine) in [(0o640, true), (0o644, false), (0o602, false), (0o600, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_private(&path).is_ok(), fine, "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let text = check_private(&path).unwrap_err();
        assert!(
            text.contains(&format!("chmod 600 {}", path.display())),
            "{text}"
        );
    }

    #[test]
    fn a_refused_permission_names_owner_mode_and_command() {
        let dir = tempfile::tempdir().unwrap();
        let error = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let text = explain("open", &dir.path().join("gateway.redb"), &error);
        for part in ["gateway.redb", "belongs to uid", "with mode", "run `ch"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
