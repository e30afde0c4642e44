//! The programs as processes: what they refuse to start from, what they do beside each other, how they
//! stop, and what survives when they do not. Nothing leaves the loopback interface.

#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the whole crate is tests; clippy knows only the functions marked as such"
)]

#[path = "../it/harness/mod.rs"]
mod harness;

mod beside;
mod commands;
mod configuration;
mod crash;
mod first_start;
mod provision;
mod reload;
mod secrets;
mod selftest;
mod stop;
