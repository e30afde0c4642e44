//! Credentials, tokens, keys and what is true of users now.

pub mod credential;
pub mod password;
pub mod token;
