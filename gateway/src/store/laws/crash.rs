//! kill -9: what was acknowledged is there afterwards.
//!
//! The test starts its own binary again as the victim, which writes and says so line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::{NOW, named, rows};
use crate::store::redb::RedbStore;
use crate::store::{ServerLock, Store, Version};

const FILE: &str = "GATEWAY_TEST_CRASH_FILE";
const PREFIX: &str = "acknowledged ";

/// Not a test by itself: does nothing unless the one below runs it.
#[tokio::test]
async fn victim() {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let path = std::path::PathBuf::from(path);
    let _lock = ServerLock::take(path.parent().unwrap()).unwrap();
    let store = RedbStore::open(&path).unwrap();
    let from = store.head().await.unwrap().0;
    for i in from.. {
        let user = store
            .create_user(named(&format!("u{i}")), NOW)
            .await
            .unwrap();
        // Past the test harness, which would keep it back.
        let mut out = std::io::stderr();
        writeln!(out, "{PREFIX}{}", user.id.0).unwrap();
    }
}

#[tokio::test]
async fn no_acknowledged_change_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.redb");
    // A command beside the server, with the file open through every crash.
    let beside = RedbStore::open(&path).unwrap();
    let mut acknowledged = 0;
    for round in 1..=5 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::laws::crash::victim", "--nocapture"])
            .env(FILE, &path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stderr.take().unwrap()).lines();
        let mut ids = lines.filter_map(|line| {
            let line = line.unwrap();
            Some(line.strip_prefix(PREFIX)?.parse::<u64>().unwrap())
        });
        for _ in 0..7 * round {
            assert_eq!(ids.next(), Some(acknowledged + 1));
            acknowledged += 1;
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        acknowledged = ids.last().unwrap_or(acknowledged);

        assert!(!ServerLock::is_held(dir.path()));
        let reopened = RedbStore::open(&path).unwrap();
        for store in [&beside, &reopened] {
            let head = store.head().await.unwrap().0;
            // One more may have been committed and not yet said.
            assert!(
                head == acknowledged || head == acknowledged + 1,
                "{head} {acknowledged}"
            );
            let users = super::everyone(store).await;
            assert_eq!(users.len() as u64, head);
            assert_eq!(users.last().unwrap().id.0, head);
            assert_eq!(rows(store, Version(0)).await.len() as u64, head);
        }
        acknowledged = beside.head().await.unwrap().0;
    }
}
