//! Credentials that attackers bring: in other places, with other keys, in other spellings.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::transcript::parts;
use super::{World, get};
use crate::harness::ask;
use crate::harness::process::all;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p058_a_token_is_read_from_one_header_alone() {
    let world = World::standard().await;
    let token = world.token().await;
    let elsewhere = [
        get(&format!("/closed/a?access_token={token}")),
        get(&format!("/closed/a?token={token}&jwt={token}")),
        ask("GET /closed/a")
            .line(&format!(
                "Cookie: token={token}; jwt={token}; session={token}"
            ))
            .end(),
        ask("GET /closed/a")
            .line(&format!("X-Auth-Token: {token}"))
            .line(&format!("Proxy-Authorization: Bearer {token}"))
            .line(&format!("X-Forwarded-Access-Token: {token}"))
            .end(),
        ask("POST /closed/a").form(&format!("access_token={token}")),
    ];
    for request in elsewhere {
        assert_eq!(world.ask(&request).await.status, 401, "{request}");
    }
    // A header that is bad is bad, whatever stands elsewhere.
    let beside = ask(&format!("GET /public/a?access_token={token}"))
        .line("Authorization: Bearer a.b.c")
        .end();
    assert_eq!(world.ask(beside).await.status, 401);
    let joined =
        ask("GET /public/a").line(&format!("Authorization: Bearer {token}, Bearer {token}"));
    assert_eq!(world.ask(joined.end()).await.status, 401);
    let twice = ask("GET /public/a")
        .bearer(&token)
        .line("authorization: Bearer x");
    assert_eq!(world.ask(twice.end()).await.status, 400);
    world.saw_nothing("a token in another place");
}

fn segment(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p060_a_public_key_is_no_secret() {
    let world = World::standard().await;
    let token = world.token().await;
    let claims = token.split('.').nth(1).expect("claims").to_owned();
    let keys = world.ask(get("/.well-known/jwks.json")).await;
    let set = keys.json();
    let key = &set["keys"][0];
    let text = key["x"].as_str().expect("a key");
    let raw = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 §4).
    let mut der = vec![
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    der.extend(&raw);
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        STANDARD.encode(&der)
    );
    let secrets = [
        raw,
        text.as_bytes().to_vec(),
        der,
        pem.clone().into_bytes(),
        format!("{pem}\n").into_bytes(),
        key.to_string().into_bytes(),
        keys.body.clone(),
        Vec::new(),
    ];
    for secret in &secrets {
        for kid in [key["kid"].clone(), Value::Null] {
            let mut header = json!({ "typ": "at+jwt", "alg": "HS256", "kid": kid });
            if kid.is_null() {
                header.as_object_mut().expect("an object").remove("kid");
            }
            let message = format!("{}.{claims}", segment(&header));
            let signing = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = hmac::sign(&signing, message.as_bytes());
            let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
            let answer = world.ask(ask("GET /closed/a").bearer(&forged).end()).await;
            assert_eq!(answer.status, 401, "{header}");
        }
    }
    world.saw_nothing("a token signed with a public key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p061_p068_a_token_brings_no_key_and_nothing_is_fetched() {
    let world = World::standard().await;
    let token = world.token().await;
    let (_, claims) = parts(&token);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.set_nonblocking(true).expect("no waiting");
    let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().expect("a key");
    let public = aws_lc_rs::signature::KeyPair::public_key(&pair);
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "mine", "x": URL_SAFE_NO_PAD.encode(public.as_ref()),
    });
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!(["AAAA"])),
        ("kid", json!(url)),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!("x".repeat(5000))),
    ] {
        let mut header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": "mine" });
        header[name] = value.clone();
        let message = format!("{}.{}", segment(&header), segment(&claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()).as_ref());
        let forged = format!("{message}.{signature}");
        let answer = world.ask(ask("GET /public/a").bearer(&forged).end()).await;
        assert_eq!(answer.status, 401, "{name}: {value}");
    }
    // Each was refused before this: who fetches would have connected.
    let connected = listener.accept().map_err(|e| e.kind());
    assert_eq!(
        connected.err(),
        Some(std::io::ErrorKind::WouldBlock),
        "somebody came for a key"
    );
    world.saw_nothing("a token that brings its key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p071_bits_that_count_for_nothing_are_counted() {
    let world = World::standard().await;
    let token = world.token().await;
    let mut client = world.gateway.connect().await;
    // A signature of 64 bytes leaves four bits of its last character unused.
    let (head, last) = token.split_at(token.len() - 1);
    let at = ALPHABET.iter().position(|c| [*c] == last.as_bytes());
    let at = at.expect("base64url");
    assert_eq!(at % 16, 0, "not the form that is minted");
    for bits in 1..16 {
        let other = format!("{head}{}", char::from(ALPHABET[at + bits]));
        let answer = client
            .request(ask("GET /closed/a").bearer(&other).end())
            .await;
        assert_eq!(answer.status, 401, "{bits}");
    }
    for other in [
        format!("{token}="),
        format!("{token}=="),
        format!("{token}."),
        format!(".{token}"),
        token.replacen('.', "=.", 1),
        token.replacen('.', "..", 1),
    ] {
        let answer = client
            .request(ask("GET /closed/a").bearer(&other).end())
            .await;
        assert_eq!(answer.status, 401, "{other}");
    }
    world.saw_nothing("another spelling of a token");
    let answer = client
        .request(ask("GET /closed/a").bearer(&token).end())
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p074_everybody_is_told_as_themselves() {
    let world = World::standard().await;
    let names = ["ann", "bob", "carl"];
    let mut callers = Vec::new();
    for name in names {
        let password = format!("{name} has a passphrase");
        world.home.add_user(name, &password).await;
        let token = world.gateway.token(name, &password).await;
        callers.push((name, Arc::<str>::from(token)));
    }
    let before = world.upstream.requests().len();
    let addr = world.gateway.addr;
    let clients = callers.iter().cycle().take(12).map(|(name, token)| {
        let (name, token) = (*name, Arc::clone(token));
        async move {
            let mut client = crate::harness::Client::connect(addr).await;
            for n in 0..20 {
                let request = ask(&format!("GET /closed/{name}/{n}")).bearer(&token);
                assert_eq!(client.request(request.end()).await.status, 200);
            }
        }
    });
    all("clients", clients.collect::<Vec<_>>()).await;
    let mut told = 0;
    for seen in world.upstream.requests().split_off(before) {
        if let Some(rest) = seen.target.strip_prefix("/closed/") {
            let name = rest.split('/').next();
            assert_eq!(seen.header("x-auth-user"), name, "{}", seen.line());
            told += 1;
        }
    }
    assert_eq!(told, 12 * 20);
}
