//! The main job over two real processes: log in, get a token, change a task.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::get;
use crate::harness::{Pair, ask, task};

/// Header and claims of a token.
pub(super) fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    });
    let header = parts.next().expect("a header");
    (header, parts.next().expect("claims"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_in_get_a_token_change_a_task() {
    let pair = Pair::start().await;
    let gateway = &pair.gateway;
    let mut client = gateway.connect().await;

    let list = client.request(get("/tasks/")).await;
    assert_eq!((list.status, list.text()), (200, "[]"));

    let new = task("Next one", 1);
    let refused = client.request(ask("POST /tasks/").json(&new)).await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("JWT realm=\"api\"")
    );
    assert_eq!(
        refused.text(),
        r#"{"detail":"Authentication credentials were not provided."}"#
    );

    let by_json = client
        .request(ask("POST /api-auth/").json(&json!({ "username": "admin", "password": "admin" })))
        .await;
    let by_form = client
        .request(ask("POST /api-auth/").form("username=admin&password=admin"))
        .await;
    for answer in [&by_json, &by_form] {
        assert_eq!(answer.status, 200);
        let body = answer.json();
        assert_eq!(body.as_object().expect("an object").len(), 1);
        let (header, claims) = parts(body["token"].as_str().expect("a token"));
        assert_eq!(
            (&header["alg"], &header["typ"]),
            (&json!("HS256"), &json!("JWT"))
        );
        assert_eq!(claims["user_id"], 1);
        assert_eq!(claims["username"], "admin");
        let (exp, iat) = (&claims["exp"], &claims["orig_iat"]);
        assert_eq!(
            exp.as_u64().expect("exp") - iat.as_u64().expect("orig_iat"),
            300
        );
    }
    let token = by_form.json()["token"]
        .as_str()
        .expect("a token")
        .to_owned();

    let made = client
        .request(ask("POST /tasks/").jwt(&token).json(&new))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(
        made.json(),
        json!({ "id": 1, "title": "Next one", "due_to": "2016-10-18T19:12:01Z", "person": 1 })
    );
    let person = client.request(get("/users/1/")).await;
    assert_eq!(person.json()["tasks"], json!([1]));

    let gone = client
        .request(ask("DELETE /tasks/1/").jwt(&token).end())
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(client.request(get("/tasks/1/")).await.status, 404);
    assert_eq!(client.request(get("/tasks/")).await.text(), "[]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_answers_nobody_but_the_gateway() {
    let pair = Pair::start().await;
    for (request, status) in [
        (get("/tasks/"), 403),
        (
            ask("GET /tasks/")
                .line("X-Auth-User-Id: 1")
                .line("X-Auth-Status: authenticated")
                .line("X-Gateway-Secret: guess")
                .end(),
            403,
        ),
        (get("/healthz"), 200),
    ] {
        let mut direct = crate::harness::Client::connect(pair.tasks.addr).await;
        let answer = direct.request(&request).await;
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_standard_profile_the_same_job_takes_bearer_tokens() {
    let pair = Pair::start_with(|home| home.env("GATEWAY_AUTH_PROFILE", "standard")).await;
    let refused = pair
        .gateway
        .ask(ask("POST /tasks/").json(&task("a", 1)))
        .await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer realm=\"api\"")
    );
    let token = pair.gateway.token("admin", "admin").await;
    assert_eq!(parts(&token).0["alg"], "EdDSA");
    let made = pair
        .gateway
        .ask(ask("POST /tasks/").bearer(&token).json(&task("a", 1)))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
}
