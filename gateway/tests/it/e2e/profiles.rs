//! The two sets of wire habits.

use serde_json::{Value, json};

use super::transcript::parts;
use super::{World, get};
use crate::harness::ask;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p077_standard_challenges_are_those_of_rfc_6750() {
    let world = World::standard().await;
    let none = world.ask(ask("POST /read/a").end()).await;
    assert_eq!(
        none.header("www-authenticate"),
        Some("Bearer realm=\"api\"")
    );
    for bad in ["Bearer a.b.c", "Bearer", "JWT x"] {
        let request = ask("POST /read/a").line(&format!("Authorization: {bad}"));
        let answer = world.ask(request.end()).await;
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"api\", error=\"invalid_token\""),
            "{bad}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_refusals_are_problem_json() {
    let world = World::standard().await;
    let token = world.token().await;
    for (request, status, code) in [
        (ask("POST /read/a").end(), 401, "no_credentials"),
        (
            ask("POST /editors/a").bearer(&token).end(),
            403,
            "forbidden",
        ),
        (get("/nothing"), 404, "not_found"),
        (ask("FOO /read/a").end(), 405, "method_not_allowed"),
        (ask("GET /read/a").body("x"), 400, "body_not_allowed"),
        (
            ask("POST /api-auth/").body("x"),
            415,
            "unsupported_media_type",
        ),
        (get("/public/%2e%2e/a"), 400, "bad_request"),
    ] {
        let answer = world.ask(&request).await;
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{request}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body = answer.json();
        assert_eq!(body["status"], status, "{request}");
        assert_eq!(body["code"], code, "{request}");
        assert!(body["title"].is_string() && body["detail"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p067_p106_standard_tokens_are_those_of_rfc_9068() {
    let world = World::standard().await;
    let answer = world.gateway.log_in("admin", "admin").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 900);
    let token = body["token"].as_str().expect("a token");
    let (header, claims) = parts(token);
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(header["typ"], "at+jwt");
    let ring = world.ask(get("/.well-known/jwks.json")).await;
    let keys = ring.json();
    let key = &keys["keys"][0];
    assert_eq!(key["kid"], header["kid"]);
    assert_eq!(key["kty"], "OKP");
    for member in ["iss", "sub", "aud", "exp", "iat", "jti"] {
        assert!(!claims[member].is_null(), "no {member}: {claims}");
    }
    assert_eq!(claims["iss"], "gateway");
    assert_eq!(claims["aud"], "api");
    let life = claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat");
    assert_eq!(life, 900);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p079_published_keys_are_public() {
    for (world, count) in [(World::standard().await, 1), (World::drf().await, 0)] {
        let keys = world.ask(get("/.well-known/jwks.json")).await.json();
        let keys = keys["keys"].as_array().expect("keys");
        assert_eq!(keys.len(), count, "a symmetric key is published");
        for key in keys {
            for secret in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert_eq!(key[secret], Value::Null, "{secret}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p126_answers_that_depend_on_who_asks_say_so() {
    let world = World::standard().await;
    let answer = world.ask(get("/read/a")).await;
    assert_eq!(answer.header("vary"), Some("Authorization"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drf_jwt_refusals_are_as_recorded() {
    let world = World::drf().await;
    let token = world.token().await;
    let answer = world.ask(ask("POST /read/a").end()).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some("JWT realm=\"api\""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("vary"), Some("Accept"));
    assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"));
    assert_eq!(
        answer.text(),
        r#"{"detail":"Authentication credentials were not provided."}"#
    );
    for (authorization, text) in [
        ("JWT a.b.c", "Error decoding signature."),
        (
            "JWT",
            "Invalid Authorization header. No credentials provided.",
        ),
        (
            "JWT a b",
            "Invalid Authorization header. Credentials string should not contain spaces.",
        ),
        (
            "Bearer a.b.c",
            "Authentication credentials were not provided.",
        ),
        (
            "Basic YQ==",
            "Authentication credentials were not provided.",
        ),
    ] {
        let request = ask("POST /read/a").line(&format!("Authorization: {authorization}"));
        let answer = world.ask(request.end()).await;
        assert_eq!(answer.status, 401, "{authorization}");
        assert_eq!(answer.json(), json!({ "detail": text }), "{authorization}");
    }
    let answer = world.ask(ask("POST /editors/a").jwt(&token).end()).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.json()["detail"],
        "You do not have permission to perform this action."
    );
    let answer = world.gateway.log_in("admin", "wrong").await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({ "non_field_errors": ["Unable to log in with provided credentials."] })
    );
    let answer = world.ask(get("/api-auth")).await;
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("location"), Some("/api-auth/"));
    let answer = world.ask(ask("OPTIONS /read/a").end()).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p034_an_open_question_has_no_body_and_is_nothing_else() {
    let world = World::drf().await;
    for request in [
        ask("OPTIONS /read/a").body("x"),
        ask("OPTIONS /read/a").chunked("x"),
        ask("OPTIONS /read/a?_method=DELETE").end(),
    ] {
        assert_eq!(world.ask(&request).await.status, 401, "{request}");
    }
    world.saw_nothing("an OPTIONS that is more than a question");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_exchanged_and_verified_under_the_recorded_addresses() {
    let world = World::drf().await;
    let token = world.token().await;
    let body = json!({ "token": token });
    for path in ["/api-token-verify/", "/api-auth/verify/"] {
        let answer = world.ask(ask(&format!("POST {path}")).json(&body)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.json()["token"], token, "{path}");
    }
    for path in ["/api-token-refresh/", "/api-auth/refresh/"] {
        let answer = world.ask(ask(&format!("POST {path}")).json(&body)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let younger = answer.json()["token"].as_str().expect("a token").to_owned();
        let write = world.ask(ask("POST /read/a").jwt(&younger).end()).await;
        assert_eq!(write.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p072_a_token_with_any_part_changed_is_refused() {
    let world = World::standard().await;
    let token = world.token().await;
    let mut client = world.gateway.connect().await;
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = match bytes[at] {
            b'.' => continue,
            b'A' => b'B',
            _ => b'A',
        };
        let changed = String::from_utf8(bytes).expect("text");
        let answer = client
            .request(ask("POST /read/a").bearer(&changed).end())
            .await;
        assert_eq!(answer.status, 401, "byte {at}");
    }
    world.saw_nothing("a changed token");
}
