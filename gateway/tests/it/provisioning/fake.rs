//! As much of a store as provisioning reads: users, a change feed, and records by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use gateway::store::{
    Change, Changes, NewUser, Page, ProvisionState, Result, SealedKey, Store, StoreError,
    StoreSnapshot, UnixSeconds, User, UserId, UserPatch, UserRecord, Version, Versioned,
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Fake(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    users: BTreeMap<u64, User>,
    feed: Vec<(Version, Change)>,
    head: u64,
    /// The feed reaches back to here.
    reaches: u64,
    states: HashMap<String, ProvisionState>,
    failing: bool,
}

impl Inner {
    fn push(&mut self, change: Change) {
        self.head += 1;
        self.feed.push((Version(self.head), change));
    }
}

impl Fake {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("a lock")
    }

    fn read(&self) -> Result<MutexGuard<'_, Inner>> {
        let inner = self.inner();
        if inner.failing {
            return Err(StoreError::Io("out of order".to_owned()));
        }
        Ok(inner)
    }

    pub(super) fn put(&self, id: u64, username: &str) {
        let mut inner = self.inner();
        inner.push(Change::User(UserId(id)));
        let user = User {
            id: UserId(id),
            username: username.to_owned(),
            email: format!("{username}@example.com"),
            roles: Vec::new(),
            active: true,
            epoch: 0,
            version: Version(inner.head),
            created_at: 0,
        };
        inner.users.insert(id, user);
    }

    pub(super) fn rename(&self, id: u64, username: &str) {
        self.put(id, username);
    }

    pub(super) fn remove(&self, id: u64) {
        let mut inner = self.inner();
        inner.users.remove(&id);
        inner.push(Change::UserRemoved(UserId(id)));
    }

    /// What is in the feed so far is no longer there.
    pub(super) fn forget_feed(&self) {
        let mut inner = self.inner();
        inner.reaches = inner.head;
        inner.feed.clear();
    }

    pub(super) fn fail(&self, failing: bool) {
        self.inner().failing = failing;
    }

    pub(super) fn head_now(&self) -> Version {
        Version(self.inner().head)
    }

    pub(super) fn state(&self, upstream: &str) -> ProvisionState {
        self.inner()
            .states
            .get(upstream)
            .cloned()
            .unwrap_or_default()
    }
}

/// Provisioning has no use for it.
fn unused<T>() -> Result<T> {
    Err(StoreError::Io("not used here".to_owned()))
}

#[async_trait]
impl Store for Fake {
    async fn unchecked_users(&self) -> Result<Vec<User>> {
        Ok(Vec::new())
    }

    async fn note_seen(&self, _seen: Version) {}

    async fn seen(&self) -> Option<Version> {
        None
    }

    async fn create_user(&self, _: NewUser, _: UnixSeconds) -> Result<User> {
        unused()
    }
    async fn user(&self, id: UserId) -> Result<Option<User>> {
        Ok(self.read()?.users.get(&id.0).cloned())
    }
    async fn user_by_name(&self, _: &str) -> Result<Option<UserRecord>> {
        unused()
    }
    async fn update_user(&self, _: UserId, _: Option<Version>, _: UserPatch) -> Result<User> {
        unused()
    }
    async fn remove_user(&self, _: UserId) -> Result<()> {
        unused()
    }
    async fn list_users(&self, _: Option<UserId>, _: usize) -> Result<Page> {
        unused()
    }
    async fn keys(&self) -> Result<Versioned<Vec<SealedKey>>> {
        unused()
    }
    async fn put_keys(&self, _: Version, _: Vec<SealedKey>) -> Result<Version> {
        unused()
    }
    async fn head(&self) -> Result<Version> {
        Ok(Version(self.read()?.head))
    }
    async fn snapshot(&self) -> Result<StoreSnapshot> {
        let inner = self.read()?;
        Ok(StoreSnapshot {
            version: Version(inner.head),
            users: inner.users.values().cloned().collect(),
            keys: Vec::new(),
        })
    }
    async fn changes_since(&self, version: Version, max: usize) -> Result<Changes> {
        let inner = self.read()?;
        if version.0 < inner.reaches {
            return Ok(Changes::Truncated);
        }
        let rows = inner.feed.iter().filter(|(v, _)| *v > version);
        Ok(Changes::Rows(rows.take(max).cloned().collect()))
    }
    async fn provision_state(&self, upstream: &str) -> Result<ProvisionState> {
        let inner = self.read()?;
        Ok(inner.states.get(upstream).cloned().unwrap_or_default())
    }
    async fn put_provision_state(&self, upstream: &str, state: ProvisionState) -> Result<()> {
        self.read()?.states.insert(upstream.to_owned(), state);
        Ok(())
    }
    async fn insecure_mark(&self) -> Result<bool> {
        unused()
    }
    async fn set_insecure_mark(&self, _: bool) -> Result<()> {
        unused()
    }
    async fn ping(&self) -> Result<()> {
        self.read().map(drop)
    }
}
