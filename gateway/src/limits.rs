//! The login throttle: how often a name and an address may be tried.
//!
//! Invariants: a name is treated alike whether it exists or not; no delay is longer than the cap, and what
//! is tried during a delay does not lengthen it, so nobody is locked out for good; both tables are bounded,
//! and a flood of other names does not wash out the ones that are being guessed. Time is an argument, and a
//! clock that steps back shortens delays and never stretches them.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::time::Duration;

use aws_lc_rs::digest;
use lru::LruCache;
use parking_lot::Mutex;

use crate::config::ThrottleConfig;
use crate::username;

/// Names and addresses remembered, each. About 10 MiB when everything is full.
const ENTRIES: usize = 65_536;

/// Failures of a name are forgotten after this long without another, in seconds, or after twice the cap
/// where that is longer.
const MEMORY_SECS: u64 = 900;

/// A bucket holds sixtieths of an attempt, so that a rate per minute refills in whole units per second.
const UNITS: u64 = 60;

/// Counts login attempts.
#[derive(Debug)]
pub struct LoginThrottle {
    free_failures: u32,
    cap_secs: u64,
    per_minute: u64,
    tables: Mutex<Tables>,
}

/// What is remembered. A name moves from `counted` to `delayed` with the failure that starts its delays:
/// filling the first table with random names pushes none out of the second.
#[derive(Debug)]
struct Tables {
    counted: LruCache<NameKey, Account>,
    delayed: LruCache<NameKey, Account>,
    addresses: LruCache<IpAddr, Bucket>,
}

/// A digest, so that a row has one size whatever was typed, and the table holds no names.
type NameKey = [u8; 32];

#[derive(Debug, Clone, Copy)]
struct Account {
    failures: u32,
    /// The last failure, or the last attempt that a delay let through.
    since: u64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    units: u64,
    at: u64,
}

impl LoginThrottle {
    /// An empty throttle.
    pub fn new(config: &ThrottleConfig) -> Self {
        Self::with_entries(
            config,
            NonZeroUsize::new(ENTRIES).unwrap_or(NonZeroUsize::MIN),
        )
    }

    fn with_entries(config: &ThrottleConfig, entries: NonZeroUsize) -> Self {
        Self {
            free_failures: config.account_failures,
            cap_secs: config.account_cap.as_secs().max(1),
            per_minute: u64::from(config.per_ip_per_minute.max(1)),
            tables: Mutex::new(Tables {
                counted: LruCache::sparse(entries),
                delayed: LruCache::sparse(entries),
                addresses: LruCache::sparse(entries),
            }),
        }
    }

    /// Asks before a password is looked at; takes one attempt from the address. `now` in Unix seconds.
    ///
    /// Where the name is under delays, the attempt that passes starts the next delay at once: of many
    /// sent together, one gets through.
    ///
    /// # Errors
    /// How long to wait, in whole seconds, for `Retry-After`.
    pub fn check(&self, name: &str, address: IpAddr, now: u64) -> Result<(), Duration> {
        let mut tables = self.tables.lock();
        tables.take_attempt(network(address), self.per_minute, now)?;
        let key = name_key(name);
        let Some(account) = tables.delayed.get_mut(&key) else {
            return Ok(());
        };
        account.since = account.since.min(now);
        let age = now - account.since;
        if age >= self.memory() {
            tables.delayed.pop(&key);
            return Ok(());
        }
        match self.delay(account.failures).checked_sub(age) {
            Some(left) if left > 0 => Err(Duration::from_secs(left)),
            _ => {
                account.since = now;
                Ok(())
            }
        }
    }

    /// Records a wrong password, an unknown name or a disabled user, all alike.
    pub fn failed(&self, name: &str, _address: IpAddr, now: u64) {
        let key = name_key(name);
        let mut tables = self.tables.lock();
        let known = tables
            .delayed
            .pop(&key)
            .or_else(|| tables.counted.pop(&key));
        let failures = known
            .filter(|account| now.saturating_sub(account.since) < self.memory())
            .map_or(0, |account| account.failures)
            .saturating_add(1);
        let account = Account {
            failures,
            since: now,
        };
        if failures >= self.free_failures {
            tables.delayed.put(key, account);
        } else {
            tables.counted.put(key, account);
        }
    }

    /// Records a login: the name starts afresh, the address does not (or one good account would pay for
    /// guessing at others).
    pub fn succeeded(&self, name: &str, _address: IpAddr) {
        let key = name_key(name);
        let mut tables = self.tables.lock();
        tables.counted.pop(&key);
        tables.delayed.pop(&key);
    }

    /// One second with the failure that uses up the free ones, then twice as long each time, up to the cap.
    fn delay(&self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(self.free_failures);
        1_u64
            .checked_shl(doublings)
            .map_or(self.cap_secs, |secs| secs.min(self.cap_secs))
    }

    fn memory(&self) -> u64 {
        MEMORY_SECS.max(self.cap_secs.saturating_mul(2))
    }
}

impl Tables {
    fn take_attempt(&mut self, network: IpAddr, per_minute: u64, now: u64) -> Result<(), Duration> {
        let full = per_minute * UNITS;
        let bucket = self.addresses.get_or_insert_mut(network, || Bucket {
            units: full,
            at: now,
        });
        let passed = now.saturating_sub(bucket.at);
        bucket.at = now;
        bucket.units = bucket
            .units
            .saturating_add(passed.saturating_mul(per_minute))
            .min(full);
        match bucket.units.checked_sub(UNITS) {
            Some(left) => {
                bucket.units = left;
                Ok(())
            }
            None => Err(Duration::from_secs(
                (UNITS - bucket.units).div_ceil(per_minute),
            )),
        }
    }
}

/// Names that would be the same user count as one.
fn name_key(name: &str) -> NameKey {
    let digest = digest::digest(&digest::SHA256, username::key(name).as_bytes());
    digest.as_ref().try_into().unwrap_or_default()
}

/// Who counts as one client: an IPv4 address, or the /64 that one subscriber of IPv6 gets at least.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
