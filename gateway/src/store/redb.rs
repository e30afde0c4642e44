//! The embedded store: one redb file that the server and the user commands open at the same time.
//!
//! Invariants: every change is one durable write transaction that decides, appends to the feed and sets
//! `head` last; no call blocks the thread that polls it (the work runs on the runtime's blocking threads,
//! so a current-thread runtime will do). Rows are a format byte and JSON.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use redb::{ConcurrencyMode, Database, DatabaseError};

use self::link::Link;
use super::lock::SeenFile;
use super::{
    Changes, NewUser, Page, ProvisionState, Result, SealedKey, Store, StoreError, StoreSnapshot,
    UnixSeconds, User, UserId, UserPatch, UserRecord, Version, Versioned, files, rules,
};
use crate::username;

mod link;
mod read;
mod tables;
mod write;

/// Pages kept in memory, in bytes. The library's own default is 1 GiB.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A store in one file. Its methods need a tokio runtime.
#[derive(Debug)]
pub struct RedbStore {
    link: Arc<Link>,
    /// Of this handle: passwords set here are recorded as unchecked.
    lenient: AtomicBool,
    seen: Arc<SeenFile>,
    feed_rows: u64,
}

impl RedbStore {
    /// Opens the file, or makes it with mode 0600, and brings it to this program's schema. Blocks: after
    /// a crash the library walks the whole file.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] for a file of a newer program; [`StoreError::Io`] with what to do for
    /// everything else.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, rules::FEED_ROWS)
    }

    /// As [`RedbStore::open`], with a feed of at most `feed_rows` changes.
    pub(super) fn open_with(path: &Path, feed_rows: u64) -> Result<Self> {
        make_private(path)?;
        let file = path.to_owned();
        let link = Link::new(move || open_database(&file))?;
        if !link.read(tables::is_current)? {
            link.write(tables::migrate)?;
        }
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        Ok(Self {
            link: Arc::new(link),
            lenient: AtomicBool::new(false),
            seen: Arc::new(SeenFile::new(folder)),
            feed_rows,
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl Fn(&redb::ReadTransaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let link = Arc::clone(&self.link);
        off_thread(move || link.read(job)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl Fn(&redb::WriteTransaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let link = Arc::clone(&self.link);
        off_thread(move || link.write(job)).await
    }

    fn context(&self) -> write::Context {
        write::Context {
            lenient: self.lenient.load(Ordering::Acquire),
            feed_rows: self.feed_rows,
        }
    }
}

async fn off_thread<T: Send + 'static>(
    job: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(job)
        .await
        .map_err(|e| StoreError::Io(format!("the operation was not finished: {e}")))?
}

/// The file takes its name only when it is a whole database: the library writes what makes it one last, and a
/// process killed before that would leave a file that nothing opens.
fn make_private(path: &Path) -> Result<()> {
    if !path.exists() {
        files::create_private_with(path, |_, beside| {
            let database = open_database(beside).map_err(std::io::Error::other)?;
            drop(database);
            Ok(())
        })
        .map_err(|e| StoreError::Io(files::explain("create", path, &e)))?;
    }
    files::check_private(path).map_err(StoreError::Io)
}

fn open_database(path: &Path) -> Result<Database> {
    without_panic(path, || {
        Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_concurrency_mode(ConcurrencyMode::MultiWriter)
            .create(path)
    })?
    .map_err(|error| StoreError::Io(explain_open(path, &error)))
}

/// The library panics on some damaged files. What it had in hand is dropped with the panic, so nothing
/// half-made is used afterwards.
fn without_panic<T>(path: &Path, open: impl FnOnce() -> T) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(open))
        .map_err(|_| StoreError::Io(damaged(path, &"the library cannot read it")))
}

fn damaged(path: &Path, why: &dyn std::fmt::Display) -> String {
    format!(
        "{} is damaged or is no store of this program ({why}): restore it from a backup, or move it away to start empty",
        path.display()
    )
}

fn explain_open(path: &Path, error: &DatabaseError) -> String {
    let file = path.display();
    match error {
        DatabaseError::Storage(redb::StorageError::Io(io))
            if matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
        {
            damaged(path, io)
        }
        DatabaseError::Storage(redb::StorageError::Io(io)) => files::explain("open", path, io),
        DatabaseError::Storage(redb::StorageError::Corrupted(why)) => damaged(path, why),
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => format!(
            "{file} is in use by a program that does not share it: stop that program, then start again"
        ),
        DatabaseError::UpgradeRequired(version) => format!(
            "{file} has the file format {version} of an older library: open it once with the previous release"
        ),
        other => format!("cannot open {file}: {other}"),
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn create_user(&self, new: NewUser, now: UnixSeconds) -> Result<User> {
        let context = self.context();
        self.write(move |txn| write::create_user(txn, context, &new, now))
            .await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.read(move |txn| read::user(txn, id)).await
    }

    async fn user_by_name(&self, username: &str) -> Result<Option<UserRecord>> {
        let name = username::nfc(username);
        self.read(move |txn| read::user_by_name(txn, &name)).await
    }

    async fn update_user(
        &self,
        id: UserId,
        expect: Option<Version>,
        patch: UserPatch,
    ) -> Result<User> {
        let context = self.context();
        self.write(move |txn| write::update_user(txn, context, id, expect, &patch))
            .await
    }

    async fn remove_user(&self, id: UserId) -> Result<()> {
        let context = self.context();
        self.write(move |txn| write::remove_user(txn, context, id))
            .await
    }

    async fn list_users(&self, after: Option<UserId>, limit: usize) -> Result<Page> {
        self.read(move |txn| read::list_users(txn, after, limit))
            .await
    }

    async fn keys(&self) -> Result<Versioned<Vec<SealedKey>>> {
        self.read(read::keys).await
    }

    async fn put_keys(&self, expect: Version, keys: Vec<SealedKey>) -> Result<Version> {
        let context = self.context();
        self.write(move |txn| write::put_keys(txn, context, expect, &keys))
            .await
    }

    async fn head(&self) -> Result<Version> {
        self.read(read::head).await
    }

    async fn snapshot(&self) -> Result<StoreSnapshot> {
        self.read(read::snapshot).await
    }

    async fn changes_since(&self, version: Version, max: usize) -> Result<Changes> {
        self.read(move |txn| read::changes_since(txn, version, max))
            .await
    }

    async fn provision_state(&self, upstream: &str) -> Result<ProvisionState> {
        let upstream = upstream.to_owned();
        self.read(move |txn| read::provision_state(txn, &upstream))
            .await
    }

    async fn put_provision_state(&self, upstream: &str, state: ProvisionState) -> Result<()> {
        let upstream = upstream.to_owned();
        self.write(move |txn| write::put_provision_state(txn, &upstream, &state))
            .await
    }

    async fn insecure_mark(&self) -> Result<bool> {
        self.read(read::insecure_mark).await
    }

    async fn set_insecure_mark(&self, marked: bool) -> Result<()> {
        if marked {
            // Before the mark is on disk: no password may slip in between unrecorded.
            self.lenient.store(true, Ordering::Release);
        }
        self.write(move |txn| write::set_insecure_mark(txn, marked))
            .await?;
        self.lenient.store(marked, Ordering::Release);
        Ok(())
    }

    async fn unchecked_users(&self) -> Result<Vec<User>> {
        self.read(read::unchecked_users).await
    }

    async fn note_seen(&self, seen: Version) {
        let file = Arc::clone(&self.seen);
        let noted = off_thread(move || {
            file.note(seen)
                .map_err(|e| StoreError::Io(format!("cannot write the file `seen`: {e}")))
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, "user commands will wait in vain for this server");
        }
    }

    async fn seen(&self) -> Option<Version> {
        let file = Arc::clone(&self.seen);
        off_thread(move || Ok(file.read())).await.ok().flatten()
    }

    async fn ping(&self) -> Result<()> {
        self.head().await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_panic_of_the_library_on_opening_is_told_as_damage() {
        let path = Path::new("gateway.redb");
        let error = super::without_panic(path, || panic!("bit rot")).map(|(): ()| ());
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("gateway.redb is damaged") && text.contains("backup"),
            "{text}"
        );
        assert_eq!(super::without_panic(path, || 1).unwrap(), 1);
    }
}
