//! The store port: what must survive a restart, as atomic domain operations.
//!
//! Every change is one operation that decides by itself (compare-and-set on a version, unique names),
//! so that no caller can get atomicity wrong, and every change that the request path must know of goes
//! through one numbered feed. Time is an argument. Two backends obey the same laws (`store/laws.rs`):
//! an embedded redb file ([`redb`]) and an in-memory model ([`model`]).

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use crate::user::{ADMIN_ROLE, UnixSeconds, User, UserId, Version};

mod files;
#[cfg(test)]
mod laws;
mod lock;
pub mod model;
pub mod redb;
mod rules;

pub(crate) use files::{Created, check_private, create_private, explain, read, remove, sweep};
pub use lock::{Seen, ServerLock, wait_until_seen};

/// A user together with what checks its password.
#[derive(Debug, Clone)]
pub struct UserRecord {
    /// The user.
    pub user: User,
    /// PHC string; `None` where no password can work.
    pub password_hash: Option<SecretString>,
}

/// What a new user is made from.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Login name; unique under NFKC and case folding.
    pub username: String,
    /// E-mail address, may be empty.
    pub email: String,
    /// Role names.
    pub roles: Vec<String>,
    /// May log in.
    pub active: bool,
    /// PHC string.
    pub password_hash: Option<SecretString>,
}

/// What changes on a user; `None` keeps the old value.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    /// New login name.
    pub username: Option<String>,
    /// New e-mail address.
    pub email: Option<String>,
    /// New roles. A real change raises the epoch.
    pub roles: Option<Vec<String>>,
    /// New active flag. A real change raises the epoch.
    pub active: Option<bool>,
    /// New PHC string. Raises the epoch unless `keep_sessions`.
    pub password_hash: Option<SecretString>,
    /// The password stays the same and only its hash is new (raised parameters): older tokens live on.
    pub keep_sessions: bool,
}

/// One page of users by rising id.
#[derive(Debug, Clone)]
pub struct Page {
    /// The users of this page.
    pub users: Vec<User>,
    /// Pass it as `after` for the next page; `None` at the end.
    pub next: Option<UserId>,
}

/// A private signing key, sealed with the key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    /// Key id that tokens name.
    pub kid: String,
    /// `EdDSA` or `HS256`.
    pub algorithm: String,
    /// AES-256-GCM over the key bytes: nonce, ciphertext, tag.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: UnixSeconds,
}

/// A value and the version it was read at.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    /// For compare-and-set.
    pub version: Version,
    /// The value.
    pub value: T,
}

/// One step of the change feed. It names what changed; the current state is read from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A user was created or changed.
    User(UserId),
    /// A user was removed.
    UserRemoved(UserId),
    /// The key ring changed.
    Keys,
}

/// What happened after a version.
#[derive(Debug, Clone)]
pub enum Changes {
    /// Every change after the asked version, in order, at most as many as asked.
    Rows(Vec<(Version, Change)>),
    /// The feed no longer reaches back that far: take a snapshot again.
    Truncated,
}

/// Everything the request path must know, at one version.
#[derive(Debug, Clone)]
pub struct StoreSnapshot {
    /// Feed position of this snapshot.
    pub version: Version,
    /// Every user.
    pub users: Vec<User>,
    /// The key ring.
    pub keys: Vec<SealedKey>,
}

/// A provisioning entry that the upstream refused (4xx).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Whose entry.
    pub user: UserId,
    /// Status code of the refusal.
    pub status: u16,
    /// First bytes of the upstream's reason, for the operator.
    pub reason: String,
    /// When it was refused.
    pub at: UnixSeconds,
}

/// How far an upstream has been told about users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionState {
    /// Everything up to here was delivered or parked.
    pub cursor: Version,
    /// Refused entries.
    pub parked: Vec<Parked>,
    /// The highest user number that was ever sent: how far removals reach when everything is sent again.
    #[serde(default)]
    pub highest: u64,
    /// How often it was asked for that everything is sent again.
    #[serde(default)]
    pub resyncs: u64,
    /// How often it was asked for that parked entries are sent again.
    #[serde(default)]
    pub retries: u64,
}

/// Why a store operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name is taken.
    #[error("a user with that name already exists")]
    Conflict,
    /// Somebody else changed it first.
    #[error("changed by somebody else meanwhile")]
    Stale,
    /// No such user.
    #[error("not found")]
    NotFound,
    /// The last active administrator can be neither removed, disabled nor demoted.
    #[error("this is the last active administrator: make another one first")]
    LastAdmin,
    /// A newer program wrote the file.
    #[error(
        "the store was written by a newer version (schema {found}, this program knows {known}): run that version, or restore a backup made by this one"
    )]
    NewerSchema {
        /// In the file.
        found: u32,
        /// Of this program.
        known: u32,
    },
    /// Another server holds the data folder.
    #[error(
        "another gateway server is running on this data folder: stop it first, or name another folder with --data-dir (`gateway user …` works beside it)"
    )]
    Busy,
    /// Disk, file format, permission.
    #[error("store: {0}")]
    Io(String),
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The port. See the module's documentation.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Creates a user with the next id. `Conflict` where the name is taken.
    async fn create_user(&self, new: NewUser, now: UnixSeconds) -> Result<User>;
    /// Reads one user.
    async fn user(&self, id: UserId) -> Result<Option<User>>;
    /// Finds a user by its exact name (NFC), with what checks its password.
    async fn user_by_name(&self, username: &str) -> Result<Option<UserRecord>>;
    /// Changes a user. `Stale` where `expect` is given and is not its version; `LastAdmin` where no active administrator would be left.
    async fn update_user(
        &self,
        id: UserId,
        expect: Option<Version>,
        patch: UserPatch,
    ) -> Result<User>;
    /// Removes a user. Its id is never given out again.
    async fn remove_user(&self, id: UserId) -> Result<()>;
    /// Users by rising id after `after`, at most `limit`.
    async fn list_users(&self, after: Option<UserId>, limit: usize) -> Result<Page>;
    /// The key ring.
    async fn keys(&self) -> Result<Versioned<Vec<SealedKey>>>;
    /// Replaces the key ring where it is still at `expect`, else `Stale`.
    async fn put_keys(&self, expect: Version, keys: Vec<SealedKey>) -> Result<Version>;
    /// Feed position of the last change.
    async fn head(&self) -> Result<Version>;
    /// Everything the request path must know.
    async fn snapshot(&self) -> Result<StoreSnapshot>;
    /// Changes after `version`, at most `max`.
    async fn changes_since(&self, version: Version, max: usize) -> Result<Changes>;
    /// How far `upstream` has been told.
    async fn provision_state(&self, upstream: &str) -> Result<ProvisionState>;
    /// Records how far `upstream` has been told.
    async fn put_provision_state(&self, upstream: &str, state: ProvisionState) -> Result<()>;
    /// Says whether a development server with weak passwords wrote here.
    async fn insecure_mark(&self) -> Result<bool>;
    /// Sets or clears that mark. While it is set *through this handle*, every password set through this
    /// handle is recorded as unchecked; setting the password through any other handle clears that
    /// record, a new hash of the same password (`keep_sessions`) leaves it.
    async fn set_insecure_mark(&self, marked: bool) -> Result<()>;
    /// Users whose password was set while the mark was set, by rising id.
    async fn unchecked_users(&self) -> Result<Vec<User>>;
    /// Records how far the running server's view is. Cheap and not durable: it means something only
    /// while a server holds the data folder's [`ServerLock`]. A failure is logged, never returned: the
    /// command line that waits for it stops waiting by itself.
    async fn note_seen(&self, seen: Version);
    /// How far the running server's view is, where it said so. Ask [`ServerLock::is_held`] first.
    async fn seen(&self) -> Option<Version>;
    /// Checks that the store answers.
    async fn ping(&self) -> Result<()>;
}
