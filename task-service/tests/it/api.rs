//! Answers, headers and bodies.

use std::fs;

use serde_json::json;

use crate::client::{Client, Reply, SIGNED_IN, person, request, task};
use crate::process::Service;

const LIST: &str = "GET, POST, HEAD, OPTIONS";
const ITEM: &str = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS";

fn assert_api(reply: &Reply, status: u16, allow: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("allow"), Some(allow), "{reply:?}");
    assert_eq!(reply.header("vary"), Some("Accept"), "{reply:?}");
    assert_eq!(reply.header("x-frame-options"), Some("SAMEORIGIN"));
    let bodiless = status == 204;
    assert_eq!(reply.header("content-length").is_none(), bodiless);
    let content_type = (!bodiless).then_some("application/json");
    assert_eq!(reply.header("content-type"), content_type);
    let challenge = (status == 401).then_some(r#"JWT realm="api""#);
    assert_eq!(reply.header("www-authenticate"), challenge);
}

#[test]
fn a_task_from_its_making_to_its_end() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let made = client.create("First \u{2028} one");
    assert_api(&made, 201, LIST);
    let first = r#"{"id":1,"title":"First \u2028 one","due_to":"2016-10-18T19:12:01Z","person":1}"#;
    assert_eq!(made.body, first);

    let got = client.get("/tasks/1/");
    assert_api(&got, 200, ITEM);
    assert_eq!(got.body, first);
    let head = client.ask("HEAD /tasks/1/", "", "");
    assert_api(&head, 200, ITEM);
    assert_eq!(head.header("content-length"), got.header("content-length"));

    let patch = client.ask("PATCH /tasks/1/", SIGNED_IN, r#"{"title":"Other","id":9}"#);
    assert_api(&patch, 200, ITEM);
    assert_eq!(patch.json()["title"], "Other");
    assert_eq!(
        client.ask("PATCH /tasks/1/", SIGNED_IN, "").json()["title"],
        "Other"
    );
    let put = client.ask("PUT /tasks/1/", SIGNED_IN, &task("Third"));
    assert_api(&put, 200, ITEM);
    assert_api(&client.ask("PUT /tasks/2/", SIGNED_IN, "{"), 404, ITEM);
    assert_eq!(client.get("/tasks/").body, format!("[{}]", put.body));

    assert_api(&client.ask("DELETE /tasks/1/", SIGNED_IN, "{"), 204, ITEM);
    let again = client.ask("DELETE /tasks/1/", SIGNED_IN, "");
    assert_api(&again, 404, ITEM);
    assert_eq!(again.body, r#"{"detail":"Not found."}"#);
    assert_eq!(client.create("Next").id(), 2);
}

#[test]
fn the_first_check_that_fails_answers() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let xml = "Accept: application/xml\r\n";
    let signed_in_xml = format!("{SIGNED_IN}Content-Type: text/xml\r\n");
    let table = [
        ("PUT /nope/", "", "{", 404),
        ("POST /tasks", "", "{", 308),
        ("GET /tasks/1", "", "", 301),
        ("POST /tasks.xml", "", "{", 404),
        ("POST /tasks/", xml, "{", 406),
        ("PUT /tasks/", "", "{", 401),
        ("FOO /tasks/", "", "", 401),
        ("POST /users/", "", "{", 401),
        ("POST /", "", "{", 405),
        ("PUT /tasks/", SIGNED_IN, "{", 405),
        ("POST /users/", SIGNED_IN, "{", 405),
        ("DELETE /users/1/", SIGNED_IN, "", 405),
        ("PATCH /tasks/9/", SIGNED_IN, "{", 404),
        ("POST /tasks/", &signed_in_xml, "{", 415),
        ("POST /tasks/", SIGNED_IN, "{", 400),
    ];
    for (line, headers, body, status) in table {
        let reply = client.ask(line, headers, body);
        assert_eq!(reply.status, status, "{line}: {reply:?}");
    }
}

#[test]
fn redirects_keep_the_query_and_name_no_host() {
    let service = Service::start(&[]);
    let reply = service.client().get("/tasks/1?a=1&b=%2F");
    assert_eq!(reply.header("location"), Some("/tasks/1/?a=1&b=%2F"));
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(reply.header("content-length"), Some("0"));
    assert_eq!((reply.header("allow"), reply.header("vary")), (None, None));
    assert_eq!(reply.header("x-frame-options"), None);
}

#[test]
fn every_kind_of_body_is_read() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let form = format!("{SIGNED_IN}Content-Type: application/x-www-form-urlencoded\r\n");
    let reply = client.ask(
        "POST /tasks/",
        &form,
        "title=a+b&person=1&due_to=2016-10-18T19:12Z",
    );
    assert_eq!((reply.status, &reply.json()["title"]), (201, &json!("a b")));

    let part = |name, value| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let multipart = format!("{SIGNED_IN}Content-Type: multipart/form-data; boundary=b\r\n");
    let body = part("title", "m")
        + &part("person", "1")
        + &part("due_to", "2016-10-18 19:12")
        + "--b--\r\n";
    let reply = client.ask("POST /tasks/", &multipart, &body);
    assert_eq!((reply.status, &reply.json()["title"]), (201, &json!("m")));

    let (one, two) = (
        "{\"title\":\"c\",\"person\":1,",
        "\"due_to\":\"2016-10-18T19:12Z\"}",
    );
    let chunks = format!(
        "{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    );
    let chunked =
        format!("{SIGNED_IN}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    client
        .write(request("POST /tasks/", &chunked, "") + &chunks)
        .unwrap();
    let reply = client.read(false).unwrap();
    assert_eq!((reply.status, &reply.json()["title"]), (201, &json!("c")));
}

#[test]
fn faults_that_only_json_can_have() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let due = r#""due_to":"2016-10-18T19:12:01Z""#;
    let surrogate = client.ask(
        "POST /tasks/",
        SIGNED_IN,
        &format!(r#"{{"title":"a\ud800b","person":1,{due}}}"#),
    );
    let text = "Surrogate characters are not allowed: U+D800.";
    assert_eq!(surrogate.json(), json!({"title": [text]}));
    let huge = "9".repeat(10_000);
    let reply = client.ask(
        "POST /tasks/",
        SIGNED_IN,
        &format!(r#"{{"title":"x","person":{huge},{due}}}"#),
    );
    let text = format!("Invalid pk \"{huge}\" - object does not exist.");
    assert_eq!(reply.json(), json!({"person": [text]}));
    for deep in ["[".repeat(20_000), "[".repeat(20_000) + &"]".repeat(20_000)] {
        assert_eq!(client.ask("POST /tasks/", SIGNED_IN, &deep).status, 400);
    }
}

#[test]
fn people_come_and_go_with_their_tasks() {
    let service = Service::start(&[]);
    let mut client = service.client();
    assert_eq!(
        client.ask("PUT /people/2", "", &person(2, "bob")).status,
        201
    );
    assert_eq!(
        client.ask("PUT /people/2", "", &person(2, "bob")).status,
        200
    );
    let renamed = client.ask("PUT /people/2", "", &person(2, "rob"));
    assert_eq!(renamed.body, person(2, "rob"));
    let task = task("x").replace("\"person\":1", "\"person\":2");
    assert_eq!(client.ask("POST /tasks/", SIGNED_IN, &task).id(), 1);
    assert_eq!(client.create("y").id(), 2);

    let rob = client.get("/users/2/");
    assert_api(&rob, 200, ITEM);
    let want =
        r#"{"id":2,"tasks":[1],"username":"rob","email":"rob@example.com","is_active":true}"#;
    assert_eq!(rob.body, want);
    let users = client.get("/users/");
    assert_api(&users, 200, LIST);
    assert_eq!(users.json()[1]["username"], "rob");

    assert_eq!(client.ask("DELETE /people/2", "", "").status, 204);
    assert_eq!(client.ask("DELETE /people/2", "", "").status, 204);
    assert_eq!(client.get("/users/2/").status, 404);
    assert_eq!(client.get("/tasks/1/").status, 404);
    assert_eq!(client.get("/tasks/").json()[0]["id"], 2);
    let reply = client.ask("POST /tasks/", SIGNED_IN, &task);
    let text = "Invalid pk \"2\" - object does not exist.";
    assert_eq!(reply.json(), json!({"person": [text]}));
}

#[test]
fn only_the_gateway_keeps_the_list_of_people() {
    let service = Service::start(&[]);
    let mut client = service.client();
    for identity in ["X-Auth-Status: anonymous\r\n", SIGNED_IN] {
        for line in ["PUT /people/2", "DELETE /people/1"] {
            let reply = client.ask(line, identity, &person(2, "eve"));
            assert_eq!(reply.status, 403, "{reply:?}");
        }
    }
    let wrong = [
        ("{", "detail"),
        ("[]", "non_field_errors"),
        (r#"{"id":2,"email":"","active":true}"#, "username"),
        (
            r#"{"id":2,"username":" ","email":"","active":true}"#,
            "username",
        ),
        (r#"{"id":3,"username":"x","email":"","active":true}"#, "id"),
        (
            r#"{"id":2,"username":"x","email":null,"active":true}"#,
            "email",
        ),
        (
            r#"{"id":2,"username":"x","email":"","active":"yes"}"#,
            "active",
        ),
    ];
    for (body, field) in wrong {
        let reply = client.ask("PUT /people/2", "", body);
        assert_eq!(reply.status, 400, "{body}");
        assert!(
            reply.json()[field].is_string() || reply.json()[field].is_array(),
            "{reply:?}"
        );
    }
    assert_eq!(client.ask("GET /people/1", "", "").status, 405);
    assert_eq!(client.get("/people/").status, 404);
    assert_eq!(client.ask("PUT /people/x", "", &person(2, "x")).status, 404);
    assert_eq!(client.get("/users/").json().as_array().unwrap().len(), 1);
}

#[test]
fn options_tell_the_fields_to_who_may_write() {
    let service = Service::start(&[]);
    let mut client = service.client();
    client.create("x");
    let table = [
        ("/", "", None),
        ("/tasks/", "", None),
        ("/tasks/", SIGNED_IN, Some("POST")),
        ("/tasks/1/", "", None),
        ("/tasks/1/", SIGNED_IN, Some("PUT")),
        ("/tasks/9/", SIGNED_IN, None),
        ("/users/", SIGNED_IN, Some("POST")),
        ("/users/1/", SIGNED_IN, Some("PUT")),
        ("/users/9/", SIGNED_IN, None),
    ];
    for (path, headers, method) in table {
        let reply = client.ask(&format!("OPTIONS {path}"), headers, "");
        assert_eq!(reply.status, 200);
        let actions = reply.json();
        let actions = actions
            .get("actions")
            .and_then(|actions| actions.as_object());
        let methods = actions.map(|actions| actions.keys().cloned().collect::<Vec<_>>());
        assert_eq!(
            methods,
            method.map(|method| vec![method.to_owned()]),
            "{path}"
        );
    }
}

#[test]
fn links_are_made_of_the_host_that_was_asked() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let forwarded = "X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n";
    let reply = client.ask("GET /", forwarded, "");
    assert_api(&reply, 200, "GET, HEAD, OPTIONS");
    let want = r#"{"tasks":"http://tasks.example/tasks/","users":"http://tasks.example/users/"}"#;
    assert_eq!(reply.body, want);
    assert_eq!(
        client.get("/.json").json()["tasks"],
        "http://tasks.example/tasks.json"
    );
    client.write("GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(client.read(false).unwrap().status, 400);
    assert_eq!(client.ask("GET /", "Host: other\r\n", "").status, 400);
}

#[test]
fn an_identity_sent_twice_is_refused() {
    let service = Service::start(&[]);
    let twice = format!("{SIGNED_IN}X-Auth-User-Id: 2\r\n");
    let reply = service.client().ask("POST /tasks/", &twice, &task("x"));
    assert_eq!(reply.status, 400, "{reply:?}");
}

#[test]
fn with_a_secret_only_its_knower_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    let secret_name = secret.to_str().unwrap();
    let environment = [("TASK_SERVICE_GATEWAY_SECRET_FILE", secret_name)];
    let service = Service::start_in(tempfile::tempdir().unwrap(), &environment);
    let mut client = service.client();
    let proof = "X-Gateway-Secret: open-sesame\r\n";

    assert_eq!(client.get("/healthz").status, 200);
    let missing = client.ask("GET /tasks/", proof, "");
    assert_eq!(
        (missing.status, missing.header("retry-after")),
        (503, Some("1"))
    );
    fs::write(&secret, "open-sesame\n").unwrap();
    assert_eq!(client.ask("GET /tasks/", proof, "").status, 200);
    assert_eq!(
        client
            .ask("PUT /people/1", proof, &person(1, "admin"))
            .status,
        201
    );
    assert_eq!(
        client
            .ask("POST /tasks/", &format!("{proof}{SIGNED_IN}"), &task("x"))
            .status,
        201
    );

    let unproven = ["", "X-Gateway-Secret: open\r\n", &format!("{proof}{proof}")];
    for headers in unproven {
        for line in [
            "GET /tasks/",
            "GET /nope/",
            "PUT /people/1",
            "GET /tasks",
            "OPTIONS /",
        ] {
            let reply = client.ask(line, headers, &person(1, "eve"));
            assert_eq!(reply.status, 403, "{line}");
            assert_eq!(reply.header("content-type"), Some("application/json"));
        }
    }
    assert_eq!(client.get("/healthz").status, 200);
    fs::write(&secret, "changed").unwrap();
    assert_eq!(
        client
            .ask("GET /", "X-Gateway-Secret: changed\r\n", "")
            .status,
        200
    );
    let log = service.log();
    assert!(!log.contains("sesame") && !log.contains("changed"), "{log}");
}

#[test]
fn long_lists_are_whole() {
    let service = Service::start(&[]);
    let mut client: Client = service.client();
    for _ in 0..600 {
        client.create("x");
    }
    assert_eq!(client.get("/tasks/").json().as_array().unwrap().len(), 600);
    let users = client.get("/users/").json();
    assert_eq!(users[0]["tasks"].as_array().unwrap().len(), 600);
}
