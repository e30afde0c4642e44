//! `gateway user …`: users, beside a running server or without one. A command returns when the server
//! acts on the change.

use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::storage::{Storage, block_on, store_failure};
use super::{Exit, Failure, PasswordArgs, Ran, Streams, UserCommand};
use crate::auth::password::{PasswordWorkers, check_new};
use crate::endpoints::fields::is_email;
use crate::endpoints::users::is_role;
use crate::first_start::{ADMIN_NAME, Retire, retire_initial_password};
use crate::store::{NewUser, Store, UserPatch};
use crate::user::User;
use crate::username;

/// Users read from the store at once.
const PAGE: usize = 1_000;

/// Longest password that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

pub(super) fn run(
    command: &UserCommand,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> Ran {
    match command {
        UserCommand::Add {
            name,
            roles,
            email,
            password,
            store,
            json,
        } => {
            let storage = Storage::open(store, env)?;
            let name = username::normalise(name).map_err(Failure::failed)?;
            check_roles(roles)?;
            check_email(email)?;
            let password = read_password(password, streams)?;
            let user = block_on(async {
                let hash = hash(&storage, &name, password).await?;
                let new = NewUser {
                    username: name,
                    email: email.clone(),
                    roles: roles.clone(),
                    active: true,
                    password_hash: Some(hash),
                };
                let user = storage
                    .store
                    .create_user(new, crate::clock::now())
                    .await
                    .map_err(|e| store_failure(&e))?;
                storage.settle().await?;
                Ok(user)
            })?;
            print(&user, *json, streams)
        }
        UserCommand::List { store, json } => list(&Storage::open(store, env)?, *json, streams),
        UserCommand::Passwd {
            name,
            password,
            store,
        } => {
            let storage = Storage::open(store, env)?;
            let user = block_on(find(&storage, name))?;
            let password = read_password(password, streams)?;
            block_on(async {
                let hash = hash(&storage, &user.username, password).await?;
                change(
                    &storage,
                    &user,
                    UserPatch {
                        password_hash: Some(hash),
                        ..UserPatch::default()
                    },
                )
                .await
            })?;
            retire_if_admin(&storage, &user)?;
            done(
                streams,
                &format!(
                    "the password of {} is changed; older tokens no longer work",
                    user.username
                ),
            )
        }
        UserCommand::Enable { name, store } => {
            set_active(&Storage::open(store, env)?, name, true, streams)
        }
        UserCommand::Disable { name, store } => {
            set_active(&Storage::open(store, env)?, name, false, streams)
        }
        UserCommand::Remove { name, store } => {
            let storage = Storage::open(store, env)?;
            let user = block_on(async {
                let user = find(&storage, name).await?;
                storage
                    .store
                    .remove_user(user.id)
                    .await
                    .map_err(|e| store_failure(&e))?;
                storage.settle().await?;
                Ok(user)
            })?;
            retire_if_admin(&storage, &user)?;
            done(
                streams,
                &format!(
                    "{} is removed; the number {} is never given out again",
                    user.username, user.id
                ),
            )
        }
        UserCommand::Set {
            name,
            roles,
            no_roles,
            email,
            store,
        } => {
            let storage = Storage::open(store, env)?;
            check_roles(roles)?;
            email.as_deref().map_or(Ok(()), check_email)?;
            let roles = (*no_roles || !roles.is_empty()).then(|| roles.clone());
            let patch = UserPatch {
                roles,
                email: email.clone(),
                ..UserPatch::default()
            };
            let user =
                block_on(async { change(&storage, &find(&storage, name).await?, patch).await })?;
            print(&user, false, streams)
        }
    }
}

fn set_active(storage: &Storage, name: &str, active: bool, streams: &mut Streams<'_>) -> Ran {
    let patch = UserPatch {
        active: Some(active),
        ..UserPatch::default()
    };
    let user = block_on(async { change(storage, &find(storage, name).await?, patch).await })?;
    let what = if active {
        "may log in again"
    } else {
        "is kept out; its tokens no longer work"
    };
    done(streams, &format!("{} {what}", user.username))
}

async fn find(storage: &Storage, name: &str) -> Result<User, Failure> {
    let record = storage
        .store
        .user_by_name(name)
        .await
        .map_err(|e| store_failure(&e))?;
    record.map(|r| r.user).ok_or_else(|| {
        Failure::failed(format!(
            "there is no user {name:?}; `gateway user list` names them (case counts)"
        ))
    })
}

async fn change(storage: &Storage, user: &User, patch: UserPatch) -> Result<User, Failure> {
    let changed = storage
        .store
        .update_user(user.id, None, patch)
        .await
        .map_err(|e| store_failure(&e))?;
    storage.settle().await?;
    Ok(changed)
}

async fn hash(
    storage: &Storage,
    name: &str,
    password: SecretString,
) -> Result<SecretString, Failure> {
    let config = &storage.resolved.config.auth.password;
    check_new(password.expose_secret(), name, config, false).map_err(Failure::failed)?;
    PasswordWorkers::new(config)
        .map_err(Failure::failed)?
        .hash(password)
        .await
        .map_err(Failure::failed)
}

fn check_roles(roles: &[String]) -> Result<(), Failure> {
    match roles.iter().find(|role| !is_role(role)) {
        None => Ok(()),
        Some(role) => Err(Failure::Text(
            format!(
                "{role:?} is no role name: use 1 to 64 letters, digits, dots, dashes, underscores or colons"
            ),
            Exit::Usage,
        )),
    }
}

fn check_email(email: &str) -> Result<(), Failure> {
    if email.is_empty() || is_email(email) {
        return Ok(());
    }
    Err(Failure::Text(
        format!("{email:?} is no e-mail address"),
        Exit::Usage,
    ))
}

/// From a file, standard input or a prompt; never from the arguments, which others can read.
fn read_password(args: &PasswordArgs, streams: &mut Streams<'_>) -> Result<SecretString, Failure> {
    if let Some(path) = &args.password_file {
        let text = read_short(path)
            .map_err(|e| Failure::failed(format!("{} cannot be read: {e}", path.display())))?;
        return Ok(text.strip_suffix('\n').unwrap_or(&text).into());
    }
    let stdin = std::io::stdin();
    if args.password_stdin {
        let mut line = String::new();
        stdin.lock().take(MAX_BYTES).read_line(&mut line)?;
        return Ok(line.strip_suffix('\n').unwrap_or(&line).into());
    }
    if !stdin.is_terminal() {
        return Err(Failure::Text(
            "there is no terminal to ask for the password at: use --password-stdin or --password-file".to_owned(),
            Exit::Usage,
        ));
    }
    let first = rpassword::prompt_password("new password: ")?;
    if rpassword::prompt_password("once more: ")? != first {
        return Err(Failure::failed(
            "the two passwords differ; nothing was changed",
        ));
    }
    let _ = streams.err.flush();
    Ok(first.into())
}

/// The length is not asked for beforehand: a device or pipe has none.
fn read_short(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if file.take(MAX_BYTES + 1).read_to_string(&mut text)? as u64 > MAX_BYTES {
        return Err(std::io::Error::other(format!(
            "it is longer than {MAX_BYTES} bytes, which no password is"
        )));
    }
    Ok(text)
}

/// The file with the first password is wrong from now on.
fn retire_if_admin(storage: &Storage, user: &User) -> Result<(), Failure> {
    if user.username == ADMIN_NAME {
        retire_initial_password(storage.data_dir(), Retire::Now).map_err(Failure::failed)?;
    }
    Ok(())
}

fn list(storage: &Storage, as_json: bool, streams: &mut Streams<'_>) -> Ran {
    let users = block_on(async {
        let mut users = Vec::new();
        let mut after = None;
        loop {
            let page = storage
                .store
                .list_users(after, PAGE)
                .await
                .map_err(|e| store_failure(&e))?;
            users.extend(page.users);
            after = page.next;
            if after.is_none() {
                return Ok(users);
            }
        }
    })?;
    if as_json {
        writeln!(
            streams.out,
            "{:#}",
            users.iter().map(shape).collect::<serde_json::Value>()
        )?;
        return Ok(Exit::Ok);
    }
    writeln!(
        streams.out,
        "{:>6}  {:<24} {:<8} {:<20} email",
        "id", "name", "active", "roles"
    )?;
    for user in users {
        let active = if user.active { "yes" } else { "no" };
        writeln!(
            streams.out,
            "{:>6}  {:<24} {:<8} {:<20} {}",
            user.id.0,
            user.username,
            active,
            user.roles.join(","),
            user.email
        )?;
    }
    Ok(Exit::Ok)
}

fn shape(user: &User) -> serde_json::Value {
    json!({
        "id": user.id, "username": user.username, "email": user.email, "roles": user.roles,
        "active": user.active, "created_at": user.created_at,
    })
}

fn print(user: &User, as_json: bool, streams: &mut Streams<'_>) -> Ran {
    if as_json {
        writeln!(streams.out, "{:#}", shape(user))?;
        return Ok(Exit::Ok);
    }
    let roles = if user.roles.is_empty() {
        "no roles".to_owned()
    } else {
        format!("roles {}", user.roles.join(", "))
    };
    done(
        streams,
        &format!("user {} has number {} and {roles}", user.username, user.id),
    )
}

fn done(streams: &mut Streams<'_>, text: &str) -> Ran {
    writeln!(streams.out, "{text}")?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_file_without_end_is_no_password() {
        let error = super::read_short(Path::new("/dev/zero")).unwrap_err();
        assert!(error.to_string().contains("longer than 65536"), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        for (length, fine) in [(0, true), (65_536, true), (65_537, false)] {
            std::fs::write(&path, "x".repeat(length)).unwrap();
            assert_eq!(super::read_short(&path).is_ok(), fine, "{length}");
        }
    }
}
