//! A copy of a stopped store.
//!
//! The service holds its store exclusively, which is what makes its commits
//! cheap, so a copy is taken while it is stopped. Tables are copied row by row:
//! the copy is compact and holds nothing that the store has forgotten.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::{
    Database, Key, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition,
    Value, WriteTransaction,
};

use super::schema::{META, PEOPLE, PERSON_TASKS, TASKS};
use super::{FILE_NAME, StoreError, at, make_private, open_error};

/// Why no copy was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target is there already.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// There is no store to copy.
    #[error("there is no store at {0}")]
    NoStore(PathBuf),
    /// The store cannot be read, or the copy not written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies the store in `data_dir` to the new file `target`, for this user only.
/// Under its own name the copy is there whole or not at all.
///
/// # Errors
/// When there is no store, it is in use, or the copy cannot be written.
pub fn backup(data_dir: &Path, target: &Path) -> Result<(), BackupError> {
    let file = data_dir.join(FILE_NAME);
    if !file.exists() {
        return Err(BackupError::NoStore(file));
    }
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let store = Database::open(&file).map_err(|error| open_error(error, &file))?;
    let mut partial = target.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let copied = copy(&store, &partial).and_then(|()| put_in_place(&partial, target));
    if copied.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    Ok(copied?)
}

fn copy(store: &Database, partial: &Path) -> Result<(), StoreError> {
    // What an earlier, broken attempt has left.
    match fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(partial, error)),
        _ => make_private(partial)?,
    }
    let mut fresh = Database::create(partial)?;
    let from = store.begin_read()?;
    let to = fresh.begin_write()?;
    copy_table(&from, &to, META)?;
    copy_table(&from, &to, PEOPLE)?;
    copy_table(&from, &to, TASKS)?;
    copy_table(&from, &to, PERSON_TASKS)?;
    to.commit()?;
    fresh.compact()?;
    Ok(fresh.close()?)
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Result<(), StoreError> {
    let mut fresh = to.open_table(definition)?;
    for row in from.open_table(definition)?.iter()? {
        let (key, value) = row?;
        fresh.insert(key.value(), value.value())?;
    }
    Ok(())
}

/// A name is durable when its folder is.
fn put_in_place(partial: &Path, target: &Path) -> Result<(), StoreError> {
    fs::rename(partial, target).map_err(|source| at(target, source))?;
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| at(folder, source))
}
