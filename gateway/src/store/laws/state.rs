//! Keys, provisioning, marks, and what a reopened store still knows.

use tokio::task::JoinSet;

use super::{Backend, NOW, admin, everyone, key, laws, named, password, rows};
use crate::store::redb::RedbStore;
use crate::store::{Parked, ProvisionState, Store, StoreError, UserId, UserPatch, Version};

laws![
    one_of_eight_key_writers_wins,
    keys_are_replaced_whole_and_in_order,
    provisioning_state_comes_back,
    the_insecure_mark_is_seen_by_all,
    passwords_set_under_the_mark_are_known_until_they_are_set_again,
    what_was_seen_is_read_by_another_handle,
    a_reopened_store_knows_everything,
];

async fn one_of_eight_key_writers_wins(backend: &Backend) {
    let at = backend.handle().keys().await.unwrap().version;
    let mut tasks = JoinSet::new();
    for i in 0..8 {
        let store = backend.handle();
        tasks.spawn(async move { store.put_keys(at, vec![key(&format!("k{i}"))]).await });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o, Ok(_) | Err(StoreError::Stale)))
    );
    assert_eq!(backend.handle().keys().await.unwrap().value.len(), 1);
}

async fn keys_are_replaced_whole_and_in_order(backend: &Backend) {
    let store = backend.handle();
    assert!(store.keys().await.unwrap().value.is_empty());
    let one = store
        .put_keys(Version(0), vec![key("z"), key("a")])
        .await
        .unwrap();
    store.create_user(named("ann"), NOW).await.unwrap();
    // Another change moves the head, not the ring's version.
    let ring = store.keys().await.unwrap();
    assert_eq!(ring.version, one);
    assert_eq!(ring.value, [key("z"), key("a")]);
    assert_eq!(store.snapshot().await.unwrap().keys, ring.value);
    let two = store.put_keys(one, vec![key("b")]).await.unwrap();
    assert!(two > one);
    assert_eq!(store.keys().await.unwrap().value, [key("b")]);
}

async fn provisioning_state_comes_back(backend: &Backend) {
    let store = backend.handle();
    assert_eq!(
        store.provision_state("tasks").await.unwrap(),
        ProvisionState::default()
    );
    let state = ProvisionState {
        cursor: Version(7),
        highest: 9,
        resyncs: 2,
        retries: 1,
        parked: vec![Parked {
            user: UserId(3),
            status: 422,
            reason: "no \"name\"\n".to_owned(),
            at: NOW,
        }],
    };
    store
        .put_provision_state("tasks", state.clone())
        .await
        .unwrap();
    let other = backend.handle();
    assert_eq!(other.provision_state("tasks").await.unwrap(), state);
    assert_eq!(
        other.provision_state("other").await.unwrap(),
        ProvisionState::default()
    );
    assert_eq!(other.head().await.unwrap(), Version(0));
}

async fn the_insecure_mark_is_seen_by_all(backend: &Backend) {
    let (one, two) = (backend.handle(), backend.handle());
    assert!(!one.insecure_mark().await.unwrap());
    one.set_insecure_mark(true).await.unwrap();
    assert!(two.insecure_mark().await.unwrap());
    two.set_insecure_mark(false).await.unwrap();
    assert!(!one.insecure_mark().await.unwrap());
}

async fn passwords_set_under_the_mark_are_known_until_they_are_set_again(backend: &Backend) {
    let (server, command) = (backend.handle(), backend.handle());
    let before = server.create_user(named("before"), NOW).await.unwrap();
    server.set_insecure_mark(true).await.unwrap();
    let ann = server.create_user(named("ann"), NOW).await.unwrap();
    let bob = server.create_user(named("bob"), NOW).await.unwrap();
    let mut none = named("none");
    none.password_hash = None;
    server.create_user(none, NOW).await.unwrap();
    command.create_user(named("checked"), NOW).await.unwrap();
    let names = async || {
        let users = command.unchecked_users().await.unwrap();
        users.into_iter().map(|u| u.username).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["ann", "bob"]);
    server
        .update_user(before.id, None, password("x"))
        .await
        .unwrap();
    assert_eq!(names().await, ["before", "ann", "bob"]);
    // A new hash of the same password proves nothing; a new password from the command line does.
    let rehash = UserPatch {
        keep_sessions: true,
        ..password("y")
    };
    command.update_user(ann.id, None, rehash).await.unwrap();
    assert_eq!(names().await, ["before", "ann", "bob"]);
    command
        .update_user(ann.id, None, password("z"))
        .await
        .unwrap();
    command.remove_user(bob.id).await.unwrap();
    command
        .update_user(before.id, None, password("z"))
        .await
        .unwrap();
    assert!(names().await.is_empty());
    server.set_insecure_mark(false).await.unwrap();
    server
        .update_user(ann.id, None, password("w"))
        .await
        .unwrap();
    assert!(names().await.is_empty());
}

async fn what_was_seen_is_read_by_another_handle(backend: &Backend) {
    let (server, command) = (backend.handle(), backend.handle());
    assert_eq!(command.seen().await, None);
    for version in [Version(1), Version(70_000)] {
        server.note_seen(version).await;
        assert_eq!(command.seen().await, Some(version));
    }
}

async fn a_reopened_store_knows_everything(backend: &Backend) {
    let store = backend.handle();
    let root = store.create_user(admin("root"), NOW).await.unwrap();
    let gone = store.create_user(named("gone"), NOW).await.unwrap();
    store.remove_user(gone.id).await.unwrap();
    store.set_insecure_mark(true).await.unwrap();
    store.put_keys(Version(0), vec![key("k")]).await.unwrap();
    let users = everyone(&*store).await;
    let feed = rows(&*store, Version(0)).await;
    drop(store);
    let store = backend.handle();
    assert_eq!(everyone(&*store).await, users);
    assert_eq!(rows(&*store, Version(0)).await, feed);
    assert!(store.insecure_mark().await.unwrap());
    assert_eq!(store.keys().await.unwrap().value, [key("k")]);
    assert!(matches!(
        store.remove_user(root.id).await,
        Err(StoreError::LastAdmin)
    ));
    let next = store.create_user(named("next"), NOW).await.unwrap();
    assert_eq!(next.id, UserId(gone.id.0 + 1));
}

/// The command line runs the port on a runtime of one thread that also waits for the answer.
#[tokio::test(flavor = "current_thread")]
async fn a_runtime_of_one_thread_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&dir.path().join("gateway.redb")).unwrap();
    let user = store.create_user(named("ann"), NOW).await.unwrap();
    assert_eq!(store.user(user.id).await.unwrap(), Some(user));
    store.note_seen(Version(1)).await;
    assert_eq!(store.seen().await, Some(Version(1)));
}
