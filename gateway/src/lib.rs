//! An auth gateway.

pub mod admin;
pub mod answer;
pub mod auth;
pub mod config;
pub mod edge;
pub mod policy;
pub mod provisioning;
pub mod refusal;
pub mod request;
pub mod store;
pub mod upstream;
