//! Tables for paths, targets, hosts, framing and client addresses.

use super::*;

fn limits() -> HeadLimits {
    HeadLimits {
        target_bytes: 64,
        header_bytes: 512,
        headers: 8,
    }
}

fn parse(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<RequestFacts, BadRequest> {
    let mut header = RequestHeader::build(method, target.as_bytes(), None).expect("header");
    header.set_version(http::Version::HTTP_11);
    for (name, value) in headers {
        header
            .append_header((*name).to_owned(), *value)
            .expect("value");
    }
    RequestFacts::parse(&header, None, false, &limits(), &Grammar::strict())
}

#[test]
fn p017_p019_ambiguous_paths_are_refused() {
    for path in [
        "/a/../b",
        "/./a",
        "/a/.",
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a/..;/b",
        "/a/.;x=1",
        "/a%2Fb",
        "/a%2fb",
        "/a%5Cb",
        "/a%5cb",
        "/a%00",
        "/a\\b",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%0d%0aX: y",
        "/a%7f",
        "/a%c0%af",
        "/a#b",
        "a",
        "",
    ] {
        assert_eq!(CanonicalPath::parse(path), None, "{path}");
    }
}

#[test]
fn p016_a_path_is_forwarded_as_it_was_sent() {
    for path in [
        "/",
        "/tasks/",
        "/a//b",
        "/%74asks/",
        "/a%20b",
        "/caf%C3%A9",
        "/a;x=1",
        "/...",
        "/a:b@c",
        "/[x]|{y}",
    ] {
        let canonical = CanonicalPath::parse(path).expect(path);
        assert_eq!(canonical.raw(), path);
    }
    assert_eq!(
        CanonicalPath::parse("/%74asks/").expect("path").decoded(),
        "/tasks/"
    );
}

#[test]
fn p024_other_readings_are_kept_for_the_stricter_rule() {
    let readings = |path: &str| -> Vec<String> {
        CanonicalPath::parse(path)
            .expect(path)
            .other_readings()
            .map(str::to_owned)
            .collect()
    };
    assert!(readings("/tasks/1/").is_empty());
    assert_eq!(readings("/Tasks"), ["/tasks"]);
    assert_eq!(readings("//admin"), ["/admin"]);
    assert_eq!(readings("/a;b/c"), ["/a/c"]);
    assert!(readings("/public/%252e%252e/admin").contains(&"/admin".to_owned()));
    assert!(readings("/public/%25252e%25252e%25252fadmin").contains(&"/admin".to_owned()));
}

#[test]
fn p024_readings_of_forgiving_file_systems_are_kept_too() {
    for path in [
        "/admin.",
        "/Admin%20",
        "/x/%ef%bc%8e%ef%bc%8e/admin",
        "/x/.%252e/admin",
        "/x%5C..%255cadmin",
    ] {
        let Some(canonical) = CanonicalPath::parse(path) else {
            continue;
        };
        assert!(
            canonical.any_reading(|reading| reading == "/admin"),
            "{path}"
        );
    }
    let plain = CanonicalPath::parse("/a.b/c.json").expect("path");
    assert_eq!(plain.other_readings().count(), 0);
}

#[test]
fn p027_targets_are_origin_form() {
    let host = [("Host", "a")];
    assert!(parse("GET", "/x?y=/../z", &host).is_ok());
    assert!(parse("OPTIONS", "*", &host).is_ok());
    for (method, target) in [("GET", "*"), ("GET", "http://a/x"), ("GET", "x")] {
        assert!(
            matches!(
                parse(method, target, &host),
                Err(BadRequest::Target | BadRequest::Path)
            ),
            "{method} {target}"
        );
    }
    assert_eq!(
        parse("GET", &format!("/{}", "a".repeat(64)), &host).err(),
        Some(BadRequest::TargetTooLong)
    );
}

#[test]
fn p022_the_target_is_what_stood_on_the_request_line() {
    let mut header = RequestHeader::build("GET", b"/x", None).expect("header");
    header.append_header("Host", "a").expect("host");
    for (line, accepted) in [
        (&b"GET /x HTTP/1.1\r\n"[..], true),
        (b"GET /x#y HTTP/1.1\r\n", false),
        (b"GET /x\t HTTP/1.1\r\n", false),
        (b"GET  /x HTTP/1.1\r\n", false),
    ] {
        let facts = RequestFacts::parse(&header, Some(line), false, &limits(), &Grammar::strict());
        assert_eq!(facts.is_ok(), accepted, "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn p025_one_host_that_is_a_host() {
    let host = |value: &str| parse("GET", "/", &[("Host", value)]).map(|f| f.host);
    for (value, want) in [
        ("A.example", "a.example"),
        ("a.example.", "a.example"),
        ("a:80", "a"),
        ("[::1]:80", "[::1]"),
    ] {
        assert_eq!(host(value).as_deref(), Ok(want), "{value}");
    }
    for value in ["", "a b", "a/b", "http://a", "u@a", "a:x", "a:99999"] {
        assert_eq!(host(value), Err(BadRequest::Host), "{value}");
    }
    assert_eq!(parse("GET", "/", &[]).err(), Some(BadRequest::Host));
    assert_eq!(
        parse("GET", "/", &[("Host", "a"), ("Host", "a")]).err(),
        Some(BadRequest::Host)
    );
}

#[test]
fn p002_p003_framing_is_unambiguous() {
    let framing = |headers: &[(&str, &str)]| {
        let mut all = vec![("Host", "a")];
        all.extend_from_slice(headers);
        parse("POST", "/", &all).map(|f| f.body)
    };
    assert_eq!(framing(&[]), Ok(Body::Empty));
    assert_eq!(framing(&[("Content-Length", "0")]), Ok(Body::Empty));
    assert_eq!(framing(&[("Content-Length", "5")]), Ok(Body::Length(5)));
    assert_eq!(
        framing(&[("Transfer-Encoding", "Chunked")]),
        Ok(Body::Unknown)
    );
    for bad in [
        &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")][..],
        &[("Transfer-Encoding", "gzip, chunked")],
        &[
            ("Transfer-Encoding", "chunked"),
            ("Transfer-Encoding", "chunked"),
        ],
        &[("Transfer-Encoding", "xchunked")],
        &[("Transfer-Encoding", "")],
        &[("Content-Length", "+5")],
        &[("Content-Length", "-1")],
        &[("Content-Length", "0x5")],
        &[("Content-Length", "")],
        &[("Content-Length", "5, 5")],
        &[("Content-Length", "9223372036854775808")],
        &[("Content-Length", "5"), ("Content-Length", "5")],
    ] {
        assert_eq!(framing(bad), Err(BadRequest::Framing), "{bad:?}");
    }
    let raw = b"POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH : 5\r\n\r\n";
    assert!(head::has_content_length_line(raw));
}

#[test]
fn p033_a_method_in_the_query_is_noticed() {
    for (query, want) in [
        ("_method=DELETE", true),
        ("a=1&_METHOD=put", true),
        ("%5Fmethod=delete", true),
        ("_method=get", false),
        ("_method=", false),
        ("a=1;_method=DELETE", true),
        ("_method=GET;a=1", true),
        ("_method[;]=DELETE", true),
        ("_method[]=PUT", true),
        (".method=PUT", true),
        ("[method=PUT", true),
        ("+_method=PUT", true),
        ("_method%00x=PUT", true),
        ("method=DELETE", false),
        ("my_method=DELETE", false),
        ("_methods=DELETE", false),
    ] {
        assert_eq!(names_another_method(query), want, "{query}");
    }
}

#[test]
fn p049_the_client_is_the_right_most_untrusted_address() {
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("net")];
    let client = |peer: &str, lines: &[&str]| {
        let mut header = RequestHeader::build("GET", b"/", None).expect("header");
        for line in lines {
            header
                .append_header("X-Forwarded-For", *line)
                .expect("value");
        }
        client_address(peer.parse().expect("ip"), &trusted, &header).to_string()
    };
    assert_eq!(client("192.0.2.1", &["1.1.1.1"]), "192.0.2.1");
    assert_eq!(client("10.0.0.1", &["1.1.1.1, 2.2.2.2"]), "2.2.2.2");
    assert_eq!(
        client("10.0.0.1", &["1.1.1.1", "2.2.2.2, 10.0.0.2"]),
        "2.2.2.2"
    );
    assert_eq!(client("10.0.0.1", &["garbage"]), "10.0.0.1");
    assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    assert_eq!(client("::ffff:10.0.0.1", &["::ffff:9.9.9.9"]), "9.9.9.9");
}
