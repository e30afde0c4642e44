//! The services behind the gateway: their addresses, how many requests each may hold, and the secret that
//! each knows the gateway by.
//!
//! Invariants: no name is ever looked up on the request path; an answer of the resolver replaces the last
//! good one only when it names an address; an address that does not take connections is left out for a
//! while, but never the last one that is left.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;

use crate::config::UpstreamConfig;
use crate::policy::UpstreamId;

mod address;
mod places;
mod resolve;
mod secret;

use address::Address;
use places::Places;

pub use places::Place;
pub use secret::SecretError;

/// Carries the shared secret on every forwarded and provisioning request.
pub const SECRET_HEADER: HeaderName = HeaderName::from_static("x-gateway-secret");

/// Every upstream of a configuration, by [`UpstreamId`].
#[derive(Debug)]
pub struct UpstreamSet {
    upstreams: Vec<Upstream>,
    /// What the times of ejections are counted from.
    epoch: Instant,
}

#[derive(Debug)]
struct Upstream {
    config: Arc<UpstreamConfig>,
    places: Places,
    secret: Option<HeaderValue>,
    /// In the order of the configuration.
    origins: Mutex<Vec<Known>>,
    /// All of them in one list.
    addresses: ArcSwap<Vec<Arc<Address>>>,
    turn: AtomicUsize,
    counters: Counters,
}

/// What is known of one origin.
#[derive(Debug, Clone, Default)]
struct Known {
    /// The last good answer.
    addresses: Vec<Arc<Address>>,
    /// The last lookup failed.
    failing: bool,
}

#[derive(Debug, Default)]
struct Counters {
    picked: AtomicU64,
    busy: AtomicU64,
    no_address: AtomicU64,
    connect_failures: AtomicU64,
    lookup_failures: AtomicU64,
}

/// Where the next request to an upstream goes.
#[derive(Debug, Clone)]
pub struct Picked {
    /// A peer of the upstream.
    pub addr: SocketAddr,
    /// The origin's own `host[:port]`, for `Host` where the client's is not kept.
    pub authority: HeaderValue,
}

/// Why a request cannot go to an upstream now. All are answered 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// As many requests as `max_requests` are in flight.
    #[error(
        "upstream {upstream} already has its {limit} requests in flight, or this client its share of them"
    )]
    Busy {
        /// Name of the upstream.
        upstream: String,
        /// `max_requests` of the upstream.
        limit: usize,
    },
    /// No lookup has given an address yet.
    #[error("upstream {upstream} has no address: {origins} did not resolve so far")]
    NoAddress {
        /// Name of the upstream.
        upstream: String,
        /// Its origins as they stand in the configuration.
        origins: String,
    },
    /// The id is of another configuration.
    #[error("no upstream with index {0}")]
    Unknown(usize),
}

/// Counters of one upstream since start, and what it holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamStats {
    /// Name of the upstream.
    pub name: String,
    /// Known addresses.
    pub addresses: usize,
    /// Addresses left out for now.
    pub ejected: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// Times an address was picked.
    pub picked: u64,
    /// Requests refused because too many were in flight.
    pub busy: u64,
    /// Picks that failed because no address was known.
    pub no_address: u64,
    /// Connections that could not be made.
    pub connect_failures: u64,
    /// Name lookups that failed or gave no address.
    pub lookup_failures: u64,
}

impl UpstreamSet {
    /// Reads each upstream's shared secret, or makes it where there is none yet. Looks no name up:
    /// origins that are IP addresses can be picked at once, the others after [`Self::resolve_all`] or
    /// once [`Self::refresh_loop`] has run.
    ///
    /// # Errors
    /// A secret that can be neither read nor made.
    pub fn new(configs: &[UpstreamConfig]) -> Result<Self, SecretError> {
        let upstreams = configs
            .iter()
            .map(Upstream::new)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            upstreams,
            epoch: Instant::now(),
        })
    }

    /// How many upstreams there are.
    pub fn len(&self) -> usize {
        self.upstreams.len()
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.upstreams.is_empty()
    }

    /// The ids of all, in the order of the configuration.
    pub fn ids(&self) -> impl Iterator<Item = UpstreamId> {
        (0..self.upstreams.len())
            .filter_map(|i| u16::try_from(i).ok())
            .map(UpstreamId::new)
    }

    /// The configuration of an upstream.
    pub fn config(&self, id: UpstreamId) -> Option<&Arc<UpstreamConfig>> {
        self.upstream(id).map(|u| &u.config)
    }

    /// The secret to send as [`SECRET_HEADER`], marked sensitive; `None` where none is configured.
    pub fn secret(&self, id: UpstreamId) -> Option<&HeaderValue> {
        self.upstream(id).and_then(|u| u.secret.as_ref())
    }

    /// Takes a place at an upstream; hold it until the response is over. Retries of one request share
    /// one place.
    ///
    /// # Errors
    /// [`PickError::Busy`] where `max_requests` are in flight, or the client's share of them; nobody waits.
    pub fn admit(&self, id: UpstreamId, client: IpAddr) -> Result<Place, PickError> {
        let upstream = self.known(id)?;
        upstream.places.take(client).ok_or_else(|| {
            upstream.counters.busy.fetch_add(1, Ordering::Relaxed);
            PickError::Busy {
                upstream: upstream.config.name.clone(),
                limit: upstream.config.max_requests,
            }
        })
    }

    /// Takes the next address in turn that takes connections.
    ///
    /// # Errors
    /// [`PickError::NoAddress`] where no lookup has succeeded yet.
    pub fn pick(&self, id: UpstreamId) -> Result<Picked, PickError> {
        let upstream = self.known(id)?;
        let addresses = upstream.addresses.load();
        let turn = upstream.turn.fetch_add(1, Ordering::Relaxed);
        let Some(address) = address::in_turn(&addresses, turn, || self.epoch.elapsed()) else {
            upstream.counters.no_address.fetch_add(1, Ordering::Relaxed);
            return Err(PickError::NoAddress {
                upstream: upstream.config.name.clone(),
                origins: upstream.origin_names(),
            });
        };
        upstream.counters.picked.fetch_add(1, Ordering::Relaxed);
        Ok(Picked {
            addr: address.addr,
            authority: address.authority.clone(),
        })
    }

    /// The address did not take a connection: it is left out for a while.
    pub fn connect_failed(&self, id: UpstreamId, addr: SocketAddr) {
        if let Some(upstream) = self.upstream(id) {
            upstream
                .counters
                .connect_failures
                .fetch_add(1, Ordering::Relaxed);
            let now = self.epoch.elapsed();
            for address in upstream.addresses.load().iter().filter(|a| a.addr == addr) {
                address.eject(now);
            }
        }
    }

    /// The address took a connection: earlier failures are forgotten.
    pub fn connected(&self, id: UpstreamId, addr: SocketAddr) {
        if let Some(upstream) = self.upstream(id) {
            for address in upstream.addresses.load().iter().filter(|a| a.addr == addr) {
                address.restore();
            }
        }
    }

    /// The counters of every upstream, in the order of the configuration.
    pub fn stats(&self) -> Vec<UpstreamStats> {
        let now = self.epoch.elapsed();
        self.upstreams.iter().map(|u| u.stats(now)).collect()
    }

    fn upstream(&self, id: UpstreamId) -> Option<&Upstream> {
        self.upstreams.get(id.index())
    }

    fn known(&self, id: UpstreamId) -> Result<&Upstream, PickError> {
        self.upstream(id)
            .ok_or_else(|| PickError::Unknown(id.index()))
    }
}

impl Upstream {
    fn new(config: &UpstreamConfig) -> Result<Self, SecretError> {
        let secret = match &config.secret_file {
            Some(path) => Some(secret::read_or_create(&config.name, path)?),
            None => None,
        };
        let upstream = Self {
            places: Places::new(config.max_requests),
            secret,
            origins: Mutex::new(vec![Known::default(); config.origins.len()]),
            addresses: ArcSwap::default(),
            turn: AtomicUsize::new(0),
            counters: Counters::default(),
            config: Arc::new(config.clone()),
        };
        upstream.take_literals();
        Ok(upstream)
    }

    fn origin_names(&self) -> String {
        let names: Vec<_> = self
            .config
            .origins
            .iter()
            .map(|o| o.host.as_str())
            .collect();
        names.join(", ")
    }

    fn stats(&self, now: Duration) -> UpstreamStats {
        let addresses = self.addresses.load();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UpstreamStats {
            name: self.config.name.clone(),
            addresses: addresses.len(),
            ejected: addresses.iter().filter(|a| a.is_ejected(now)).count(),
            in_flight: self.places.in_flight(),
            picked: read(&self.counters.picked),
            busy: read(&self.counters.busy),
            no_address: read(&self.counters.no_address),
            connect_failures: read(&self.counters.connect_failures),
            lookup_failures: read(&self.counters.lookup_failures),
        }
    }
}

#[cfg(test)]
mod tests;
