//! The service as others see it: the real binary on a real socket.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod api;
mod cli;
mod client;
mod durability;
mod limits;
mod migrate;
mod process;
