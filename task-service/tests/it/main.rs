//! The service as others see it: the real binary on a real socket.

mod api;
mod cli;
mod client;
mod durability;
mod limits;
mod migrate;
mod process;
