//! Tables, row format and schema of the file.

use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::{Result, StoreError};

/// Counters and flags by name.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// User id → [`super::super::User`].
pub(super) const USERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("users");
/// [`crate::username::key`] → user id.
pub(super) const NAMES: TableDefinition<'_, &str, u64> = TableDefinition::new("names");
/// User id → PHC string: apart, so that no listing ever touches a hash.
pub(super) const PASSWORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("passwords");
/// Ids of the active administrators, so that the last one is known without reading every user.
pub(super) const ADMINS: TableDefinition<'_, u64, ()> = TableDefinition::new("admins");
/// Ids of the users whose password was set under the insecure mark.
pub(super) const UNCHECKED: TableDefinition<'_, u64, ()> = TableDefinition::new("unchecked");
/// Feed version → [`super::super::Change`].
pub(super) const FEED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("feed");
/// One row, [`RING`]: the [`super::super::SealedKey`]s in their order.
pub(super) const KEYS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("keys");
/// Upstream name → [`super::super::ProvisionState`].
pub(super) const PROVISION: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("provision");

/// In [`KEYS`]: the key ring.
pub(super) const RING: &str = "ring";

/// In [`META`]: the schema of the file.
pub(super) const SCHEMA: &str = "schema";
/// In [`META`]: the feed position of the last change.
pub(super) const HEAD: &str = "head";
/// In [`META`]: the last user id given out.
pub(super) const LAST_ID: &str = "last_id";
/// In [`META`]: the feed position of the last change to the key ring.
pub(super) const KEYS_VERSION: &str = "keys_version";
/// In [`META`]: 1 while the insecure mark is set.
pub(super) const INSECURE: &str = "insecure";

/// The step at index n brings a file from schema n to n + 1. Steps are added, never changed.
const MIGRATIONS: &[fn(&WriteTransaction) -> Result<()>] = &[create_tables];

/// Says whether the file has this program's schema, so that opening it need not write.
pub(super) fn is_current(txn: &ReadTransaction) -> Result<bool> {
    match txn.open_table(META) {
        Ok(table) => Ok(meta(&table, SCHEMA)? == MIGRATIONS.len() as u64),
        Err(TableError::TableDoesNotExist(_)) => Ok(false),
        Err(error) => Err(broken(error)),
    }
}

/// Brings the file to this program's schema, in one transaction.
pub(super) fn migrate(txn: &WriteTransaction) -> Result<()> {
    let known = MIGRATIONS.len();
    let found = {
        let meta = txn.open_table(META).map_err(broken)?;
        meta.get(SCHEMA).map_err(broken)?.map_or(0, |v| v.value())
    };
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    let Some(steps) = MIGRATIONS.get(done..) else {
        return Err(StoreError::NewerSchema {
            found: u32::try_from(found).unwrap_or(u32::MAX),
            known: u32::try_from(known).unwrap_or(u32::MAX),
        });
    };
    if steps.is_empty() {
        return Ok(());
    }
    for step in steps {
        step(txn)?;
    }
    let mut meta = txn.open_table(META).map_err(broken)?;
    meta.insert(SCHEMA, known as u64).map_err(broken)?;
    Ok(())
}

/// Opening a table for writing makes it; a reader finds each from then on.
fn create_tables(txn: &WriteTransaction) -> Result<()> {
    txn.open_table(USERS).map_err(broken)?;
    txn.open_table(NAMES).map_err(broken)?;
    txn.open_table(PASSWORDS).map_err(broken)?;
    txn.open_table(ADMINS).map_err(broken)?;
    txn.open_table(UNCHECKED).map_err(broken)?;
    txn.open_table(FEED).map_err(broken)?;
    txn.open_table(KEYS).map_err(broken)?;
    txn.open_table(PROVISION).map_err(broken)?;
    Ok(())
}

/// First byte of a row: JSON of the current types follows.
const ROW_JSON: u8 = 1;

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut row = vec![ROW_JSON];
    serde_json::to_writer(&mut row, value)
        .map_err(|e| StoreError::Io(format!("a row cannot be written: {e}")))?;
    Ok(row)
}

pub(super) fn decode<T: DeserializeOwned>(row: &[u8]) -> Result<T> {
    match row.split_first() {
        Some((&ROW_JSON, json)) => serde_json::from_slice(json).map_err(|e| {
            StoreError::Io(format!(
                "a row cannot be read ({e}): restore the store from a backup"
            ))
        }),
        format => Err(StoreError::Io(format!(
            "a row has the unknown format {:?}: restore the store from a backup, or use the release that wrote it",
            format.map(|(first, _)| first)
        ))),
    }
}

/// A value of [`META`], 0 where it was never set.
pub(super) fn meta(table: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<u64> {
    Ok(table.get(name).map_err(broken)?.map_or(0, |v| v.value()))
}

/// The library's errors name what is wrong with the file and hold none of its contents.
pub(super) fn broken(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => StoreError::Io(
            "the volume is full: free space; the store then goes on by itself".to_owned(),
        ),
        other => StoreError::Io(other.to_string()),
    }
}
