//! Stores of other versions.

use std::fs;
use std::path::Path;

use redb::{Database, TableDefinition};

use crate::process::{Service, run};

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

fn set_version(data_dir: &Path, version: u64) {
    let db = Database::create(data_dir.join("tasks.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(META)
        .unwrap()
        .insert("schema_version", version)
        .unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let service = Service::start(&[]);
    service.client().create("x");
    service.terminate();
    let (_, folder) = service.wait();
    let data_dir = folder.path().join("data");
    set_version(&data_dir, 2);
    let name = data_dir.to_str().unwrap();
    let ended = run(
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", name],
        &[],
    );
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("schema version 2, and this version knows up to 1"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("remedy: "), "{ended:?}");

    set_version(&data_dir, 1);
    let service = Service::start_in(folder, &[]);
    assert_eq!(service.client().get("/tasks/1/").status, 200);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.redb");
    let text = "shopping list ".repeat(1000);
    fs::write(&file, &text).unwrap();
    let name = folder.path().to_str().unwrap();
    let ended = run(
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", name],
        &[],
    );
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}
