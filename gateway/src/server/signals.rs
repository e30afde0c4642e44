//! Signals: SIGTERM drains, SIGINT too, a second one stops at once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::Readiness;

/// Waits for the signal to stop, reports "not ready" and lets `delay` pass so that a load balancer can
/// notice. Says whether a second signal asked to stop at once.
pub(super) async fn wait(readiness: &Readiness, delay: Duration) -> bool {
    let (mut terminate, mut interrupt) = (
        listen(SignalKind::terminate()),
        listen(SignalKind::interrupt()),
    );
    let name = either(&mut terminate, &mut interrupt).await;
    tracing::info!(signal = name, "stopping: requests in flight are finished");
    readiness.drain();
    tokio::select! {
        () = tokio::time::sleep(delay) => false,
        _ = either(&mut terminate, &mut interrupt), if !delay.is_zero() => true,
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind)
        .inspect_err(|error| tracing::warn!(%error, "a signal cannot be listened for"))
        .ok()
}

async fn either(terminate: &mut Option<Signal>, interrupt: &mut Option<Signal>) -> &'static str {
    tokio::select! {
        () = next(terminate) => "SIGTERM",
        () = next(interrupt) => "SIGINT",
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
