//! The method policy, seen from both sides.

use super::{World, get};
use crate::harness::ask::{Ask, ask};

/// A handshake as browsers send it.
fn websocket(path: &str) -> Ask {
    ask(&format!("GET {path}"))
        .line("Connection: Upgrade")
        .line("Upgrade: websocket")
        .line("Sec-WebSocket-Version: 13")
        .line("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_open_and_writes_need_a_token() {
    let world = World::standard().await;
    let token = world.token().await;
    for (method, anonymous) in [
        ("GET", 200),
        ("HEAD", 200),
        ("POST", 401),
        ("PUT", 401),
        ("PATCH", 401),
        ("DELETE", 401),
        ("OPTIONS", 401),
    ] {
        let request = ask(&format!("{method} /read/a"));
        assert_eq!(
            world.ask(request.clone().end()).await.status,
            anonymous,
            "{method}"
        );
        let answer = world.ask(request.bearer(&token).end()).await;
        assert_eq!(answer.status, 200, "{method} with a token");
    }
    let lines = world.forwarded();
    assert_eq!(lines.len(), 9, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p029_a_websocket_is_a_write() {
    let world = World::standard().await;
    for path in ["/ws/a", "/read/a"] {
        let answer = world.ask(websocket(path).end()).await;
        assert_eq!(answer.status, 401, "{path}");
    }
    world.saw_nothing("a WebSocket without a token");
    let token = world.token().await;
    assert_eq!(
        world
            .ask(websocket("/ws/a").bearer(&token).end())
            .await
            .status,
        200
    );
    assert_eq!(
        world
            .ask(websocket("/read/a").bearer(&token).end())
            .await
            .status,
        200
    );
    let seen = world.upstream.requests();
    let upgrades: Vec<_> = seen
        .iter()
        .filter(|r| !r.target.starts_with("/people"))
        .map(|r| r.header("upgrade"))
        .collect();
    // Only where the route lets WebSockets through.
    assert_eq!(upgrades, [Some("websocket"), None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p009_no_other_upgrade_goes_on_or_changes_a_verdict() {
    let world = World::standard().await;
    for upgrade in ["h2c", "TLS/1.0", "foo", "websocket, h2c", "h2c, websocket"] {
        let upgrading = |line: &str| {
            ask(line)
                .line("Connection: Upgrade, HTTP2-Settings")
                .line(&format!("Upgrade: {upgrade}"))
                .line("HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
        };
        let write = world.ask(upgrading("POST /ws/a").body("{}")).await;
        assert_eq!(write.status, 401, "{upgrade}");
        let read = world.ask(upgrading("GET /ws/a").end()).await;
        assert_eq!(read.status, 200, "{upgrade}");
    }
    let raw = world.last_raw().to_lowercase();
    assert!(!raw.contains("upgrade"), "{raw}");
    assert!(!raw.contains("http2-settings"), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p010_bytes_after_a_handshake_wait_for_the_switch() {
    let world = World::standard().await;
    let token = world.token().await;
    let mut client = world.gateway.connect().await;
    // The upstream answers 200 and stays with HTTP: what follows must be judged as a request.
    let inner = get("/closed/a");
    let request = websocket("/ws/a").bearer(&token).end() + &inner;
    client.send(request).await;
    assert_eq!(client.response().await.status, 200);
    if let Some(answer) = client.next().await {
        assert_eq!(answer.status, 401);
    }
    assert_eq!(world.forwarded(), ["GET /ws/a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p030_p031_trace_connect_and_foreign_methods_are_refused() {
    let world = World::standard().await;
    let token = world.token().await;
    for method in ["TRACE", "TRACK", "get", "Get", "post", "POSTX", "FOO", "G"] {
        for request in [
            ask(&format!("{method} /public/a")),
            ask(&format!("{method} /public/a")).bearer(&token),
        ] {
            let answer = world.ask(request.end()).await;
            assert_eq!(answer.status, 405, "{method}");
        }
    }
    let long = "A".repeat(1024);
    for line in [
        "CONNECT localhost:80",
        "CONNECT /public/a",
        "GET\t /public/a",
        &format!("{long} /public/a"),
    ] {
        let answer = world.ask(ask(line).end()).await;
        assert!(
            matches!(answer.status, 400 | 405),
            "{line}: {}",
            answer.status
        );
    }
    world.saw_nothing("a method that is not served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p030_who_is_not_signed_in_gets_401_where_it_was_recorded_so() {
    let world = World::drf().await;
    let token = world.token().await;
    for method in ["TRACE", "get", "FOO"] {
        let request = ask(&format!("{method} /read/a"));
        assert_eq!(
            world.ask(request.clone().end()).await.status,
            401,
            "{method}"
        );
        let answer = world.ask(request.jwt(&token).end()).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(
            answer.json()["detail"],
            format!("Method \"{method}\" not allowed.")
        );
    }
    world.saw_nothing("a method that is not served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p033_a_method_in_the_query_needs_a_token() {
    let world = World::standard().await;
    for query in [
        "_method=DELETE",
        "_METHOD=delete",
        "a=b&_method=PUT",
        "%5Fmethod=DELETE",
        "_method=%44ELETE",
        "_method=POST&_method=GET",
    ] {
        let answer = world.ask(get(&format!("/read/a?{query}"))).await;
        assert_eq!(answer.status, 401, "{query}");
    }
    world.saw_nothing("a method in the query");
    assert_eq!(world.ask(get("/read/a?_method=GET")).await.status, 200);
    assert_eq!(world.ask(get("/read/a?method=DELETE")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p034_a_read_with_a_body_is_refused_unless_the_route_takes_it() {
    let world = World::standard().await;
    let token = world.token().await;
    for method in ["GET", "HEAD"] {
        let request = ask(&format!("{method} /read/a"));
        for request in [
            request.clone().body("x"),
            request.clone().chunked("x"),
            request.clone().bearer(&token).body("x"),
        ] {
            assert_eq!(world.ask(&request).await.status, 400, "{request}");
        }
        let empty = request.body("");
        assert_eq!(world.ask(&empty).await.status, 200, "{empty}");
        let allowed = ask(&format!("{method} /with-body/a")).body("x");
        assert_eq!(world.ask(&allowed).await.status, 200, "{allowed}");
    }
    let lines = world.forwarded();
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p035_head_is_judged_as_get() {
    for (world, scheme) in [
        (World::standard().await, "Bearer"),
        (World::drf().await, "JWT"),
    ] {
        let token = world.token().await;
        let credentials = [
            String::new(),
            format!("{scheme} {token}"),
            format!("{scheme} a.b.c"),
        ];
        for path in [
            "/public/a",
            "/read/a",
            "/closed/a",
            "/admin/a",
            "/editors/a",
            "/nothing",
            "/only-get",
            "/people/1",
            "/read/a?_method=PUT",
            "/api-auth/",
            "/api-auth",
            "/api-auth/users/",
            "/api-auth/verify/",
            "/.well-known/jwks.json",
            "/%2e%2e/a",
        ] {
            for credential in &credentials {
                let request = |method: &str| {
                    let request = ask(&format!("{method} {path}"));
                    if credential.is_empty() {
                        request.end()
                    } else {
                        request.line(&format!("Authorization: {credential}")).end()
                    }
                };
                let get = world.ask(request("GET")).await;
                let head = world.ask(request("HEAD")).await;
                assert_eq!(get.status, head.status, "{path} {credential}");
                assert!(head.body.is_empty());
                assert_eq!(
                    get.header("content-type"),
                    head.header("content-type"),
                    "{path}"
                );
                // The text of 405 names the method.
                if get.status != 405 {
                    assert_eq!(
                        get.header("content-length"),
                        head.header("content-length"),
                        "{path}"
                    );
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_held_and_the_refusal_says_nothing_of_them() {
    let world = World::standard().await;
    let token = world.token().await;
    assert_eq!(
        world
            .ask(ask("GET /admin/a").bearer(&token).end())
            .await
            .status,
        200
    );
    let answer = world.ask(ask("GET /editors/a").bearer(&token).end()).await;
    assert_eq!(answer.status, 403);
    assert!(!answer.text().contains("editor"), "{}", answer.text());
    assert_eq!(world.forwarded(), ["GET /admin/a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p119_what_no_rule_covers_is_404_and_never_forwarded() {
    let world = World::standard().await;
    let token = world.token().await;
    for path in [
        "/",
        "/nothing",
        "/publicly/a",
        "/api-auth/nothing",
        "/favicon.ico",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = world
                .ask(ask(&format!("{method} {path}")).bearer(&token).end())
                .await;
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
    world.saw_nothing("an address without a rule");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p109_our_own_addresses_are_never_forwarded() {
    let world = World::zero_config().await;
    for (method, path, status) in [
        ("GET", "/api-auth/", 405),
        ("GET", "/api-auth", 405),
        ("DELETE", "/api-auth/", 405),
        ("GET", "/api-auth/users/", 401),
        ("GET", "/api-auth/nothing", 404),
        ("POST", "/.well-known/jwks.json", 405),
        ("GET", "/.well-known/jwks.json", 200),
    ] {
        let answer = world.ask(ask(&format!("{method} {path}")).end()).await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
    world.saw_nothing("an address of the gateway");
    assert_eq!(world.ask(get("/anything")).await.status, 200);
    assert_eq!(
        world.ask(ask("POST /anything").body("{}")).await.status,
        401
    );
}
