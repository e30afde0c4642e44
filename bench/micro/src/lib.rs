//! Keys, tokens, requests and a snapshot for the benchmarks of single steps.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway::auth::cache::TokenCache;
use gateway::auth::external::{ExternalIssuer, IssuerSpec};
use gateway::auth::keys::{KeyMaterial, KeyRing, TokenAlgorithm};
use gateway::auth::token::{ClaimSet, Session, TokenRules, mint};
use gateway::auth::view::View;
use gateway::config::{ServeArgs, SourceText, resolve_text};
use gateway::decision::Snapshot;
use gateway::policy::Policy;
use gateway::refusal::Habits;
use gateway::request::{HeadLimits, RequestFacts};
use gateway::user::{User, UserId, Version};
use pingora::http::RequestHeader;
use serde_json::{Value, json};

/// Seconds since 1970.
pub const NOW: u64 = 1_700_000_000;

/// Limits as shipped.
pub const LIMITS: HeadLimits = HeadLimits {
    target_bytes: 8 * 1024,
    header_bytes: 16 * 1024,
    headers: 100,
};

const ISSUER: &str = "https://login.example.com";

/// A token of each kind, and what judges them.
pub struct World {
    /// Remembers nothing.
    pub snapshot: Snapshot,
    /// Algorithm and token: EdDSA and HS256 are ours, the others another issuer's.
    pub tokens: Vec<(&'static str, String)>,
}

impl World {
    /// New keys each time.
    pub fn new() -> Self {
        let ed = Ed25519KeyPair::generate().expect("a key");
        let material = |kid: &str, algorithm, bytes: Vec<u8>| KeyMaterial {
            kid: kid.to_owned(),
            algorithm,
            bytes: bytes.into(),
        };
        let ring = |material| Arc::new(KeyRing::new(&[material]).expect("a ring"));
        let der = ed.to_pkcs8().expect("DER").as_ref().to_vec();
        let own = [
            ("EdDSA", material("e", TokenAlgorithm::EdDsa, der)),
            ("HS256", material("s", TokenAlgorithm::Hs256, vec![7; 32])),
        ];
        let rules = TokenRules {
            claims: ClaimSet::AccessToken,
            issuer: "gateway".to_owned(),
            audience: "api".to_owned(),
            ttl: 900,
            leeway: 0,
            refresh_limit: 0,
            legacy: false,
        };
        let user = User {
            id: UserId(1),
            username: "bench-01".to_owned(),
            email: "bench-01@example.com".to_owned(),
            roles: vec!["editor".to_owned()],
            active: true,
            epoch: 0,
            version: Version(1),
            created_at: 0,
        };
        let session = Session {
            jti: URL_SAFE_NO_PAD.encode([1; 16]),
            sid: URL_SAFE_NO_PAD.encode([2; 16]),
        };
        let mut tokens = Vec::new();
        for (name, key) in &own {
            let ring = ring(key.clone());
            let key = ring.signing().expect("a key");
            let token = mint(&user, key, &rules, &session, &Value::Null, NOW).expect("a token");
            tokens.push((*name, token));
        }
        let theirs = Theirs::new();
        tokens.extend(["RS256", "ES256"].map(|alg| (alg, theirs.token(alg))));
        let keys = KeyRing::new(&own.map(|(_, key)| key)).expect("a ring");
        let snapshot = Snapshot {
            policy: Arc::new(policy()),
            habits: Arc::new(Habits::standard()),
            token_rules: Arc::new(rules),
            keys: Arc::new(keys),
            view: Arc::new(View::new(Version(1), vec![user])),
            external: Arc::new(vec![theirs.trusted()]),
            tokens: Arc::new(TokenCache::new(0)),
            cors: None,
        };
        Self { snapshot, tokens }
    }

    /// The same with a memory.
    pub fn remembering(&self) -> Snapshot {
        Snapshot {
            tokens: Arc::new(TokenCache::new(8192)),
            ..self.snapshot.clone()
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Rules as in the shipped configuration.
fn policy() -> Policy {
    let args = ServeArgs {
        data_dir: Some("/nowhere".into()),
        ..ServeArgs::default()
    };
    let source = SourceText {
        path: "bench.toml".into(),
        text: CONFIG.to_owned(),
    };
    let resolved = resolve_text(&args, [], source);
    resolved.expect("a configuration").config.policy
}

const CONFIG: &str = r#"
version = 1
[upstreams.app]
urls = ["http://127.0.0.1:9"]
[[routes]]
path = "/users"
upstream = "app"
access = { roles = ["admin"] }
[[routes]]
path = "/users/*"
upstream = "app"
access = { roles = ["admin"] }
[[routes]]
path = "/tasks"
upstream = "app"
access = "read-public"
[[routes]]
path = "/tasks/*"
upstream = "app"
access = "read-public"
"#;

/// Another issuer.
struct Theirs {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl Theirs {
    fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"),
        }
    }

    fn trusted(&self) -> ExternalIssuer {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let rsa = self.rsa.public_key();
        let (n, e) = (rsa.modulus(), rsa.exponent());
        let point = self.ec.public_key().as_ref();
        let set = json!({"keys": [
            {"kty": "RSA", "kid": "RS256", "n": part(n.big_endian_without_leading_zero()), "e": part(e.big_endian_without_leading_zero())},
            {"kty": "EC", "crv": "P-256", "kid": "ES256", "x": part(&point[1..33]), "y": part(&point[33..])},
        ]});
        let spec = IssuerSpec {
            issuer: ISSUER.to_owned(),
            audiences: vec!["api".to_owned()],
            algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
            roles_claim: "roles".to_owned(),
            roles: Vec::new(),
            leeway: 0,
        };
        ExternalIssuer::new(spec, set.to_string().as_bytes()).expect("an issuer")
    }

    fn token(&self, alg: &str) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({"alg": alg, "typ": "JWT", "kid": alg}));
        let claims = part(json!({
            "iss": ISSUER, "sub": "user-00001", "aud": "api", "exp": NOW + 900, "iat": NOW, "jti": "a-name-of-its-own",
        }));
        let message = format!("{header}.{claims}");
        let random = SystemRandom::new();
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        if alg == "RS256" {
            self.rsa
                .sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    message.as_bytes(),
                    &mut signature,
                )
                .expect("a signature");
        } else {
            let made = self.ec.sign(&random, message.as_bytes());
            signature = made.expect("a signature").as_ref().to_vec();
        }
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A request as a browser or a program behind a proxy sends it, with a token where one is given.
pub fn request(method: &str, token: Option<&str>) -> RequestHeader {
    let mut header = RequestHeader::build(method, b"/tasks/17", None).expect("a head");
    let mut put = |name: &'static str, value: &str| {
        header.append_header(name, value).expect("a header");
    };
    put("Host", "api.example.com");
    put(
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    );
    put("Accept", "application/json");
    put("Accept-Language", "en,de;q=0.7");
    put("Accept-Encoding", "gzip, deflate, br");
    if let Some(token) = token {
        put("Authorization", &format!("Bearer {token}"));
    }
    if method == "POST" {
        put("Content-Type", "application/json");
        put("Content-Length", "50");
    }
    header
}

/// What is read of a request.
pub fn facts(header: &RequestHeader) -> RequestFacts {
    let grammar = Habits::standard().grammar;
    RequestFacts::parse(header, None, false, &LIMITS, &grammar).expect("facts")
}
