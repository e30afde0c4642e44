//! One address of an upstream and whether it is left out for now. Time is what has passed since the set
//! was made.
//!
//! Invariant: [`in_turn`] gives an address whenever there is one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;

use crate::config::Origin;

/// How long an address is left out after its first failure; doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest that an address is left out at a time.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Address {
    pub(super) addr: SocketAddr,
    pub(super) authority: HeaderValue,
    /// Milliseconds since the epoch of the set; 0 is not ejected.
    ejected_until: AtomicU64,
    failures: AtomicU32,
}

impl Address {
    pub(super) fn new(addr: SocketAddr, authority: HeaderValue) -> Self {
        Self {
            addr,
            authority,
            ejected_until: AtomicU64::new(0),
            failures: AtomicU32::new(0),
        }
    }

    pub(super) fn is_ejected(&self, now: Duration) -> bool {
        self.ejected_until.load(Ordering::Relaxed) > millis(now)
    }

    /// A burst of failures of the same moment counts once, so that it does not look like a long outage.
    pub(super) fn eject(&self, now: Duration) {
        if self.is_ejected(now) {
            return;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).min(10);
        let back_off = FIRST_BACK_OFF
            .saturating_mul(1 << failures)
            .min(LONGEST_BACK_OFF);
        self.ejected_until
            .store(millis(now + back_off), Ordering::Relaxed);
    }

    pub(super) fn restore(&self) {
        // Reads alone while all is well: a shared cache line that nobody writes costs nothing.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }
}

/// The next address in turn that is not left out; where all are, the one whose turn it is. The clock is
/// read only where some address has failed.
pub(super) fn in_turn(
    addresses: &[Arc<Address>],
    turn: usize,
    now: impl FnOnce() -> Duration,
) -> Option<&Address> {
    let start = turn.checked_rem(addresses.len())?;
    let (before, from) = addresses.split_at_checked(start)?;
    let mut in_order = from.iter().chain(before);
    let first = in_order.next()?;
    if first.ejected_until.load(Ordering::Relaxed) == 0 {
        return Some(first);
    }
    let now = now();
    if !first.is_ejected(now) {
        return Some(first);
    }
    Some(in_order.find(|a| !a.is_ejected(now)).unwrap_or(first))
}

/// `host[:port]` as it stands in `Host`; port 80 is left out (RFC 9110 §4.2.3).
pub(super) fn authority(origin: &Origin) -> Option<HeaderValue> {
    let host = if origin.host.contains(':') {
        format!("[{}]", origin.host)
    } else {
        origin.host.clone()
    };
    let text = if origin.port == 80 {
        host
    } else {
        format!("{host}:{}", origin.port)
    };
    HeaderValue::try_from(text).ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
