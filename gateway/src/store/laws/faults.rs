//! A file that cannot be used says why and what to do.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::{NOW, named};
use crate::store::redb::RedbStore;
use crate::store::{Store, StoreError};

#[tokio::test]
async fn the_file_is_made_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.redb");
    let store = RedbStore::open(&path).unwrap();
    store.create_user(named("ann"), NOW).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn p85_a_store_open_to_everyone_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.redb");
    drop(RedbStore::open(&path).unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = RedbStore::open(&path).unwrap_err().to_string();
    assert!(
        text.contains(&format!("chmod 600 {}", path.display())),
        "{text}"
    );
}

#[test]
fn a_missing_folder_and_a_foreign_file_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let text = RedbStore::open(&dir.path().join("none/gateway.redb"))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("none/gateway.redb") && text.contains("data_dir"),
        "{text}"
    );
    let path = dir.path().join("gateway.redb");
    std::fs::write(&path, b"not a database at all").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = RedbStore::open(&path).unwrap_err().to_string();
    assert!(
        text.contains("gateway.redb") && text.contains("backup"),
        "{text}"
    );
}

#[test]
fn a_file_of_a_newer_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.redb");
    drop(RedbStore::open(&path).unwrap());
    let database = redb::Database::create(&path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(redb::TableDefinition::<&str, u64>::new("meta"))
        .unwrap()
        .insert("schema", 9)
        .unwrap();
    txn.commit().unwrap();
    // An exclusive program that has it open is named, too.
    let text = RedbStore::open(&path).unwrap_err().to_string();
    assert!(text.contains("in use"), "{text}");
    drop(database);
    let error = RedbStore::open(&path).unwrap_err();
    assert!(matches!(
        error,
        StoreError::NewerSchema { found: 9, known: 1 }
    ));
}
