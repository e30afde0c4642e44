//! The worker of one upstream: follows the feed, sends, keeps the cursor.
//!
//! Invariant: everything that it needs after a crash is in the store before the cursor says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::asked;
use super::client::{Client, Verdict};
use crate::store::{
    self, Change, Changes, Parked, ProvisionState, Store, UnixSeconds, UserId, Version,
};

/// How often the feed is looked at where no hint comes (changes of other processes).
const POLL: Duration = Duration::from_millis(250);

/// Changes read, and sent before the cursor is saved, at a time.
const BATCH: usize = 16;

/// The pause after a first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// See the module's documentation.
pub(super) struct Worker {
    pub(super) store: Arc<dyn Store>,
    pub(super) client: Client,
    pub(super) upstream: String,
    pub(super) hint: Arc<Notify>,
    pub(super) told: watch::Sender<Version>,
    pub(super) now: fn() -> UnixSeconds,
}

impl Worker {
    /// Works until dropped.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            match self.follow(&mut failures).await {
                Ok(never) => match never {},
                Err(error) => {
                    tracing::warn!(upstream = %self.upstream, %error, "provisioning stopped by the store; trying again");
                    self.pause(&mut failures).await;
                }
            }
        }
    }

    async fn follow(&self, failures: &mut u32) -> store::Result<std::convert::Infallible> {
        let mut state = self.store.provision_state(&self.upstream).await?;
        self.told.send_replace(state.cursor);
        loop {
            self.heed_asked(&mut state).await?;
            let changes = self.store.changes_since(state.cursor, BATCH).await?;
            *failures = 0;
            match changes {
                Changes::Truncated => self.send_everything(&mut state).await?,
                Changes::Rows(rows) if rows.is_empty() => {
                    // A hint that comes while nobody waits is kept for the next wait.
                    let _ = timeout(POLL, self.hint.notified()).await;
                }
                Changes::Rows(rows) => self.send_rows(&mut state, rows).await?,
            }
        }
    }

    /// Does what the command line has asked for since.
    async fn heed_asked(&self, state: &mut ProvisionState) -> store::Result<()> {
        let asked = asked(&*self.store, &self.upstream).await?;
        if asked.resyncs > state.resyncs {
            self.send_everything(state).await?;
            // Only now: a crash on the way starts it again.
            state.resyncs = asked.resyncs;
            state.retries = state.retries.max(asked.retries);
            self.save(state).await?;
        } else if asked.retries > state.retries {
            let mut parked: Vec<_> = state.parked.iter().map(|p| p.user).collect();
            parked.sort_unstable();
            for id in parked {
                self.deliver(state, id).await?;
            }
            state.retries = asked.retries;
            self.save(state).await?;
        }
        Ok(())
    }

    async fn send_rows(
        &self,
        state: &mut ProvisionState,
        rows: Vec<(Version, Change)>,
    ) -> store::Result<()> {
        for (version, change) in rows {
            match change {
                Change::User(id) | Change::UserRemoved(id) => self.deliver(state, id).await?,
                Change::Keys => {}
            }
            state.cursor = version;
            self.told.send_replace(version);
        }
        self.save(state).await
    }

    /// Everything from 1 to the highest number that was ever given or sent, in order: those that exist
    /// are put, all others removed.
    async fn send_everything(&self, state: &mut ProvisionState) -> store::Result<()> {
        let snapshot = self.store.snapshot().await?;
        let highest = snapshot
            .users
            .iter()
            .map(|u| u.id.0)
            .max()
            .map_or(state.highest, |id| id.max(state.highest));
        tracing::info!(upstream = %self.upstream, users = snapshot.users.len(), highest, "sending every user again");
        drop(snapshot.users);
        for id in 1..=highest {
            self.deliver(state, UserId(id)).await?;
        }
        state.cursor = snapshot.version;
        self.save(state).await?;
        self.told.send_replace(state.cursor);
        Ok(())
    }

    /// Sends the user as it is now until the upstream takes or refuses it.
    async fn deliver(&self, state: &mut ProvisionState, id: UserId) -> store::Result<()> {
        let mut failures = 0;
        loop {
            // Read on every attempt: what was true before a long outage is of no use after it.
            let verdict = match self.store.user(id).await? {
                Some(user) => self.client.put(&user).await,
                None => self.client.delete(id).await,
            };
            if failures > 0 && !matches!(verdict, Verdict::Again(_)) {
                tracing::info!(upstream = %self.upstream, user = id.0, failures, "the upstream takes news of users again");
            }
            match verdict {
                Verdict::Acknowledged => {
                    state.highest = state.highest.max(id.0);
                    state.parked.retain(|p| p.user != id);
                    return Ok(());
                }
                Verdict::Refused { status, reason } => {
                    tracing::warn!(upstream = %self.upstream, user = id.0, status, "the upstream refused a user; parked");
                    state.highest = state.highest.max(id.0);
                    state.parked.retain(|p| p.user != id);
                    state.parked.push(Parked {
                        user: id,
                        status,
                        reason,
                        at: (self.now)(),
                    });
                    // At once, so that `provision status` shows it while later entries are on their way.
                    return self.save(state).await;
                }
                Verdict::Again(why) => {
                    if failures == 0 {
                        // Once: the outage is told by its beginning.
                        tracing::warn!(upstream = %self.upstream, user = id.0, why, "could not tell the upstream about a user; trying again");
                    }
                    self.pause(&mut failures).await;
                }
            }
        }
    }

    async fn save(&self, state: &ProvisionState) -> store::Result<()> {
        self.store
            .put_provision_state(&self.upstream, state.clone())
            .await
    }

    async fn pause(&self, failures: &mut u32) {
        let longest = pause_after(*failures);
        *failures = failures.saturating_add(1);
        sleep(longest.mul_f64(jitter())).await;
    }
}

/// Doubles from 100 ms to 30 s.
fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_PAUSE)
}

/// Between a half and one, so that gateways that lost the same upstream do not come back in step.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_half_a_minute() {
        let pauses: Vec<_> = [0, 1, 2, 8, 9, 99, u32::MAX]
            .into_iter()
            .map(|n| pause_after(n).as_millis())
            .collect();
        assert_eq!(pauses, [100, 200, 400, 25_600, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn jitter_stays_within_half_and_whole() {
        for _ in 0..1000 {
            assert!((0.5..=1.0).contains(&jitter()));
        }
    }
}
