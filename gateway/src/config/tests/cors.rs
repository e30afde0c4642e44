//! `[cors]`, good and bad.

use super::bad::{refused, with};
use super::*;
use crate::cors::Origins;

/// [`GOOD`] with these lines under `[cors]`, which begin in line 3.
fn section(lines: &str) -> String {
    GOOD.replacen(
        "version = 1\n",
        &format!("version = 1\n[cors]\n{lines}\n"),
        1,
    )
}

const APP: &str = "origins = [\"https://app.example.com\"]";

fn listed(config: &Config) -> (&[String], bool) {
    match &config.cors.as_ref().expect("[cors]").origins {
        Origins::Any => panic!("every origin"),
        Origins::Listed {
            origins,
            credentials,
        } => (origins, *credentials),
    }
}

#[test]
fn without_the_section_the_gateway_says_nothing_of_other_origins() {
    assert_eq!(good(GOOD).cors, None);
}

#[test]
fn origins_are_all_that_is_needed() {
    let config = good(&section(APP));
    assert_eq!(
        listed(&config),
        (&["https://app.example.com".to_owned()][..], false)
    );
    let cors = config.cors.as_ref().expect("[cors]");
    assert_eq!(
        cors.methods,
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    );
    assert_eq!(cors.headers, ["authorization", "content-type"]);
    assert_eq!((cors.expose_headers.as_str(), cors.max_age), ("", 600));
    let open = config.public_summary();
    assert_eq!(
        open.last().map(String::as_str),
        Some("public without a token: preflights from https://app.example.com")
    );
}

#[test]
fn every_key_does_something_and_variables_do_too() {
    let config = good(&section(
        "origins = [\"http://localhost:5173\", \"https://[::1]:8443\", \"capacitor://localhost\"]\nmethods = [\"GET\", \"PUT\"]\nheaders = [\"Authorization\", \"X-Trace\"]\nexpose_headers = [\"Retry-After\", \"x-total\"]\ncredentials = true\nmax_age = \"1h\"",
    ));
    let (origins, credentials) = listed(&config);
    assert_eq!(
        origins,
        [
            "http://localhost:5173",
            "https://[::1]:8443",
            "capacitor://localhost"
        ]
    );
    assert!(credentials);
    let cors = config.cors.as_ref().expect("[cors]");
    assert_eq!(cors.methods, ["GET", "PUT"]);
    assert_eq!(cors.headers, ["authorization", "x-trace"]);
    assert_eq!(cors.expose_headers, "retry-after, x-total");
    assert_eq!(cors.max_age, 3600);

    let variables = [
        (
            "GATEWAY_CORS_ORIGINS",
            "https://a.example, https://b.example",
        ),
        ("GATEWAY_CORS_METHODS", "GET"),
        ("GATEWAY_CORS_HEADERS", "x-a"),
        ("GATEWAY_CORS_EXPOSE_HEADERS", "x-b,x-c"),
        ("GATEWAY_CORS_CREDENTIALS", "true"),
        ("GATEWAY_CORS_MAX_AGE", "0s"),
    ];
    let config = load(GOOD, &variables)
        .unwrap_or_else(|p| panic!("{p}"))
        .config;
    assert_eq!(
        listed(&config).0,
        ["https://a.example", "https://b.example"]
    );
    let cors = config.cors.as_ref().expect("[cors]");
    assert_eq!(
        (cors.methods.len(), cors.headers.len(), cors.max_age),
        (1, 1, 0)
    );
    assert_eq!(cors.expose_headers, "x-b, x-c");

    let any = good(&section("origins = [\"*\"]\nheaders = []"));
    let any = any.cors.expect("[cors]");
    assert_eq!((&any.origins, any.headers.len()), (&Origins::Any, 0));
    let named = section(&format!("{APP}\nmethods = [\"PURGE\"]"));
    good(&named.replace("path = ", "methods = [\"GET\", \"PURGE\"]\npath = "));
}

#[test]
fn what_is_no_origin_is_refused_with_what_to_write() {
    for (text, title, help) in [
        (
            "app.example.com",
            "is not an origin",
            "https://app.example.com",
        ),
        ("//app.example.com", "is not an origin", "scheme and host"),
        ("https://", "is not an origin", "scheme and host"),
        (
            "https:app.example.com",
            "is not an origin",
            "scheme and host",
        ),
        ("https://a b", "is not an origin", "scheme and host"),
        (
            "https://app.example.com:",
            "is not an origin",
            "scheme and host",
        ),
        (
            "https://app.example.com:99999",
            "is not an origin",
            "scheme and host",
        ),
        (
            "https://app.example.com.",
            "is not an origin",
            "scheme and host",
        ),
        ("https://[::1", "is not an origin", "scheme and host"),
        (
            "https://[::ffff:7f00:1]",
            "is not an origin",
            "scheme and host",
        ),
        (
            "https://bücher.example",
            "is not an origin",
            "scheme and host",
        ),
        ("", "is not an origin", "scheme and host"),
        (
            "https://app.example.com/",
            "ends with a slash",
            "write \"https://app.example.com\"",
        ),
        (
            "https://app.example.com/app",
            "has a path",
            "write \"https://app.example.com\"",
        ),
        (
            "https://app.example.com?a",
            "not written as",
            "write \"https://app.example.com\"",
        ),
        (
            "https://app.example.com#a",
            "not written as",
            "write \"https://app.example.com\"",
        ),
        (
            "https://App.Example.com",
            "not written as",
            "write \"https://app.example.com\"",
        ),
        (
            "HTTPS://app.example.com",
            "not written as",
            "write \"https://app.example.com\"",
        ),
        (
            "https://app.example.com:443",
            "not written as",
            "write \"https://app.example.com\"",
        ),
        (
            "http://localhost:080",
            "not written as",
            "write \"http://localhost\"",
        ),
        (
            "https://[0::1]",
            "not written as",
            "write \"https://[::1]\"",
        ),
        ("https://*.example.com", "is a pattern", "each origin out"),
        ("null", "sandboxed frame", "an address of its own"),
        (
            "https://me:tell-nobody@app.example.com",
            "no user name",
            "scheme and host",
        ),
    ] {
        let shown = refused(
            &section(&format!("origins = [\"http://ok.example\", \"{text}\"]")),
            &[("3:33", title, help)],
        );
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
}

#[test]
fn p036_a_section_that_cannot_work_or_opens_too_much_is_refused() {
    for (lines, at, title, help) in [
        ("", "2:2", "[cors] has no `origins`", "origins = ["),
        (
            "max_age = \"1m\"",
            "2:2",
            "[cors] has no `origins`",
            "origins = [",
        ),
        ("origins = []", "3:11", "the list is empty", "at least one"),
        (
            "origins = \"https://a.example\"",
            "3:11",
            "takes a list of texts",
            "[\"one\", \"two\"]",
        ),
        (
            "origins = [\"https://a.example\", \"*\"]",
            "3:11",
            "`*` lets every origin in",
            "keep `*` alone",
        ),
        (
            "origins = [\"https://a.example\", \"https://a.example\"]",
            "3:33",
            "a second time",
            "remove one",
        ),
        (
            "origins = [\"*\"]\ncredentials = true",
            "4:15",
            "every page on the Internet",
            "name the origins",
        ),
    ] {
        refused(&section(lines), &[(at, title, help)]);
    }
    for (line, at, title, help) in [
        ("methods = []", "4:11", "the list is empty", "at least one"),
        (
            "methods = [\"GET\", \"TRACE\"]",
            "4:19",
            "TRACE is never served",
            "leave it out",
        ),
        (
            "methods = [\"PURGE\"]",
            "4:12",
            "PURGE is served nowhere",
            "`methods` of a route",
        ),
        (
            "methods = [\"patch\"]",
            "4:12",
            "`patch` is not a method name",
            "in capitals",
        ),
        (
            "methods = [\"*\"]",
            "4:12",
            "`*` is not a method name",
            "each method out",
        ),
        (
            "headers = [\"x a\"]",
            "4:12",
            "`x a` is not a header name",
            "each name out",
        ),
        (
            "headers = [\"*\"]",
            "4:12",
            "`*` is not a header name",
            "each name out",
        ),
        (
            "headers = [\"x-a\", \"X-A\"]",
            "4:19",
            "a second time",
            "remove one",
        ),
        (
            "expose_headers = [\"*\"]",
            "4:19",
            "`*` is not a header name",
            "each name out",
        ),
        ("max_age = \"25h\"", "4:11", "longer than a day", "\"24h\""),
        (
            "max_age = 600",
            "4:11",
            "takes a duration as text",
            "max_age = ",
        ),
        (
            "credentials = \"yes\"",
            "4:15",
            "takes true or false",
            "true",
        ),
        (
            "origin = [\"https://a.example\"]",
            "4:1",
            "unknown key `cors.origin`",
            "`origins`",
        ),
    ] {
        refused(&section(&format!("{APP}\n{line}")), &[(at, title, help)]);
    }
    refused(
        &with("data_dir = \"/data\"", "origins = [\"https://a.example\"]"),
        &[("4:1", "unknown key `server.origins`", "belongs in [cors]")],
    );
    let problems = load(GOOD, &[("GATEWAY_CORS_MAX_AGE", "1m")]).expect_err("no origins");
    assert!(
        problems.to_string().contains("[cors] has no `origins`"),
        "{problems}"
    );
}
