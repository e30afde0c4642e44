//! A user, as everyone but the password check sees it.

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z.
pub type UnixSeconds = u64;

/// A user's number. Given out from 1, rising, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub u64);

impl std::fmt::Display for UserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Position in the store's change feed; rises by one with every change.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

/// The role that may administer users, and of which one active holder always remains.
pub const ADMIN_ROLE: &str = "admin";

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Number.
    pub id: UserId,
    /// Login name as it was given, NFC.
    pub username: String,
    /// E-mail address, may be empty.
    pub email: String,
    /// Role names, sorted, without repeats.
    pub roles: Vec<String>,
    /// An inactive user cannot log in and holds no valid token.
    pub active: bool,
    /// Rises whenever older tokens must die (password, roles, active); tokens carry it as `ver`.
    pub epoch: u32,
    /// Feed position of the last change, for compare-and-set.
    pub version: Version,
    /// When the user was created.
    pub created_at: UnixSeconds,
}

impl User {
    /// Says whether the user holds one of these roles; exact comparison.
    pub fn has_any_role(&self, wanted: &[String]) -> bool {
        self.roles.iter().any(|role| wanted.contains(role))
    }
}
