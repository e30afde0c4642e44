//! `[cors]`: what browsers are told on every answer.

use super::{World, config, get};
use crate::harness::ask::{Ask, ask};
use crate::harness::{Home, Recording, Response, answer};

mod preflights;

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

fn preflight(path: &str, origin: &str, method: &str) -> Ask {
    ask(&format!("OPTIONS {path}"))
        .line(&format!("Origin: {origin}"))
        .line(&format!("Access-Control-Request-Method: {method}"))
}

/// The names in `Vary`, in lower case.
fn vary(answer: &Response) -> Vec<String> {
    let lines = answer.all("vary").join(",").to_ascii_lowercase();
    let names = lines.split(',').map(|name| name.trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
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
        "[auth.throttle]\naccount_failures = 2\n{CORS}credentials = true\nexpose_headers = [\"retry-after\"]\n\
         [upstreams.gone]\nurls = [\"http://127.0.0.1:9\"]\n\
         [[routes]]\npath = \"/gone\"\nupstream = \"gone\"\naccess = \"public\"\n"
    );
    for profile in ["standard", "drf-jwt"] {
        let world = World::start(profile, &more).await;
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
        let empty = serde_json::json!({});
        for (status, request, body) in [
            (200, ask("GET /read/a"), None),
            (200, ask("HEAD /read/a"), None),
            (200, signed("POST /read/a"), Some(&empty)),
            (401, ask("POST /read/a"), Some(&empty)),
            (
                401,
                ask("GET /read/a").line("Authorization: JWT a.b.c"),
                None,
            ),
            (403, signed("GET /editors/a"), None),
            (404, ask("GET /nothing"), None),
            (405, signed("FOO /read/a"), None),
            (400, ask("GET /public/%2e%2e/a"), None),
            (503, ask("GET /gone"), None),
            (200, signed("GET /api-auth/users/"), None),
            (200, ask("POST /api-auth/"), Some(&login)),
            (failed, ask("POST /api-auth/"), Some(&wrong)),
            (failed, ask("POST /api-auth/"), Some(&wrong)),
            (429, ask("POST /api-auth/"), Some(&wrong)),
        ] {
            let finish = |request: Ask| match body {
                Some(body) => request.json(body),
                None => request.end(),
            };
            let from = |origin: &str| finish(request.clone().line(&format!("Origin: {origin}")));
            let readable = from(APP);
            let answer = send(&world, &readable).await;
            assert_eq!(answer.status, status, "{profile} {readable}");
            assert_eq!(told(&answer), READABLE, "{profile} {readable}");
            let by_origin = vary(&answer).iter().filter(|n| *n == "origin").count();
            assert_eq!(by_origin, 1, "{profile} {readable}");
            if profile == "drf-jwt" && status == 401 {
                assert_eq!(
                    vary(&answer),
                    ["accept", "origin"],
                    "beside what was recorded"
                );
            }
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
