//! What the integration tests are written with.
//!
//! Invariant: nothing here waits without a deadline ([`within`]), and every response that a
//! [`client::Client`] reads carries only headers from an allow list.

#![allow(dead_code, reason = "two test programs share it, and neither uses all")]

use std::future::Future;
use std::time::Duration;

pub(crate) mod ask;
pub(crate) mod client;
pub(crate) mod gateway;
pub(crate) mod misbehaving;
pub(crate) mod process;
pub(crate) mod recording;
pub(crate) mod serve;

pub(crate) use ask::ask;
pub(crate) use client::{Client, Response};
#[allow(unused_imports, reason = "used by one of the two test programs")]
pub(crate) use gateway::{Gateway, Home, Pair, TaskHome, task};
pub(crate) use recording::{Recording, answer};

/// No single step of a test takes longer, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `step`, or fails the test with what it was waiting for.
pub(crate) async fn within<T>(what: &str, step: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, step).await {
        Ok(done) => done,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}

/// Asks again and again until `found` gives a value.
pub(crate) async fn eventually<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            if let Some(value) = found().await {
                return value;
            }
            tick.tick().await;
        }
    })
    .await
}
