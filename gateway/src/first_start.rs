//! What a start finds or makes: data folder, key-encryption key, signing key, first administrator.
//!
//! Invariants: each step is durable before the next begins and is skipped where it was done, so that a
//! crash at any point leaves a state that the next start completes; no default password works outside of
//! development mode; no password reaches a log.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::auth::password::{HashError, PasswordRule, check_new, hash_now};
use crate::config::Config;
use crate::seal::{Kek, SealError};
use crate::store::{
    ADMIN_ROLE, NewUser, Store, StoreError, UnixSeconds, check_private, create_private, explain,
    read, remove, sweep,
};

mod initial_password;
mod signing;

pub use initial_password::{FILE_NAME as INITIAL_PASSWORD_FILE, Retire, retire_initial_password};
pub use signing::{CONFIGURED_KID, key_ring, open_keys};

/// Says that a first start was completed in this folder.
const COMPLETE: &str = "complete";

/// The name of the first administrator.
pub const ADMIN_NAME: &str = "admin";

/// A signing key, ready to use.
#[derive(Debug, Clone)]
pub struct OpenedKey {
    /// Key id that tokens name.
    pub kid: String,
    /// `EdDSA` or `HS256`.
    pub algorithm: String,
    /// PKCS#8 for `EdDSA`, the secret itself for `HS256`.
    pub bytes: SecretSlice<u8>,
    /// When it was made; 0 for a secret from the configuration.
    pub created_at: UnixSeconds,
}

/// What a server starts from.
#[derive(Debug)]
pub struct Prepared {
    /// Every key that may verify, in ring order; the last of the configured algorithm signs. A secret from
    /// the configuration is the only key: who sets one wants no other to count.
    pub signing_keys: Vec<OpenedKey>,
    /// Where the first administrator's random password lies, while it does.
    pub initial_password_file: Option<PathBuf>,
    /// This start made the first administrator.
    pub created: bool,
}

/// Why a server cannot start from what is there.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// A file or folder; the text holds what to do.
    #[error("{0}")]
    Io(String),
    /// See [`SealError`].
    #[error(transparent)]
    Seal(#[from] SealError),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password given for the first administrator breaks a rule.
    #[error(
        "the password given for the first administrator (GATEWAY_ADMIN_PASSWORD or GATEWAY_ADMIN_PASSWORD_FILE) is refused: {0}; give a better one, or none to have a random one made"
    )]
    AdminPassword(PasswordRule),
    /// See [`HashError`].
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store was used in development mode and holds passwords that were never checked.
    #[error(
        "this data folder was used with --insecure-dev and the passwords of these users were never checked: {}; run `gateway user passwd NAME` for each (or `gateway user remove NAME`), then start again, or start with --insecure-dev", .0.join(", ")
    )]
    InsecureStore(Vec<String>),
    /// The system gave no random bytes, or refused to make a key.
    #[error("no signing key could be made: the system gives no random bytes")]
    Random,
    /// The store of a folder that was in use holds no users.
    #[error(
        "the store in {folder} holds no users although this folder was in use: restore gateway.redb from a backup; to begin anew and lose users and keys, remove the files in {folder}", folder = .0.display()
    )]
    Emptied(PathBuf),
    /// Another process kept changing the key ring.
    #[error("the key ring is being changed by another process: start again")]
    Contended,
}

/// Brings the data folder to a state that a server can run on. `now` in Unix seconds.
///
/// # Errors
/// [`FirstStartError`], each with what to do.
pub async fn prepare(
    config: &Config,
    store: &dyn Store,
    now: UnixSeconds,
) -> Result<Prepared, FirstStartError> {
    prepare_with_kek(config, None, store, now).await
}

/// As [`prepare`], with the key-encryption key in a file that the operator named (`GATEWAY_KEK_FILE`).
///
/// # Errors
/// As [`prepare`].
pub async fn prepare_with_kek(
    config: &Config,
    kek_file: Option<&Path>,
    store: &dyn Store,
    now: UnixSeconds,
) -> Result<Prepared, FirstStartError> {
    let data_dir = &config.server.data_dir;
    make_data_dir(data_dir)?;
    refuse_an_emptied_store(data_dir, store).await?;
    judge_insecure_mark(config.server.insecure_dev, store).await?;
    let kek = open_kek(&Kek::path(data_dir, kek_file), store).await?;
    let signing_keys = signing::keys(config, &kek, store, now).await?;
    let created = make_admin(config, store, now).await?;
    retire_initial_password(data_dir, Retire::IfExpired { now })?;
    let marker = data_dir.join(COMPLETE);
    create_private(&marker, b"").map_err(|e| FirstStartError::Io(explain("write", &marker, &e)))?;
    Ok(Prepared {
        signing_keys,
        initial_password_file: initial_password::find(data_dir)?,
        created,
    })
}

/// Makes the data folder with mode 0700 where it is missing. [`crate::store::redb::RedbStore::open`] needs
/// it, so a server calls this before it opens the store; [`prepare`] calls it again.
///
/// # Errors
/// [`FirstStartError::Io`] with what to do.
pub fn make_data_dir(data_dir: &Path) -> Result<(), FirstStartError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|e| FirstStartError::Io(explain("create", data_dir, &e)))
}

/// Removes what a killed process left of files that it was making. Only while the server's lock is held.
///
/// # Errors
/// [`FirstStartError::Io`] with what to do.
pub fn sweep_drafts(data_dir: &Path) -> Result<(), FirstStartError> {
    sweep(data_dir).map_err(|e| FirstStartError::Io(explain("tidy up", data_dir, &e)))
}

/// A folder in which a first start was completed has users for ever after: the last administrator cannot be
/// removed. Where they are gone, so is the store, and a first start would hide that.
async fn refuse_an_emptied_store(
    data_dir: &Path,
    store: &dyn Store,
) -> Result<(), FirstStartError> {
    let emptied =
        data_dir.join(COMPLETE).exists() && store.list_users(None, 1).await?.users.is_empty();
    if emptied {
        return Err(FirstStartError::Emptied(data_dir.to_owned()));
    }
    Ok(())
}

/// Development mode marks the store before any password can be set. A normal start takes the mark away
/// once no password is left that was set under it, and refuses until then.
async fn judge_insecure_mark(insecure_dev: bool, store: &dyn Store) -> Result<(), FirstStartError> {
    if insecure_dev {
        return Ok(store.set_insecure_mark(true).await?);
    }
    let unchecked = store.unchecked_users().await?;
    if !unchecked.is_empty() {
        let names = unchecked.into_iter().map(|user| user.username).collect();
        return Err(FirstStartError::InsecureStore(names));
    }
    if store.insecure_mark().await? {
        store.set_insecure_mark(false).await?;
    }
    Ok(())
}

/// A missing key is made only where nothing was sealed with it yet.
async fn open_kek(path: &Path, store: &dyn Store) -> Result<Kek, FirstStartError> {
    if store.keys().await?.value.is_empty() {
        Ok(Kek::load_or_create(path)?)
    } else {
        Ok(Kek::load(path)?)
    }
}

/// The user `admin`, where there are no users. The file with a random password is there before the user is:
/// a crash between leaves a file that the next start uses, never a user whose password nobody knows.
async fn make_admin(
    config: &Config,
    store: &dyn Store,
    now: UnixSeconds,
) -> Result<bool, FirstStartError> {
    if !store.list_users(None, 1).await?.users.is_empty() {
        return Ok(false);
    }
    let insecure_dev = config.server.insecure_dev;
    let password = match &config.auth.admin_password {
        Some(given) => given.clone(),
        None if insecure_dev => SecretString::from(ADMIN_NAME),
        None => initial_password::make(&config.server.data_dir, now)?,
    };
    check_new(
        password.expose_secret(),
        ADMIN_NAME,
        &config.auth.password,
        insecure_dev,
    )
    .map_err(FirstStartError::AdminPassword)?;
    let new = NewUser {
        username: ADMIN_NAME.to_owned(),
        email: String::new(),
        roles: vec![ADMIN_ROLE.to_owned()],
        active: true,
        password_hash: Some(hash_off_thread(password, config).await?),
    };
    match store.create_user(new, now).await {
        Ok(_) => Ok(true),
        // Another process made one between the two looks.
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn hash_off_thread(
    password: SecretString,
    config: &Config,
) -> Result<SecretString, FirstStartError> {
    let config = config.auth.password.clone();
    let hashed = tokio::task::spawn_blocking(move || hash_now(&password, &config)).await;
    match hashed {
        Ok(hash) => Ok(hash?),
        Err(error) => Err(FirstStartError::Io(format!(
            "the first administrator's password was not hashed: {error}"
        ))),
    }
}

#[cfg(test)]
mod tests;
