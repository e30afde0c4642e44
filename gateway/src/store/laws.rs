//! What every backend of the port must hold, one law to a function, run on each.
//!
//! The in-memory model comes first, so that the laws themselves are tested; a new backend is one more arm
//! of [`Backend`].

use std::sync::Arc;

use secrecy::SecretString;

use super::model::ModelStore;
use super::redb::RedbStore;
use super::{ADMIN_ROLE, Change, Changes, NewUser, SealedKey, Store, User, UserPatch, Version};

mod crash;
mod faults;
mod feed;
mod sequences;
mod state;
mod users;

const NOW: u64 = 1_800_000_000;

/// One store's data; every handle on it is as another process's.
#[derive(Debug)]
enum Backend {
    Model(ModelStore),
    Redb { dir: tempfile::TempDir, rows: u64 },
}

impl Backend {
    fn model(rows: u64) -> Self {
        Self::Model(ModelStore::with_feed_rows(rows))
    }

    fn redb(rows: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::Redb { dir, rows }
    }

    fn handle(&self) -> Arc<dyn Store> {
        match self {
            Self::Model(store) => Arc::new(store.another_handle()),
            Self::Redb { dir, rows } => {
                Arc::new(RedbStore::open_with(&dir.path().join("gateway.redb"), *rows).unwrap())
            }
        }
    }
}

/// Runs each law on each backend, with a feed of the default or the given length.
macro_rules! laws {
    ($($law:ident $(($rows:expr))?),+ $(,)?) => {
        mod on_model {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let _rows = crate::store::rules::FEED_ROWS;
                $(let _rows = $rows;)?
                super::$law(&crate::store::laws::Backend::model(_rows)).await;
            })+
        }
        mod on_redb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let _rows = crate::store::rules::FEED_ROWS;
                $(let _rows = $rows;)?
                super::$law(&crate::store::laws::Backend::redb(_rows)).await;
            })+
        }
    };
}
use laws;

fn named(name: &str) -> NewUser {
    NewUser {
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        roles: Vec::new(),
        active: true,
        password_hash: Some(SecretString::from("$argon2id$x")),
    }
}

fn admin(name: &str) -> NewUser {
    NewUser {
        roles: vec![ADMIN_ROLE.to_owned()],
        ..named(name)
    }
}

fn key(kid: &str) -> SealedKey {
    SealedKey {
        kid: kid.to_owned(),
        algorithm: "EdDSA".to_owned(),
        sealed: vec![1, 2, 3],
        created_at: NOW,
    }
}

fn active(active: bool) -> UserPatch {
    UserPatch {
        active: Some(active),
        ..UserPatch::default()
    }
}

fn roles(roles: &[&str]) -> UserPatch {
    UserPatch {
        roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
        ..UserPatch::default()
    }
}

fn password(hash: &str) -> UserPatch {
    UserPatch {
        password_hash: Some(SecretString::from(hash)),
        ..UserPatch::default()
    }
}

async fn rows(store: &dyn Store, after: Version) -> Vec<(Version, Change)> {
    match store.changes_since(after, usize::MAX).await.unwrap() {
        Changes::Rows(rows) => rows,
        Changes::Truncated => panic!("truncated"),
    }
}

async fn everyone(store: &dyn Store) -> Vec<User> {
    store.snapshot().await.unwrap().users
}
