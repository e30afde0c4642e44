//! `gateway token …`: make a token as a login would, or look into one.

use std::io::Read;

use serde_json::json;

use super::storage::{Storage, block_on, store_failure};
use super::{Exit, Failure, Ran, Streams, TokenCommand};
use crate::auth::cache::TokenCache;
use crate::auth::token::{self, Session};
use crate::auth::view::View;
use crate::decision::Snapshot;
use crate::first_start;
use crate::seal::Kek;
use crate::store::Store;

pub(super) fn run(
    command: &TokenCommand,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> Ran {
    match command {
        TokenCommand::Mint { name, store, json } => {
            mint(&Storage::open(store, env)?, name, *json, streams)
        }
        TokenCommand::Inspect { token, store, json } => inspect(
            &Storage::open(store, env)?,
            &read_token(token)?,
            *json,
            streams,
        ),
    }
}

/// A token from the arguments, or from standard input where that says `-`.
pub(super) fn read_token(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(64 * 1024)
        .read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// What a running server would judge by, read from the store.
pub(super) fn snapshot(storage: &Storage) -> Result<Snapshot, Failure> {
    let config = &storage.resolved.config;
    let kek = Kek::path(storage.data_dir(), storage.resolved.kek_file.as_deref());
    let (everything, keys) = block_on(async {
        let everything = storage
            .store
            .snapshot()
            .await
            .map_err(|e| store_failure(&e))?;
        let keys = first_start::open_keys(config, &kek, everything.keys.clone())
            .map_err(Failure::failed)?;
        Ok((everything, keys))
    })?;
    Ok(Snapshot {
        policy: config.policy.clone().into(),
        habits: config.auth.habits.clone().into(),
        token_rules: config.token_rules().into(),
        keys: first_start::key_ring(&keys, config.auth.algorithm)
            .map_err(Failure::failed)?
            .into(),
        view: View::new(everything.version, everything.users).into(),
        external: config.auth.external.clone().into(),
        tokens: TokenCache::new(0).into(),
        cors: config.cors.clone(),
    })
}

fn mint(storage: &Storage, name: &str, as_json: bool, streams: &mut Streams<'_>) -> Ran {
    let snapshot = snapshot(storage)?;
    let user = snapshot.view.user_named(name).ok_or_else(|| {
        Failure::failed(format!(
            "there is no user {name:?}; `gateway user list` names them"
        ))
    })?;
    if !user.active {
        return Err(Failure::failed(format!(
            "{name} may not log in; `gateway user enable {name}` changes that"
        )));
    }
    let key = snapshot
        .keys
        .signing()
        .ok_or_else(|| Failure::failed("there is no signing key"))?;
    let id = || crate::endpoints::random_id().map_err(Failure::failed);
    let now = crate::clock::now();
    let session = Session {
        jti: id()?,
        sid: id()?,
    };
    let token = token::mint(user, key, &snapshot.token_rules, &session, &json!(now), now)
        .map_err(Failure::failed)?;
    if as_json {
        let body = json!({ "token": token, "expires_in": snapshot.token_rules.ttl });
        writeln!(streams.out, "{body:#}")?;
    } else {
        writeln!(streams.out, "{token}")?;
    }
    Ok(Exit::Ok)
}

fn inspect(storage: &Storage, token: &str, as_json: bool, streams: &mut Streams<'_>) -> Ran {
    let snapshot = snapshot(storage)?;
    let now = crate::clock::now();
    let (header, claims) = token::contents(token)
        .map_err(|why| Failure::failed(format!("this is no token: {why}")))?;
    let verdict = token::verify(token, &snapshot.trust(), now);
    let text = match &verdict {
        Ok(_) => "valid".to_owned(),
        Err(why) => format!("not valid: {why}"),
    };
    if as_json {
        let body = json!({ "header": header, "claims": claims, "valid": verdict.is_ok(), "verdict": text });
        writeln!(streams.out, "{body:#}")?;
    } else {
        writeln!(
            streams.out,
            "header: {header:#}\nclaims: {claims:#}\n{text}"
        )?;
        if let Ok(verified) = &verdict {
            let left = verified.expires().saturating_sub(now);
            writeln!(streams.out, "{}, {left} s left", verified.identity())?;
        }
    }
    Ok(if verdict.is_ok() {
        Exit::Ok
    } else {
        Exit::Failed
    })
}
