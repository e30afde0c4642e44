//! Tasks and people on disk: one redb file, opened by one process.
//!
//! Reads see the last commit and wait for nobody. All changes come through
//! [`Store::apply`], many in one transaction, so that one flush to disk pays for
//! all of them; [`crate::writer`] is its only caller while the service runs.

mod backup;
mod change;
mod schema;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use redb::{
    Database, DatabaseError, ReadOnlyTable, ReadTransaction, ReadableDatabase as _,
    ReadableTableMetadata as _,
};

pub use self::backup::{BackupError, backup};
pub use self::change::{Change, Outcome};
use self::schema::{PEOPLE, PERSON_TASKS, TASKS};
use crate::due::DueTo;
use crate::people::{PersonId, PersonView};
use crate::task::{TaskId, TaskView};

/// The name of the file in the data folder.
pub const FILE_NAME: &str = "tasks.redb";

/// Why the store cannot be opened, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the file.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// A newer version of this service wrote the file.
    #[error("the store has schema version {found}, and this version knows up to {known}")]
    Newer {
        /// The version in the file.
        found: u64,
        /// The newest version known here.
        known: u64,
    },
    /// The folder or the file cannot be used.
    #[error("cannot use {path}: {source}")]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database failed.
    #[error("the store failed: {0}")]
    Redb(#[source] Box<redb::Error>),
    /// The file holds what was never written.
    #[error("the store is damaged: {0}")]
    Damaged(&'static str),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Redb(Box::new(error.into()))
    }
}

/// The open store.
#[derive(Debug)]
pub struct Store {
    db: Database,
}

impl Store {
    /// Opens the store in `data_dir`, and makes folder and file where there are
    /// none, for this user only.
    ///
    /// # Errors
    /// When the folder or file cannot be used, is in use, or is of a newer version.
    pub fn open(data_dir: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        if !data_dir.is_dir() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(data_dir)
                .map_err(|source| at(data_dir, source))?;
        }
        let file = data_dir.join(FILE_NAME);
        if !file.exists() {
            create(data_dir, &file)?;
        }
        let db = Database::builder()
            .set_cache_size(cache_bytes)
            .set_repair_callback(|progress| {
                tracing::warn!(
                    progress = progress.progress(),
                    "the store was not closed: checking it"
                );
            })
            .create(&file)
            .map_err(|error| open_error(error, &file))?;
        let txn = db.begin_write()?;
        schema::migrate(&txn)?;
        txn.commit()?;
        Ok(Self { db })
    }

    /// A task.
    ///
    /// # Errors
    /// When the store fails.
    pub fn task<T>(
        &self,
        id: TaskId,
        show: impl FnOnce(Option<TaskView<'_>>) -> T,
    ) -> Result<T, StoreError> {
        let row = self.db.begin_read()?.open_table(TASKS)?.get(id.0)?;
        match row {
            Some(row) => Ok(show(Some(view(id.0, row.value())?))),
            None => Ok(show(None)),
        }
    }

    /// How many tasks and people there are, to judge the cost of a list.
    ///
    /// # Errors
    /// When the store fails.
    pub fn size(&self) -> Result<u64, StoreError> {
        let txn = self.db.begin_read()?;
        Ok(txn.open_table(TASKS)?.len()? + txn.open_table(PEOPLE)?.len()?)
    }

    /// Shows every task, by rising id.
    ///
    /// # Errors
    /// When the store fails, or the first error of `show`.
    pub fn tasks<E: From<StoreError>>(
        &self,
        mut show: impl FnMut(TaskView<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let table = self.read(|txn| Ok(txn.open_table(TASKS)?))?;
        for row in table.range::<u64>(..).map_err(StoreError::from)? {
            let (id, row) = row.map_err(StoreError::from)?;
            show(view(id.value(), row.value())?)?;
        }
        Ok(())
    }

    /// Whether a person exists.
    ///
    /// # Errors
    /// When the store fails.
    pub fn knows(&self, id: PersonId) -> Result<bool, StoreError> {
        self.read(|txn| Ok(txn.open_table(PEOPLE)?.get(id.0)?.is_some()))
    }

    /// A person with their tasks.
    ///
    /// # Errors
    /// When the store fails.
    pub fn person<T>(
        &self,
        id: PersonId,
        show: impl FnOnce(Option<PersonView<'_>>) -> T,
    ) -> Result<T, StoreError> {
        let txn = self.db.begin_read()?;
        let Some(row) = txn.open_table(PEOPLE)?.get(id.0)? else {
            return Ok(show(None));
        };
        let tasks = tasks_of(&txn.open_table(PERSON_TASKS)?, id.0)?;
        Ok(show(Some(person_view(id.0, row.value(), &tasks))))
    }

    /// Shows every person, by rising id.
    ///
    /// # Errors
    /// When the store fails, or the first error of `show`.
    pub fn people<E: From<StoreError>>(
        &self,
        mut show: impl FnMut(PersonView<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (people, index) =
            self.read(|txn| Ok((txn.open_table(PEOPLE)?, txn.open_table(PERSON_TASKS)?)))?;
        for row in people.range::<u64>(..).map_err(StoreError::from)? {
            let (id, row) = row.map_err(StoreError::from)?;
            let tasks = tasks_of(&index, id.value())?;
            show(person_view(id.value(), row.value(), &tasks))?;
        }
        Ok(())
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&self.db.begin_read()?)
    }

    /// Closes the file and says what went wrong, which dropping would not.
    ///
    /// # Errors
    /// When the last state cannot be written.
    pub fn close(self) -> Result<(), StoreError> {
        Ok(self.db.close()?)
    }
}

/// Makes the database under another name first: redb writes what makes it one last, and a process killed
/// before that would leave a file that nothing opens.
fn create(data_dir: &Path, file: &Path) -> Result<(), StoreError> {
    let draft = data_dir.join(format!("{FILE_NAME}.new-{}", std::process::id()));
    // What an earlier process of the same number left half made is of no use.
    if let Err(source) = fs::remove_file(&draft)
        && source.kind() != io::ErrorKind::NotFound
    {
        return Err(at(&draft, source));
    }
    make_private(&draft)?;
    let db = Database::builder()
        .create(&draft)
        .map_err(|error| open_error(error, &draft))?;
    db.close()?;
    // Unlike a rename, a link takes no name that somebody else has taken meanwhile: theirs is used then.
    let taken = match fs::hard_link(&draft, file) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(at(file, source)),
        _ => Ok(()),
    };
    fs::remove_file(&draft).map_err(|source| at(&draft, source))?;
    taken?;
    // A new name survives a power cut only once its folder is on disk.
    fs::File::open(data_dir)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| at(data_dir, source))
}

/// Makes a file for this user only, when it is not there: redb would leave its
/// mode to the umask.
fn make_private(file: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file);
    made.map(drop).map_err(|source| at(file, source))
}

fn at(path: &Path, source: io::Error) -> StoreError {
    StoreError::Path {
        path: path.to_owned(),
        source,
    }
}

fn open_error(error: DatabaseError, file: &Path) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(file.to_owned()),
        error => error.into(),
    }
}

fn view(id: u64, (person, due_to, title): (u64, i64, &str)) -> Result<TaskView<'_>, StoreError> {
    Ok(TaskView {
        id: TaskId(id),
        title,
        due_to: DueTo::from_micros(due_to).ok_or(StoreError::Damaged("a date out of range"))?,
        person: PersonId(person),
    })
}

fn person_view<'a>(
    id: u64,
    (username, email, active): (&'a str, &'a str, bool),
    tasks: &'a [u64],
) -> PersonView<'a> {
    PersonView {
        id: PersonId(id),
        tasks,
        username,
        email,
        is_active: active,
    }
}

fn tasks_of(index: &ReadOnlyTable<(u64, u64), ()>, person: u64) -> Result<Vec<u64>, StoreError> {
    index
        .range((person, 0)..=(person, u64::MAX))?
        .map(|entry| Ok(entry?.0.value().1))
        .collect()
}

#[cfg(test)]
mod tests;
