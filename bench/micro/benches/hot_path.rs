//! What a request costs in each step that is ours: reading its facts, the decision with each kind of token, and
//! the headers that the upstream gets.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use bench_micro::{LIMITS, NOW, World, facts, request};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gateway::auth::token::verify;
use gateway::config::IdentityHeaders;
use gateway::decision::{Decision, decide};
use gateway::identity_headers::{Forwarding, HeaderPlan};
use gateway::refusal::Habits;
use gateway::request::RequestFacts;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn parse(c: &mut Criterion) {
    let grammar = Habits::standard().grammar;
    let world = World::new();
    let (_, token) = &world.tokens[0];
    for (name, header) in [
        ("GET", request("GET", None)),
        ("POST with a token", request("POST", Some(token))),
    ] {
        c.bench_function(&format!("parse/{name}"), |b| {
            b.iter(|| RequestFacts::parse(black_box(&header), None, false, &LIMITS, &grammar));
        });
    }
}

fn tokens(c: &mut Criterion) {
    let world = World::new();
    for (name, token) in &world.tokens {
        assert!(
            verify(token, &world.snapshot.trust(), NOW).is_ok(),
            "{name}"
        );
        c.bench_function(&format!("verify/{name}"), |b| {
            b.iter(|| verify(black_box(token), &world.snapshot.trust(), NOW));
        });
        let remembering = world.remembering();
        assert!(verify(token, &remembering.trust(), NOW).is_ok(), "{name}");
        c.bench_function(&format!("remembered/{name}"), |b| {
            b.iter(|| verify(black_box(token), &remembering.trust(), NOW));
        });
    }
    let (_, token) = &world.tokens[1];
    let forged = format!("{}{}", &token[..token.len() - 8], "AAAAAAAA");
    assert!(verify(&forged, &world.snapshot.trust(), NOW).is_err());
    c.bench_function("refuse/HS256", |b| {
        b.iter(|| verify(black_box(&forged), &world.snapshot.trust(), NOW));
    });
}

fn decisions(c: &mut Criterion) {
    let world = World::new();
    let snapshot = world.remembering();
    let (_, token) = &world.tokens[0];
    for (name, request, forwards) in [
        ("GET", request("GET", None), true),
        ("POST with a token", request("POST", Some(token)), true),
        ("POST without one", request("POST", None), false),
    ] {
        let facts = facts(&request);
        let decision = decide(&snapshot, &facts, NOW).decision;
        assert_eq!(matches!(decision, Decision::Forward(_)), forwards, "{name}");
        c.bench_function(&format!("decide/{name}"), |b| {
            b.iter(|| decide(&snapshot, black_box(&facts), NOW));
        });
    }
}

fn headers(c: &mut Criterion) {
    let world = World::new();
    let snapshot = world.remembering();
    let names = IdentityHeaders::preset("x-auth").expect("a preset");
    let plan = HeaderPlan::new(names, None);
    let (_, token) = &world.tokens[0];
    for (name, request) in [
        ("GET", request("GET", None)),
        ("POST with a token", request("POST", Some(token))),
    ] {
        let facts = facts(&request);
        let Decision::Forward(permit) = decide(&snapshot, &facts, NOW).decision else {
            panic!("{name} is not forwarded");
        };
        let forwarding = Forwarding {
            client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            scheme: "https",
            authority: &facts.authority,
            request_id: "0123456789abcdef0123456789abcdef",
        };
        c.bench_function(&format!("headers/{name}"), |b| {
            b.iter_batched_ref(
                || request.clone(),
                |request| plan.apply(black_box(request), &permit, &forwarding),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(hot_path, parse, tokens, decisions, headers);
criterion_main!(hot_path);
