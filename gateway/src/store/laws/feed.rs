//! The change feed: every version once, in order, and honest about what it no longer holds.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::{Backend, NOW, active, key, laws, named, password, roles, rows};
use crate::store::{Change, Changes, UserId, UserPatch, Version};

laws![
    each_change_is_one_row_that_names_it,
    a_reader_under_eight_writers_misses_nothing,
    a_reader_too_far_behind_is_told(10),
    handles_see_each_others_changes_at_once,
    a_snapshot_is_one_version,
];

async fn each_change_is_one_row_that_names_it(backend: &Backend) {
    let store = backend.handle();
    let ann = store.create_user(named("ann"), NOW).await.unwrap();
    store
        .update_user(ann.id, None, password("x"))
        .await
        .unwrap();
    let rehash = UserPatch {
        keep_sessions: true,
        ..password("y")
    };
    store.update_user(ann.id, None, rehash).await.unwrap();
    let keys = store.put_keys(Version(0), vec![key("k")]).await.unwrap();
    store.remove_user(ann.id).await.unwrap();
    // What fails leaves no row.
    assert!(store.remove_user(ann.id).await.is_err());
    assert!(store.put_keys(Version(0), Vec::new()).await.is_err());
    let expected = [
        Change::User(ann.id),
        Change::User(ann.id),
        Change::User(ann.id),
        Change::Keys,
        Change::UserRemoved(ann.id),
    ];
    let expected: Vec<_> = (1..).map(Version).zip(expected).collect();
    assert_eq!(keys, Version(4));
    assert_eq!(rows(&*store, Version(0)).await, expected);
    assert_eq!(rows(&*store, Version(3)).await, expected[3..]);
    assert!(rows(&*store, Version(5)).await.is_empty());
    let Changes::Rows(two) = store.changes_since(Version(1), 2).await.unwrap() else {
        panic!("truncated");
    };
    assert_eq!(two, expected[1..3]);
    assert_eq!(store.head().await.unwrap(), Version(5));
}

async fn a_reader_under_eight_writers_misses_nothing(backend: &Backend) {
    const WRITERS: usize = 8;
    const EACH: usize = 12;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = backend.handle();
        writers.spawn(async move {
            let mut made = Vec::new();
            let id = store
                .create_user(named(&format!("w{writer}")), NOW)
                .await
                .unwrap()
                .id;
            made.push(store.user(id).await.unwrap().unwrap().version);
            for i in 1..EACH {
                let user = store.update_user(id, None, active(i % 2 == 0)).await;
                made.push(user.unwrap().version);
            }
            made
        });
    }
    let reader = backend.handle();
    let mut at = Version(0);
    let mut seen = Vec::new();
    while seen.len() < WRITERS * EACH {
        let Changes::Rows(rows) = reader.changes_since(at, 5).await.unwrap() else {
            panic!("truncated");
        };
        for (version, _) in rows {
            assert_eq!(version, Version(at.0 + 1));
            at = version;
            seen.push(version);
        }
        tokio::task::yield_now().await;
    }
    let acknowledged: Vec<Version> = writers.join_all().await.concat();
    let distinct: BTreeSet<Version> = acknowledged.iter().copied().collect();
    assert_eq!(distinct.len(), acknowledged.len());
    assert_eq!(distinct.into_iter().collect::<Vec<_>>(), seen);
    assert_eq!(reader.head().await.unwrap(), at);
}

async fn a_reader_too_far_behind_is_told(backend: &Backend) {
    let store = backend.handle();
    let id = store.create_user(named("ann"), NOW).await.unwrap().id;
    for i in 2..=25 {
        store
            .update_user(id, None, active(i % 2 == 1))
            .await
            .unwrap();
    }
    for (after, rows) in [
        (0, None),
        (14, None),
        (15, Some(10)),
        (20, Some(5)),
        (25, Some(0)),
    ] {
        let changes = store.changes_since(Version(after), 100).await.unwrap();
        let found = match changes {
            Changes::Rows(rows) => Some(rows.len()),
            Changes::Truncated => None,
        };
        assert_eq!(found, rows, "{after}");
    }
    // A version from before a restore of an older file.
    assert!(matches!(
        store.changes_since(Version(26), 100).await.unwrap(),
        Changes::Truncated
    ));
    assert!(matches!(
        store.changes_since(Version(u64::MAX), 100).await.unwrap(),
        Changes::Truncated
    ));
}

async fn handles_see_each_others_changes_at_once(backend: &Backend) {
    let (one, two) = (backend.handle(), backend.handle());
    for i in 0..10_u64 {
        let (writer, reader) = if i % 2 == 0 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        let user = writer
            .create_user(named(&format!("u{i}")), NOW)
            .await
            .unwrap();
        assert_eq!(user.id, UserId(i + 1));
        assert_eq!(reader.head().await.unwrap(), user.version);
        assert_eq!(reader.user(user.id).await.unwrap(), Some(user.clone()));
        assert_eq!(
            rows(&**reader, Version(i)).await,
            [(user.version, Change::User(user.id))]
        );
    }
}

async fn a_snapshot_is_one_version(backend: &Backend) {
    let store = backend.handle();
    let writer = backend.handle();
    let id = store.create_user(named("ann"), NOW).await.unwrap().id;
    let writing = tokio::spawn(async move {
        for i in 0..40 {
            let name = if i % 2 == 0 { "even" } else { "odd" };
            writer.update_user(id, None, roles(&[name])).await.unwrap();
        }
    });
    while !writing.is_finished() {
        let snapshot = store.snapshot().await.unwrap();
        let newest = snapshot.users.iter().map(|user| user.version).max();
        assert_eq!(newest, Some(snapshot.version));
    }
    writing.await.unwrap();
}
