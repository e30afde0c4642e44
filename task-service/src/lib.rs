//! A small service for tasks and the people who have them. It sits behind an
//! auth gateway: it holds no password, checks no signature, and has no `if user`
//! outside the rule that only somebody signed in may write.
//!
//! # The tour
//!
//! A request is read top to bottom:
//!
//! 1. [`server`] accepts a connection, within limits, and hands each request on.
//! 2. [`route`] says which resource the address names.
//! 3. [`api`] answers, in the order of checks that the contract prescribes:
//!    [`proof`] that the gateway sent it, the [`identity`] that the gateway gave
//!    it, [`negotiation`] of the format, permission, method, object, and at last
//!    the [`body`].
//! 4. [`task`], [`due`] and [`people`] judge what was sent. They do no I/O: what
//!    gets past them is right, and [`store`] takes nothing else.
//! 5. [`writer`] is the one place that changes the store, many changes to a
//!    commit. Reads go to [`store`] directly and wait for nobody.
//! 6. [`answer`] and [`error`] write the answer: every header and every text.
//!
//! # Words
//!
//! A *person* is a user as this service knows one, told by the gateway
//! (`PUT` and `DELETE /people/{id}`). An *identity* is who calls. A *refusal* is
//! why a request is not done. A *change* is made whole or not at all.
//!
//! # What is deliberately absent
//!
//! No framework (eight routes are one `match`), no TLS and no log-in (the gateway
//! has both), no clock (nothing here expires), no second writer.

pub mod answer;
pub mod api;
pub mod body;
pub mod cli;
pub mod config;
pub mod describe;
pub mod due;
pub mod error;
pub mod identity;
pub mod json;
pub mod negotiation;
mod patience;
pub mod people;
pub mod proof;
pub mod route;
pub mod server;
pub mod store;
pub mod task;
pub mod writer;
