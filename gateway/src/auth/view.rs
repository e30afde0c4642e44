//! What is true of users now, in memory: every request reads it, no request waits for it.
//!
//! A change makes a new view that shares all but one shard with the old one, so that a hundred
//! thousand users are not copied for one.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use crate::user::{User, UserId, Version};

const SHARDS: usize = 256;

/// Every user, and how current that is.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Feed position up to which changes are in here.
    pub version: Version,
    by_id: Sharded<UserId, Arc<User>>,
    by_name: Sharded<String, UserId>,
}

impl View {
    /// A view of these users.
    pub fn new(version: Version, users: Vec<User>) -> Self {
        let mut view = Self {
            version,
            ..Self::default()
        };
        for user in users {
            view.put(user);
        }
        view
    }

    /// The user with this number.
    pub fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.by_id.get(&id)
    }

    /// The user with exactly this name.
    pub fn user_named(&self, username: &str) -> Option<&Arc<User>> {
        self.by_name.get(username).and_then(|id| self.by_id.get(id))
    }

    /// Adds or replaces a user.
    pub fn put(&mut self, user: User) {
        self.remove(user.id);
        self.by_name.insert(user.username.clone(), user.id);
        self.by_id.insert(user.id, Arc::new(user));
    }

    /// Forgets a user.
    pub fn remove(&mut self, id: UserId) {
        if let Some(old) = self.by_id.remove(&id)
            && self.by_name.get(old.username.as_str()) == Some(&id)
        {
            self.by_name.remove(old.username.as_str());
        }
    }
}

/// A hash map in shards that clones share until one of them is changed.
#[derive(Debug, Clone)]
struct Sharded<K, V> {
    hasher: RandomState,
    shards: Vec<Arc<HashMap<K, V>>>,
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Arc::default()).collect(),
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Sharded<K, V> {
    fn index<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0)
    }

    fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.shards.get(self.index(key))?.get(key)
    }

    fn insert(&mut self, key: K, value: V) {
        let index = self.index(&key);
        if let Some(shard) = self.shards.get_mut(index) {
            Arc::make_mut(shard).insert(key, value);
        }
    }

    fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let index = self.index(key);
        self.shards
            .get_mut(index)
            .and_then(|shard| Arc::make_mut(shard).remove(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64, name: &str) -> User {
        User {
            id: UserId(id),
            username: name.to_owned(),
            email: String::new(),
            roles: Vec::new(),
            active: true,
            epoch: 0,
            version: Version(id),
            created_at: 0,
        }
    }

    #[test]
    fn a_rename_leaves_no_old_name_behind() {
        let mut view = View::new(Version(2), vec![user(1, "a"), user(2, "b")]);
        let before = view.clone();
        view.put(user(1, "c"));
        assert!(view.user_named("a").is_none());
        assert_eq!(view.user_named("c").map(|u| u.id), Some(UserId(1)));
        view.put(user(3, "a"));
        view.remove(UserId(1));
        assert_eq!(view.user_named("a").map(|u| u.id), Some(UserId(3)));
        assert_eq!(
            before.user_named("a").map(|u| u.id),
            Some(UserId(1)),
            "an older view does not change"
        );
    }
}
