//! Random sequences of operations: the file and the model agree on every answer and on the state after.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Backend, NOW, everyone, key, named};
use crate::store::{Store, UserId, UserPatch, Version};
use crate::user::ADMIN_ROLE;

#[derive(Debug, Clone)]
enum Step {
    Create {
        name: usize,
        admin: bool,
    },
    Update {
        id: u64,
        expect: Option<u64>,
        patch: UserPatch,
    },
    Remove {
        id: u64,
    },
    PutKeys {
        expect: u64,
    },
    Mark(bool),
    Since {
        version: u64,
        max: usize,
    },
    Find {
        name: usize,
    },
    Reopen,
}

const NAMES: [&str; 6] = ["ann", "ANN", "Ｂob", "bob", "straße", "STRASSE"];

fn patch() -> impl Strategy<Value = UserPatch> {
    (
        proptest::option::weighted(0.3, 0..NAMES.len()),
        proptest::option::weighted(
            0.3,
            proptest::sample::subsequence(vec!["admin", "x"], 0..=2),
        ),
        proptest::option::weighted(0.3, any::<bool>()),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(name, roles, active, password, keep_sessions)| UserPatch {
            username: name.map(|i| NAMES[i].to_owned()),
            email: None,
            roles: roles.map(|roles| roles.into_iter().map(str::to_owned).collect()),
            active,
            password_hash: password.then(|| "hash".into()),
            keep_sessions,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let id = 1..8_u64;
    let version = 0..30_u64;
    prop_oneof![
        4 => (0..NAMES.len(), any::<bool>()).prop_map(|(name, admin)| Step::Create { name, admin }),
        6 => (id.clone(), proptest::option::weighted(0.3, version.clone()), patch())
            .prop_map(|(id, expect, patch)| Step::Update { id, expect, patch }),
        3 => id.prop_map(|id| Step::Remove { id }),
        1 => version.clone().prop_map(|expect| Step::PutKeys { expect }),
        1 => any::<bool>().prop_map(Step::Mark),
        2 => (version, 0..5_usize).prop_map(|(version, max)| Step::Since { version, max }),
        2 => (0..NAMES.len()).prop_map(|name| Step::Find { name }),
        1 => Just(Step::Reopen),
    ]
}

/// What the operation answered, as text: errors compare by their message.
async fn run(store: &dyn Store, step: &Step) -> String {
    match step {
        Step::Create { name, admin } => {
            let mut new = named(NAMES[*name]);
            if *admin {
                new.roles.push(ADMIN_ROLE.to_owned());
            }
            format!("{:?}", store.create_user(new, NOW).await)
        }
        Step::Update { id, expect, patch } => {
            let outcome = store.update_user(UserId(*id), expect.map(Version), patch.clone());
            format!("{:?}", outcome.await)
        }
        Step::Remove { id } => format!("{:?}", store.remove_user(UserId(*id)).await),
        Step::PutKeys { expect } => {
            let outcome = store.put_keys(Version(*expect), vec![key(&expect.to_string())]);
            format!("{:?}", outcome.await)
        }
        Step::Mark(marked) => format!("{:?}", store.set_insecure_mark(*marked).await),
        Step::Since { version, max } => {
            format!("{:?}", store.changes_since(Version(*version), *max).await)
        }
        Step::Find { name } => format!("{:?}", store.user_by_name(NAMES[*name]).await),
        Step::Reopen => String::new(),
    }
}

async fn state(store: &dyn Store) -> String {
    format!(
        "{:?} {:?} {:?} {:?}",
        everyone(store).await,
        store.keys().await,
        store.insecure_mark().await,
        store.unchecked_users().await,
    )
}

async fn agree(steps: Vec<Step>) {
    let model = Backend::model(12);
    let file = Backend::redb(12);
    let mut on_model: Arc<dyn Store> = model.handle();
    let mut on_file = file.handle();
    for step in &steps {
        if matches!(step, Step::Reopen) {
            on_model = model.handle();
            on_file = file.handle();
        }
        assert_eq!(
            run(&*on_file, step).await,
            run(&*on_model, step).await,
            "{step:?}"
        );
        assert_eq!(state(&*on_file).await, state(&*on_model).await, "{step:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_file_answers_as_the_model(steps in proptest::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(agree(steps));
    }
}
