//! An auth gateway.

pub mod answer;
pub mod auth;
pub mod cli;
pub mod config;
pub mod policy;
pub mod refusal;
pub mod request;
pub mod store;
pub mod telemetry;
