//! One server to a data folder, and how far that server's view is.
//!
//! The lock is advisory and dies with its process, so a killed server never leaves one behind. The view's
//! position is a hint for the command line, which waits until the server has seen its change: 16 bytes
//! overwritten in place, never synced, and checked on reading, because what a dead server saw is of no use.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{Result, Store, StoreError, Version, files};

/// How long a start waits for the lock: an [`ServerLock::is_held`] elsewhere holds it for microseconds.
const PATIENCE: Duration = Duration::from_millis(500);

/// Proof that this process is the one server of a data folder; released on drop or death.
#[derive(Debug)]
pub struct ServerLock {
    _file: File,
}

impl ServerLock {
    /// Takes the lock of `data_dir`, which must exist. Blocks for half a second at most.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where another server holds it; [`StoreError::Io`] where the file cannot be made.
    pub fn take(data_dir: &Path) -> Result<Self> {
        let path = path(data_dir);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| StoreError::Io(files::explain("open", &path, &e)))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::Busy),
                Err(TryLockError::Error(e)) => {
                    return Err(StoreError::Io(files::explain("lock", &path, &e)));
                }
            }
        }
        // What an earlier server saw must not be taken for what this one has seen.
        SeenFile::forget(data_dir)?;
        Ok(Self { _file: file })
    }

    /// Says whether a server runs on `data_dir`. `false` where that cannot be found out.
    pub fn is_held(data_dir: &Path) -> bool {
        // A shared lock, so that two who ask do not see each other.
        File::open(path(data_dir))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// What came of [`wait_until_seen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The running server's view holds the change.
    Yes,
    /// No server runs here: the next one starts with the change.
    NoServer,
    /// A server runs and has not said so in time; it will still see the change.
    NotYet,
}

/// Waits until the server on `data_dir` has seen `version`, for `patience` at most. For commands that
/// change the store beside a server; needs a tokio runtime with timers.
pub async fn wait_until_seen(
    store: &dyn Store,
    data_dir: &Path,
    version: Version,
    patience: Duration,
) -> Seen {
    let started = Instant::now();
    loop {
        if !ServerLock::is_held(data_dir) {
            return Seen::NoServer;
        }
        if store.seen().await.is_some_and(|seen| seen >= version) {
            return Seen::Yes;
        }
        if started.elapsed() >= patience {
            return Seen::NotYet;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("server.lock")
}

/// Where the running server writes how far its view is.
#[derive(Debug)]
pub(super) struct SeenFile {
    path: PathBuf,
    open: Mutex<Option<File>>,
}

impl SeenFile {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self {
            path: Self::path(data_dir),
            open: Mutex::new(None),
        }
    }

    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("seen")
    }

    fn forget(data_dir: &Path) -> Result<()> {
        let path = Self::path(data_dir);
        // Emptied, not removed: a store that is already open here writes to the same file.
        match OpenOptions::new().write(true).truncate(true).open(&path) {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(StoreError::Io(files::explain("empty", &path, &e))),
        }
    }

    /// The version and its complement, so that a torn read is noticed.
    pub(super) fn note(&self, seen: Version) -> std::io::Result<()> {
        let mut bytes = [0; 16];
        let (value, check) = bytes.split_at_mut(8);
        value.copy_from_slice(&seen.0.to_be_bytes());
        check.copy_from_slice(&(!seen.0).to_be_bytes());
        let mut open = self.open.lock();
        let file = match open.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&self.path)?,
        };
        file.write_all_at(&bytes, 0)?;
        *open = Some(file);
        Ok(())
    }

    pub(super) fn read(&self) -> Option<Version> {
        let mut value = [0; 8];
        let mut check = [0; 8];
        let bytes = std::fs::read(&self.path).ok()?;
        value.copy_from_slice(bytes.get(..8)?);
        check.copy_from_slice(bytes.get(8..16)?);
        let value = u64::from_be_bytes(value);
        (u64::from_be_bytes(check) == !value).then_some(Version(value))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Seen, SeenFile, ServerLock, wait_until_seen};
    use crate::store::redb::RedbStore;
    use crate::store::{Store, StoreError, Version};

    #[tokio::test]
    async fn a_command_waits_for_the_server_that_runs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.redb");
        let server = RedbStore::open(&path).unwrap();
        let command = RedbStore::open(&path).unwrap();
        let wait = async |version, patience| {
            wait_until_seen(&command, dir.path(), Version(version), patience).await
        };
        let long = Duration::from_secs(30);
        // A server that is gone leaves a position, which is not waited for.
        server.note_seen(Version(9)).await;
        assert_eq!(wait(1, long).await, Seen::NoServer);
        let _lock = ServerLock::take(dir.path()).unwrap();
        assert_eq!(wait(1, Duration::ZERO).await, Seen::NotYet);
        let (seen, ()) = tokio::join!(wait(2, long), async {
            server.note_seen(Version(1)).await;
            tokio::task::yield_now().await;
            server.note_seen(Version(3)).await;
        });
        assert_eq!(seen, Seen::Yes);
    }

    #[test]
    fn a_second_server_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!ServerLock::is_held(dir.path()));
        let first = ServerLock::take(dir.path()).unwrap();
        assert!(ServerLock::is_held(dir.path()));
        assert!(matches!(
            ServerLock::take(dir.path()),
            Err(StoreError::Busy)
        ));
        drop(first);
        assert!(!ServerLock::is_held(dir.path()));
        ServerLock::take(dir.path()).unwrap();
    }

    #[test]
    fn asking_never_keeps_a_server_from_starting() {
        let dir = tempfile::tempdir().unwrap();
        ServerLock::take(dir.path()).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    ServerLock::is_held(dir.path());
                }
            });
            for _ in 0..50 {
                assert!(ServerLock::take(dir.path()).is_ok());
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn what_the_server_saw_is_read_back_and_forgotten_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let server = SeenFile::new(dir.path());
        let command = SeenFile::new(dir.path());
        assert_eq!(command.read(), None);
        for version in [1, 7, u64::MAX] {
            server.note(Version(version)).unwrap();
            assert_eq!(command.read(), Some(Version(version)));
        }
        std::fs::write(SeenFile::path(dir.path()), [0; 16]).unwrap();
        assert_eq!(command.read(), None);
        let _lock = ServerLock::take(dir.path()).unwrap();
        assert_eq!(command.read(), None);
    }
}
