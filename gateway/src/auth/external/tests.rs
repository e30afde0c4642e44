//! Tables of other issuers' keys and tokens.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::auth::keys::{KeyMaterial, KeyRing, TokenAlgorithm};
use crate::auth::token::{ClaimSet, Identity, TokenError, TokenRules, Trust, Verified, verify};
use crate::auth::view::View;

const NOW: u64 = 1_700_000_000;
const ISSUER: &str = "https://login.example.com/realms/main";

fn spec(algorithms: &[&str]) -> IssuerSpec {
    IssuerSpec {
        issuer: ISSUER.to_owned(),
        audiences: vec!["tasks".to_owned()],
        algorithms: algorithms.iter().map(|a| (*a).to_owned()).collect(),
        roles_claim: "roles".to_owned(),
        roles: vec!["editor".to_owned()],
        leeway: 0,
    }
}

struct Issuer {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
}

impl Issuer {
    fn new() -> Self {
        Self {
            ed: Ed25519KeyPair::generate().expect("key"),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key"),
        }
    }

    fn jwks(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": part(self.ed.public_key().as_ref())},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": part(&point[1..33]), "y": part(&point[33..])},
            {"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"},
        ]})
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = if header["kid"] == "ec" {
            let random = aws_lc_rs::rand::SystemRandom::new();
            self.ec
                .sign(&random, message.as_bytes())
                .expect("signature")
                .as_ref()
                .to_vec()
        } else {
            self.ed.sign(message.as_bytes()).as_ref().to_vec()
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "1", "aud": "tasks", "exp": NOW + 60, "roles": ["editor", "admin", "EDITOR", 1]})
}

fn with(mut base: Value, name: &str, value: Value) -> Value {
    base.as_object_mut()
        .expect("object")
        .insert(name.to_owned(), value);
    base
}

fn judge(token: &str, external: &[ExternalIssuer]) -> Result<Arc<ExternalSubject>, TokenError> {
    verified(token, external).map(|verified| match verified.identity() {
        Identity::External(subject) => Arc::clone(subject),
        Identity::Local(user) => panic!("taken for our user {user:?}"),
    })
}

fn verified(token: &str, external: &[ExternalIssuer]) -> Result<Verified, TokenError> {
    let secret = KeyMaterial {
        kid: "s".to_owned(),
        algorithm: TokenAlgorithm::Hs256,
        bytes: vec![7; 32].into(),
    };
    let keys = KeyRing::new(&[secret]).expect("ring");
    let rules = TokenRules {
        claims: ClaimSet::AccessToken,
        issuer: "gateway".to_owned(),
        audience: "api".to_owned(),
        ttl: 60,
        leeway: 0,
        refresh_limit: 0,
        legacy: false,
    };
    let trust = Trust {
        keys: &keys,
        view: &View::default(),
        rules: &rules,
        external,
        cache: None,
    };
    verify(token, &trust, NOW)
}

#[test]
fn p064_a_token_ends_by_the_leeway_of_its_own_issuer() {
    let issuer = Issuer::new();
    let jwks = issuer.jwks().to_string();
    let token = issuer.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    for leeway in [0, 30] {
        let lenient = IssuerSpec {
            leeway,
            ..spec(&["EdDSA"])
        };
        let trusted = [ExternalIssuer::new(lenient, jwks.as_bytes()).expect("issuer")];
        let verified = verified(&token, &trusted).expect("a good token");
        assert_eq!(verified.ends(), NOW + 60 + leeway);
    }
}

#[test]
fn a_subject_of_another_issuer_has_the_roles_it_may_have_and_is_nobody_of_ours() {
    let issuer = Issuer::new();
    let jwks = issuer.jwks().to_string();
    let trusted =
        [ExternalIssuer::new(spec(&["EdDSA", "ES256"]), jwks.as_bytes()).expect("issuer")];
    for (alg, kid) in [("EdDSA", "ed"), ("ES256", "ec")] {
        let token = issuer.token(&json!({"alg": alg, "kid": kid}), &claims());
        let subject = judge(&token, &trusted).expect(alg);
        assert_eq!(
            (subject.issuer.as_str(), subject.subject.as_str()),
            (ISSUER, "1")
        );
        assert_eq!(
            subject.roles,
            ["editor"],
            "p075: exact names from the list that the issuer may give"
        );
    }
    let token = issuer.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    assert_eq!(
        judge(&token, &[]).err(),
        Some(TokenError::Algorithm),
        "nobody trusts it"
    );
}

#[test]
fn p061_p066_p067_another_issuers_token_is_judged_in_full() {
    use TokenError as E;
    let issuer = Issuer::new();
    let jwks = issuer.jwks().to_string();
    let trusted = [ExternalIssuer::new(spec(&["EdDSA"]), jwks.as_bytes()).expect("issuer")];
    let good = json!({"alg": "EdDSA", "kid": "ed"});
    for (header, claims, want) in [
        (
            with(good.clone(), "alg", json!("ES256")),
            claims(),
            E::Algorithm,
        ),
        (
            with(good.clone(), "alg", json!("eddsa")),
            claims(),
            E::Algorithm,
        ),
        (
            with(good.clone(), "kid", json!("ec")),
            claims(),
            E::Signature,
        ),
        (
            with(good.clone(), "kid", json!("../ed")),
            claims(),
            E::Signature,
        ),
        (with(good.clone(), "kid", json!(1)), claims(), E::Malformed),
        (
            with(good.clone(), "crit", json!(["x"])),
            claims(),
            E::Header,
        ),
        (
            with(good.clone(), "typ", json!("refresh+jwt")),
            claims(),
            E::Type,
        ),
        (
            good.clone(),
            with(claims(), "aud", json!("other")),
            E::Audience,
        ),
        (good.clone(), with(claims(), "aud", json!([])), E::Audience),
        (good.clone(), with(claims(), "aud", json!(1)), E::Audience),
        (good.clone(), with(claims(), "exp", json!(NOW)), E::Expired),
        (
            good.clone(),
            with(claims(), "exp", json!("x")),
            E::ExpiryType,
        ),
        (
            good.clone(),
            with(claims(), "exp", json!(NOW + 90_000)),
            E::Lifetime,
        ),
        (
            good.clone(),
            with(claims(), "nbf", json!(NOW + 1)),
            E::NotYetValid,
        ),
        (good.clone(), with(claims(), "sub", json!(1)), E::NoSubject),
        (good.clone(), with(claims(), "sub", json!("")), E::NoSubject),
        (
            good.clone(),
            with(claims(), "sub", json!("a\r\nb")),
            E::NoSubject,
        ),
        (
            good,
            with(
                claims(),
                "iss",
                json!("https://login.example.com/realms/main/"),
            ),
            E::Algorithm,
        ),
    ] {
        let token = issuer.token(&header, &claims);
        assert_eq!(
            judge(&token, &trusted).err(),
            Some(want),
            "{header} {claims}"
        );
    }
}

#[test]
fn p085_sets_that_prove_nothing_are_refused() {
    let new = |algorithms: &[&str], jwks: Value| {
        ExternalIssuer::new(spec(algorithms), jwks.to_string().as_bytes()).err()
    };
    let weak = URL_SAFE_NO_PAD.encode([1; 128]);
    assert_eq!(
        new(&["none"], json!({"keys": []})),
        Some(IssuerError::Algorithm("none".to_owned()))
    );
    assert_eq!(
        new(&["EdDSA"], json!({"keys": []})),
        Some(IssuerError::NoKey)
    );
    assert!(matches!(
        new(&["EdDSA"], json!([])),
        Some(IssuerError::Set(_))
    ));
    let rsa = json!({"keys": [{"kty": "RSA", "kid": "r", "n": weak, "e": "AQAB"}]});
    assert_eq!(
        new(&["RS256"], rsa),
        Some(IssuerError::Weak("r".to_owned()))
    );
    let secret = json!({"keys": [{"kty": "oct", "kid": "o", "k": "c2hvcnQ"}]});
    assert_eq!(
        new(&["HS256"], secret),
        Some(IssuerError::Weak("o".to_owned()))
    );
    let many: Vec<Value> = (0..65)
        .map(|_| json!({"kty": "oct", "k": "c2hvcnQ"}))
        .collect();
    assert_eq!(
        new(&["HS256"], json!({"keys": many})),
        Some(IssuerError::TooMany)
    );
}
