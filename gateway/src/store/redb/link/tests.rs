//! A disk that fails for a while: the store says so, and goes on when the disk does.

use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, ConcurrencyMode, Database, StorageBackend};

use super::Link;
use crate::store::Result;
use crate::store::redb::tables::{META, broken, meta};

/// A file whose writes fail while the switch is on.
#[derive(Debug)]
struct Failing {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl Failing {
    fn check(&self) -> std::result::Result<(), io::Error> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

type Bounds = Bound<u64>;

impl StorageBackend for Failing {
    fn len(&self) -> std::result::Result<u64, io::Error> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::result::Result<(), io::Error> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::result::Result<(), io::Error> {
        self.check()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> std::result::Result<(), io::Error> {
        self.check()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::result::Result<(), io::Error> {
        self.check()?;
        self.file.write(offset, data)
    }
    fn close(&self) -> std::result::Result<(), io::Error> {
        self.file.close()
    }
    fn try_lock_range(&self, a: Bounds, b: Bounds) -> std::result::Result<bool, BackendError> {
        self.file.try_lock_range(a, b)
    }
    fn try_lock_shared_range(
        &self,
        a: Bounds,
        b: Bounds,
    ) -> std::result::Result<bool, BackendError> {
        self.file.try_lock_shared_range(a, b)
    }
    fn lock_range(&self, a: Bounds, b: Bounds) -> std::result::Result<(), BackendError> {
        self.file.lock_range(a, b)
    }
    fn lock_shared_range(&self, a: Bounds, b: Bounds) -> std::result::Result<(), BackendError> {
        self.file.lock_shared_range(a, b)
    }
    fn unlock_range(&self, a: Bounds, b: Bounds) -> std::result::Result<(), BackendError> {
        self.file.unlock_range(a, b)
    }
    fn query_lock_range(&self, a: Bounds, b: Bounds) -> std::result::Result<bool, BackendError> {
        self.file.query_lock_range(a, b)
    }
}

fn open(path: &Path, full: &Arc<AtomicBool>) -> Result<Database> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap();
    let backend = Failing {
        file: FileBackend::new(file).unwrap(),
        full: Arc::clone(full),
    };
    Database::builder()
        .set_concurrency_mode(ConcurrencyMode::MultiWriter)
        .create_with_backend(backend)
        .map_err(broken)
}

fn put(link: &Link, value: u64) -> Result<()> {
    link.write(|txn| {
        let mut table = txn.open_table(META).map_err(broken)?;
        table.insert("x", value).map_err(broken)?;
        Ok(())
    })
}

fn value(link: &Link) -> Result<u64> {
    link.read(|txn| meta(&txn.open_table(META).map_err(broken)?, "x"))
}

#[test]
fn a_disk_that_was_full_for_a_while_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.redb");
    let full = Arc::new(AtomicBool::new(false));
    let openings = Arc::new(AtomicUsize::new(0));
    let link = {
        let (path, full, openings) = (path.clone(), Arc::clone(&full), Arc::clone(&openings));
        Link::new(move || {
            openings.fetch_add(1, Ordering::SeqCst);
            open(&path, &full)
        })
        .unwrap()
    };
    put(&link, 1).unwrap();
    // A command that has the file open all the while.
    let beside = Link::new(move || open(&path, &Arc::default())).unwrap();
    for round in 2..5 {
        full.store(true, Ordering::SeqCst);
        let text = put(&link, 99).unwrap_err().to_string();
        assert!(text.contains("full"), "{text}");
        // While it lasts every change fails and none is half done.
        for _ in 0..3 {
            assert!(put(&link, 99).is_err());
        }
        assert_eq!(value(&beside).unwrap(), round - 1);
        full.store(false, Ordering::SeqCst);
        assert_eq!(value(&link).unwrap(), round - 1);
        put(&link, round).unwrap();
        assert_eq!(value(&link).unwrap(), round);
        assert_eq!(value(&beside).unwrap(), round);
    }
    assert!(openings.load(Ordering::SeqCst) > 3);
    put(&beside, 7).unwrap();
    assert_eq!(value(&link).unwrap(), 7);
}
