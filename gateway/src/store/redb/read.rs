//! Reads: each sees one consistent state of the file.

use redb::{ReadTransaction, ReadableTable};
use secrecy::SecretString;

use super::super::{
    Changes, Page, ProvisionState, Result, SealedKey, StoreSnapshot, User, UserId, UserRecord,
    Version, Versioned,
};
use super::tables::{
    FEED, HEAD, INSECURE, KEYS, KEYS_VERSION, META, NAMES, PASSWORDS, PROVISION, RING, UNCHECKED,
    USERS, broken, decode, meta,
};
use crate::username;

pub(super) fn user(txn: &ReadTransaction, id: UserId) -> Result<Option<User>> {
    let users = txn.open_table(USERS).map_err(broken)?;
    let row = users.get(id.0).map_err(broken)?;
    row.map(|row| decode(row.value())).transpose()
}

/// `name` is NFC.
pub(super) fn user_by_name(txn: &ReadTransaction, name: &str) -> Result<Option<UserRecord>> {
    let names = txn.open_table(NAMES).map_err(broken)?;
    let id = names
        .get(username::key(name).as_str())
        .map_err(broken)?
        .map(|id| UserId(id.value()));
    let Some(id) = id else { return Ok(None) };
    // The key folds case: the name itself must be the same.
    let Some(user) = user(txn, id)?.filter(|user| user.username == name) else {
        return Ok(None);
    };
    let passwords = txn.open_table(PASSWORDS).map_err(broken)?;
    let hash = passwords.get(id.0).map_err(broken)?;
    let password_hash = hash
        .map(|row| decode::<String>(row.value()).map(SecretString::from))
        .transpose()?;
    Ok(Some(UserRecord {
        user,
        password_hash,
    }))
}

pub(super) fn list_users(
    txn: &ReadTransaction,
    after: Option<UserId>,
    limit: usize,
) -> Result<Page> {
    let from = after.map_or(0, |after| after.0.saturating_add(1));
    let table = txn.open_table(USERS).map_err(broken)?;
    let mut rows = table.range(from..).map_err(broken)?;
    let mut users: Vec<User> = Vec::new();
    for row in rows.by_ref().take(limit) {
        users.push(decode(row.map_err(broken)?.1.value())?);
    }
    let more = rows.next().transpose().map_err(broken)?.is_some();
    let next = users.last().map(|user| user.id).filter(|_| more);
    Ok(Page { users, next })
}

pub(super) fn keys(txn: &ReadTransaction) -> Result<Versioned<Vec<SealedKey>>> {
    let counters = txn.open_table(META).map_err(broken)?;
    Ok(Versioned {
        version: Version(meta(&counters, KEYS_VERSION)?),
        value: ring(txn)?,
    })
}

fn ring(txn: &ReadTransaction) -> Result<Vec<SealedKey>> {
    let table = txn.open_table(KEYS).map_err(broken)?;
    match table.get(RING).map_err(broken)? {
        Some(row) => decode(row.value()),
        None => Ok(Vec::new()),
    }
}

pub(super) fn head(txn: &ReadTransaction) -> Result<Version> {
    let counters = txn.open_table(META).map_err(broken)?;
    meta(&counters, HEAD).map(Version)
}

pub(super) fn snapshot(txn: &ReadTransaction) -> Result<StoreSnapshot> {
    Ok(StoreSnapshot {
        version: head(txn)?,
        users: list_users(txn, None, usize::MAX)?.users,
        keys: ring(txn)?,
    })
}

pub(super) fn changes_since(
    txn: &ReadTransaction,
    version: Version,
    max: usize,
) -> Result<Changes> {
    if version == head(txn)? {
        return Ok(Changes::Rows(Vec::new()));
    }
    let next = version.0.saturating_add(1);
    let feed = txn.open_table(FEED).map_err(broken)?;
    // Trimmed away, or a version from before a restore: either way only a snapshot tells.
    if feed.get(next).map_err(broken)?.is_none() {
        return Ok(Changes::Truncated);
    }
    let mut rows = Vec::new();
    for row in feed.range(next..).map_err(broken)?.take(max) {
        let (version, change) = row.map_err(broken)?;
        rows.push((Version(version.value()), decode(change.value())?));
    }
    Ok(Changes::Rows(rows))
}

pub(super) fn provision_state(txn: &ReadTransaction, upstream: &str) -> Result<ProvisionState> {
    let table = txn.open_table(PROVISION).map_err(broken)?;
    match table.get(upstream).map_err(broken)? {
        Some(row) => decode(row.value()),
        None => Ok(ProvisionState::default()),
    }
}

pub(super) fn insecure_mark(txn: &ReadTransaction) -> Result<bool> {
    let flags = txn.open_table(META).map_err(broken)?;
    Ok(meta(&flags, INSECURE)? != 0)
}

pub(super) fn unchecked_users(txn: &ReadTransaction) -> Result<Vec<User>> {
    let table = txn.open_table(UNCHECKED).map_err(broken)?;
    let mut users = Vec::new();
    for row in table.iter().map_err(broken)? {
        users.extend(user(txn, UserId(row.map_err(broken)?.0.value()))?);
    }
    Ok(users)
}
