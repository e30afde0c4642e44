use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use aws_lc_rs::signature::Ed25519KeyPair;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::{
    ADMIN_NAME, CONFIGURED_KID, FirstStartError, INITIAL_PASSWORD_FILE, Prepared, Retire,
    make_data_dir, prepare, prepare_with_kek, retire_initial_password, sweep_drafts,
};
use crate::auth::password::PasswordWorkers;
use crate::config::{Config, TokenAlgorithm};
use crate::seal::SealError;
use crate::store::redb::RedbStore;
use crate::store::{NewUser, Store, UserId, UserPatch, Version};

use sample::config;

mod sample;

const NOW: u64 = 1_800_000_000;

fn open(config: &Config) -> RedbStore {
    make_data_dir(&config.server.data_dir).unwrap();
    RedbStore::open(&config.server.data_dir.join("gateway.redb")).unwrap()
}

async fn start(config: &Config) -> Result<Prepared, FirstStartError> {
    prepare(config, &open(config), NOW).await
}

async fn logs_in(config: &Config, password: &str) -> bool {
    let record = open(config)
        .user_by_name(ADMIN_NAME)
        .await
        .unwrap()
        .unwrap();
    let workers = PasswordWorkers::new(&config.auth.password).unwrap();
    let verdict = workers.verify(password.into(), record.password_hash).await;
    verdict.unwrap().ok
}

#[tokio::test]
async fn p108_a_first_start_makes_everything_and_the_second_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir.path().join("new/data"));
    let data_dir = &config.server.data_dir;
    let first = start(&config).await.unwrap();
    assert!(first.created);
    let file = first.initial_password_file.unwrap();
    assert_eq!(file, data_dir.join(INITIAL_PASSWORD_FILE));
    let password = std::fs::read_to_string(&file).unwrap();
    assert_eq!(password.trim_end().len(), 20);
    assert!(logs_in(&config, password.trim_end()).await);
    assert!(!logs_in(&config, "admin").await);
    assert_eq!(std::fs::metadata(data_dir).unwrap().mode() & 0o7777, 0o700);
    for name in ["kek", "gateway.redb", INITIAL_PASSWORD_FILE] {
        let mode = std::fs::metadata(data_dir.join(name)).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    let admin = open(&config).user(UserId(1)).await.unwrap().unwrap();
    assert_eq!(admin.roles, ["admin"]);

    let head = open(&config).head().await.unwrap();
    let second = start(&config).await.unwrap();
    assert!(!second.created && second.initial_password_file.is_some());
    assert_eq!(open(&config).head().await.unwrap(), head);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), password);
    let [one] = first.signing_keys.as_slice() else {
        panic!()
    };
    let [two] = second.signing_keys.as_slice() else {
        panic!()
    };
    assert_eq!(one.kid, two.kid);
    assert_eq!(one.bytes.expose_secret(), two.bytes.expose_secret());
    assert_eq!((one.algorithm.as_str(), one.created_at), ("EdDSA", NOW));
    Ed25519KeyPair::from_pkcs8(one.bytes.expose_secret()).unwrap();
}

#[tokio::test]
async fn two_installations_share_nothing() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut passwords = Vec::new();
    let mut keys = Vec::new();
    for dir in [&one, &two] {
        let prepared = start(&config(dir.path())).await.unwrap();
        passwords.push(std::fs::read(prepared.initial_password_file.unwrap()).unwrap());
        keys.push(prepared.signing_keys[0].bytes.expose_secret().to_vec());
    }
    assert_ne!(passwords[0], passwords[1]);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn the_operators_password_is_used_and_judged() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    for weak in ["admin", "short", "password1234", "Administrator1", ""] {
        config.auth.admin_password = Some(SecretString::from(weak));
        let error = start(&config).await.unwrap_err();
        assert!(matches!(error, FirstStartError::AdminPassword(_)), "{weak}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("GATEWAY_ADMIN_PASSWORD"), "{text}");
        assert!(
            weak.is_empty() || weak == "admin" || !text.contains(weak),
            "{text}"
        );
    }
    config.auth.admin_password = Some(SecretString::from("three blind mice"));
    let prepared = start(&config).await.unwrap();
    assert!(prepared.created && prepared.initial_password_file.is_none());
    assert!(logs_in(&config, "three blind mice").await);
    // Later starts leave the users alone, whatever is configured.
    config.auth.admin_password = Some(SecretString::from("see how they run"));
    assert!(!start(&config).await.unwrap().created);
    assert!(logs_in(&config, "three blind mice").await);
}

#[tokio::test]
async fn p108_development_passwords_stop_a_normal_start_until_they_are_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.server.insecure_dev = true;
    let server = open(&config);
    assert!(prepare(&config, &server, NOW).await.unwrap().created);
    assert!(logs_in(&config, "admin").await);
    let bob = NewUser {
        username: "bob".to_owned(),
        email: String::new(),
        roles: Vec::new(),
        active: true,
        password_hash: Some("$argon2id$x".into()),
    };
    let bob = server.create_user(bob, NOW).await.unwrap();
    drop(server);

    config.server.insecure_dev = false;
    let error = start(&config).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, FirstStartError::InsecureStore(_)));
    assert!(
        text.contains("admin, bob") && text.contains("gateway user passwd"),
        "{text}"
    );

    let command = open(&config);
    let better = UserPatch {
        password_hash: Some("$argon2id$y".into()),
        ..UserPatch::default()
    };
    command.update_user(UserId(1), None, better).await.unwrap();
    let error = start(&config).await.unwrap_err();
    assert!(matches!(error, FirstStartError::InsecureStore(names) if names == ["bob"]));
    command.remove_user(bob.id).await.unwrap();
    start(&config).await.unwrap();
    assert!(!command.insecure_mark().await.unwrap());
    // Development mode on a store that was used normally finds its users as they are.
    config.server.insecure_dev = true;
    start(&config).await.unwrap();
    config.server.insecure_dev = false;
    start(&config).await.unwrap();
}

#[tokio::test]
async fn hs256_is_made_or_taken_from_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.auth.algorithm = TokenAlgorithm::Hs256;
    let made = start(&config).await.unwrap().signing_keys;
    assert_eq!(made.len(), 1);
    let bytes = made[0].bytes.expose_secret();
    assert!(bytes.len() >= 43 && bytes.iter().all(u8::is_ascii_graphic));
    // Another algorithm gets a key of its own, beside the old one, and signs.
    config.auth.algorithm = TokenAlgorithm::EdDsa;
    let both = start(&config).await.unwrap().signing_keys;
    let algorithms: Vec<_> = both.iter().map(|key| key.algorithm.as_str()).collect();
    assert_eq!(algorithms, ["HS256", "EdDSA"]);
    assert_eq!(start(&config).await.unwrap().signing_keys.len(), 2);

    config.auth.algorithm = TokenAlgorithm::Hs256;
    config.auth.hs256_secret = Some(SecretSlice::from(b"given".to_vec()));
    let at = open(&config).keys().await.unwrap().version;
    let given = start(&config).await.unwrap().signing_keys;
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].kid, CONFIGURED_KID);
    assert_eq!(given[0].bytes.expose_secret(), b"given");
    assert_eq!(open(&config).keys().await.unwrap().version, at);
}

#[tokio::test]
async fn a_lost_or_foreign_key_file_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    start(&config).await.unwrap();
    let kek = dir.path().join("kek");
    let kept = std::fs::read(&kek).unwrap();
    std::fs::remove_file(&kek).unwrap();
    let error = start(&config).await.unwrap_err();
    assert!(matches!(
        error,
        FirstStartError::Seal(SealError::Missing { .. })
    ));
    assert!(!kek.exists());
    std::fs::write(&kek, [7; 32]).unwrap();
    std::fs::set_permissions(&kek, std::fs::Permissions::from_mode(0o600)).unwrap();
    let error = start(&config).await.unwrap_err();
    assert!(matches!(
        error,
        FirstStartError::Seal(SealError::Open { .. })
    ));
    // The operator may keep it elsewhere.
    let elsewhere = dir.path().join("elsewhere");
    std::fs::write(&elsewhere, kept).unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(&config);
    let error = prepare_with_kek(&config, Some(&elsewhere), &store, NOW).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("chmod 600"), "{text}");
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o400)).unwrap();
    prepare_with_kek(&config, Some(&elsewhere), &store, NOW)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_crash_after_any_step_leaves_what_the_next_start_completes() {
    // The state after each step is made by running that step alone.
    for step in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        let config = config(&dir.path().join("data"));
        let data_dir = &config.server.data_dir;
        if step >= 1 {
            drop(open(&config));
        }
        if step >= 2 {
            crate::seal::Kek::load_or_create(&data_dir.join("kek")).unwrap();
        }
        if step >= 3 {
            let store = open(&config);
            let kek = crate::seal::Kek::load(&data_dir.join("kek")).unwrap();
            super::signing::keys(&config, &kek, &store, NOW)
                .await
                .unwrap();
        }
        let two_days = 2 * 24 * 60 * 60;
        if step == 4 {
            super::initial_password::make(data_dir, NOW - two_days).unwrap();
        }
        if step == 5 {
            let file = data_dir.join(INITIAL_PASSWORD_FILE);
            crate::store::create_private(&file, b"torn").unwrap();
        }
        let prepared = start(&config).await.unwrap();
        assert!(prepared.created, "{step}");
        let password = std::fs::read_to_string(prepared.initial_password_file.unwrap()).unwrap();
        assert!(logs_in(&config, password.trim_end()).await, "{step}");
        assert_eq!(prepared.signing_keys.len(), 1);
        assert_eq!(open(&config).head().await.unwrap(), Version(2));
    }
}

#[tokio::test]
async fn a_store_that_was_emptied_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir.path().join("data"));
    start(&config).await.unwrap();
    let file = config.server.data_dir.join("gateway.redb");
    for emptied in [true, false] {
        if emptied {
            std::fs::write(&file, "").unwrap();
        } else {
            std::fs::remove_file(&file).unwrap();
        }
        let refused = start(&config).await.unwrap_err();
        assert!(matches!(refused, FirstStartError::Emptied(_)), "{refused}");
        assert!(refused.to_string().contains("from a backup"), "{refused}");
    }
}

#[tokio::test]
async fn what_a_killed_first_start_left_is_in_nobodys_way() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir.path().join("data"));
    let data_dir = &config.server.data_dir;
    make_data_dir(data_dir).unwrap();
    let draft = data_dir.join("gateway.redb.new-0123456789abcdef");
    std::fs::write(&draft, "half a database").unwrap();
    start(&config).await.unwrap();
    sweep_drafts(data_dir).unwrap();
    assert!(!draft.exists());
    let left: Vec<_> = std::fs::read_dir(data_dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".new-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_at_the_same_time_agree() {
    let dir = tempfile::tempdir().unwrap();
    let config = Arc::new(config(dir.path()));
    drop(open(&config));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let config = Arc::clone(&config);
        tasks.spawn(async move { start(&config).await });
    }
    let prepared: Vec<_> = tasks
        .join_all()
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let kids: std::collections::BTreeSet<_> = prepared
        .iter()
        .flat_map(|p| p.signing_keys.iter().map(|key| key.kid.clone()))
        .collect();
    assert_eq!(kids.len(), 1);
    let file = prepared[0].initial_password_file.as_ref().unwrap();
    let password = std::fs::read_to_string(file).unwrap();
    assert!(logs_in(&config, password.trim_end()).await);
    assert_eq!(prepared.iter().filter(|p| p.created).count(), 1);
}

#[tokio::test]
async fn the_password_file_goes_after_a_day_or_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let file = start(&config).await.unwrap().initial_password_file.unwrap();
    let written = NOW;
    let day = 24 * 60 * 60;
    for (now, gone) in [
        (0, false),
        (written + day - 1, false),
        (written + day, true),
    ] {
        let removed = retire_initial_password(dir.path(), Retire::IfExpired { now }).unwrap();
        assert_eq!(removed, gone, "{now}");
    }
    assert!(!file.exists());
    assert!(!retire_initial_password(dir.path(), Retire::Now).unwrap());
    std::fs::write(&file, "x").unwrap();
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    let written = written.duration_since(UNIX_EPOCH).unwrap().as_secs();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(&config);
    let error = prepare(&config, &store, written).await.unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    assert!(retire_initial_password(dir.path(), Retire::Now).unwrap());
    let prepared = prepare(&config, &store, written).await.unwrap();
    assert_eq!(prepared.initial_password_file, None);
}

#[tokio::test]
async fn p84_what_is_prepared_shows_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.auth.algorithm = TokenAlgorithm::Hs256;
    config.auth.hs256_secret = Some(SecretSlice::from(b"topsecret".to_vec()));
    let text = format!("{:?}", start(&config).await.unwrap());
    assert!(
        !text.contains("topsecret") && !text.contains("116, 111, 112"),
        "{text}"
    );
}
