//! The store as the commands use it, beside a running server or without one.

use std::path::Path;
use std::time::Duration;

use super::{Exit, Failure, StoreArgs};
use crate::config::Resolved;
use crate::server::STORE_FILE;
use crate::store::redb::RedbStore;
use crate::store::{Seen, Store, StoreError, Version, wait_until_seen};

/// How long a change waits until the running server has seen it. The server looks four times a second.
const PATIENCE: Duration = Duration::from_secs(3);

/// A store that is open.
pub(super) struct Storage {
    pub(super) resolved: Resolved,
    pub(super) store: RedbStore,
}

impl Storage {
    /// Opens the store of a configuration. Never makes one: that is the server's first start.
    pub(super) fn open(args: &StoreArgs, env: &[(String, String)]) -> Result<Self, Failure> {
        let resolved = args.resolve(env.to_vec())?;
        let path = resolved.config.server.data_dir.join(STORE_FILE);
        if !path.exists() {
            return Err(Failure::failed(format!(
                "there is no store at {}: start the gateway once, or name another folder with --config or --data-dir",
                path.display()
            )));
        }
        let store = RedbStore::open(&path).map_err(|e| store_failure(&e))?;
        Ok(Self { resolved, store })
    }

    /// The folder of the store.
    pub(super) fn data_dir(&self) -> &Path {
        &self.resolved.config.server.data_dir
    }

    /// Returns once the running server, if there is one, has seen everything up to now.
    pub(super) async fn settle(&self) -> Result<(), Failure> {
        let head = self.store.head().await.map_err(|e| store_failure(&e))?;
        match wait_until_seen(&self.store, self.data_dir(), head, PATIENCE).await {
            Seen::Yes | Seen::NoServer => Ok(()),
            Seen::NotYet => Err(unseen(head)),
        }
    }
}

fn unseen(head: Version) -> Failure {
    Failure::failed(format!(
        "stored (change {}), but the running gateway has not taken it in after {} s: look at its log",
        head.0,
        PATIENCE.as_secs()
    ))
}

/// Runs the asynchronous part of a command.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?
        .block_on(work)
}

/// Tells of a store that does not do what it was asked to.
pub(super) fn store_failure(error: &StoreError) -> Failure {
    let exit = match error {
        StoreError::NewerSchema { .. } => Exit::Configuration,
        StoreError::Conflict
        | StoreError::Stale
        | StoreError::NotFound
        | StoreError::LastAdmin
        | StoreError::Busy
        | StoreError::Io(_) => Exit::Failed,
    };
    Failure::Text(error.to_string(), exit)
}
