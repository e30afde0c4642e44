//! What a change does to a user, apart from where users are kept. Pure.

use super::{ADMIN_ROLE, NewUser, UnixSeconds, User, UserId, UserPatch, Version};
use crate::username;

/// Changes kept in the feed. A reader that is further behind takes a snapshot again.
pub(super) const FEED_ROWS: u64 = 100_000;

/// The user that `new` describes.
pub(super) fn created(new: NewUser, id: UserId, version: Version, now: UnixSeconds) -> User {
    User {
        id,
        username: username::nfc(&new.username),
        email: new.email,
        roles: normal_roles(new.roles),
        active: new.active,
        epoch: 0,
        version,
        created_at: now,
    }
}

/// The user after `patch`, with the old version; `None` where nothing would be different.
pub(super) fn patched(old: &User, patch: &UserPatch) -> Option<User> {
    let mut user = old.clone();
    if let Some(name) = &patch.username {
        user.username = username::nfc(name);
    }
    if let Some(email) = &patch.email {
        user.email.clone_from(email);
    }
    if let Some(roles) = &patch.roles {
        user.roles = normal_roles(roles.clone());
    }
    if let Some(active) = patch.active {
        user.active = active;
    }
    let new_password = patch.password_hash.is_some() && !patch.keep_sessions;
    // A token may name its user by name alone: it must not speak for whoever takes that name next.
    let renamed = user.username != old.username;
    if new_password || renamed || user.roles != old.roles || user.active != old.active {
        user.epoch = old.epoch.saturating_add(1);
    }
    (user != *old || patch.password_hash.is_some()).then_some(user)
}

/// Says whether `user` counts as an administrator.
pub(super) fn is_active_admin(user: &User) -> bool {
    user.active && user.roles.iter().any(|role| role == ADMIN_ROLE)
}

fn normal_roles(mut roles: Vec<String>) -> Vec<String> {
    roles.sort_unstable();
    roles.dedup();
    roles
}
