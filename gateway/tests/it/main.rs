//! Integration tests: real sockets on port 0, a client that sends exact bytes, upstreams that record and
//! upstreams that misbehave. Nothing leaves the loopback interface.

#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole crate is tests; clippy knows only the functions marked as such"
)]

mod admin;
mod e2e;
mod edge;
mod harness;
mod harness_tests;
mod provisioning;
