//! The one piece of changing state that requests read, swapped whole: a [`Snapshot`], and beside it what
//! has to change in the same moment.
//!
//! Invariants: a request reads one [`Current`] from start to end; a snapshot only ever moves forward in the
//! change feed; a change made through this process is in the snapshot before the call that made it returns.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::auth::view::View;
use crate::decision::Snapshot;
use crate::store::{Change, Changes, Result, Store, Version};

/// Changes taken from the feed at once.
const BATCH: usize = 1_000;

/// How often the feed is looked at: the command line changes users from another process.
pub const POLL: Duration = Duration::from_millis(250);

/// What is true now.
#[derive(Debug)]
pub struct Current<E> {
    /// What requests are judged by.
    pub snapshot: Snapshot,
    /// What they are served with.
    pub equipment: Arc<E>,
}

/// What is true now, the store, and the way from one to the other.
#[derive(Debug)]
pub struct State<E> {
    current: ArcSwap<Current<E>>,
    store: Arc<dyn Store>,
    turn: Mutex<()>,
}

impl<E> State<E> {
    /// Starts from a snapshot that was read from this store.
    pub fn new(snapshot: Snapshot, equipment: Arc<E>, store: Arc<dyn Store>) -> Self {
        Self {
            current: ArcSwap::from_pointee(Current {
                snapshot,
                equipment,
            }),
            store,
            turn: Mutex::new(()),
        }
    }

    /// What is true now. A request loads it once.
    pub fn load(&self) -> Arc<Current<E>> {
        self.current.load_full()
    }

    /// The store behind it.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Replaces everything but the view of users, in one moment.
    pub async fn replace(&self, settings: Snapshot, equipment: Arc<E>) {
        let _turn = self.turn.lock().await;
        let view = Arc::clone(&self.load().snapshot.view);
        self.current.store(Arc::new(Current {
            snapshot: Snapshot { view, ..settings },
            equipment,
        }));
    }

    /// Takes in everything that happened in the store since the last time.
    ///
    /// # Errors
    /// Where the store cannot be read; the old snapshot stays.
    pub async fn catch_up(&self) -> Result<Version> {
        let _turn = self.turn.lock().await;
        let current = self.load();
        let mut view = View::clone(&current.snapshot.view);
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
        if version != current.snapshot.view.version {
            let snapshot = Snapshot {
                view: Arc::new(view),
                ..current.snapshot.clone()
            };
            let equipment = Arc::clone(&current.equipment);
            self.current.store(Arc::new(Current {
                snapshot,
                equipment,
            }));
            self.store.note_seen(version).await;
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
