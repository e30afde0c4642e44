//! An auth gateway.

pub mod answer;
pub mod auth;
pub mod clock;
pub mod config;
pub mod decision;
pub mod policy;
pub mod refusal;
pub mod request;
pub mod store;
pub mod user;
