//! Looking up the names of upstreams, off the request path.
//!
//! Invariant: a lookup that fails or gives nothing changes nothing but a counter and the log.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::{Address, authority};
use super::{Upstream, UpstreamSet};
use crate::config::Origin;

/// Longest wait for the resolver.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon an upstream without any address is looked up again.
const RETRY_WITHOUT_ADDRESS: Duration = Duration::from_secs(1);

impl UpstreamSet {
    /// Looks every name up once, each for at most 5 seconds, all at the same time. A name that does not
    /// resolve is logged and tried again by [`Self::refresh_loop`].
    pub async fn resolve_all(self: &Arc<Self>) {
        let mut lookups = JoinSet::new();
        for index in 0..self.upstreams.len() {
            let set = Arc::clone(self);
            lookups.spawn(async move {
                if let Some(upstream) = set.upstreams.get(index) {
                    upstream.resolve().await;
                }
            });
        }
        lookups.join_all().await;
    }

    /// Looks names up again every `dns_refresh` of their upstream, until `shutdown` turns true or its
    /// sender is gone. The first lookup of each is at once.
    pub async fn refresh_loop(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        let mut loops = JoinSet::new();
        for index in 0..self.upstreams.len() {
            let set = Arc::clone(&self);
            loops.spawn(async move {
                if let Some(upstream) = set.upstreams.get(index)
                    && upstream.has_names()
                {
                    upstream.keep_resolving().await;
                }
            });
        }
        // An error means that nobody is left who could ask for the end.
        let _ = shutdown.wait_for(|stop| *stop).await;
        // Dropping the set ends the loops.
    }
}

impl Upstream {
    /// Origins that are IP addresses are known without a lookup.
    pub(super) fn take_literals(&self) {
        for (index, origin) in self.config.origins.iter().enumerate() {
            if let Ok(ip) = origin.host.parse::<IpAddr>() {
                self.take(index, origin, &[SocketAddr::new(ip, origin.port)]);
            }
        }
    }

    fn has_names(&self) -> bool {
        self.config.origins.iter().any(is_name)
    }

    async fn keep_resolving(&self) {
        loop {
            self.resolve().await;
            let pause = if self.addresses.load().is_empty() {
                self.config.dns_refresh.min(RETRY_WITHOUT_ADDRESS)
            } else {
                self.config.dns_refresh
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn resolve(&self) {
        for (index, origin) in self.config.origins.iter().enumerate() {
            if !is_name(origin) {
                continue;
            }
            match lookup(origin).await {
                Ok(found) => self.take(index, origin, &found),
                Err(error) => self.lookup_failed(index, origin, &error),
            }
        }
    }

    pub(super) fn take(&self, index: usize, origin: &Origin, found: &[SocketAddr]) {
        let Some(authority) = authority(origin) else {
            return;
        };
        let mut origins = self.origins.lock();
        let Some(known) = origins.get_mut(index) else {
            return;
        };
        known.failing = false;
        // An address that is still there keeps its ejection.
        let next: Vec<_> = found
            .iter()
            .map(|addr| {
                known
                    .addresses
                    .iter()
                    .find(|a| a.addr == *addr)
                    .map_or_else(
                        || Arc::new(Address::new(*addr, authority.clone())),
                        Arc::clone,
                    )
            })
            .collect();
        let before = known.addresses.iter().map(|a| a.addr);
        if before.eq(next.iter().map(|a| a.addr)) {
            return;
        }
        tracing::info!(upstream = %self.config.name, host = %origin.host, addresses = ?found, "upstream addresses");
        known.addresses = next;
        let all = origins
            .iter()
            .flat_map(|k| &k.addresses)
            .map(Arc::clone)
            .collect();
        self.addresses.store(Arc::new(all));
    }

    pub(super) fn lookup_failed(&self, index: usize, origin: &Origin, error: &io::Error) {
        self.counters
            .lookup_failures
            .fetch_add(1, Ordering::Relaxed);
        let mut origins = self.origins.lock();
        let Some(known) = origins.get_mut(index) else {
            return;
        };
        // One line when it begins; afterwards the counter tells.
        if !std::mem::replace(&mut known.failing, true) {
            tracing::warn!(
                upstream = %self.config.name, host = %origin.host, %error,
                keeps = known.addresses.len(),
                "the upstream's name does not resolve; trying again",
            );
        }
    }
}

fn is_name(origin: &Origin) -> bool {
    origin.host.parse::<IpAddr>().is_err()
}

/// Every address once, in a fixed order, so that an answer in another order is no change.
async fn lookup(origin: &Origin) -> io::Result<Vec<SocketAddr>> {
    let answer = timeout(
        LOOKUP_TIMEOUT,
        tokio::net::lookup_host((origin.host.as_str(), origin.port)),
    )
    .await
    .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the resolver did not answer"))??;
    let mut found: Vec<_> = answer.collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
    }
    Ok(found)
}
