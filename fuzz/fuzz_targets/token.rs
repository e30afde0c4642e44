//! Tokens made, bent and judged: accepted is exactly what `oracle` accepts, and nothing that was bent after it
//! was signed.
//!
//! Input: a line of words for rules, claims and key, then one change a line; see [`Case`].
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway::auth::cache::TokenCache;
use gateway::auth::external::{ExternalIssuer, IssuerSpec};
use gateway::auth::keys::{KeyMaterial, KeyRing, TokenAlgorithm};
use gateway::auth::token::{ClaimSet, Identity, TokenRules, Trust, contents, verify};
use gateway::auth::view::View;
use gateway::user::{User, UserId, Version};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::json;

use oracle::{Oracle, Who};

#[path = "token/oracle.rs"]
mod oracle;

const NOW: u64 = 1_700_000_000;
const SECRET: [u8; 32] = [7; 32];
const ISSUER: &str = "https://login.example.com";

/// Most changes of one input: more of them find nothing that fewer do not.
const MAX_LINES: usize = 24;

fuzz_target!(|text: &str| -> Corpus {
    let Some(case) = Case::read(text) else {
        return Corpus::Reject;
    };
    let world = &*WORLD;
    let rules = TokenRules {
        claims: if case.drf {
            ClaimSet::DrfJwt
        } else {
            ClaimSet::AccessToken
        },
        issuer: "gateway".to_owned(),
        audience: "api".to_owned(),
        ttl: 300,
        leeway: case.leeway,
        refresh_limit: 0,
        legacy: case.legacy,
    };
    let external = if case.alone {
        &[][..]
    } else {
        &world.external[..]
    };
    let trust = Trust {
        keys: &world.keys,
        view: &world.view,
        rules: &rules,
        external,
        cache: None,
    };
    let signed = case.sign();
    let token = case.bend(signed.clone());
    let oracle = Oracle {
        rules: &rules,
        users: &world.users,
        external: !case.alone,
        now: case.now,
    };
    let wanted = oracle.judge(&token);
    let got = verify(&token, &trust, case.now);
    // What is remembered of a token changes no answer, now or later.
    let cache = TokenCache::new(16);
    let cached = Trust {
        cache: Some(&cache),
        ..trust
    };
    for now in [case.now, case.now, case.now.saturating_add(200)] {
        let told =
            |trust| verify(&token, trust, now).map(|v| (v.identity().to_string(), v.expires()));
        assert_eq!(told(&cached), told(&trust));
    }
    match (&got, &wanted) {
        (Ok(verified), Some(claims)) => {
            let who = match verified.identity() {
                Identity::Local(user) => Who::User(user.id.0),
                Identity::External(subject) => Who::Subject(subject.subject.clone()),
            };
            assert_eq!(who, claims.who);
            assert_eq!(verified.expires(), claims.expires);
            assert_eq!(verified.jti(), claims.jti.as_deref());
            assert_eq!(token, signed, "a token that was bent after it was signed");
            assert!(contents(&token).is_ok());
        }
        (Err(_), None) => {}
        (got, wanted) => panic!("{got:?}, and {wanted:?} was wanted of {token}"),
    }
    Corpus::Keep
});

/// Keys and users, the same in every run.
struct World {
    keys: KeyRing,
    users: Vec<User>,
    view: View,
    external: Vec<ExternalIssuer>,
    ours: Ed25519KeyPair,
    theirs: Ed25519KeyPair,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let pair = |seed: u8| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("seed");
    let (ours, theirs) = (pair(1), pair(2));
    let der = ours.to_pkcs8().expect("der").as_ref().to_vec();
    let material = |kid: &str, algorithm, bytes: Vec<u8>| KeyMaterial {
        kid: kid.to_owned(),
        algorithm,
        bytes: bytes.into(),
    };
    let keys = KeyRing::new(&[
        material("s", TokenAlgorithm::Hs256, SECRET.to_vec()),
        material("e", TokenAlgorithm::EdDsa, der),
    ]);
    let spec = IssuerSpec {
        issuer: ISSUER.to_owned(),
        audiences: vec!["tasks".to_owned()],
        algorithms: vec!["EdDSA".to_owned()],
        roles_claim: "roles".to_owned(),
        roles: vec!["editor".to_owned()],
        leeway: 0,
    };
    let x = URL_SAFE_NO_PAD.encode(theirs.public_key().as_ref());
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "x", "use": "sig", "x": x}]});
    let user = |id, username: &str, active, epoch| User {
        id: UserId(id),
        username: username.to_owned(),
        email: String::new(),
        roles: Vec::new(),
        active,
        epoch,
        version: Version(id),
        created_at: NOW - 1000,
    };
    let users = vec![
        user(1, "admin", true, 3),
        user(2, "carol", false, 3),
        user(3, "bob", true, 0),
    ];
    World {
        keys: keys.expect("ring"),
        view: View::new(Version(3), users.clone()),
        users,
        external: vec![ExternalIssuer::new(spec, set.to_string().as_bytes()).expect("issuer")],
        ours,
        theirs,
    }
});

/// A JSON object as it is written: names and values verbatim, so that neither need be right.
type Members = Vec<(String, String)>;

/// The token that an input describes.
///
/// Words of the first line: `drf`, `legacy`, `leeway`, `alone` (no other issuer) for the rules; `drf-claims`,
/// `their-claims` for what is claimed; `by-eddsa`, `by-them`, `by-stranger`, `by-public`, `by-nobody` for the key.
/// Lines: `h NAME JSON` and `p NAME JSON` set a member of header or payload, `h+` and `p+` add one even where it
/// is, `h-` and `p-` remove it; `now N` moves the clock; `flip N`, `cut N` and `add TEXT` bend the token behind
/// its signature; `token TEXT` is one as it stands.
struct Case {
    drf: bool,
    legacy: bool,
    alone: bool,
    leeway: u64,
    now: u64,
    signer: Signer,
    header: Members,
    payload: Members,
    bends: Vec<Bend>,
}

enum Signer {
    Secret,
    EdDsa,
    Them,
    Stranger,
    Public,
    Nobody,
}

enum Bend {
    Flip(usize),
    Cut(usize),
    Add(String),
    Whole(String),
}

impl Case {
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.split('\n').take(MAX_LINES);
        let words: Vec<&str> = lines.next()?.split(' ').collect();
        let has = |word: &str| words.contains(&word);
        let (drf_claims, their_claims) = (has("drf-claims"), has("their-claims"));
        let signer = match words.iter().find(|word| word.starts_with("by-")) {
            Some(&"by-eddsa") => Signer::EdDsa,
            Some(&"by-them") => Signer::Them,
            Some(&"by-stranger") => Signer::Stranger,
            Some(&"by-public") => Signer::Public,
            Some(&"by-nobody") => Signer::Nobody,
            _ => Signer::Secret,
        };
        let (alg, kid) = match signer {
            Signer::EdDsa => ("\"EdDSA\"", "\"e\""),
            Signer::Them => ("\"EdDSA\"", "\"x\""),
            _ => ("\"HS256\"", "\"s\""),
        };
        let typ = if drf_claims || their_claims {
            "\"JWT\""
        } else {
            "\"at+jwt\""
        };
        let payload: &[(&str, &str)] = if drf_claims {
            &[
                ("user_id", "1"),
                ("username", "\"admin\""),
                ("email", "\"a@b\""),
                ("exp", "1700000300"),
                ("orig_iat", "1700000000"),
                ("jti", "\"j\""),
                ("sid", "\"s\""),
                ("ver", "3"),
            ]
        } else if their_claims {
            &[
                ("iss", "\"https://login.example.com\""),
                ("sub", "\"1\""),
                ("aud", "[\"tasks\"]"),
                ("exp", "1700000060"),
                ("roles", "[\"editor\"]"),
            ]
        } else {
            &[
                ("iss", "\"gateway\""),
                ("sub", "\"1\""),
                ("aud", "\"api\""),
                ("exp", "1700000300"),
                ("iat", "1700000000"),
                ("jti", "\"j\""),
                ("sid", "\"s\""),
                ("ver", "3"),
            ]
        };
        let owned = |members: &[(&str, &str)]| -> Members {
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let mut case = Self {
            drf: has("drf"),
            legacy: has("legacy"),
            alone: has("alone"),
            leeway: if has("leeway") { 60 } else { 0 },
            now: NOW,
            signer,
            header: owned(&[("typ", typ), ("alg", alg), ("kid", kid)]),
            payload: owned(payload),
            bends: Vec::new(),
        };
        for line in lines {
            case.change(line);
        }
        Some(case)
    }

    fn change(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let members = if verb.starts_with('h') {
            &mut self.header
        } else {
            &mut self.payload
        };
        let member = || (name.to_owned(), value.to_owned());
        match verb {
            "h" | "p" => match members.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1 = value.to_owned(),
                None => members.push(member()),
            },
            "h+" | "p+" => members.push(member()),
            "h-" | "p-" => members.retain(|(known, _)| known != name),
            "now" => self.now = NOW.saturating_add_signed(rest.parse().unwrap_or(0)),
            "flip" => self.bends.push(Bend::Flip(rest.parse().unwrap_or(0))),
            "cut" => self.bends.push(Bend::Cut(rest.parse().unwrap_or(0))),
            "add" => self.bends.push(Bend::Add(rest.to_owned())),
            "token" => self.bends.push(Bend::Whole(rest.to_owned())),
            _ => {}
        }
    }

    fn sign(&self) -> String {
        let part = |members: &Members| {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            URL_SAFE_NO_PAD.encode(format!("{{{}}}", members.join(",")))
        };
        let message = format!("{}.{}", part(&self.header), part(&self.payload));
        let bytes = message.as_bytes();
        let mac = |key: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes)
                .as_ref()
                .to_vec()
        };
        let signature = match self.signer {
            Signer::Secret => mac(&SECRET),
            Signer::EdDsa => WORLD.ours.sign(bytes).as_ref().to_vec(),
            Signer::Them => WORLD.theirs.sign(bytes).as_ref().to_vec(),
            Signer::Stranger => mac(&[8; 32]),
            Signer::Public => mac(WORLD.ours.public_key().as_ref()),
            Signer::Nobody => Vec::new(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn bend(&self, mut token: String) -> String {
        for bend in &self.bends {
            match bend {
                Bend::Flip(bit) if !token.is_empty() => {
                    let mut bytes = token.clone().into_bytes();
                    let bit = bit % (bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    token = String::from_utf8(bytes).unwrap_or(token);
                }
                Bend::Flip(_) => {}
                Bend::Cut(at) => {
                    let at = at % (token.len() + 1);
                    token.truncate(if token.is_char_boundary(at) { at } else { 0 });
                }
                Bend::Add(text) => token.push_str(text),
                Bend::Whole(text) => token.clone_from(text),
            }
        }
        token
    }
}
