//! Bad keys and values in `[upstreams.NAME]` and `[[routes]]`.

use super::GOOD;
use super::bad::{refused, with};

#[test]
fn one_line_too_many_in_an_upstream() {
    for (line, at, title, help) in [
        (
            "urls = [\"https://h:1\"]",
            "5:9",
            "https to a service is not supported yet",
            "TLS tunnel",
        ),
        (
            "urls = [\"h:1\"]",
            "5:9",
            "is not the URL of a service",
            "http://task-service:8000",
        ),
        (
            "urls = [\"http://h:99999\"]",
            "5:9",
            "is not the URL of a service",
            "port",
        ),
        (
            "urls = [\"http://h:1/api\"]",
            "5:9",
            "has a path or a query",
            "write \"http://h:1\"",
        ),
        (
            "urls = [\"http://h_-:1\"]",
            "5:9",
            "is not the URL of a service",
            "scheme",
        ),
        (
            "urls = [\"http://me:tell-nobody@h:1\"]",
            "5:9",
            "no user name and no password",
            "scheme",
        ),
        (
            "urls = [\"http://h:1\", \"http://H:1/\"]",
            "5:23",
            "stands here a second time",
            "remove one",
        ),
        (
            "urls = [\"http://localhost:8080\"]",
            "5:9",
            "is the gateway itself",
            "server.listen",
        ),
        ("urls = []", "5:8", "the list is empty", "http://host:8000"),
        (
            "url = \"http://h:1\"",
            "5:1",
            "unknown key `upstreams.tasks.url`",
            "did you mean `urls`?",
        ),
    ] {
        let text = GOOD.replace("urls = [\"http://127.0.0.1:8000\"]", line);
        let mut wanted = vec![(at, title, help)];
        if line.starts_with("url ") {
            wanted.insert(
                0,
                (
                    "4:12",
                    "upstream `tasks` has no `urls`",
                    "http://tasks:8000",
                ),
            );
        }
        let shown = refused(&text, &wanted);
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
    for (line, at, title, help) in [
        (
            "provision = \"people/\"",
            "5:13",
            "is not a path prefix",
            "\"/people\"",
        ),
        (
            "provision = \"/people/\"",
            "5:13",
            "ends with a slash",
            "\"/people\"",
        ),
        ("provision = \"/people/*\"", "5:13", "star", "\"/people\""),
        (
            "provision = \"/api-auth\"",
            "5:13",
            "the gateway's own `/api-auth`",
            "\"/people\"",
        ),
        (
            "provision = \"/tasks\"",
            "8:8",
            "no client reaches `/tasks/**`",
            "move `provision`",
        ),
        (
            "max_requests = 0",
            "5:16",
            "would let nothing through",
            "above zero",
        ),
        (
            "identity_headers = \"x-aut\"",
            "5:20",
            "is no set of headers",
            "did you mean `x-auth`?",
        ),
        (
            "identity_headers = { user = \"Host\" }",
            "5:29",
            "means something else",
            "x-user-id",
        ),
        (
            "identity_headers = { user = \"a b\" }",
            "5:29",
            "not a header name",
            "letters",
        ),
        (
            "identity_headers = { user = \"X-U\", email = \"x-u\" }",
            "5:44",
            "used twice",
            "of its own",
        ),
        (
            "identity_headers = { users = \"X-U\" }",
            "5:22",
            "unknown key",
            "did you mean `user`?",
        ),
        (
            "secret = \"tell-nobody\"",
            "5:1",
            "unknown key",
            "secret_file",
        ),
    ] {
        let shown = refused(&with("[upstreams.tasks]", line), &[(at, title, help)]);
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
    let text = GOOD
        .replace("[upstreams.tasks]", "[upstreams.\"Ta sks\"]")
        .replace("\"tasks\"", "\"Ta sks\"");
    refused(&text, &[("4:12", "`Ta sks` is not a name", "lower-case")]);
}

#[test]
fn one_line_too_many_in_the_routes() {
    let tail = |lines: &str| format!("{GOOD}[[routes]]\n{lines}\n");
    for (lines, at, title, help) in [
        (
            "path = \"/a\"\nupstream = \"task\"",
            "12:12",
            "there is no upstream `task`",
            "did you mean `tasks`?",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nbuiltin = \"users\"",
            "13:11",
            "both `upstream` and `builtin`",
            "keep the one",
        ),
        (
            "path = \"/a\"",
            "10:1",
            "says not what answers",
            "upstream = \"NAME\"",
        ),
        (
            "upstream = \"tasks\"",
            "10:1",
            "has no `path`",
            "path = \"/tasks/**\"",
        ),
        (
            "path = \"/a\"\nbuiltin = \"user\"",
            "12:11",
            "the gateway has no `user`",
            "did you mean `users`?",
        ),
        (
            "path = \"a\"\nupstream = \"tasks\"",
            "11:8",
            "does not begin with `/`",
            "begin with a slash",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nmethods = [\"get\"]",
            "13:11",
            "`get` is not a method name",
            "`GET`",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nmethods = [\"TRACE\"]",
            "13:11",
            "never forwarded",
            "leave it out",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nmethods = []",
            "13:11",
            "the list is empty",
            "every method is meant",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\naccess = \"read_public\"",
            "13:10",
            "no kind of access",
            "did you mean `read-public`?",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\naccess = { roles = [] }",
            "13:20",
            "nobody would be let in",
            "admin",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\naccess = { rolls = [\"a\"] }",
            "13:12",
            "unknown key `routes.access.rolls`",
            "did you mean `roles`?",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\naccess = true",
            "13:10",
            "takes text, not true or false",
            "access =",
        ),
        (
            "path = \"/tasks/**\"\nupstream = \"tasks\"",
            "11:8",
            "stands here a second time",
            "remove one",
        ),
        (
            "path = \"/tasks/1\"\nupstream = \"tasks\"",
            "11:8",
            "can never match",
            "narrower route above",
        ),
        (
            "path = \"/api-auth/x\"\nupstream = \"tasks\"",
            "11:8",
            "lies under `/api-auth`",
            "move the endpoints",
        ),
        (
            "path = \"/.well-known/jwks.json\"\nupstream = \"tasks\"",
            "11:8",
            "is the gateway's own",
            "gateway check",
        ),
        (
            "path = \"/api-auth\"\nbuiltin = \"users\"",
            "11:8",
            "is the gateway's own",
            "another path",
        ),
        (
            "path = \"/a\"\nupstream = \"tasks\"\nallow = \"GET\\nX: y\"",
            "13:9",
            "goes into a header",
            "GET, POST",
        ),
    ] {
        refused(&tail(lines), &[(at, title, help)]);
    }
    let shown = refused(
        &tail("path = \"/tasks/1\"\nupstream = \"tasks\""),
        &[("11:8", "can never match", "")],
    );
    assert!(shown.contains("this one comes first"), "{shown}");
}
