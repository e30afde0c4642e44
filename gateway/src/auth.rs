//! Credentials, tokens, keys and what is true of users now.

pub mod cache;
pub mod claims;
pub mod credential;
pub mod external;
pub mod keys;
pub mod password;
pub mod token;
pub mod view;
