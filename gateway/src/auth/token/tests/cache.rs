//! What is remembered of tokens changes no answer.

use super::*;

/// How a token stands, with and without the cache.
fn told(
    token: &str,
    trust: &Trust<'_>,
    now: UnixSeconds,
) -> Result<(String, UnixSeconds, Option<String>), TokenError> {
    verify(token, trust, now).map(|verified| {
        (
            verified.identity().to_string(),
            verified.expires(),
            verified.jti().map(str::to_owned),
        )
    })
}

#[test]
fn p073_the_cache_never_outlives_what_it_was_told() {
    let (keys, rules) = (ring(), rules(ClaimSet::AccessToken));
    let (users, cache) = (view(), TokenCache::new(64));
    let cached = Trust {
        keys: &keys,
        view: &users,
        rules: &rules,
        external: &[],
        cache: Some(&cache),
    };
    let token = forge(&header(), &standard_claims());
    for now in [NOW, NOW, NOW + 299] {
        assert!(verify(&token, &cached, now).is_ok(), "{now}");
    }
    assert_eq!(cache.len(), 1);
    assert_eq!(told(&token, &cached, NOW + 300), Err(TokenError::Expired));
    assert_eq!(told(&token, &cached, NOW - 1), Err(TokenError::NotYetValid));
    for (change, wanted) in [
        (
            User {
                epoch: 4,
                ..admin()
            },
            Err(TokenError::Revoked),
        ),
        (
            User {
                active: false,
                ..admin()
            },
            Err(TokenError::Inactive),
        ),
        (
            User {
                id: UserId(9),
                ..admin()
            },
            Err(TokenError::UnknownUser),
        ),
        (
            User {
                username: "root".to_owned(),
                ..admin()
            },
            Ok(()),
        ),
    ] {
        let changed = View::new(Version(3), vec![change]);
        let trust = Trust {
            view: &changed,
            ..cached
        };
        let got = verify(&token, &trust, NOW);
        assert_eq!(got.map(|_| ()), wanted);
    }
    // One bit of it is another token.
    let mut bent = token.clone();
    bent.replace_range(
        bent.len() - 2..bent.len() - 1,
        if token.ends_with("AA") { "B" } else { "A" },
    );
    assert!(bent == token || verify(&bent, &cached, NOW).is_err());
}

#[test]
fn p073_only_what_was_verified_in_full_is_kept_and_not_too_much_of_it() {
    let (keys, rules, users) = (ring(), rules(ClaimSet::AccessToken), view());
    let cache = TokenCache::new(32);
    let trust = Trust {
        keys: &keys,
        view: &users,
        rules: &rules,
        external: &[],
        cache: Some(&cache),
    };
    for bad in [
        forge(&header(), &with(standard_claims(), "exp", json!(NOW))),
        forge(&header(), &with(standard_claims(), "sub", json!("9"))),
        forge(&header(), &with(standard_claims(), "ver", json!(2))),
        forge(&with(header(), "crit", json!(["x"])), &standard_claims()),
        "a.b.c".to_owned(),
    ] {
        assert!(verify(&bad, &trust, NOW).is_err());
        assert_eq!(cache.len(), 0, "{bad}");
    }
    for n in 0..1_000 {
        let claims = with(standard_claims(), "jti", json!(n.to_string()));
        let verified = verify(&forge(&header(), &claims), &trust, NOW).expect("valid");
        assert_eq!(verified.jti(), Some(n.to_string().as_str()));
    }
    assert!((1..=32).contains(&cache.len()), "{}", cache.len());
    let none = TokenCache::new(0);
    let trust = Trust {
        cache: Some(&none),
        ..trust
    };
    assert!(verify(&forge(&header(), &standard_claims()), &trust, NOW).is_ok());
    assert_eq!(none.len(), 0);
}

proptest::proptest! {
    /// Whatever is asked in whatever order, with the cache the answers are those without it.
    #[test]
    fn p073_answers_are_the_same_with_the_cache_and_without(
        asked in proptest::collection::vec((0_usize..6, 0_u64..400, 0_usize..3), 1..60),
    ) {
        let (keys, rules, cache) = (ring(), rules(ClaimSet::AccessToken), TokenCache::new(4));
        let tokens: Vec<String> = [
            standard_claims(),
            with(standard_claims(), "exp", json!(NOW + 100)),
            with(standard_claims(), "nbf", json!(NOW + 50)),
            with(standard_claims(), "ver", json!(4)),
            with(standard_claims(), "sub", json!("2")),
            with(standard_claims(), "jti", json!("other")),
        ]
        .iter()
        .map(|claims| forge(&header(), claims))
        .collect();
        let views = [
            view(),
            View::new(Version(3), vec![User { epoch: 4, ..admin() }]),
            View::new(Version(4), Vec::new()),
        ];
        for (token, later, users) in asked {
            let trust = Trust {
                keys: &keys,
                view: &views[users],
                rules: &rules,
                external: &[],
                cache: None,
            };
            let cached = Trust { cache: Some(&cache), ..trust };
            proptest::prop_assert_eq!(
                told(&tokens[token], &cached, NOW + later),
                told(&tokens[token], &trust, NOW + later)
            );
        }
    }
}
