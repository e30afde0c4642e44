//! How many requests an upstream is given at once, in all and from one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::request::client_network;

/// Fewest places that one client may hold, where there are as many.
const LEAST_SHARE: usize = 16;

/// The places of one upstream.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    share: usize,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    /// Only clients that hold a place: never more entries than places.
    by_client: HashMap<IpAddr, usize>,
}

/// A request's place at an upstream, given back when dropped.
#[derive(Debug)]
pub struct Place {
    client: IpAddr,
    held: Arc<Mutex<Held>>,
}

impl Places {
    /// `limit` in all. One client gets a quarter of them: over HTTP/2 a single one could hold them all and
    /// keep everybody else out for as long as it is slow to read.
    pub(super) fn new(limit: usize) -> Self {
        let share = (limit / 4).max(LEAST_SHARE.min(limit));
        Self {
            limit,
            share,
            held: Arc::default(),
        }
    }

    /// A place for a request of this client; `None` where there is none for it.
    pub(super) fn take(&self, client: IpAddr) -> Option<Place> {
        let client = client_network(client);
        let mut held = self.held.lock();
        let own = held.by_client.get(&client).copied().unwrap_or(0);
        if held.all >= self.limit || own >= self.share {
            return None;
        }
        held.all += 1;
        held.by_client.insert(client, own + 1);
        Some(Place {
            client,
            held: Arc::clone(&self.held),
        })
    }

    /// Places that are held now.
    pub(super) fn in_flight(&self) -> usize {
        self.held.lock().all
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        held.all = held.all.saturating_sub(1);
        match held.by_client.get_mut(&self.client) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                held.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_client_does_not_hold_every_place() {
        let places = Places::new(100);
        let mine: Vec<_> = (0..25)
            .map_while(|_| places.take(ip("192.0.2.1")))
            .collect();
        assert_eq!(mine.len(), 25);
        assert!(places.take(ip("192.0.2.1")).is_none());
        assert!(places.take(ip("192.0.2.2")).is_some());
        // One subscriber of IPv6 has a whole network.
        let theirs: Vec<_> = (0..30)
            .map_while(|n| places.take(ip(&format!("2001:db8::{n:x}"))))
            .collect();
        assert_eq!(theirs.len(), 25);
        drop(mine);
        assert_eq!(places.in_flight(), 25);
        assert!(places.take(ip("192.0.2.1")).is_some());
        drop(theirs);
        assert_eq!(places.held.lock().by_client.len(), 0);
    }

    #[test]
    fn a_few_places_are_for_whoever_comes() {
        let places = Places::new(2);
        let held: Vec<_> = (0..3).map_while(|_| places.take(ip("192.0.2.1"))).collect();
        assert_eq!(held.len(), 2);
        assert!(places.take(ip("192.0.2.2")).is_none());
    }
}
