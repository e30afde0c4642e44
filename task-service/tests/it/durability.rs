//! What was acknowledged is there after any death.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::client::{SIGNED_IN, request, task};
use crate::process::Service;

const WRITERS: usize = 8;
const ROUNDS: usize = 3;

fn ids(service: &Service) -> BTreeSet<u64> {
    let list = service.client().get("/tasks/").json();
    let ids = list.as_array().unwrap().iter();
    ids.map(|task| task["id"].as_u64().unwrap()).collect()
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let mut service = Service::start(&[]);
    let acknowledged = Mutex::new(BTreeSet::new());
    for round in 1..=ROUNDS {
        let made = AtomicUsize::new(0);
        let address = service.address;
        let folder = thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    let mut client = crate::client::Client::connect(address);
                    // Until the service is gone.
                    while client
                        .write(request("POST /tasks/", SIGNED_IN, &task("x")))
                        .is_ok()
                    {
                        let Ok(reply) = client.read(false) else { break };
                        assert_eq!(reply.status, 201);
                        let new = acknowledged.lock().unwrap().insert(reply.id());
                        assert!(new, "an id was given out twice");
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            while made.load(Ordering::Relaxed) < 200 {
                thread::yield_now();
            }
            service.kill()
        });
        service = Service::start_in(folder, &[]);
        let stored = ids(&service);
        let acknowledged = acknowledged.lock().unwrap();
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        let user = service.client().get("/users/1/").json();
        assert_eq!(user["tasks"].as_array().unwrap().len(), stored.len());
    }
}

#[test]
fn a_store_outlives_an_orderly_end() {
    let service = Service::start(&[]);
    service.client().create("x");
    service.terminate();
    let (code, folder) = service.wait();
    assert_eq!(code, Some(0));
    let service = Service::start_in(folder, &[]);
    assert_eq!(ids(&service), BTreeSet::from([1]));
    assert!(
        !service.log().contains("was not closed"),
        "{}",
        service.log()
    );
}
