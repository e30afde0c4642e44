//! The tables, and how a store of an older version becomes one of this version.

use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::StoreError;

/// Counters and the schema version, by name.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Person id → username, email, active.
pub(super) const PEOPLE: TableDefinition<'_, u64, (&str, &str, bool)> =
    TableDefinition::new("people");
/// Task id → person id, due moment in microseconds since 1970, title.
pub(super) const TASKS: TableDefinition<'_, u64, (u64, i64, &str)> = TableDefinition::new("tasks");
/// Person id and task id of every task: the tasks of a person are a range.
pub(super) const PERSON_TASKS: TableDefinition<'_, (u64, u64), ()> =
    TableDefinition::new("person_tasks");

/// In [`META`]: the version of all this.
const SCHEMA_VERSION: &str = "schema_version";
/// In [`META`]: the id that the next task gets. It only rises, so that no id is
/// given out twice.
pub(super) const NEXT_TASK_ID: &str = "next_task_id";

type Migration = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// The step from each version to the next; a new store is of version 0. Steps
/// are only ever appended. A new layout is a new table, filled by its step.
const MIGRATIONS: &[Migration] = &[first_tables];

fn first_tables(txn: &WriteTransaction) -> Result<(), redb::Error> {
    txn.open_table(PEOPLE)?;
    txn.open_table(TASKS)?;
    txn.open_table(PERSON_TASKS)?;
    txn.open_table(META)?.insert(NEXT_TASK_ID, 1)?;
    Ok(())
}

/// Brings the store to this version, inside `txn`.
pub(super) fn migrate(txn: &WriteTransaction) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as u64;
    let found = txn
        .open_table(META)?
        .get(SCHEMA_VERSION)?
        .map_or(0, |version| version.value());
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for step in MIGRATIONS.iter().skip(done) {
        step(txn)?;
    }
    txn.open_table(META)?.insert(SCHEMA_VERSION, known)?;
    Ok(())
}
