//! An auth gateway: login, tokens and access rules in front of an existing HTTP service.
//!
//! The modules stand on three floors, and a floor uses only those below it.
//!
//! **Floor 0, pure** — no I/O, no clock, no Pingora but for its request header:
//! [`request`] reads the facts of a request · [`policy`] holds the compiled rules · [`decision`] says what
//! happens: answer, forward or refuse · [`cors`] what pages of other origins may do · [`refusal`] and [`answer`] say how that is told · [`auth`]
//! credentials, claims, keys, tokens and the view of users · [`user`] what a user is · [`username`] what a
//! name may be.
//!
//! **Floor 1, I/O** — [`config`] · [`store`] the port and its backends · [`seal`] and [`first_start`] keys
//! at rest and how an empty folder becomes a gateway · [`limits`] login throttle · [`upstream`] the services
//! behind and their addresses · [`provisioning`] tells them of users · [`state`] the snapshot that requests
//! read · [`telemetry`] · [`tls`] certificates · [`selftest`] the attack corpus for a running gateway · [`clock`].
//!
//! **Floor 2, Pingora** — [`cli`] where everything begins · [`server`] builds everything and stops it ·
//! [`equipment`] what a configuration gives to requests · [`edge`] connection limits and the head deadline ·
//! [`proxy`] the path of a request · [`endpoints`] our own addresses · [`respond`] the only writer of local
//! answers · [`identity_headers`] what upstreams learn · [`admin`] the second listener.
//!
//! A request's path: `edge` → [`proxy::Gateway`] reads it ([`request::RequestFacts::parse`]), decides
//! ([`decision::decide`]), and then answers ([`endpoints`]), refuses ([`respond`]) or, with a
//! [`decision::Permit`] in hand, forwards ([`identity_headers`], [`upstream`]).

pub mod admin;
pub mod answer;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cors;
pub mod decision;
pub mod edge;
pub mod endpoints;
pub mod equipment;
pub mod first_start;
pub mod identity_headers;
pub mod limits;
pub mod policy;
pub mod provisioning;
pub mod proxy;
pub mod refusal;
pub mod request;
pub mod respond;
pub mod seal;
pub mod selftest;
pub mod server;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod upstream;
pub mod user;
pub mod username;
