//! Picking, leaving out, places, lookups and secrets.

use std::os::unix::fs::PermissionsExt;

use tokio::sync::watch;

use super::*;
use crate::config::{IdentityHeaders, Origin};

const ID: fn() -> UpstreamId = || UpstreamId::new(0);

fn config(hosts: &[&str]) -> UpstreamConfig {
    UpstreamConfig {
        name: "tasks".to_owned(),
        origins: hosts
            .iter()
            .map(|host| Origin {
                host: (*host).to_owned(),
                port: 8000,
            })
            .collect(),
        secret_file: None,
        provision: None,
        connect_timeout: Duration::from_secs(1),
        read_timeout: Duration::from_secs(30),
        write_timeout: Duration::from_secs(29),
        idle_timeout: Duration::from_secs(60),
        dns_refresh: Duration::from_secs(5),
        max_requests: 2,
        identity_headers: IdentityHeaders {
            user_id: None,
            user: None,
            email: None,
            roles: None,
            status: None,
        },
        preserve_host: true,
    }
}

fn set(hosts: &[&str]) -> UpstreamSet {
    UpstreamSet::new(&[config(hosts)]).expect("a set")
}

fn picks(set: &UpstreamSet, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| set.pick(ID()).expect("an address").addr.ip().to_string())
        .collect()
}

fn addr(host: &str) -> SocketAddr {
    SocketAddr::new(host.parse().expect("an address"), 8000)
}

#[test]
fn addresses_take_turns() {
    let set = set(&["127.0.0.1", "127.0.0.2", "::1"]);
    assert_eq!(
        picks(&set, 4),
        ["127.0.0.1", "127.0.0.2", "::1", "127.0.0.1"]
    );
    assert_eq!(set.stats()[0].picked, 4);
}

#[test]
fn the_authority_is_the_origins_own() {
    for (host, port, want) in [
        ("tasks.internal", 8000, "tasks.internal:8000"),
        ("tasks.internal", 80, "tasks.internal"),
        ("::1", 8000, "[::1]:8000"),
        ("::1", 80, "[::1]"),
    ] {
        let origin = Origin {
            host: host.to_owned(),
            port,
        };
        assert_eq!(address::authority(&origin).expect("a value"), want);
    }
}

#[test]
fn an_address_that_takes_no_connection_is_left_out_but_never_the_last() {
    let set = set(&["127.0.0.1", "127.0.0.2"]);
    set.connect_failed(ID(), addr("127.0.0.1"));
    assert_eq!(picks(&set, 3), ["127.0.0.2"; 3]);
    let stats = &set.stats()[0];
    assert_eq!((stats.ejected, stats.connect_failures), (1, 1));
    // Both are down: both are tried in turn, since one must be.
    set.connect_failed(ID(), addr("127.0.0.2"));
    let mut both = picks(&set, 2);
    both.sort();
    assert_eq!(both, ["127.0.0.1", "127.0.0.2"]);
    set.connected(ID(), addr("127.0.0.1"));
    assert_eq!(picks(&set, 3), ["127.0.0.1"; 3]);
}

#[test]
fn an_ejection_ends_by_itself_and_grows_with_each_failure() {
    let origin = &config(&["127.0.0.1"]).origins[0];
    let one = Address::new(
        addr("127.0.0.1"),
        address::authority(origin).expect("a value"),
    );
    let mut now = Duration::from_secs(100);
    for want in [1, 2, 4, 8, 10, 10] {
        one.eject(now);
        // More failures at the same moment change nothing.
        one.eject(now);
        let back_off = Duration::from_secs(want);
        assert!(one.is_ejected(now + back_off - Duration::from_millis(1)));
        now += back_off;
        assert!(!one.is_ejected(now), "{want}");
    }
    one.restore();
    one.eject(now);
    assert!(!one.is_ejected(now + Duration::from_secs(1)));
}

#[test]
fn a_place_is_given_back_when_dropped() {
    let set = set(&["127.0.0.1"]);
    let first = set
        .admit(ID(), IpAddr::from([192, 0, 2, 1]))
        .expect("a place");
    let _second = set
        .admit(ID(), IpAddr::from([192, 0, 2, 1]))
        .expect("a place");
    assert_eq!(set.stats()[0].in_flight, 2);
    let refused = set
        .admit(ID(), IpAddr::from([192, 0, 2, 1]))
        .expect_err("full");
    assert_eq!(
        refused.to_string(),
        "upstream tasks already has its 2 requests in flight, or this client its share of them"
    );
    drop(first);
    let _third = set
        .admit(ID(), IpAddr::from([192, 0, 2, 1]))
        .expect("a place");
    let stats = &set.stats()[0];
    assert_eq!((stats.in_flight, stats.busy), (2, 1));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_no_failure_at_start_and_says_so_later() {
    // An empty label: no resolver is asked.
    let set = Arc::new(set(&["no..name"]));
    set.resolve_all().await;
    let error = set.pick(ID()).expect_err("no address");
    assert_eq!(
        error.to_string(),
        "upstream tasks has no address: no..name did not resolve so far"
    );
    let stats = &set.stats()[0];
    assert_eq!((stats.lookup_failures, stats.no_address), (1, 1));
}

#[test]
fn the_last_good_answer_is_kept_and_ejections_outlive_a_new_one() {
    let set = set(&["tasks.internal"]);
    let upstream = &set.upstreams[0];
    let origin = &upstream.config.origins[0];
    upstream.take(0, origin, &[addr("127.0.0.1"), addr("127.0.0.2")]);
    set.connect_failed(ID(), addr("127.0.0.1"));
    upstream.lookup_failed(0, origin, &std::io::Error::other("no answer"));
    assert_eq!(set.stats()[0].addresses, 2);
    upstream.take(0, origin, &[addr("127.0.0.1"), addr("127.0.0.3")]);
    assert_eq!(picks(&set, 2), ["127.0.0.3"; 2]);
}

#[tokio::test]
async fn the_refresh_loop_finds_names_and_ends() {
    let set = Arc::new(set(&["localhost"]));
    let (stop, stopped) = watch::channel(false);
    let refreshing = tokio::spawn(Arc::clone(&set).refresh_loop(stopped));
    let found = async {
        while set.pick(ID()).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .expect("localhost resolves");
    assert!(set.pick(ID()).expect("an address").addr.ip().is_loopback());
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(20), refreshing)
        .await
        .expect("it ends")
        .expect("it does not panic");
}

fn with_secret(path: &std::path::Path) -> Result<UpstreamSet, SecretError> {
    UpstreamSet::new(&[UpstreamConfig {
        secret_file: Some(path.to_owned()),
        ..config(&["127.0.0.1"])
    }])
}

#[test]
fn a_secret_is_made_once_and_read_ever_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/folder/secret");
    let first = with_secret(&path).expect("a secret");
    let line = std::fs::read_to_string(&path).expect("a file");
    let secret = line.strip_suffix('\n').expect("one line");
    assert_eq!(secret.len(), 43);
    let mode = |p: &std::path::Path| std::fs::metadata(p).expect("a file").permissions().mode();
    assert_eq!(mode(&path) & 0o777, 0o600);
    assert_eq!(first.secret(ID()).expect("a secret"), secret);
    let second = with_secret(&path).expect("a secret");
    assert_eq!(second.secret(ID()), first.secret(ID()));
    // Nothing but the secret is left in the folder, and none of it is shown.
    let parent = path.parent().expect("a folder");
    assert_eq!(std::fs::read_dir(parent).expect("a folder").count(), 1);
    assert!(!format!("{first:?}").contains(secret));
    assert!(first.secret(ID()).expect("a secret").is_sensitive());
    assert!(set(&["127.0.0.1"]).secret(ID()).is_none());
}

#[test]
fn gateways_that_start_together_agree_on_one_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    let secrets: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| secret::read_or_create("tasks", &path).expect("a secret")))
            .collect();
        starts
            .into_iter()
            .map(|s| s.join().expect("a start"))
            .collect()
    });
    assert!(secrets.iter().all(|s| *s == secrets[0]));
}

#[test]
fn what_is_no_secret_is_refused_without_being_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    for content in [
        "",
        "short\n",
        "0123456789012345678901234567890 with spaces\n",
        "01234567890123456789012345678901\n01234567890123456789012345678901\n",
        &"x".repeat(5000),
    ] {
        std::fs::write(&path, content).expect("a file");
        let error = with_secret(&path).expect_err("no secret").to_string();
        assert!(error.contains("must hold one line"), "{error}");
        assert!(content.len() < 6 || !error.contains("0123456"), "{error}");
        let kept = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(kept, content, "never written over");
    }
    let error = with_secret(folder.path())
        .expect_err("a folder")
        .to_string();
    assert!(error.contains("cannot read the secret file"), "{error}");
    let below_a_file = path.join("secret");
    let error = with_secret(&below_a_file).expect_err("a file");
    assert!(error.to_string().contains("secret file"), "{error}");
}
