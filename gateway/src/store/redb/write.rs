//! Changes: what is decided and what is written, inside one write transaction.
//!
//! Invariant: a job that returns an error leaves the transaction to be dropped, never to be committed.

use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use secrecy::{ExposeSecret, SecretString};

use super::super::{
    Change, NewUser, ProvisionState, Result, SealedKey, StoreError, UnixSeconds, User, UserId,
    UserPatch, Version, rules,
};
use super::tables::{
    ADMINS, FEED, HEAD, INSECURE, KEYS, KEYS_VERSION, LAST_ID, META, NAMES, PASSWORDS, PROVISION,
    RING, UNCHECKED, USERS, broken, decode, encode, meta,
};
use crate::username;

/// What the handle adds to each change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    /// Passwords set through this handle are unchecked.
    pub(super) lenient: bool,
    /// Changes kept in the feed.
    pub(super) feed_rows: u64,
}

pub(super) fn create_user(
    txn: &WriteTransaction,
    context: Context,
    new: &NewUser,
    now: UnixSeconds,
) -> Result<User> {
    let id = next_id(txn)?;
    let user = rules::created(new.clone(), id, next_version(txn)?, now);
    claim_name(txn, &user)?;
    if let Some(hash) = &new.password_hash {
        put_password(txn, id, hash)?;
        mark_unchecked(txn, id, context.lenient)?;
    }
    put_user(txn, &user)?;
    append(txn, context, &Change::User(id))?;
    Ok(user)
}

pub(super) fn update_user(
    txn: &WriteTransaction,
    context: Context,
    id: UserId,
    expect: Option<Version>,
    patch: &UserPatch,
) -> Result<User> {
    let old = existing(txn, id)?;
    if expect.is_some_and(|version| version != old.version) {
        return Err(StoreError::Stale);
    }
    let Some(mut user) = rules::patched(&old, patch) else {
        return Ok(old);
    };
    if !rules::is_active_admin(&user) {
        refuse_last_admin(txn, id)?;
    }
    release_name(txn, &old)?;
    claim_name(txn, &user)?;
    if let Some(hash) = &patch.password_hash {
        put_password(txn, id, hash)?;
        if !patch.keep_sessions {
            mark_unchecked(txn, id, context.lenient)?;
        }
    }
    user.version = next_version(txn)?;
    put_user(txn, &user)?;
    append(txn, context, &Change::User(id))?;
    Ok(user)
}

pub(super) fn remove_user(txn: &WriteTransaction, context: Context, id: UserId) -> Result<()> {
    let user = existing(txn, id)?;
    refuse_last_admin(txn, id)?;
    release_name(txn, &user)?;
    mark_unchecked(txn, id, false)?;
    set_admin(txn, id, false)?;
    let mut passwords = txn.open_table(PASSWORDS).map_err(broken)?;
    passwords.remove(id.0).map_err(broken)?;
    let mut users = txn.open_table(USERS).map_err(broken)?;
    users.remove(id.0).map_err(broken)?;
    append(txn, context, &Change::UserRemoved(id)).map(|_| ())
}

pub(super) fn put_keys(
    txn: &WriteTransaction,
    context: Context,
    expect: Version,
    keys: &Vec<SealedKey>,
) -> Result<Version> {
    if counter(txn, KEYS_VERSION)? != expect.0 {
        return Err(StoreError::Stale);
    }
    {
        let mut table = txn.open_table(KEYS).map_err(broken)?;
        table
            .insert(RING, encode(keys)?.as_slice())
            .map_err(broken)?;
    }
    set_counter(txn, KEYS_VERSION, next_version(txn)?.0)?;
    append(txn, context, &Change::Keys)
}

pub(super) fn put_provision_state(
    txn: &WriteTransaction,
    upstream: &str,
    state: &ProvisionState,
) -> Result<()> {
    let mut table = txn.open_table(PROVISION).map_err(broken)?;
    table
        .insert(upstream, encode(state)?.as_slice())
        .map_err(broken)?;
    Ok(())
}

pub(super) fn set_insecure_mark(txn: &WriteTransaction, marked: bool) -> Result<()> {
    set_counter(txn, INSECURE, u64::from(marked))
}

fn existing(txn: &WriteTransaction, id: UserId) -> Result<User> {
    let users = txn.open_table(USERS).map_err(broken)?;
    let row = users.get(id.0).map_err(broken)?;
    row.map_or(Err(StoreError::NotFound), |row| decode(row.value()))
}

fn put_user(txn: &WriteTransaction, user: &User) -> Result<()> {
    set_admin(txn, user.id, rules::is_active_admin(user))?;
    let mut users = txn.open_table(USERS).map_err(broken)?;
    users
        .insert(user.id.0, encode(user)?.as_slice())
        .map_err(broken)?;
    Ok(())
}

fn put_password(txn: &WriteTransaction, id: UserId, hash: &SecretString) -> Result<()> {
    let row = zeroize::Zeroizing::new(encode(&hash.expose_secret())?);
    let mut passwords = txn.open_table(PASSWORDS).map_err(broken)?;
    passwords.insert(id.0, row.as_slice()).map_err(broken)?;
    Ok(())
}

fn mark_unchecked(txn: &WriteTransaction, id: UserId, unchecked: bool) -> Result<()> {
    let mut table = txn.open_table(UNCHECKED).map_err(broken)?;
    if unchecked {
        table.insert(id.0, ()).map_err(broken)?;
    } else {
        table.remove(id.0).map_err(broken)?;
    }
    Ok(())
}

fn set_admin(txn: &WriteTransaction, id: UserId, is_admin: bool) -> Result<()> {
    let mut admins = txn.open_table(ADMINS).map_err(broken)?;
    if is_admin {
        admins.insert(id.0, ()).map_err(broken)?;
    } else {
        admins.remove(id.0).map_err(broken)?;
    }
    Ok(())
}

/// `LastAdmin` where nobody but `id` is an active administrator.
fn refuse_last_admin(txn: &WriteTransaction, id: UserId) -> Result<()> {
    let admins = txn.open_table(ADMINS).map_err(broken)?;
    let only = admins.len().map_err(broken)? == 1;
    if only && admins.get(id.0).map_err(broken)?.is_some() {
        return Err(StoreError::LastAdmin);
    }
    Ok(())
}

fn claim_name(txn: &WriteTransaction, user: &User) -> Result<()> {
    let mut names = txn.open_table(NAMES).map_err(broken)?;
    let key = username::key(&user.username);
    let taken = names.insert(key.as_str(), user.id.0).map_err(broken)?;
    if taken.is_some() {
        return Err(StoreError::Conflict);
    }
    Ok(())
}

fn release_name(txn: &WriteTransaction, user: &User) -> Result<()> {
    let mut names = txn.open_table(NAMES).map_err(broken)?;
    let key = username::key(&user.username);
    names.remove(key.as_str()).map_err(broken)?;
    Ok(())
}

/// Appends to the feed, drops what is beyond its bound, and last of all moves the head.
fn append(txn: &WriteTransaction, context: Context, change: &Change) -> Result<Version> {
    let version = next_version(txn)?;
    let mut feed = txn.open_table(FEED).map_err(broken)?;
    feed.insert(version.0, encode(change)?.as_slice())
        .map_err(broken)?;
    let gone = version.0.saturating_sub(context.feed_rows);
    while feed
        .first()
        .map_err(broken)?
        .is_some_and(|(oldest, _)| oldest.value() <= gone)
    {
        feed.pop_first().map_err(broken)?;
    }
    set_counter(txn, HEAD, version.0)?;
    Ok(version)
}

fn next_version(txn: &WriteTransaction) -> Result<Version> {
    Ok(Version(counter(txn, HEAD)? + 1))
}

fn next_id(txn: &WriteTransaction) -> Result<UserId> {
    let id = counter(txn, LAST_ID)? + 1;
    set_counter(txn, LAST_ID, id)?;
    Ok(UserId(id))
}

fn counter(txn: &WriteTransaction, name: &str) -> Result<u64> {
    let counters = txn.open_table(META).map_err(broken)?;
    meta(&counters, name)
}

fn set_counter(txn: &WriteTransaction, name: &str, value: u64) -> Result<()> {
    let mut counters = txn.open_table(META).map_err(broken)?;
    counters.insert(name, value).map_err(broken)?;
    Ok(())
}
