//! Which address answers what.

use super::*;

fn admin(readiness: &Arc<Readiness>) -> Admin {
    Admin::new(
        Arc::clone(readiness),
        Arc::new(|| "a 1\n# EOF\n".to_owned()),
    )
}

fn check(admin: &Admin, method: &str, target: &str, status: u16, body: &str) {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let response = admin.answer(&method, target.as_bytes());
    assert_eq!(response.status(), status, "{method} {target}");
    assert_eq!(
        String::from_utf8_lossy(response.body()),
        body,
        "{method} {target}"
    );
    assert_eq!(
        response.headers().get(CONTENT_LENGTH),
        Some(&HeaderValue::from(body.len())),
        "{method} {target}"
    );
    let allow = (status == 405).then(|| HeaderValue::from_static("GET, HEAD"));
    assert_eq!(response.headers().get(ALLOW), allow.as_ref());
}

#[test]
fn addresses_and_methods_match_exactly() {
    let readiness = Arc::<Readiness>::default();
    let admin = admin(&readiness);
    for method in ["GET", "HEAD"] {
        check(&admin, method, "/livez", 200, "ok\n");
        check(&admin, method, "/metrics", 200, "a 1\n# EOF\n");
    }
    for target in [
        "/",
        "",
        "*",
        "/livez/",
        "/Livez",
        "/livez?x",
        "//livez",
        "/metrics/x",
        "http://x/livez",
        "/%6civez",
        "/livez;x",
    ] {
        check(&admin, "GET", target, 404, "not found\n");
        check(&admin, "POST", target, 404, "not found\n");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "get", "TRACE"] {
        for target in ["/livez", "/readyz", "/metrics"] {
            check(&admin, method, target, 405, "method not allowed\n");
        }
    }
}

#[test]
fn readiness_names_each_part_that_does_not_work() {
    let readiness = Arc::<Readiness>::default();
    let admin = admin(&readiness);
    check(
        &admin,
        "GET",
        "/readyz",
        503,
        r#"{"ready":false,"reasons":["the store does not answer","the signing keys are not loaded","the view of users is out of date"]}"#,
    );
    for part in [Part::Keys, Part::Store, Part::View] {
        assert!(!readiness.is_ready());
        readiness.set(part, true);
    }
    assert!(readiness.is_ready());
    check(
        &admin,
        "GET",
        "/readyz",
        200,
        r#"{"ready":true,"reasons":[]}"#,
    );
    readiness.set(Part::Store, false);
    check(
        &admin,
        "GET",
        "/readyz",
        503,
        r#"{"ready":false,"reasons":["the store does not answer"]}"#,
    );
    readiness.set(Part::Store, true);
    readiness.drain();
    check(
        &admin,
        "GET",
        "/readyz",
        503,
        r#"{"ready":false,"reasons":["stopping"]}"#,
    );
    check(&admin, "GET", "/livez", 200, "ok\n");
}
