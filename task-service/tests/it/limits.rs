//! What bounds time and memory, and what a connection survives.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{DEADLINE, SIGNED_IN, request, task};
use crate::process::Service;

#[test]
fn a_slow_header_ends_its_connection_and_an_idle_one_stays() {
    let service = Service::start(&[("TASK_SERVICE_LIMITS_HEADER_TIMEOUT", "300ms")]);
    let mut idle = service.client();
    assert_eq!(idle.get("/healthz").status, 200);
    // One that never says a word, and one that stops in a second request.
    let mut silent = service.client();
    let mut slow = service.client();
    assert_eq!(slow.get("/healthz").status, 200);
    slow.write("GET /tasks/ HTTP/1.1\r\nHost: x").unwrap();
    silent.expect_closed();
    slow.expect_closed();
    assert_eq!(idle.get("/tasks/").status, 200);
}

#[test]
fn an_idle_connection_ends_in_the_end() {
    let service = Service::start(&[("TASK_SERVICE_LIMITS_IDLE_TIMEOUT", "300ms")]);
    let mut idle = service.client();
    assert_eq!(idle.get("/healthz").status, 200);
    idle.expect_closed();
}

#[test]
fn a_long_header_is_refused() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let long = format!("X-Long: {}\r\n", "x".repeat(20 << 10));
    assert_eq!(client.ask("GET /tasks/", &long, "").status, 431);
}

#[test]
fn a_long_body_is_refused_and_its_connection_kept() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let long = format!("{{\"junk\":\"{}\"}}", "x".repeat(2 << 20));
    assert_eq!(client.ask("POST /tasks/", SIGNED_IN, &long).status, 413);
    let chunked = format!("{SIGNED_IN}Transfer-Encoding: chunked\r\n");
    client.write(request("POST /tasks/", &chunked, "")).unwrap();
    client
        .write(format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len()))
        .unwrap();
    assert_eq!(client.read(false).unwrap().status, 413);
    assert_eq!(client.get("/tasks/").status, 200);
}

#[test]
fn a_body_beyond_measure_ends_its_connection() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let huge = format!("{SIGNED_IN}Content-Length: 1099511627776\r\n");
    let reply = client.ask("POST /tasks/", &huge, "");
    assert_eq!(
        (reply.status, reply.header("connection")),
        (413, Some("close"))
    );
    client.expect_closed();
}

#[test]
fn a_slow_body_is_refused() {
    let service = Service::start(&[("TASK_SERVICE_LIMITS_BODY_TIMEOUT", "300ms")]);
    let mut client = service.client();
    let slow = format!("{SIGNED_IN}Content-Type: application/json\r\nContent-Length: 10\r\n");
    let reply = client.ask("POST /tasks/", &slow, "");
    assert_eq!(
        (reply.status, reply.header("connection")),
        (408, Some("close"))
    );
    client.expect_closed();
    // One that nobody would have read.
    let mut client = service.client();
    let reply = client.ask("POST /tasks/", "Content-Length: 10\r\n", "");
    assert_eq!(
        (reply.status, reply.header("connection")),
        (401, Some("close"))
    );
}

#[test]
fn a_slow_request_is_answered_at_once_when_its_time_is_over() {
    let service = Service::start(&[("TASK_SERVICE_LIMITS_REQUEST_TIMEOUT", "300ms")]);
    let mut client = service.client();
    let slow = format!("{SIGNED_IN}Content-Type: application/json\r\nContent-Length: 10\r\n");
    let begun = Instant::now();
    let reply = client.ask("POST /tasks/", &slow, "");
    // Not after the ten seconds that its body would have had.
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(reply.header("connection"), Some("close"));
}

#[test]
fn who_does_not_read_is_cut_off() {
    let service = Service::start(&[
        ("TASK_SERVICE_LIMITS_WRITE_TIMEOUT", "300ms"),
        ("TASK_SERVICE_LIMITS_CONNECTIONS", "1"),
    ]);
    let mut deaf = service.client();
    for _ in 0..100 {
        deaf.create(&"x".repeat(100));
    }
    // More answers than the buffers of both ends hold.
    deaf.write(request("GET /tasks/", "", "").repeat(3000))
        .unwrap();
    // The only place is free again.
    assert_eq!(service.client().get("/tasks/1/").status, 200);
}

#[test]
fn a_connection_survives_refusals() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let text = format!("{SIGNED_IN}Content-Type: text/plain\r\n");
    for _ in 0..3 {
        let body = task(&"x".repeat(90_000));
        assert_eq!(client.ask("POST /tasks/", "", &body).status, 401);
        assert_eq!(client.ask("POST /tasks", "", &body).status, 308);
        assert_eq!(client.ask("POST /nope/", "", &body).status, 404);
        assert_eq!(client.ask("PUT /tasks/", SIGNED_IN, &body).status, 405);
        assert_eq!(client.ask("PUT /tasks/9/", SIGNED_IN, &body).status, 404);
        assert_eq!(client.ask("POST /tasks/", &text, &body).status, 415);
        assert_eq!(client.ask("POST /tasks/", SIGNED_IN, &body).status, 400);
        assert_eq!(client.ask("DELETE /tasks/9/", SIGNED_IN, &body).status, 404);
        assert_eq!(client.ask("HEAD /tasks/9/", "", "").status, 404);
        assert_eq!(client.get("/tasks/").status, 200);
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let mut requests = String::new();
    for number in 0..50 {
        requests += &request("POST /tasks/", SIGNED_IN, &task(&number.to_string()));
        requests += &request("POST /tasks/", "", &task("anonymous"));
    }
    client.write(requests).unwrap();
    for number in 0..50 {
        let reply = client.read(false).unwrap();
        assert_eq!(reply.json()["title"], number.to_string());
        assert_eq!(client.read(false).unwrap().status, 401);
    }
}

#[test]
fn who_waits_to_be_asked_for_a_body_is_asked_only_for_a_wanted_one() {
    let service = Service::start(&[]);
    let mut client = service.client();
    let body = task("x");
    let length = body.len();
    let expect = format!("Expect: 100-continue\r\nContent-Length: {length}\r\n");
    let unwanted = client.ask("POST /tasks/", &expect, "");
    assert_eq!(
        (unwanted.status, unwanted.header("connection")),
        (401, Some("close"))
    );

    let mut client = service.client();
    let wanted = format!("{SIGNED_IN}Content-Type: application/json\r\n{expect}");
    assert_eq!(client.ask("POST /tasks/", &wanted, "").status, 100);
    client.write(&body).unwrap();
    assert_eq!(client.read(false).unwrap().status, 201);
    assert_eq!(client.get("/tasks/").status, 200);
}

#[test]
fn the_last_place_is_given_back() {
    let service = Service::start(&[("TASK_SERVICE_LIMITS_CONNECTIONS", "2")]);
    for _ in 0..3 {
        let (mut one, mut two) = (service.client(), service.client());
        assert_eq!(one.get("/tasks/").status, 200);
        assert_eq!(two.get("/tasks/").status, 200);
    }
}

#[test]
fn sigterm_lets_requests_finish() {
    let service = Service::start(&[]);
    let address = service.address;
    // Requests that are under way: the service has asked for their bodies.
    let body = task("in flight");
    let expect = format!(
        "{SIGNED_IN}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n",
        body.len()
    );
    let mut under_way: Vec<_> = (0..8).map(|_| service.client()).collect();
    for client in &mut under_way {
        assert_eq!(client.ask("POST /tasks/", &expect, "").status, 100);
    }
    // And load, until the service does not want any more.
    let load: Vec<_> = (0..4)
        .map(|_| {
            let mut client = service.client();
            thread::spawn(move || {
                let mut made = 0;
                loop {
                    if client
                        .write(request("POST /tasks/", SIGNED_IN, &task("load")))
                        .is_err()
                    {
                        return made;
                    }
                    match client.read(false) {
                        Ok(reply) => assert_eq!(reply.status, 201),
                        Err(_) => return made,
                    }
                    made += 1;
                }
            })
        })
        .collect();
    assert_eq!(service.client().create("before").status, 201);
    service.terminate();
    let deadline = Instant::now() + DEADLINE;
    loop {
        match TcpStream::connect(address) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
            _ => assert!(Instant::now() < deadline, "it still listens"),
        }
        thread::yield_now();
    }
    for client in &mut under_way {
        client.write(&body).unwrap();
        let reply = client.read(false).unwrap();
        assert_eq!(
            (reply.status, reply.header("connection")),
            (201, Some("close"))
        );
    }
    let loaded: usize = load.into_iter().map(|thread| thread.join().unwrap()).sum();
    let (code, folder) = service.wait();
    assert_eq!(code, Some(0));
    let service = Service::start_in(folder, &[]);
    let tasks = service.client().get("/tasks/").json();
    assert!(tasks.as_array().unwrap().len() >= loaded + 9);
}
