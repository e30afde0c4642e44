//! Names, ids, versions, epochs and the last administrator.

use secrecy::ExposeSecret;
use tokio::task::JoinSet;

use super::{Backend, NOW, active, admin, everyone, laws, named, password, roles};
use crate::store::{StoreError, UserId, UserPatch, Version};

laws![
    one_of_sixteen_creators_gets_the_name,
    p107_names_that_fold_together_conflict,
    a_freed_name_can_be_taken_and_an_id_never_comes_back,
    a_name_is_found_exactly,
    compare_and_set_refuses_an_old_version,
    the_epoch_rises_with_name_password_roles_and_active_alone,
    a_patch_without_effect_changes_nothing,
    the_last_active_administrator_stays,
    two_administrators_cannot_remove_each_other,
    pages_cover_everyone_once,
    what_is_not_there_is_not_found,
];

async fn one_of_sixteen_creators_gets_the_name(backend: &Backend) {
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let store = backend.handle();
        for _ in 0..4 {
            let store = store.clone();
            tasks.spawn(async move { store.create_user(named("ann"), NOW).await });
        }
    }
    let outcomes = tasks.join_all().await;
    let won = outcomes.iter().filter(|o| o.is_ok()).count();
    let lost = outcomes
        .iter()
        .filter(|o| matches!(o, Err(StoreError::Conflict)))
        .count();
    assert_eq!((won, lost), (1, 15));
    assert_eq!(backend.handle().head().await.unwrap(), Version(1));
}

async fn p107_names_that_fold_together_conflict(backend: &Backend) {
    let store = backend.handle();
    store.create_user(named("straße"), NOW).await.unwrap();
    let bob = store.create_user(named("bob"), NOW).await.unwrap();
    for name in ["STRASSE", "Straße", "ｓtrasse", "strasse"] {
        let outcome = store.create_user(named(name), NOW).await;
        assert!(matches!(outcome, Err(StoreError::Conflict)), "{name}");
        let rename = UserPatch {
            username: Some(name.to_owned()),
            ..UserPatch::default()
        };
        let outcome = store.update_user(bob.id, None, rename).await;
        assert!(matches!(outcome, Err(StoreError::Conflict)), "{name}");
    }
    // A user's own name in another case is not taken, and a refused change took nothing away.
    let rename = UserPatch {
        username: Some("BOB".to_owned()),
        ..UserPatch::default()
    };
    let renamed = store.update_user(bob.id, None, rename).await.unwrap();
    assert_eq!((renamed.username.as_str(), renamed.epoch), ("BOB", 1));
    assert!(matches!(
        store.create_user(named("bob"), NOW).await,
        Err(StoreError::Conflict)
    ));
}

async fn a_freed_name_can_be_taken_and_an_id_never_comes_back(backend: &Backend) {
    let store = backend.handle();
    for expected in 1..5 {
        let user = store.create_user(named("ann"), NOW).await.unwrap();
        assert_eq!(user.id, UserId(expected));
        assert_eq!(user.created_at, NOW);
        store.remove_user(user.id).await.unwrap();
        assert!(store.user(user.id).await.unwrap().is_none());
    }
    // A creation that is refused may burn an id but never gives one out again.
    let ann = store.create_user(named("ann"), NOW).await.unwrap();
    assert!(store.create_user(named("ann"), NOW).await.is_err());
    assert!(store.create_user(named("bob"), NOW).await.unwrap().id > ann.id);
}

async fn a_name_is_found_exactly(backend: &Backend) {
    let store = backend.handle();
    let user = store.create_user(named("José"), NOW).await.unwrap();
    let found = store.user_by_name("Jose\u{301}").await.unwrap().unwrap();
    assert_eq!(found.user, user);
    assert_eq!(found.password_hash.unwrap().expose_secret(), "$argon2id$x");
    for name in ["josé", "JOSÉ", "Jose", " José", ""] {
        assert!(store.user_by_name(name).await.unwrap().is_none(), "{name}");
    }
    let mut new = named("nobody");
    new.password_hash = None;
    store.create_user(new, NOW).await.unwrap();
    let found = store.user_by_name("nobody").await.unwrap().unwrap();
    assert!(found.password_hash.is_none());
}

async fn compare_and_set_refuses_an_old_version(backend: &Backend) {
    let (one, two) = (backend.handle(), backend.handle());
    let ann = one.create_user(named("ann"), NOW).await.unwrap();
    let changed = two
        .update_user(ann.id, Some(ann.version), active(false))
        .await
        .unwrap();
    assert!(changed.version > ann.version);
    for patch in [active(true), password("new")] {
        let outcome = one.update_user(ann.id, Some(ann.version), patch).await;
        assert!(matches!(outcome, Err(StoreError::Stale)));
    }
    assert_eq!(one.user(ann.id).await.unwrap(), Some(changed.clone()));
    one.update_user(ann.id, Some(changed.version), active(true))
        .await
        .unwrap();
}

async fn the_epoch_rises_with_name_password_roles_and_active_alone(backend: &Backend) {
    let store = backend.handle();
    let id = store.create_user(named("ann"), NOW).await.unwrap().id;
    let rename = UserPatch {
        username: Some("anna".to_owned()),
        ..UserPatch::default()
    };
    let moved = UserPatch {
        email: Some("new@example.com".to_owned()),
        ..UserPatch::default()
    };
    let rehash = UserPatch {
        keep_sessions: true,
        ..password("rehashed")
    };
    for (patch, epoch) in [
        (rename, 1),
        (moved, 1),
        (rehash, 1),
        (password("new"), 2),
        (roles(&["b", "a", "b"]), 3),
        (roles(&["a", "b"]), 3),
        (active(true), 3),
        (active(false), 4),
        (active(true), 5),
        (roles(&[]), 6),
    ] {
        let text = format!("{patch:?}");
        let user = store.update_user(id, None, patch).await.unwrap();
        assert_eq!(user.epoch, epoch, "{text}");
        assert_eq!(store.user(id).await.unwrap(), Some(user));
    }
    let record = store.user_by_name("anna").await.unwrap().unwrap();
    assert_eq!(record.password_hash.unwrap().expose_secret(), "new");
}

async fn a_patch_without_effect_changes_nothing(backend: &Backend) {
    let store = backend.handle();
    let mut new = named("ann");
    new.roles = vec!["b".into(), "a".into(), "b".into()];
    let ann = store.create_user(new, NOW).await.unwrap();
    assert_eq!(ann.roles, ["a", "b"]);
    for patch in [UserPatch::default(), active(true), roles(&["b", "a"])] {
        let same = store.update_user(ann.id, None, patch).await.unwrap();
        assert_eq!(same, ann);
    }
    assert_eq!(store.head().await.unwrap(), ann.version);
}

async fn the_last_active_administrator_stays(backend: &Backend) {
    let store = backend.handle();
    let root = store.create_user(admin("root"), NOW).await.unwrap();
    let mut idle = admin("idle");
    idle.active = false;
    let idle = store.create_user(idle, NOW).await.unwrap();
    store.create_user(named("ann"), NOW).await.unwrap();
    let head = store.head().await.unwrap();
    for patch in [active(false), roles(&["other"])] {
        let outcome = store.update_user(root.id, None, patch).await;
        assert!(matches!(outcome, Err(StoreError::LastAdmin)));
    }
    assert!(matches!(
        store.remove_user(root.id).await,
        Err(StoreError::LastAdmin)
    ));
    assert_eq!(store.head().await.unwrap(), head);
    // Everything else may happen to it, and with a second one active it may go.
    store
        .update_user(root.id, None, password("new"))
        .await
        .unwrap();
    store
        .update_user(root.id, None, roles(&["other", "admin"]))
        .await
        .unwrap();
    store
        .update_user(idle.id, None, active(true))
        .await
        .unwrap();
    store.remove_user(root.id).await.unwrap();
    assert!(matches!(
        store.remove_user(idle.id).await,
        Err(StoreError::LastAdmin)
    ));
}

async fn two_administrators_cannot_remove_each_other(backend: &Backend) {
    for round in 0..8 {
        let (one, two) = (backend.handle(), backend.handle());
        let a = one
            .create_user(admin(&format!("a{round}")), NOW)
            .await
            .unwrap();
        let b = two
            .create_user(admin(&format!("b{round}")), NOW)
            .await
            .unwrap();
        // Those of earlier rounds out of the way.
        for user in everyone(&*one).await {
            if user.id != a.id && user.id != b.id && user.active {
                one.update_user(user.id, None, active(false)).await.unwrap();
            }
        }
        let (first, second) = tokio::join!(
            tokio::spawn(async move { one.update_user(b.id, None, roles(&[])).await }),
            tokio::spawn(async move { two.remove_user(a.id).await })
        );
        let outcomes = [first.unwrap().map(|_| ()), second.unwrap()];
        let refused = outcomes
            .iter()
            .filter(|o| matches!(o, Err(StoreError::LastAdmin)))
            .count();
        assert_eq!(refused, 1, "{outcomes:?}");
    }
}

async fn pages_cover_everyone_once(backend: &Backend) {
    let store = backend.handle();
    for i in 0..10 {
        let user = store
            .create_user(named(&format!("u{i}")), NOW)
            .await
            .unwrap();
        if i % 3 == 1 {
            store.remove_user(user.id).await.unwrap();
        }
    }
    let all = everyone(&*store).await;
    assert_eq!(all.len(), 7);
    for limit in [1, 2, 3, 7, 8, usize::MAX] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.list_users(after, limit).await.unwrap();
            assert!(page.users.len() <= limit);
            seen.extend(page.users);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all, "{limit}");
    }
    let end = store.list_users(Some(UserId(u64::MAX)), 5).await.unwrap();
    assert!(end.users.is_empty() && end.next.is_none());
}

async fn what_is_not_there_is_not_found(backend: &Backend) {
    let store = backend.handle();
    let nobody = UserId(7);
    assert!(store.user(nobody).await.unwrap().is_none());
    assert!(matches!(
        store.update_user(nobody, None, active(true)).await,
        Err(StoreError::NotFound)
    ));
    assert!(matches!(
        store.remove_user(nobody).await,
        Err(StoreError::NotFound)
    ));
    store.ping().await.unwrap();
    assert_eq!(store.head().await.unwrap(), Version(0));
}
