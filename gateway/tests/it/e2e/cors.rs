//! `[cors]`: preflights, and what browsers are told on every other answer.

use http::Request;

use super::http2_bodies::Secure;
use super::{World, config, get};
use crate::harness::ask::{Ask, ask};
use crate::harness::{Home, Recording, Response, answer, within};

const CORS: &str = "[cors]\norigins = [\"https://app.example.com\", \"http://localhost:5173\"]\n";
const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example";

/// No response of another test may carry these.
const SPOKEN: &[&str] = &[
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
];

async fn send(world: &World, request: impl AsRef<[u8]>) -> Response {
    let mut client = world.gateway.connect().await.allowing(SPOKEN);
    client.request(request).await
}

/// What an answer says of CORS, a line each.
fn told(answer: &Response) -> Vec<String> {
    let lines = answer.headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let short = name.strip_prefix("access-control-")?.to_owned();
        Some(format!("{short}: {value}"))
    });
    lines.collect()
}

/// The names in `Vary`, in lower case.
fn vary(answer: &Response) -> Vec<String> {
    let lines = answer.all("vary").join(",").to_ascii_lowercase();
    let names = lines.split(',').map(|name| name.trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

fn preflight(path: &str, origin: &str, method: &str) -> Ask {
    ask(&format!("OPTIONS {path}"))
        .line(&format!("Origin: {origin}"))
        .line(&format!("Access-Control-Request-Method: {method}"))
}

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
async fn p036_without_the_section_nothing_is_changed() {
    let upstream = Recording::start(|_| {
        let mut answer = answer(200, "ok");
        let own = [("access-control-allow-origin", EVIL), ("vary", "Accept")];
        for (name, value) in own {
            answer
                .headers_mut()
                .insert(name, value.parse().expect("a value"));
        }
        answer
    })
    .await;
    let home = Home::new(&config("standard", &upstream.url(), "")).flag("--insecure-dev");
    let world = World::of(home, upstream).await;
    let refused = send(&world, preflight("/read/a", APP, "PUT").end()).await;
    assert_eq!(
        (refused.status, told(&refused).len(), vary(&refused).len()),
        (401, 0, 0)
    );
    world.saw_nothing("an OPTIONS without a token");
    // The upstream speaks for itself.
    let read = get("/read/a").replace("\r\n\r\n", &format!("\r\nOrigin: {APP}\r\n\r\n"));
    let read = send(&world, read).await;
    assert_eq!(told(&read), [format!("allow-origin: {EVIL}")]);
    assert_eq!(vary(&read), ["accept", "authorization"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_the_gateway_alone_speaks_of_cors() {
    for cors in [CORS, "[cors]\norigins = [\"*\"]\n"] {
        let upstream = Recording::start(|_| {
            let mut answer = answer(200, "ok");
            for (name, value) in [
                ("access-control-allow-origin", "*"),
                ("access-control-allow-origin", EVIL),
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-methods", "*"),
                ("access-control-allow-private-network", "true"),
                ("access-control-expose-headers", "*"),
                ("vary", "Accept, origin"),
            ] {
                answer.headers_mut().append(
                    http::HeaderName::from_static(name),
                    http::HeaderValue::from_static(value),
                );
            }
            answer
        })
        .await;
        let home = Home::new(&config("standard", &upstream.url(), cors)).flag("--insecure-dev");
        let world = World::of(home, upstream).await;
        let everyone = cors != CORS;
        for (origins, allowed) in [
            (&[APP][..], true),
            (&["http://localhost:5173"], true),
            (&[EVIL], false),
            (&["null"], false),
            (&[APP, APP], false),
            (&[], false),
        ] {
            for path in ["/read/a", "/public/a"] {
                let request = origins
                    .iter()
                    .fold(ask(&format!("GET {path}")), |request, origin| {
                        request.line(&format!("Origin: {origin}"))
                    });
                let read = send(&world, request.end()).await;
                // CORS keeps nobody out.
                assert_eq!((read.status, read.text()), (200, "ok"));
                let want = match (everyone, allowed) {
                    (true, _) => vec!["allow-origin: *".to_owned()],
                    (false, true) => vec![format!("allow-origin: {}", origins[0])],
                    (false, false) => Vec::new(),
                };
                assert_eq!(told(&read), want, "{origins:?}");
                assert_eq!(
                    vary(&read),
                    ["accept", "origin", "authorization"],
                    "{origins:?}"
                );
            }
        }
    }
}

const READABLE: [&str; 3] = [
    "allow-origin: https://app.example.com",
    "allow-credentials: true",
    "expose-headers: retry-after",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_answers_and_refusals_can_be_read_by_the_listed_pages() {
    let more = format!(
        "[auth.throttle]\nper_ip_per_minute = 4\n{CORS}credentials = true\nexpose_headers = [\"retry-after\"]\n"
    );
    for profile in ["standard", "drf-jwt"] {
        let mut world = World::start(profile, &more).await;
        let token = world.token().await;
        let scheme = if profile == "standard" {
            "Bearer"
        } else {
            "JWT"
        };
        let login = serde_json::json!({ "username": "admin", "password": "admin" });
        let wrong = serde_json::json!({ "username": "admin", "password": "wrong" });
        let signed = |line: &str| ask(line).line(&format!("Authorization: {scheme} {token}"));
        let failed = if profile == "standard" { 401 } else { 400 };
        let requests: [(u16, Ask, &dyn Fn(Ask) -> String); 14] = [
            (200, ask("GET /read/a"), &Ask::end),
            (200, ask("HEAD /read/a"), &Ask::end),
            (200, signed("POST /read/a"), &|a| a.body("{}")),
            (401, ask("POST /read/a"), &|a| a.body("{}")),
            (
                401,
                ask("GET /read/a").line("Authorization: JWT a.b.c"),
                &Ask::end,
            ),
            (403, signed("GET /editors/a"), &Ask::end),
            (404, ask("GET /nothing"), &Ask::end),
            (405, signed("FOO /read/a"), &Ask::end),
            (400, ask("GET /public/%2e%2e/a"), &Ask::end),
            (200, signed("GET /api-auth/users/"), &Ask::end),
            (200, ask("POST /api-auth/"), &|a| a.json(&login)),
            (failed, ask("POST /api-auth/"), &|a| a.json(&wrong)),
            (failed, ask("POST /api-auth/"), &|a| a.json(&wrong)),
            (429, ask("POST /api-auth/"), &|a| a.json(&wrong)),
        ];
        for (status, request, finish) in requests {
            let from = |origin: &str| finish(request.clone().line(&format!("Origin: {origin}")));
            let readable = from(APP);
            let answer = send(&world, &readable).await;
            assert_eq!(answer.status, status, "{profile} {readable}");
            assert_eq!(told(&answer), READABLE, "{profile} {readable}");
            let by_origin = vary(&answer).iter().filter(|n| *n == "origin").count();
            assert_eq!(by_origin, 1, "{profile} {readable}");
            if readable.starts_with("POST /api-auth/") {
                continue;
            }
            // The same, and unreadable, for everybody else; caches keep the two apart.
            for request in [from(EVIL), finish(request.clone())] {
                let answer = send(&world, &request).await;
                assert_eq!(answer.status, status, "{profile} {request}");
                assert_eq!(told(&answer), [""; 0], "{profile} {request}");
                assert!(
                    vary(&answer).contains(&"origin".to_owned()),
                    "{profile} {request}"
                );
            }
        }
        // Nobody behind any more.
        world.upstream = Recording::ok().await;
        let request = ask("GET /read/a").line(&format!("Origin: {APP}")).end();
        let down = send(&world, request).await;
        assert_eq!((down.status, told(&down).len()), (503, 3), "{profile}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p036_a_star_is_for_everybody_and_never_with_credentials() {
    for profile in ["standard", "drf-jwt"] {
        let world = World::start(profile, "[cors]\norigins = [\"*\"]\n").await;
        for origin in [APP, EVIL, "null"] {
            let granted = send(&world, preflight("/read/a", origin, "DELETE").end()).await;
            assert_eq!(granted.status, 204, "{origin}");
            assert_eq!(told(&granted)[0], "allow-origin: *");
            assert!(
                !told(&granted).join("\n").contains("credentials"),
                "{granted:?}"
            );
            for request in [ask("GET /read/a"), ask("POST /read/a"), ask("GET /nothing")] {
                let answer = send(&world, request.line(&format!("Origin: {origin}")).end()).await;
                assert_eq!(told(&answer), ["allow-origin: *"]);
                // One answer for all, so caches may share it.
                assert!(!vary(&answer).contains(&"origin".to_owned()));
            }
        }
    }
    let beside = format!(
        "{}[cors]\norigins = [\"*\"]\ncredentials = true\n",
        config("standard", "http://127.0.0.1:9", "")
    );
    let ended = Home::new(&beside).serve_in_vain().await;
    assert_eq!(ended.code, Some(3));
    assert!(
        ended.text().contains("every page on the Internet"),
        "{}",
        ended.text()
    );
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
