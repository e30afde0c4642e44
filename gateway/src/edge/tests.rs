//! Which addresses count as one, and that places are given back. The rest is tested over sockets.

use super::*;

fn limit(connections: usize, per_ip: usize) -> ConnectionLimit<()> {
    ConnectionLimit {
        app: Arc::new(()),
        connections,
        connections_per_ip: per_ip,
        trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
        open: Arc::default(),
        counters: Arc::default(),
    }
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

#[test]
fn addresses_of_one_customer_count_together() {
    for (first, second, together) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ("10.1.2.3", "10.1.2.3", false),
        ("10.1.2.3", "::ffff:10.1.2.3", false),
    ] {
        let limit = limit(9, 1);
        let _held = limit.admit(ip(first)).expect("the first");
        assert_eq!(
            limit.admit(ip(second)).is_none(),
            together,
            "{first} {second}"
        );
    }
}

#[test]
fn the_map_of_addresses_holds_only_open_connections() {
    let limit = limit(3, 2);
    let slots: Vec<_> = ["192.0.2.1", "192.0.2.1", "192.0.2.2"]
        .into_iter()
        .map(|text| limit.admit(ip(text)).expect("a place"))
        .collect();
    assert_eq!(limit.open.lock().by_ip.len(), 2);
    // Refused in all, and at an address: neither leaves a trace.
    assert!(limit.admit(ip("192.0.2.3")).is_none());
    assert_eq!(limit.counters().refused_total(), 1);
    drop(slots);
    assert!(limit.open.lock().by_ip.is_empty());
    assert_eq!(limit.open.lock().all, 0);
    assert_eq!(
        (limit.counters().open(), limit.counters().accepted()),
        (0, 3)
    );
}

#[test]
fn a_peer_without_an_address_counts_in_all_only() {
    let limit = limit(2, 1);
    let _first = limit.admit(None).expect("a place");
    let _second = limit.admit(None).expect("a place");
    assert!(limit.admit(None).is_none());
}
