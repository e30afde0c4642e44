//! `gateway provision …`: how far each service has been told of users.

use serde_json::{Value, json};

use super::storage::{Storage, block_on, store_failure};
use super::{Exit, Failure, ProvisionCommand, Ran, Streams};
use crate::provisioning::{ask_resync, ask_retry};
use crate::store::{ProvisionState, Store, Version};

pub(super) fn run(
    command: &ProvisionCommand,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> Ran {
    match command {
        ProvisionCommand::Status { store, json } => {
            status(&Storage::open(store, env)?, *json, streams)
        }
        ProvisionCommand::Retry { upstream, store } => {
            let storage = Storage::open(store, env)?;
            check_name(&storage, upstream)?;
            block_on(async {
                ask_retry(&storage.store, upstream)
                    .await
                    .map_err(|e| store_failure(&e))
            })?;
            writeln!(
                streams.out,
                "what {upstream} refused is sent again by the running gateway, or at its next start"
            )?;
            Ok(Exit::Ok)
        }
        ProvisionCommand::Resync { upstream, store } => {
            let storage = Storage::open(store, env)?;
            check_name(&storage, upstream)?;
            block_on(async {
                ask_resync(&storage.store, upstream)
                    .await
                    .map_err(|e| store_failure(&e))
            })?;
            writeln!(
                streams.out,
                "every user is sent to {upstream} by the running gateway, or at its next start"
            )?;
            Ok(Exit::Ok)
        }
    }
}

fn provisioned(storage: &Storage) -> impl Iterator<Item = &str> {
    storage
        .resolved
        .config
        .upstreams
        .iter()
        .filter(|u| u.provision.is_some())
        .map(|u| u.name.as_str())
}

fn check_name(storage: &Storage, upstream: &str) -> Result<(), Failure> {
    if provisioned(storage).any(|name| name == upstream) {
        return Ok(());
    }
    let mut names: Vec<&str> = provisioned(storage).collect();
    if names.is_empty() {
        names.push("none (`provision` is not set)");
    }
    Err(Failure::Text(
        format!(
            "no upstream {upstream:?} is told of users; those that are: {}",
            names.join(", ")
        ),
        Exit::Usage,
    ))
}

fn status(storage: &Storage, as_json: bool, streams: &mut Streams<'_>) -> Ran {
    let (head, states) = block_on(async {
        let head = storage.store.head().await.map_err(|e| store_failure(&e))?;
        let mut states = Vec::new();
        for name in provisioned(storage) {
            states.push((
                name,
                storage
                    .store
                    .provision_state(name)
                    .await
                    .map_err(|e| store_failure(&e))?,
            ));
        }
        Ok((head, states))
    })?;
    if as_json {
        let all: Value = states
            .iter()
            .map(|(name, state)| shape(name, state, head))
            .collect();
        writeln!(streams.out, "{all:#}")?;
        return Ok(Exit::Ok);
    }
    if states.is_empty() {
        writeln!(
            streams.out,
            "no upstream has `provision` set: nobody is told of users"
        )?;
    }
    for (name, state) in states {
        let behind = head.0.saturating_sub(state.cursor.0);
        writeln!(
            streams.out,
            "{name}: {behind} changes behind, {} refused",
            state.parked.len()
        )?;
        for entry in &state.parked {
            writeln!(
                streams.out,
                "  user {}: {} {}",
                entry.user,
                entry.status,
                entry.reason.escape_debug()
            )?;
        }
    }
    Ok(Exit::Ok)
}

fn shape(name: &str, state: &ProvisionState, head: Version) -> Value {
    json!({ "upstream": name, "behind": head.0.saturating_sub(state.cursor.0), "parked": state.parked })
}
