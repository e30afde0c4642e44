//! Failures of something that is guessed at, and the delays that follow from them.

use std::num::NonZeroUsize;

use lru::LruCache;

/// A digest of what is guessed at.
pub(super) type Key = [u8; 32];

/// What follows from how many failures.
#[derive(Debug)]
pub(super) struct Delays {
    /// Failures before the first delay.
    pub(super) free: u32,
    /// The longest delay, in seconds.
    pub(super) cap: u64,
    /// Failures are forgotten after so many seconds without another.
    pub(super) memory: u64,
}

/// A row moves from `counted` to `delayed` with the failure that starts its delays: filling the first table
/// with random names pushes none out of the second.
#[derive(Debug)]
pub(super) struct Failures {
    counted: LruCache<Key, Row>,
    delayed: LruCache<Key, Row>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    failures: u32,
    /// The last failure, or the last attempt that a delay let through.
    since: u64,
}

impl Delays {
    /// One second with the failure that uses up the free ones, then twice as long each time, up to the cap.
    fn after(&self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(self.free);
        1_u64
            .checked_shl(doublings)
            .map_or(self.cap, |secs| secs.min(self.cap))
    }
}

impl Failures {
    pub(super) fn new(entries: NonZeroUsize) -> Self {
        Self {
            counted: LruCache::sparse(entries),
            delayed: LruCache::sparse(entries),
        }
    }

    /// Seconds left of a delay; 0 where there is none.
    pub(super) fn left(&mut self, key: &Key, delays: &Delays, now: u64) -> u64 {
        let Some(row) = self.delayed.get_mut(key) else {
            return 0;
        };
        row.since = row.since.min(now);
        let age = now - row.since;
        if age >= delays.memory {
            self.delayed.pop(key);
            return 0;
        }
        delays.after(row.failures).saturating_sub(age)
    }

    /// Failures are on record.
    pub(super) fn is_known(&self, key: &Key, delays: &Delays, now: u64) -> bool {
        let row = self.delayed.peek(key).or_else(|| self.counted.peek(key));
        row.is_some_and(|row| now.saturating_sub(row.since) < delays.memory)
    }

    /// An attempt goes through: the next delay begins.
    pub(super) fn pass(&mut self, key: &Key, now: u64) {
        if let Some(row) = self.delayed.get_mut(key) {
            row.since = now;
        }
    }

    pub(super) fn add(&mut self, key: Key, delays: &Delays, now: u64) {
        let known = self.delayed.pop(&key).or_else(|| self.counted.pop(&key));
        let failures = known
            .filter(|row| now.saturating_sub(row.since) < delays.memory)
            .map_or(0, |row| row.failures)
            .saturating_add(1);
        let row = Row {
            failures,
            since: now,
        };
        if failures >= delays.free {
            self.delayed.put(key, row);
        } else {
            self.counted.put(key, row);
        }
    }

    pub(super) fn forget(&mut self, key: &Key) {
        self.counted.pop(key);
        self.delayed.pop(key);
    }

    #[cfg(test)]
    pub(super) fn longest_table(&self) -> usize {
        self.counted.len().max(self.delayed.len())
    }
}
