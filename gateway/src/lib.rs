//! An auth gateway.

pub mod answer;
pub mod auth;
pub mod config;
pub mod first_start;
pub mod limits;
pub mod policy;
pub mod refusal;
pub mod request;
pub mod seal;
pub mod store;
pub mod username;
