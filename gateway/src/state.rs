//! The one piece of changing state that requests read: a [`Snapshot`], swapped whole.
//!
//! Invariant: a snapshot only ever moves forward in the change feed, and a change made through this
//! process is in the snapshot before the call that made it returns.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify};

use crate::auth::view::View;
use crate::decision::Snapshot;
use crate::store::{Change, Changes, Result, Store, Version};

/// Changes taken from the feed at once.
const BATCH: usize = 1_000;

/// How often the feed is looked at: the command line changes users from another process.
pub const POLL: Duration = Duration::from_millis(250);

/// Snapshot, store, and the way from one to the other.
#[derive(Debug)]
pub struct State {
    snapshot: ArcSwap<Snapshot>,
    store: Arc<dyn Store>,
    turn: Mutex<()>,
    changed: Arc<Notify>,
}

impl State {
    /// Starts from a snapshot that was read from this store.
    pub fn new(snapshot: Snapshot, store: Arc<dyn Store>) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            store,
            turn: Mutex::new(()),
            changed: Arc::default(),
        }
    }

    /// What is true now. A request loads it once.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The store behind it.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Woken after each change that was taken in.
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Takes in everything that happened in the store since the last time.
    ///
    /// # Errors
    /// Where the store cannot be read; the old snapshot stays.
    pub async fn catch_up(&self) -> Result<Version> {
        let _turn = self.turn.lock().await;
        let current = self.load();
        let mut view = View::clone(&current.view);
        loop {
            match self.store.changes_since(view.version, BATCH).await? {
                Changes::Rows(rows) if rows.is_empty() => break,
                Changes::Rows(rows) => {
                    for (version, change) in rows {
                        self.apply(&mut view, change).await?;
                        view.version = version;
                    }
                }
                Changes::Truncated => {
                    let all = self.store.snapshot().await?;
                    view = View::new(all.version, all.users);
                    break;
                }
            }
        }
        let version = view.version;
        if version != current.view.version {
            self.snapshot.store(Arc::new(Snapshot {
                view: Arc::new(view),
                ..Snapshot::clone(&current)
            }));
            self.store.note_seen(version).await;
            self.changed.notify_waiters();
        }
        Ok(version)
    }

    async fn apply(&self, view: &mut View, change: Change) -> Result<()> {
        match change {
            // The feed says who changed; what is true now is read from the store.
            Change::User(id) => match self.store.user(id).await? {
                Some(user) => view.put(user),
                None => view.remove(id),
            },
            Change::UserRemoved(id) => view.remove(id),
            // Keys are read at start; nothing changes them in a running process.
            Change::Keys => {}
        }
        Ok(())
    }
}
