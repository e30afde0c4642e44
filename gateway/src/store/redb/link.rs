//! The open file and its transactions.
//!
//! Invariants: a job either commits whole or leaves no trace; no caller waits for the writer longer than
//! [`PATIENCE`]; after an I/O error, which the library takes as final for its handle, the file is opened
//! anew so that a disk that was full for a minute does not stop the server for good.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadTransaction, ReadableDatabase, TransactionError, WriteTransaction};

use super::super::{Result, StoreError};
use super::tables::broken;

/// Longest wait for another writer. A commit takes milliseconds, so this is a process that is stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often another process's transaction is looked at.
const STEP: Duration = Duration::from_millis(1);

pub(super) struct Link {
    path: PathBuf,
    database: RwLock<Arc<Database>>,
    /// Queues this process's writers; the library's own queue has no deadline.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        let database = super::open_database(&path)?;
        Ok(Self {
            path,
            database: RwLock::new(Arc::new(database)),
            turn: Mutex::new(()),
        })
    }

    /// Runs `job` on a consistent view of the file.
    pub(super) fn read<T>(&self, job: impl Fn(&ReadTransaction) -> Result<T>) -> Result<T> {
        let database = self.current();
        let txn = match database.begin_read() {
            Ok(txn) => txn,
            Err(error) if is_final(&error) => {
                self.reopen(&database)?.begin_read().map_err(broken)?
            }
            Err(error) => return Err(broken(error)),
        };
        job(&txn)
    }

    /// Runs `job` and commits, durably, where it succeeds.
    pub(super) fn write<T>(&self, job: impl Fn(&WriteTransaction) -> Result<T>) -> Result<T> {
        let Some(_turn) = self.turn.try_lock_for(PATIENCE) else {
            return Err(stuck());
        };
        let database = self.current();
        let txn = match begin_write(&database) {
            Ok(txn) => txn,
            Err(Waited::Failed(error)) if is_final(&error) => {
                match begin_write(&*self.reopen(&database)?) {
                    Ok(txn) => txn,
                    Err(Waited::Failed(error)) => return Err(broken(error)),
                    Err(Waited::Out) => return Err(stuck()),
                }
            }
            Err(Waited::Failed(error)) => return Err(broken(error)),
            Err(Waited::Out) => return Err(stuck()),
        };
        let value = job(&txn)?;
        txn.commit().map_err(broken)?;
        Ok(value)
    }

    fn current(&self) -> Arc<Database> {
        Arc::clone(&self.database.read())
    }

    /// A fresh handle in place of `failed`, unless another thread already saw to it. The old one closes
    /// with its last transaction; both may be open at once, as two processes may.
    fn reopen(&self, failed: &Arc<Database>) -> Result<Arc<Database>> {
        let mut slot = self.database.write();
        if Arc::ptr_eq(&slot, failed) {
            tracing::warn!(file = %self.path.display(), "opening the store again after an I/O error");
            *slot = Arc::new(super::open_database(&self.path)?);
        }
        Ok(Arc::clone(&slot))
    }
}

enum Waited {
    Out,
    Failed(TransactionError),
}

fn begin_write(database: &Database) -> std::result::Result<WriteTransaction, Waited> {
    let started = Instant::now();
    loop {
        match database.try_begin_write() {
            Ok(txn) => return Ok(txn),
            Err(TransactionError::WouldBlock) if started.elapsed() < PATIENCE => {
                std::thread::park_timeout(STEP);
            }
            Err(TransactionError::WouldBlock) => return Err(Waited::Out),
            Err(error) => return Err(Waited::Failed(error)),
        }
    }
}

fn is_final(error: &TransactionError) -> bool {
    matches!(
        error,
        TransactionError::Storage(redb::StorageError::PreviousIo | redb::StorageError::Io(_))
    )
}

fn stuck() -> StoreError {
    StoreError::Io(format!(
        "another process has been writing for more than {} s: look for a `gateway` process that is stopped, and end it",
        PATIENCE.as_secs()
    ))
}
