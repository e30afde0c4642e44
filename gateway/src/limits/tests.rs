use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::LoginThrottle;
use crate::config::ThrottleConfig;

const NOW: u64 = 1_800_000_000;

fn config(account_failures: u32, per_ip_per_minute: u32) -> ThrottleConfig {
    ThrottleConfig {
        account_failures,
        account_cap: Duration::from_secs(60),
        per_ip_per_minute,
    }
}

fn throttle(account_failures: u32, per_ip_per_minute: u32) -> LoginThrottle {
    LoginThrottle::new(&config(account_failures, per_ip_per_minute))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// One failed login; the delay it met, in seconds.
fn guess(throttle: &LoginThrottle, name: &str, now: u64) -> Result<(), u64> {
    throttle
        .check(name, ip("192.0.2.1"), now)
        .map_err(|wait| wait.as_secs())?;
    throttle.failed(name, ip("192.0.2.1"), now);
    Ok(())
}

#[test]
fn p104_delays_double_up_to_the_cap_and_end() {
    let throttle = throttle(3, 10_000);
    let mut now = NOW;
    for _ in 0..3 {
        assert_eq!(guess(&throttle, "ann", now), Ok(()));
    }
    for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(guess(&throttle, "ann", now), Err(expected));
        assert_eq!(guess(&throttle, "ann", now + expected - 1), Err(1));
        now += expected;
        assert_eq!(guess(&throttle, "ann", now), Ok(()), "{expected}");
    }
}

#[test]
fn p104_attempts_during_a_delay_do_not_lengthen_it() {
    let throttle = throttle(1, 1_000_000);
    for i in 0..10 {
        let _ = guess(&throttle, "ann", NOW + i * 60);
    }
    let start = NOW + 9 * 60;
    for second in 0..60 {
        for _ in 0..20 {
            let wait = throttle
                .check("ann", ip("192.0.2.1"), start + second)
                .unwrap_err();
            assert_eq!(wait.as_secs(), 60 - second);
        }
    }
    assert_eq!(throttle.check("ann", ip("192.0.2.1"), start + 60), Ok(()));
}

#[test]
fn of_many_attempts_after_a_delay_one_gets_through() {
    let throttle = throttle(1, 1_000_000);
    assert_eq!(guess(&throttle, "ann", NOW), Ok(()));
    let passed = (0..50)
        .filter(|_| throttle.check("ann", ip("192.0.2.1"), NOW + 1).is_ok())
        .count();
    assert_eq!(passed, 1);
}

#[test]
fn p97_an_unknown_name_and_any_spelling_of_it_count_alike() {
    let throttle = throttle(2, 1_000);
    assert_eq!(guess(&throttle, "Nobody", NOW), Ok(()));
    assert_eq!(guess(&throttle, "NOBODY", NOW), Ok(()));
    assert_eq!(guess(&throttle, "ｎobody", NOW), Err(1));
    assert_eq!(guess(&throttle, "somebody", NOW), Ok(()));
}

#[test]
fn p96_a_success_resets_the_name_there_and_not_the_address() {
    let throttle = throttle(3, 4);
    for _ in 0..2 {
        assert_eq!(guess(&throttle, "ann", NOW), Ok(()));
    }
    assert_eq!(throttle.check("ann", ip("192.0.2.1"), NOW), Ok(()));
    throttle.succeeded("ann", ip("192.0.2.1"));
    assert_eq!(guess(&throttle, "bob", NOW), Ok(()));
    // Four attempts in the minute are used up; a token comes back every 15 s.
    assert_eq!(guess(&throttle, "bob", NOW), Err(15));
    assert_eq!(guess(&throttle, "bob", NOW + 14), Err(1));
    assert_eq!(guess(&throttle, "bob", NOW + 15), Ok(()));
    assert_eq!(guess(&throttle, "bob", NOW + 15), Err(15));
}

#[test]
fn p104_who_guesses_behind_the_same_address_keeps_nobody_else_out() {
    let throttle = throttle(5, 20);
    assert_eq!(throttle.check("ann", ip("192.0.2.1"), NOW), Ok(()));
    throttle.succeeded("ann", ip("192.0.2.1"));
    for second in 0..600 {
        let now = NOW + second;
        // Ten guesses a second at three names, as long as anything lets them through.
        for n in 0..10 {
            let _ = guess(&throttle, &format!("guessed{}", n % 3), now);
        }
        if second % 60 == 59 {
            assert!(guess(&throttle, "guessed0", now).is_err(), "{second}");
            // Who has logged in there before, and who has not.
            assert_eq!(throttle.check("ann", ip("192.0.2.1"), now), Ok(()));
            let new = format!("new{second}");
            assert_eq!(throttle.check(&new, ip("192.0.2.1"), now), Ok(()));
            throttle.succeeded(&new, ip("192.0.2.1"));
        }
    }
}

#[test]
fn p096_one_password_tried_at_many_names_is_bounded_too() {
    let throttle = throttle(5, 20);
    let passed = (0..10_000)
        .filter(|n| guess(&throttle, &format!("n{n}"), NOW).is_ok())
        .count();
    assert_eq!(passed, 20 + 200);
    // Never for good: a minute later there are as many again, and half of that after half of it.
    let wait = guess(&throttle, "n9999", NOW).unwrap_err();
    assert!((1..=3).contains(&wait), "{wait}");
    assert_eq!(guess(&throttle, "n9999", NOW + wait), Ok(()));
}

#[test]
fn p96_one_ipv6_subscriber_is_one_client() {
    let throttle = throttle(100, 2);
    for address in [
        "2001:db8:0:1::9",
        "2001:db8:0:2::9",
        "192.0.2.1",
        "192.0.2.2",
    ] {
        throttle.failed("x", ip(address), NOW);
    }
    for (address, passes) in [
        ("2001:db8:0:1::1", true),
        ("2001:db8:0:1:ffff::2", true),
        ("2001:db8:0:1::3", false),
        ("2001:db8:0:2::1", true),
        ("192.0.2.1", true),
        ("::ffff:192.0.2.1", true),
        ("192.0.2.1", false),
        ("192.0.2.2", true),
    ] {
        assert_eq!(
            throttle.check("x", ip(address), NOW).is_ok(),
            passes,
            "{address}"
        );
    }
}

#[test]
fn failures_are_forgotten_after_a_quiet_time() {
    let throttle = throttle(2, 1_000);
    assert_eq!(guess(&throttle, "ann", NOW), Ok(()));
    assert_eq!(guess(&throttle, "ann", NOW + 900), Ok(()));
    assert_eq!(guess(&throttle, "ann", NOW + 900), Ok(()));
    assert_eq!(guess(&throttle, "ann", NOW + 900), Err(1));
    assert_eq!(guess(&throttle, "ann", NOW + 1_800), Ok(()));
    assert_eq!(guess(&throttle, "ann", NOW + 1_800), Ok(()));
}

#[test]
fn p127_a_clock_that_steps_back_never_locks_out() {
    let throttle = throttle(1, 1);
    for i in 0..8 {
        assert_eq!(guess(&throttle, "ann", NOW + i * 60), Ok(()));
    }
    let back = NOW - 86_400;
    throttle.tables.lock().addresses.clear();
    let wait = throttle.check("ann", ip("192.0.2.1"), back).unwrap_err();
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
    for second in 0..60 {
        assert_eq!(
            guess(&throttle, &format!("n{second}"), back).is_ok(),
            second < 10
        );
    }
    assert_eq!(throttle.check("bob", ip("192.0.2.1"), back + 60), Ok(()));
}

#[test]
fn p132_a_flood_is_bounded_and_washes_no_delay_away() {
    let throttle =
        LoginThrottle::with_entries(&config(3, 1_000_000), NonZeroUsize::new(100).unwrap());
    for _ in 0..10 {
        throttle.failed("victim", ip("192.0.2.1"), NOW);
    }
    for i in 0_u32..5_000 {
        let address = IpAddr::from(i.to_be_bytes());
        let _ = throttle.check(&format!("n{i}"), address, NOW);
        throttle.failed(&format!("n{i}"), address, NOW);
        throttle.succeeded(&format!("m{i}"), address);
        throttle.succeeded("one", address);
    }
    assert!(throttle.check("victim", ip("192.0.2.1"), NOW).is_err());
    let tables = throttle.tables.lock();
    assert!(tables.pairs.longest_table() <= 100 && tables.names.longest_table() <= 100);
    assert!(tables.addresses.len() <= 100 && tables.trusted.len() <= 100);
    let most = tables.trusted.iter().map(|(_, networks)| networks.len());
    assert_eq!(most.max(), Some(super::NETWORKS));
}

#[test]
fn extreme_limits_do_not_overflow() {
    let throttle = LoginThrottle::new(&ThrottleConfig {
        account_failures: 0,
        account_cap: Duration::MAX,
        per_ip_per_minute: u32::MAX,
    });
    for i in 0..200 {
        throttle.failed("ann", ip("192.0.2.1"), NOW);
        let _ = throttle.check("ann", ip("192.0.2.1"), NOW + i);
    }
    let _ = throttle.check("ann", ip("192.0.2.1"), u64::MAX);
    let _ = throttle.check("ann", ip("192.0.2.1"), 0);
}

/// A wrong password for ann.
fn guess_from(throttle: &LoginThrottle, address: &str, now: u64) -> Result<(), u64> {
    throttle
        .check("ann", ip(address), now)
        .map_err(|wait| wait.as_secs())?;
    throttle.failed("ann", ip(address), now);
    Ok(())
}

#[test]
fn p104_guessing_elsewhere_never_delays_the_owner_at_home() {
    let throttle = throttle(3, 1_000_000);
    assert_eq!(throttle.check("ann", ip("192.0.2.1"), NOW), Ok(()));
    throttle.succeeded("ann", ip("192.0.2.1"));
    let strangers = ["198.51.100.1", "198.51.100.2", "2001:db8::1"];
    for second in 0..5_000 {
        for address in strangers {
            let _ = guess_from(&throttle, address, NOW + second);
        }
        // The owner mistypes once, then logs in; no stranger is in the way of either.
        if second % 100 == 0 {
            assert_eq!(guess_from(&throttle, "192.0.2.1", NOW + second), Ok(()));
            let owner = throttle.check("ann", ip("192.0.2.1"), NOW + second);
            assert_eq!(owner, Ok(()), "{second}");
            throttle.succeeded("ann", ip("192.0.2.1"));
        }
    }
    for address in strangers {
        assert!(guess_from(&throttle, address, NOW + 5_000).is_err());
    }
}

#[test]
fn p104_one_stranger_delays_only_itself() {
    let throttle = throttle(3, 1_000_000);
    for _ in 0..3 {
        assert_eq!(guess_from(&throttle, "198.51.100.1", NOW), Ok(()));
    }
    assert_eq!(guess_from(&throttle, "198.51.100.1", NOW), Err(1));
    assert_eq!(throttle.check("ann", ip("192.0.2.1"), NOW), Ok(()));
}

#[test]
fn p104_guessing_from_everywhere_meets_the_delay_of_the_name() {
    for known in [true, false] {
        let throttle = throttle(2, 1_000_000);
        if known {
            assert_eq!(throttle.check("ann", ip("192.0.2.1"), NOW), Ok(()));
            throttle.succeeded("ann", ip("192.0.2.1"));
        }
        for i in 0..20 {
            assert_eq!(
                guess_from(&throttle, &format!("198.51.100.{i}"), NOW),
                Ok(())
            );
        }
        let mut now = NOW;
        for (i, expected) in [1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
            let fresh = format!("203.0.113.{i}");
            assert_eq!(guess_from(&throttle, &fresh, now), Err(expected));
            now += expected;
            assert_eq!(guess_from(&throttle, &fresh, now), Ok(()));
        }
        let home = guess_from(&throttle, "192.0.2.1", now);
        assert_eq!(home, if known { Ok(()) } else { Err(60) });
    }
}

#[test]
fn a_network_is_trusted_for_a_month_after_a_login() {
    let throttle = throttle(1, 1_000_000);
    assert_eq!(throttle.check("ann", ip("192.0.2.1"), NOW), Ok(()));
    throttle.succeeded("ann", ip("192.0.2.1"));
    for (days, trusted) in [(29, true), (30, false)] {
        let now = NOW + days * 24 * 60 * 60;
        for i in 0..10 {
            throttle.failed("ann", ip(&format!("198.51.100.{i}")), now);
        }
        let answer = throttle.check("ann", ip("192.0.2.1"), now);
        assert_eq!(answer.is_ok(), trusted, "{days}");
    }
}

#[test]
fn p104_a_success_resets_only_its_own_pair() {
    let throttle = throttle(1, 1_000_000);
    for address in ["192.0.2.1", "198.51.100.1"] {
        assert_eq!(guess_from(&throttle, address, NOW), Ok(()));
    }
    throttle.succeeded("ann", ip("192.0.2.1"));
    assert_eq!(throttle.check("ann", ip("192.0.2.1"), NOW), Ok(()));
    assert_eq!(guess_from(&throttle, "198.51.100.1", NOW), Err(1));
    // Two failures of the name's ten are counted still.
    for i in 0..8 {
        assert_eq!(
            guess_from(&throttle, &format!("203.0.113.{i}"), NOW),
            Ok(())
        );
    }
    assert_eq!(guess_from(&throttle, "203.0.113.9", NOW), Err(1));
}
