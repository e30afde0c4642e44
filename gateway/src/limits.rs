//! The login throttle: how often a name and an address may be tried.
//!
//! Failures count twice: by name and client network, with the configured free failures, and by name alone,
//! with ten times as many. Either count delays on its own. Beside them each address has so many attempts a
//! minute. Many people may share one (behind address translation, or a proxy that is not trusted), and one of
//! them who guesses must not lock the others out: where the attempts are used up, names that have logged in
//! there pass, and names that nobody has failed at there have ten times as many attempts of their own.
//!
//! Invariants: a name is treated alike whether it exists or not; no delay is longer than the cap, and what
//! is tried during a delay does not lengthen it; who tries a name elsewhere delays nobody on a network from
//! which that name has logged in (of each name the last `NETWORKS`, for `TRUST_SECS`, since the start).
//! On any other network the attempts of strangers may take each turn that the delay of the name gives. All
//! tables are bounded, and a flood of other names does not wash out the ones that are being guessed. Time is
//! an argument, and a clock that steps back shortens delays and never stretches them.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use aws_lc_rs::digest;
use lru::LruCache;
use parking_lot::Mutex;

use crate::config::ThrottleConfig;
use crate::request::client_network;
use crate::username;

use self::failures::{Delays, Failures, Key};

mod failures;

/// Rows of each table. About 50 MiB when everything is full.
const ENTRIES: usize = 65_536;

/// Failures of a name are forgotten after this long without another, in seconds, or after twice the cap
/// where that is longer.
const MEMORY_SECS: u64 = 900;

/// How many times the free failures of a pair a name has on all networks together.
const NAME_FACTOR: u32 = 10;

/// How many times the attempts of an address are kept for names that nobody has failed at there.
const SPARE_FACTOR: u64 = 10;

/// Networks remembered of each name that logged in: one account cannot wash out another's.
const NETWORKS: usize = 8;

/// How long such a network is remembered after its last login, in seconds: 30 days.
const TRUST_SECS: u64 = 30 * 24 * 60 * 60;

/// A bucket holds sixtieths of an attempt, so that a rate per minute refills in whole units per second.
const UNITS: u64 = 60;

/// Counts login attempts.
#[derive(Debug)]
pub struct LoginThrottle {
    of_pairs: Delays,
    of_names: Delays,
    per_minute: u64,
    tables: Mutex<Tables>,
}

#[derive(Debug)]
struct Tables {
    pairs: Failures,
    names: Failures,
    /// Where a name has logged in, the last one at the end, and when.
    trusted: LruCache<Key, Vec<(IpAddr, u64)>>,
    addresses: LruCache<IpAddr, Attempts>,
    /// When the last attempt was asked about.
    now: u64,
}

/// What an address has left.
#[derive(Debug)]
struct Attempts {
    any: Bucket,
    /// For names that nobody has failed at there.
    spare: Bucket,
}

#[derive(Debug)]
struct Bucket {
    per_minute: u64,
    units: u64,
    at: u64,
}

impl Bucket {
    fn full(per_minute: u64, now: u64) -> Self {
        Self {
            per_minute,
            units: per_minute.saturating_mul(UNITS),
            at: now,
        }
    }

    /// Takes an attempt, or says how many seconds there is none.
    fn take(&mut self, now: u64) -> Result<(), u64> {
        let passed = now.saturating_sub(self.at);
        self.at = now;
        self.units = self
            .units
            .saturating_add(passed.saturating_mul(self.per_minute))
            .min(self.per_minute.saturating_mul(UNITS));
        match self.units.checked_sub(UNITS) {
            Some(left) => {
                self.units = left;
                Ok(())
            }
            None => Err((UNITS - self.units).div_ceil(self.per_minute)),
        }
    }
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
        let cap = config.account_cap.as_secs().max(1);
        let delays = |free| Delays {
            free,
            cap,
            memory: MEMORY_SECS.max(cap.saturating_mul(2)),
        };
        Self {
            of_pairs: delays(config.account_failures),
            of_names: delays(config.account_failures.saturating_mul(NAME_FACTOR)),
            per_minute: u64::from(config.per_ip_per_minute.max(1)),
            tables: Mutex::new(Tables {
                pairs: Failures::new(entries),
                names: Failures::new(entries),
                trusted: LruCache::sparse(entries),
                addresses: LruCache::sparse(entries),
                now: 0,
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
        let network = client_network(address);
        let (name, pair) = keys(name, network);
        let mut tables = self.tables.lock();
        tables.now = now;
        let trusted = tables.is_trusted(&name, network, now);
        let unfailed = !tables.pairs.is_known(&pair, &self.of_pairs, now);
        let attempt = tables.take_attempt(network, self.per_minute, unfailed, now);
        if !trusted {
            attempt.map_err(Duration::from_secs)?;
        }
        let of_pair = tables.pairs.left(&pair, &self.of_pairs, now);
        let of_name = if trusted {
            0
        } else {
            tables.names.left(&name, &self.of_names, now)
        };
        match of_pair.max(of_name) {
            0 => {
                // Only who passes takes a turn, and a trusted network takes none from the others.
                tables.pairs.pass(&pair, now);
                if !trusted {
                    tables.names.pass(&name, now);
                }
                Ok(())
            }
            left => Err(Duration::from_secs(left)),
        }
    }

    /// Records a wrong password, an unknown name or a disabled user, all alike.
    pub fn failed(&self, name: &str, address: IpAddr, now: u64) {
        let (name, pair) = keys(name, client_network(address));
        let mut tables = self.tables.lock();
        tables.pairs.add(pair, &self.of_pairs, now);
        tables.names.add(name, &self.of_names, now);
    }

    /// Client networks from which logins were tried, as many as the table holds. One, where many people
    /// log in: the gateway sees the address of something in front of them.
    pub fn networks(&self) -> usize {
        self.tables.lock().addresses.len()
    }

    /// Records a login: the name starts afresh on this network, which the delays of the name no longer
    /// concern. The address does not start afresh (or one good account would pay for guessing at others),
    /// and neither does the name elsewhere.
    pub fn succeeded(&self, name: &str, address: IpAddr) {
        let network = client_network(address);
        let (name, pair) = keys(name, network);
        let mut tables = self.tables.lock();
        tables.pairs.forget(&pair);
        tables.trust(name, network);
    }
}

impl Tables {
    fn take_attempt(
        &mut self,
        network: IpAddr,
        per_minute: u64,
        unfailed: bool,
        now: u64,
    ) -> Result<(), u64> {
        let left = self.addresses.get_or_insert_mut(network, || Attempts {
            any: Bucket::full(per_minute, now),
            spare: Bucket::full(per_minute.saturating_mul(SPARE_FACTOR), now),
        });
        match left.any.take(now) {
            Err(_) if unfailed => left.spare.take(now),
            taken => taken,
        }
    }

    fn trust(&mut self, name: Key, network: IpAddr) {
        let now = self.now;
        let networks = self.trusted.get_or_insert_mut(name, Vec::new);
        networks.retain(|(known, _)| *known != network);
        if networks.len() >= NETWORKS {
            networks.remove(0);
        }
        networks.push((network, now));
    }

    fn is_trusted(&self, name: &Key, network: IpAddr, now: u64) -> bool {
        self.trusted.peek(name).is_some_and(|networks| {
            networks
                .iter()
                .any(|(known, at)| *known == network && now.saturating_sub(*at) < TRUST_SECS)
        })
    }
}

/// Of a name alone and of a name on a network. Names that would be the same user count as one.
fn keys(name: &str, network: IpAddr) -> (Key, Key) {
    let name = digest_of(username::key(name).as_bytes());
    let mut pair = name.to_vec();
    match network {
        IpAddr::V4(v4) => pair.extend(v4.octets()),
        IpAddr::V6(v6) => pair.extend(v6.octets()),
    }
    (name, digest_of(&pair))
}

/// One size whatever was typed, and the tables hold no names.
fn digest_of(bytes: &[u8]) -> Key {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests;
