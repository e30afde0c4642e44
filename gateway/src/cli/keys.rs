//! `gateway key list`: which keys tokens are signed with. Never the keys themselves.

use serde_json::{Value, json};

use super::storage::{Storage, block_on, store_failure};
use super::{Exit, Ran, StoreArgs, Streams};
use crate::store::Store;

pub(super) fn list(
    args: &StoreArgs,
    as_json: bool,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> Ran {
    let storage = Storage::open(args, env)?;
    let keys = block_on(async { storage.store.keys().await.map_err(|e| store_failure(&e)) })?.value;
    if as_json {
        let all: Value = keys
            .iter()
            .map(|key| json!({ "kid": key.kid, "algorithm": key.algorithm, "created_at": key.created_at }))
            .collect();
        writeln!(streams.out, "{all:#}")?;
        return Ok(Exit::Ok);
    }
    for key in &keys {
        let made = i64::try_from(key.created_at)
            .ok()
            .and_then(|s| jiff::Timestamp::from_second(s).ok());
        let made = made.map(|t| t.to_string()).unwrap_or_default();
        writeln!(streams.out, "{}  {:<6} {made}", key.kid, key.algorithm)?;
    }
    if storage.resolved.config.auth.hs256_secret.is_some() {
        writeln!(
            streams.out,
            "the HS256 secret of the configuration signs; it is not in the store"
        )?;
    }
    Ok(Exit::Ok)
}
