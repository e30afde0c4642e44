//! The open file and its transactions.
//!
//! Invariants: a job either commits whole or leaves no trace; no caller waits for another writer longer than
//! twice [`PATIENCE`], once for this process's and once for another's; after an I/O error, which the library takes as final for its handle, the file is opened
//! anew so that a disk that was full for a minute does not stop the server for good.

use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadTransaction, ReadableDatabase, TransactionError, WriteTransaction};

use super::super::{Result, StoreError};
use super::tables::broken;

/// Longest wait for another writer. A commit takes milliseconds, so this is a process that is stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often another process's transaction is looked at.
const STEP: Duration = Duration::from_millis(1);

type Open = Box<dyn Fn() -> Result<Database> + Send + Sync>;

pub(super) struct Link {
    open: Open,
    /// Held for reading while a transaction runs, so that the file is closed only between them.
    slot: RwLock<Slot>,
    /// Queues this process's writers; the library's own queue has no deadline.
    turn: Mutex<()>,
}

struct Slot {
    /// `None` where the file could not be opened anew: the next caller tries again.
    database: Option<Database>,
    /// Counts the openings: of many who saw one failure, the first mends it.
    opened: u64,
}

/// Why a transaction did not happen.
enum Failure {
    /// The handle is of no use any more, and nothing was changed.
    Handle(TransactionError),
    Other(StoreError),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(open: impl Fn() -> Result<Database> + Send + Sync + 'static) -> Result<Self> {
        let database = Some(open()?);
        Ok(Self {
            open: Box::new(open),
            slot: RwLock::new(Slot {
                database,
                opened: 1,
            }),
            turn: Mutex::new(()),
        })
    }

    /// Runs `job` on a consistent view of the file.
    pub(super) fn read<T>(&self, job: impl Fn(&ReadTransaction) -> Result<T>) -> Result<T> {
        self.mending(|database| {
            let txn = database.begin_read().map_err(classify)?;
            job(&txn).map_err(Failure::Other)
        })
    }

    /// Runs `job` and commits, durably, where it succeeds.
    pub(super) fn write<T>(&self, job: impl Fn(&WriteTransaction) -> Result<T>) -> Result<T> {
        let Some(_turn) = self.turn.try_lock_for(PATIENCE) else {
            return Err(stuck());
        };
        self.mending(|database| {
            let txn = begin_write(database)?;
            let value = job(&txn).map_err(Failure::Other)?;
            // Never tried again: a commit that failed may be on the disk.
            txn.commit().map_err(|e| Failure::Other(broken(e)))?;
            Ok(value)
        })
    }

    /// Runs `attempt`, once more on a fresh handle where the old one turned out to be of no use.
    fn mending<T>(
        &self,
        attempt: impl Fn(&Database) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let mut mended = false;
        loop {
            let slot = self.slot.read();
            let outcome = slot.database.as_ref().map(&attempt);
            let opened = slot.opened;
            drop(slot);
            match outcome {
                Some(Ok(value)) => return Ok(value),
                Some(Err(Failure::Other(error))) => return Err(error),
                Some(Err(Failure::Handle(error))) if mended => return Err(broken(error)),
                Some(Err(Failure::Handle(_))) | None => self.reopen(opened)?,
            }
            mended = true;
        }
    }

    /// Closes the file and opens it anew, unless that was done since opening number `opened`.
    fn reopen(&self, opened: u64) -> Result<()> {
        let mut slot = self.slot.write();
        if slot.opened == opened {
            tracing::warn!("opening the store anew after an I/O error");
            slot.database = None;
            slot.database = Some((self.open)()?);
            slot.opened += 1;
        }
        Ok(())
    }
}

fn begin_write(database: &Database) -> std::result::Result<WriteTransaction, Failure> {
    let started = Instant::now();
    loop {
        match database.try_begin_write() {
            Ok(txn) => return Ok(txn),
            Err(TransactionError::WouldBlock) if started.elapsed() < PATIENCE => {
                std::thread::park_timeout(STEP);
            }
            Err(TransactionError::WouldBlock) => return Err(Failure::Other(stuck())),
            Err(error) => return Err(classify(error)),
        }
    }
}

fn classify(error: TransactionError) -> Failure {
    match error {
        TransactionError::Storage(redb::StorageError::PreviousIo | redb::StorageError::Io(_)) => {
            Failure::Handle(error)
        }
        other => Failure::Other(broken(other)),
    }
}

fn stuck() -> StoreError {
    StoreError::Io(format!(
        "another process has been writing for more than {} s: look for a `gateway` process that is stopped, and end it",
        PATIENCE.as_secs()
    ))
}

#[cfg(test)]
mod tests;
