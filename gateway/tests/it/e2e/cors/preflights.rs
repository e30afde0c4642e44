//! Preflights: answered by the gateway, over HTTP/1.1 and HTTP/2, and seen by nobody else.

use http::Request;

use super::super::http2_bodies::Secure;
use super::*;
use crate::harness::within;

const GRANTED: [&str; 4] = [
    "allow-origin: https://app.example.com",
    "allow-methods: GET, HEAD, POST, PUT, PATCH, DELETE",
    "max-age: 600",
    "allow-headers: authorization, content-type",
];
const ASKED: [&str; 3] = [
    "origin",
    "access-control-request-method",
    "access-control-request-headers",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_a_preflight_is_answered_and_the_upstream_sees_nothing() {
    for profile in ["standard", "drf-jwt"] {
        let world = World::start(profile, CORS).await;
        for path in [
            "/public/a",
            "/read/a?b=c",
            "/closed/a",
            "/admin/a",
            "/only-get",
            "/api-auth/",
            "/api-auth/verify",
            "/api-auth/users/7/",
            "/.well-known/jwks.json",
        ] {
            let asked = preflight(path, APP, "PUT")
                .line("Access-Control-Request-Headers: authorization,content-type");
            let granted = send(&world, asked.clone().end()).await;
            assert_eq!(granted.status, 204, "{profile} {path}");
            assert_eq!(told(&granted), GRANTED, "{profile} {path}");
            assert_eq!(vary(&granted), ASKED, "{profile} {path}");
            assert!(!granted.closes(), "{profile} {path}");
            // Browsers send no credential here; what another program sends counts for nothing.
            let with_token = asked.line("Authorization: Bearer a.b.c").end();
            assert_eq!(
                send(&world, with_token).await.status,
                204,
                "{profile} {path}"
            );
        }
        // Nobody's addresses stay that, and where only the gateway itself may write.
        for path in [
            "/nothing",
            "/api-auth/nothing",
            "/people/1",
            "/People/1",
            "/%70eople/1",
        ] {
            let refused = send(&world, preflight(path, APP, "PUT").end()).await;
            assert_eq!(refused.status, 404, "{profile} {path}");
            assert_eq!(told(&refused), [""; 0], "{profile} {path}");
        }
        let elsewhere = preflight("/read/a", APP, "PUT").end();
        let elsewhere = elsewhere.replace("Host: localhost", "Host: elsewhere.example");
        let refused = send(&world, elsewhere).await;
        assert_eq!((refused.status, told(&refused).len()), (421, 0));
        world.saw_nothing("a preflight");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_no_preflight_is_granted_where_only_the_gateway_writes() {
    let everything = "[[routes]]\npath = \"/**\"\nupstream = \"app\"\naccess = \"public\"\n";
    let upstream = Recording::ok().await;
    let text = config("standard", &upstream.url(), CORS) + everything;
    let world = World::of(Home::new(&text).flag("--insecure-dev"), upstream).await;
    for path in ["/people/1", "/People/1", "//people/1", "/%2570eople/1"] {
        let refused = send(&world, preflight(path, APP, "PUT").end()).await;
        assert_eq!((refused.status, told(&refused).len()), (404, 0), "{path}");
    }
    let granted = send(&world, preflight("/anything", APP, "PUT").end()).await;
    assert_eq!(granted.status, 204);
    world.saw_nothing("a preflight");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_a_preflight_that_is_not_granted_says_nothing_that_means_yes() {
    for profile in ["standard", "drf-jwt"] {
        let world = World::start(profile, CORS).await;
        for (request, why) in [
            (preflight("/read/a", EVIL, "GET"), "Pages of this origin"),
            (preflight("/read/a", "null", "GET"), "Pages of this origin"),
            (
                preflight("/read/a", "https://APP.example.com", "GET"),
                "Pages of this origin",
            ),
            (
                preflight("/read/a", APP, "PURGE"),
                "may not use this method",
            ),
            (
                preflight("/read/a", APP, "patch"),
                "may not use this method",
            ),
            (
                preflight("/read/a", APP, "GET").line("Access-Control-Request-Headers: x-other"),
                "one of these headers",
            ),
        ] {
            let request = request.end();
            let refused = send(&world, &request).await;
            assert_eq!(refused.status, 403, "{request}");
            assert_eq!(told(&refused), [""; 0], "{request}");
            assert!(refused.text().contains(why), "{request}{}", refused.text());
            for name in ASKED {
                assert!(vary(&refused).contains(&name.to_owned()), "{request}");
            }
        }
        world.saw_nothing("a preflight that is not granted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_a_preflight_with_a_body_is_no_other_request() {
    let world = World::start("standard", CORS).await;
    let mut client = world.gateway.connect().await.allowing(SPOKEN);
    let smuggled = get("/public/smuggled");
    for request in [
        preflight("/read/a", APP, "PUT").body(&smuggled),
        preflight("/read/a", APP, "PUT").chunked(&smuggled),
    ] {
        assert_eq!(client.request(&request).await.status, 204, "{request}");
        client.expect_kept("behind a preflight with a body").await;
    }
    world.saw_nothing("the body of a preflight");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_any_other_options_needs_a_token() {
    let method = "Access-Control-Request-Method: PUT";
    let origin = format!("Origin: {APP}");
    let others = || {
        let options = ask("OPTIONS /read/a");
        [
            options.clone(),
            options.clone().line(&origin),
            options.clone().line(method),
            options
                .clone()
                .line(method)
                .line("Access-Control-Request-Headers: a"),
            options.clone().line(&origin).line(&origin).line(method),
            options.line(&origin).line(method).line(method),
        ]
    };
    let world = World::start("standard", CORS).await;
    for request in others() {
        let request = request.end();
        assert_eq!(send(&world, &request).await.status, 401, "{request}");
    }
    world.saw_nothing("an OPTIONS without a token");
    let token = world.token().await;
    let request = ask("OPTIONS /read/a").line(&origin).bearer(&token);
    assert_eq!(send(&world, request.end()).await.status, 200);
    assert_eq!(world.forwarded(), ["OPTIONS /read/a"]);

    // Recorded: open, unless the habit is switched off.
    let world = World::start("drf-jwt", CORS).await;
    for request in others() {
        assert_eq!(send(&world, request.end()).await.status, 200);
    }
    assert_eq!(world.forwarded().len(), 6);
    let world = World::start("drf-jwt", &format!("options_open = false\n{CORS}")).await;
    for request in others() {
        assert_eq!(send(&world, request.end()).await.status, 401);
    }
    world.saw_nothing("an OPTIONS without a token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_preflights_and_answers_are_the_same_over_http_2() {
    let upstream = Recording::ok().await;
    let secure = Secure::start_with(&upstream.url(), |home| {
        home.env("GATEWAY_CORS_ORIGINS", APP)
    })
    .await;
    let client = secure.connect().await;
    let ask = async |method: &str, path: &str, fields: &[(&str, &str)]| {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://localhost{path}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let mut client = client.clone().ready().await.expect("a stream");
        let (answer, _) = client.send_request(request, true).expect("a request");
        let head = within("an answer", answer).await.expect("an answer");
        let headers = head.headers();
        let spoken = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("access-control-"))
            .map(|(_, value)| value.to_str().expect("text").to_owned())
            .collect::<Vec<_>>();
        (head.status().as_u16(), spoken)
    };
    let method = ("access-control-request-method", "PATCH");
    let (status, told) = ask("OPTIONS", "/closed/a", &[("origin", APP), method]).await;
    assert_eq!((status, told.len()), (204, 4), "{told:?}");
    assert_eq!(told[0], APP);
    let (status, told) = ask("OPTIONS", "/closed/a", &[("origin", EVIL), method]).await;
    assert_eq!((status, told.len()), (403, 0), "{told:?}");
    let (status, told) = ask("OPTIONS", "/nothing", &[("origin", APP), method]).await;
    assert_eq!((status, told.len()), (404, 0), "{told:?}");
    let (status, told) = ask("OPTIONS", "/closed/a", &[("origin", APP)]).await;
    assert_eq!((status, told), (401, vec![APP.to_owned()]));
    assert!(upstream.requests().is_empty(), "{:?}", upstream.lines());
    let (status, told) = ask("GET", "/read/a", &[("origin", APP)]).await;
    assert_eq!((status, told), (200, vec![APP.to_owned()]));
    let (status, told) = ask("GET", "/read/a", &[("origin", EVIL)]).await;
    assert_eq!((status, told.len()), (200, 0), "{told:?}");
}
