//! Tokens that were verified, so that a signature is checked once and not with each request.
//!
//! Invariants: only what was verified in full is kept, under the whole token; what can change while keys and
//! rules stay the same (time, users, their epochs) is asked anew with each request; a cache belongs to
//! one set of keys and rules and is never handed to another; its size is bounded.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use super::token::Proven;

/// Parts of the cache with a lock each.
const SHARDS: usize = 16;

/// Verified tokens of one set of keys and rules.
pub struct TokenCache {
    hasher: RandomState,
    shards: Vec<Mutex<LruCache<Box<str>, Arc<Proven>>>>,
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

impl TokenCache {
    /// An empty cache of about `tokens` tokens; none for 0.
    pub fn new(tokens: usize) -> Self {
        let each = NonZeroUsize::new(tokens.div_ceil(SHARDS));
        Self {
            hasher: RandomState::new(),
            shards: each
                .into_iter()
                .flat_map(|each| (0..SHARDS).map(move |_| Mutex::new(LruCache::sparse(each))))
                .collect(),
        }
    }

    fn shard(&self, token: &str) -> Option<&Mutex<LruCache<Box<str>, Arc<Proven>>>> {
        let count = u64::try_from(self.shards.len()).ok()?;
        let index = self.hasher.hash_one(token).checked_rem(count)?;
        self.shards.get(usize::try_from(index).ok()?)
    }

    /// What this very token has proven.
    pub(super) fn get(&self, token: &str) -> Option<Arc<Proven>> {
        self.shard(token)?.lock().get(token).cloned()
    }

    /// Keeps what a token has proven, in place of the one that was not asked for the longest.
    pub(super) fn put(&self, token: &str, proven: &Arc<Proven>) {
        if let Some(shard) = self.shard(token) {
            shard.lock().put(token.into(), Arc::clone(proven));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}
