//! What goes on beside the requests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::admin::{Part, Readiness};
use crate::equipment::Equipment;
use crate::first_start::{self, Retire};
use crate::state::{POLL, State};

const HOUR: Duration = Duration::from_secs(3600);

/// Takes in what other processes (the command line) change in the store.
pub(super) async fn follow_feed(state: Arc<State<Equipment>>, readiness: Arc<Readiness>) {
    let mut failing = false;
    loop {
        let before = state.load().snapshot.view.version;
        match state.catch_up().await {
            Ok(version) => {
                if version != before {
                    state.load().equipment.provisioning.changed();
                }
                if failing {
                    tracing::info!("the store answers again");
                }
                failing = false;
            }
            Err(error) if !failing => {
                tracing::error!(%error, "the store does not answer: users are as they were");
                failing = true;
            }
            Err(_) => {}
        }
        readiness.set(Part::Store, !failing);
        readiness.set(Part::View, !failing);
        sleep(POLL).await;
    }
}

/// The file with the first password stays for a day and no longer.
pub(super) async fn retire_first_password(data_dir: PathBuf) {
    loop {
        let when = Retire::IfExpired {
            now: crate::clock::now(),
        };
        match first_start::retire_initial_password(&data_dir, when) {
            Ok(true) => {
                tracing::info!("the file with the first password was removed: it was a day old");
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "the file with the first password is a day old and still there");
            }
        }
        sleep(HOUR).await;
    }
}
