//! Integration tests: real sockets on port 0, a client that sends exact bytes, upstreams that record and
//! upstreams that misbehave. Nothing leaves the loopback interface.

mod edge;
mod harness;
mod provisioning;
mod upstreams;
