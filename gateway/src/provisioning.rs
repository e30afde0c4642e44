//! Tells services behind the gateway about users: `PUT {prefix}/{id}` for one that exists,
//! `DELETE {prefix}/{id}` for one that does not, for every change, in order, at least once.
//!
//! Each upstream with `provision` set has one worker with a cursor in the store. A service that was down
//! catches up; an entry that it refuses is parked and shown, and never holds up the others.
//!
//! Invariants: what is sent is the user as it is now, not as the change left it, so a repeated or late
//! entry does no harm; the cursor never passes an entry that was neither acknowledged nor parked; one
//! upstream never waits for another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::UpstreamConfig;
use crate::policy::UpstreamId;
use crate::store::{self, ProvisionState, Store, UnixSeconds, Version};
use crate::upstream::UpstreamSet;

mod client;
mod worker;

use client::Client;
use worker::Worker;

/// The workers of all upstreams that want to know of users.
#[derive(Debug)]
pub struct Provisioning {
    store: Arc<dyn Store>,
    upstreams: Arc<UpstreamSet>,
    now: fn() -> UnixSeconds,
    targets: Vec<Target>,
}

#[derive(Debug)]
struct Target {
    id: UpstreamId,
    config: UpstreamConfig,
    prefix: String,
    hint: Arc<Notify>,
    /// Everything up to here was acknowledged or parked.
    told: watch::Sender<Version>,
}

impl Provisioning {
    /// One worker for each upstream with `provision` set; none runs before [`Self::run`].
    /// `now` is asked when an entry is parked.
    pub fn new(
        store: Arc<dyn Store>,
        upstreams: Arc<UpstreamSet>,
        now: fn() -> UnixSeconds,
    ) -> Self {
        let targets = upstreams
            .ids()
            .filter_map(|id| {
                let config = upstreams.config(id)?;
                Some(Target {
                    id,
                    prefix: config.provision.clone()?,
                    config: (**config).clone(),
                    hint: Arc::default(),
                    told: watch::Sender::new(Version(0)),
                })
            })
            .collect();
        Self {
            store,
            upstreams,
            now,
            targets,
        }
    }

    /// Says whether no upstream wants to know of users.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Works until `shutdown` turns true or its sender is gone. Errors of the store and of upstreams are
    /// logged and tried again.
    pub async fn run(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        let mut workers = JoinSet::new();
        for target in &self.targets {
            let worker = Worker {
                store: Arc::clone(&self.store),
                client: Client::new(
                    Arc::clone(&self.upstreams),
                    target.id,
                    &target.config,
                    &target.prefix,
                ),
                upstream: target.config.name.clone(),
                hint: Arc::clone(&target.hint),
                told: target.told.clone(),
                now: self.now,
            };
            workers.spawn(worker.run());
        }
        // An error means that nobody is left who could ask for the end.
        let _ = shutdown.wait_for(|stop| *stop).await;
        // Dropping the set ends the workers; what was not acknowledged is sent again at the next start.
    }

    /// A hint that the feed has grown; without it, workers look four times a second.
    pub fn changed(&self) {
        for target in &self.targets {
            target.hint.notify_one();
        }
    }

    /// Waits until every upstream has acknowledged or refused everything up to `version`, for at most
    /// `limit`. Says whether it came to that.
    pub async fn wait_for(&self, version: Version, limit: Duration) -> bool {
        self.changed();
        let all = async {
            for target in &self.targets {
                // The sender lives as long as `self`.
                let _ = target.told.subscribe().wait_for(|v| *v >= version).await;
            }
        };
        timeout(limit, all).await.is_ok()
    }
}

/// Asks the server, which may be another process, to send parked entries again.
///
/// # Errors
/// Those of the store.
pub async fn ask_retry(store: &dyn Store, upstream: &str) -> store::Result<()> {
    let mut asked = asked(store, upstream).await?;
    asked.retries += 1;
    store
        .put_provision_state(&asked_name(upstream), asked)
        .await
}

/// Asks the server, which may be another process, to send everything again.
///
/// # Errors
/// Those of the store.
pub async fn ask_resync(store: &dyn Store, upstream: &str) -> store::Result<()> {
    let mut asked = asked(store, upstream).await?;
    asked.resyncs += 1;
    store
        .put_provision_state(&asked_name(upstream), asked)
        .await
}

/// What was asked for: only the counters of the record count. It is apart from the worker's own record,
/// so that neither ever overwrites what the other has written.
async fn asked(store: &dyn Store, upstream: &str) -> store::Result<ProvisionState> {
    store.provision_state(&asked_name(upstream)).await
}

/// No upstream can have such a name.
fn asked_name(upstream: &str) -> String {
    format!("{upstream}?asked")
}
