//! Tables of forged, stale and odd tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::auth::credential::MAX_TOKEN_BYTES;
use crate::auth::keys::KeyMaterial;
use crate::user::Version;

mod cache;

const NOW: UnixSeconds = 1_700_000_000;
const SECRET: [u8; 32] = [7; 32];

fn rules(claims: ClaimSet) -> TokenRules {
    TokenRules {
        claims,
        issuer: "gateway".to_owned(),
        audience: "api".to_owned(),
        ttl: 300,
        leeway: 0,
        refresh_limit: 7 * 86_400,
        legacy: false,
    }
}

fn ring() -> KeyRing {
    let material = |kid: &str, algorithm, bytes: Vec<u8>| KeyMaterial {
        kid: kid.to_owned(),
        algorithm,
        bytes: bytes.into(),
    };
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().expect("key");
    let der = pair.to_pkcs8().expect("der").as_ref().to_vec();
    KeyRing::new(&[
        material("s", TokenAlgorithm::Hs256, SECRET.to_vec()),
        material("e", TokenAlgorithm::EdDsa, der),
    ])
    .expect("ring")
}

fn admin() -> User {
    User {
        id: UserId(1),
        username: "admin".to_owned(),
        email: "admin@example.com".to_owned(),
        roles: vec!["admin".to_owned()],
        active: true,
        epoch: 3,
        version: Version(1),
        created_at: 0,
    }
}

fn view() -> View {
    let mut carol = admin();
    carol.id = UserId(2);
    carol.username = "carol".to_owned();
    carol.active = false;
    View::new(Version(2), vec![admin(), carol])
}

/// A token with any header and claims under our HS256 secret.
fn forge(header: &Value, claims: &Value) -> String {
    let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &SECRET);
    let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

fn standard_claims() -> Value {
    json!({
        "iss": "gateway", "sub": "1", "aud": "api", "exp": NOW + 300, "iat": NOW, "jti": "j", "sid": "s", "ver": 3,
    })
}

fn with(mut base: Value, name: &str, value: Value) -> Value {
    let object = base.as_object_mut().expect("object");
    if value == json!("<absent>") {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
    base
}

fn judge_at(
    token: &str,
    keys: &KeyRing,
    claims: ClaimSet,
    now: UnixSeconds,
) -> Result<Verified, TokenError> {
    verify(
        token,
        &Trust {
            keys,
            view: &view(),
            rules: &rules(claims),
            external: &[],
            cache: None,
        },
        now,
    )
}

fn judge(token: &str, claims: ClaimSet) -> Result<u64, TokenError> {
    judge_at(token, &ring(), claims, NOW).map(|v| v.local().expect("local").id.0)
}

fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "HS256", "kid": "s"})
}

#[test]
fn our_own_tokens_are_valid_in_both_profiles_and_with_both_algorithms() {
    let ring = ring();
    let session = Session {
        jti: "j".to_owned(),
        sid: "s".to_owned(),
    };
    for set in [ClaimSet::AccessToken, ClaimSet::DrfJwt] {
        for algorithm in [TokenAlgorithm::Hs256, TokenAlgorithm::EdDsa] {
            let key = ring.candidates(algorithm, None, false).next().expect("key");
            let token =
                mint(&admin(), key, &rules(set), &session, &json!(NOW), NOW).expect("token");
            let verified = judge_at(&token, &ring, set, NOW + 299).expect("valid");
            assert_eq!(
                (verified.local().expect("local").id, verified.expires()),
                (UserId(1), NOW + 300)
            );
            assert_eq!(
                judge_at(&token, &ring, set, NOW + 300).err(),
                Some(TokenError::Expired)
            );
        }
    }
}

#[test]
fn p059_p065_the_header_chooses_nothing() {
    for (name, value, want) in [
        ("alg", json!("none"), TokenError::Algorithm),
        ("alg", json!("None"), TokenError::Algorithm),
        ("alg", json!("hs256"), TokenError::Algorithm),
        ("alg", json!("HS512"), TokenError::Algorithm),
        ("alg", json!("RS256"), TokenError::Algorithm),
        ("alg", json!(""), TokenError::Algorithm),
        ("alg", Value::Null, TokenError::Algorithm),
        ("alg", json!("<absent>"), TokenError::Algorithm),
        ("alg", json!("EdDSA"), TokenError::Signature),
        ("kid", json!("other"), TokenError::Signature),
        ("kid", json!("../../dev/null"), TokenError::Signature),
        ("kid", json!(5), TokenError::Malformed),
        ("crit", json!(["x"]), TokenError::Header),
        ("crit", json!([]), TokenError::Header),
        ("b64", json!(false), TokenError::Header),
        ("zip", json!("DEF"), TokenError::Header),
        ("enc", json!("A256GCM"), TokenError::Header),
        ("typ", json!("JWT"), TokenError::Type),
        ("typ", json!("refresh+jwt"), TokenError::Type),
        ("typ", json!("<absent>"), TokenError::Type),
    ] {
        let token = forge(&with(header(), name, value.clone()), &standard_claims());
        assert_eq!(
            judge(&token, ClaimSet::AccessToken),
            Err(want),
            "{name}: {value}"
        );
    }
    assert_eq!(
        judge(&forge(&header(), &standard_claims()), ClaimSet::AccessToken),
        Ok(1)
    );
}

#[test]
fn p062_p066_claims_are_present_typed_and_ours() {
    use TokenError as E;
    for (name, value, want) in [
        ("exp", json!("<absent>"), E::NoExpiry),
        ("exp", json!("1e12"), E::ExpiryType),
        ("exp", json!(1.5), E::ExpiryType),
        ("exp", json!(NOW), E::Expired),
        ("exp", json!(NOW + 86_401), E::Lifetime),
        ("exp", json!(2e9), E::ExpiryType),
        ("nbf", json!(NOW + 1), E::NotYetValid),
        ("nbf", json!("0"), E::NotBeforeType),
        ("iat", json!(NOW + 1), E::NotYetValid),
        ("iat", json!("0"), E::IssuedAtType),
        ("aud", json!("<absent>"), E::Audience),
        ("aud", json!(1), E::Audience),
        ("aud", json!({}), E::Audience),
        ("aud", json!([]), E::Audience),
        ("aud", json!(["api", 1]), E::Audience),
        ("aud", json!("API"), E::Audience),
        ("iss", json!("<absent>"), E::Issuer),
        ("iss", json!(1), E::Issuer),
        ("iss", json!("gateway/"), E::Issuer),
        ("sub", json!("<absent>"), E::NoSubject),
        ("sub", json!(1), E::NoSubject),
        ("sub", json!("01"), E::UnknownUser),
        ("sub", json!("9"), E::UnknownUser),
        ("sub", json!("2"), E::Inactive),
        ("jti", json!("<absent>"), E::NoSession),
        ("sid", json!(1), E::NoSession),
        ("ver", json!(2), E::Revoked),
        ("ver", json!("3"), E::Revoked),
    ] {
        let token = forge(&header(), &with(standard_claims(), name, value.clone()));
        assert_eq!(
            judge(&token, ClaimSet::AccessToken),
            Err(want),
            "{name}: {value}"
        );
    }
    let token = forge(
        &header(),
        &with(standard_claims(), "aud", json!(["x", "api"])),
    );
    assert_eq!(judge(&token, ClaimSet::AccessToken), Ok(1));
}

#[test]
fn p070_p071_what_is_no_token_is_not_decoded() {
    let good = forge(&header(), &standard_claims());
    let dots = ".".repeat(MAX_TOKEN_BYTES);
    let (head, tail) = good.split_once('.').expect("dot");
    let odd = [
        "",
        "a",
        "..",
        "a.b",
        "a.b.c.d",
        &dots,
        &format!("{good}="),
        &format!("{good}\n"),
        &format!(" {good}"),
        &format!("{head}+.{tail}"),
        &format!("{}.x", good),
        &good.replacen('.', "..", 1),
    ]
    .map(str::to_owned);
    for token in odd {
        let got = judge(&token, ClaimSet::AccessToken);
        assert!(
            matches!(got, Err(TokenError::Malformed)),
            "{token}: {got:?}"
        );
    }
}

#[test]
fn p072_every_flipped_bit_is_noticed() {
    let ring = ring();
    let good = forge(&header(), &standard_claims());
    for index in 0..good.len() {
        for bit in 0..7 {
            let mut bytes = good.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            let Ok(token) = String::from_utf8(bytes) else {
                continue;
            };
            let got = judge_at(&token, &ring, ClaimSet::AccessToken, NOW);
            assert!(got.is_err(), "byte {index} bit {bit}");
        }
    }
}

#[test]
fn the_recorded_claims_name_the_user_and_the_number_must_fit() {
    use TokenError as E;
    let base = || json!({"username": "admin", "user_id": 1, "exp": NOW + 5, "jti": "j", "sid": "s", "ver": 3});
    let plain = json!({"typ": "JWT", "alg": "HS256"});
    for (name, value, want) in [
        ("x", json!(1), Ok(1)),
        ("exp", json!(NOW as f64 + 5.5), Ok(1)),
        ("username", json!("<absent>"), Err(E::NoSubject)),
        ("username", json!(""), Err(E::NoSubject)),
        ("username", json!("ADMIN"), Err(E::UnknownUser)),
        ("username", json!(["admin"]), Err(E::UnknownUser)),
        ("username", json!("carol"), Err(E::Inactive)),
        ("user_id", json!(2), Err(E::OtherUser)),
        ("user_id", json!("1"), Err(E::OtherUser)),
        ("aud", json!("api"), Err(E::Audience)),
        ("ver", json!("<absent>"), Err(E::NoSession)),
    ] {
        let token = forge(&plain, &with(base(), name, value.clone()));
        assert_eq!(judge(&token, ClaimSet::DrfJwt), want, "{name}: {value}");
    }
}
