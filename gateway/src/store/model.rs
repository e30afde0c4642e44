//! The store as plain maps in memory: the model that the laws are read from, and a store for tests.
//!
//! Invariant: one lock around everything, so each operation is atomic by construction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use secrecy::SecretString;

use super::{
    Change, Changes, NewUser, Page, ProvisionState, Result, SealedKey, Store, StoreError,
    StoreSnapshot, UnixSeconds, User, UserId, UserPatch, UserRecord, Version, Versioned, rules,
};
use crate::username;

/// An in-memory store. Clones are handles on the same data.
#[derive(Debug, Clone)]
pub struct ModelStore {
    data: Arc<Mutex<Data>>,
    /// Of this handle: passwords set here are recorded as unchecked.
    lenient: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Data {
    users: BTreeMap<UserId, User>,
    names: BTreeMap<String, UserId>,
    passwords: BTreeMap<UserId, SecretString>,
    unchecked: BTreeSet<UserId>,
    last_id: u64,
    head: Version,
    feed: BTreeMap<Version, Change>,
    feed_rows: u64,
    keys: Vec<SealedKey>,
    keys_version: Version,
    provision: BTreeMap<String, ProvisionState>,
    insecure: bool,
    seen: Option<Version>,
}

impl Default for ModelStore {
    fn default() -> Self {
        Self::new()
    }
}

impl ModelStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_feed_rows(rules::FEED_ROWS)
    }

    /// An empty store whose feed holds at most `rows` changes.
    pub fn with_feed_rows(rows: u64) -> Self {
        Self {
            data: Arc::new(Mutex::new(Data {
                feed_rows: rows,
                ..Data::default()
            })),
            lenient: Arc::default(),
        }
    }

    /// A second handle, as another process would hold it.
    #[must_use]
    pub fn another_handle(&self) -> Self {
        Self {
            data: Arc::clone(&self.data),
            lenient: Arc::default(),
        }
    }
}

impl Data {
    fn append(&mut self, change: Change) -> Version {
        self.head.0 += 1;
        self.feed.insert(self.head, change);
        let gone = Version(self.head.0.saturating_sub(self.feed_rows));
        self.feed.retain(|version, _| *version > gone);
        self.head
    }

    fn next_version(&self) -> Version {
        Version(self.head.0 + 1)
    }

    fn is_last_admin(&self, id: UserId) -> bool {
        let mut admins = self.users.values().filter(|u| rules::is_active_admin(u));
        admins.next().is_some_and(|u| u.id == id) && admins.next().is_none()
    }

    fn set_password(&mut self, id: UserId, hash: SecretString, lenient: bool) {
        self.passwords.insert(id, hash);
        if lenient {
            self.unchecked.insert(id);
        } else {
            self.unchecked.remove(&id);
        }
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn create_user(&self, new: NewUser, now: UnixSeconds) -> Result<User> {
        let mut data = self.data.lock();
        let key = username::key(&new.username);
        if data.names.contains_key(&key) {
            return Err(StoreError::Conflict);
        }
        data.last_id += 1;
        let id = UserId(data.last_id);
        let hash = new.password_hash.clone();
        let user = rules::created(new, id, data.next_version(), now);
        if let Some(hash) = hash {
            data.set_password(id, hash, self.lenient.load(Ordering::Relaxed));
        }
        data.names.insert(key, id);
        data.users.insert(id, user.clone());
        data.append(Change::User(id));
        Ok(user)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>> {
        Ok(self.data.lock().users.get(&id).cloned())
    }

    async fn user_by_name(&self, username: &str) -> Result<Option<UserRecord>> {
        let data = self.data.lock();
        Ok(data
            .users
            .values()
            .find(|user| user.username == username::nfc(username))
            .map(|user| UserRecord {
                user: user.clone(),
                password_hash: data.passwords.get(&user.id).cloned(),
            }))
    }

    async fn update_user(
        &self,
        id: UserId,
        expect: Option<Version>,
        patch: UserPatch,
    ) -> Result<User> {
        let mut data = self.data.lock();
        let old = data.users.get(&id).cloned().ok_or(StoreError::NotFound)?;
        if expect.is_some_and(|version| version != old.version) {
            return Err(StoreError::Stale);
        }
        let Some(mut user) = rules::patched(&old, &patch) else {
            return Ok(old);
        };
        if data.is_last_admin(id) && !rules::is_active_admin(&user) {
            return Err(StoreError::LastAdmin);
        }
        let key = username::key(&user.username);
        if data.names.get(&key).is_some_and(|owner| *owner != id) {
            return Err(StoreError::Conflict);
        }
        data.names.remove(&username::key(&old.username));
        data.names.insert(key, id);
        if let Some(hash) = patch.password_hash {
            if patch.keep_sessions {
                data.passwords.insert(id, hash);
            } else {
                data.set_password(id, hash, self.lenient.load(Ordering::Relaxed));
            }
        }
        user.version = data.append(Change::User(id));
        data.users.insert(id, user.clone());
        Ok(user)
    }

    async fn remove_user(&self, id: UserId) -> Result<()> {
        let mut data = self.data.lock();
        if data.is_last_admin(id) {
            return Err(StoreError::LastAdmin);
        }
        let user = data.users.remove(&id).ok_or(StoreError::NotFound)?;
        data.names.remove(&username::key(&user.username));
        data.passwords.remove(&id);
        data.unchecked.remove(&id);
        data.append(Change::UserRemoved(id));
        Ok(())
    }

    async fn list_users(&self, after: Option<UserId>, limit: usize) -> Result<Page> {
        let data = self.data.lock();
        let mut rest = data
            .users
            .values()
            .filter(|user| after.is_none_or(|after| user.id > after));
        let users: Vec<User> = rest.by_ref().take(limit).cloned().collect();
        let more = rest.next().is_some();
        let next = users.last().map(|user| user.id).filter(|_| more);
        Ok(Page { users, next })
    }

    async fn keys(&self) -> Result<Versioned<Vec<SealedKey>>> {
        let data = self.data.lock();
        Ok(Versioned {
            version: data.keys_version,
            value: data.keys.clone(),
        })
    }

    async fn put_keys(&self, expect: Version, keys: Vec<SealedKey>) -> Result<Version> {
        let mut data = self.data.lock();
        if data.keys_version != expect {
            return Err(StoreError::Stale);
        }
        data.keys = keys;
        data.keys_version = data.append(Change::Keys);
        Ok(data.keys_version)
    }

    async fn head(&self) -> Result<Version> {
        Ok(self.data.lock().head)
    }

    async fn snapshot(&self) -> Result<StoreSnapshot> {
        let data = self.data.lock();
        Ok(StoreSnapshot {
            version: data.head,
            users: data.users.values().cloned().collect(),
            keys: data.keys.clone(),
        })
    }

    async fn changes_since(&self, version: Version, max: usize) -> Result<Changes> {
        let data = self.data.lock();
        if version == data.head {
            return Ok(Changes::Rows(Vec::new()));
        }
        let next = Version(version.0.saturating_add(1));
        if !data.feed.contains_key(&next) {
            return Ok(Changes::Truncated);
        }
        Ok(Changes::Rows(
            data.feed
                .range(next..)
                .take(max)
                .map(|(version, change)| (*version, change.clone()))
                .collect(),
        ))
    }

    async fn provision_state(&self, upstream: &str) -> Result<ProvisionState> {
        let data = self.data.lock();
        Ok(data.provision.get(upstream).cloned().unwrap_or_default())
    }

    async fn put_provision_state(&self, upstream: &str, state: ProvisionState) -> Result<()> {
        self.data
            .lock()
            .provision
            .insert(upstream.to_owned(), state);
        Ok(())
    }

    async fn insecure_mark(&self) -> Result<bool> {
        Ok(self.data.lock().insecure)
    }

    async fn set_insecure_mark(&self, marked: bool) -> Result<()> {
        self.data.lock().insecure = marked;
        self.lenient.store(marked, Ordering::Relaxed);
        Ok(())
    }

    async fn unchecked_users(&self) -> Result<Vec<User>> {
        let data = self.data.lock();
        Ok(data
            .unchecked
            .iter()
            .filter_map(|id| data.users.get(id).cloned())
            .collect())
    }

    async fn note_seen(&self, seen: Version) {
        self.data.lock().seen = Some(seen);
    }

    async fn seen(&self) -> Option<Version> {
        self.data.lock().seen
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
