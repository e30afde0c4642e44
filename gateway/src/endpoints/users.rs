//! Users: list, read, create, change, remove. For administrators alone, which the rules see to.
//!
//! Invariants: no answer holds a password or its hash; a change is in the snapshot before it is
//! answered, and the services behind have heard of it where they are up.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::body::Upload;
use super::{Call, Endpoints, describe, no_such_method};
use crate::answer::Answer;
use crate::auth::password;
use crate::first_start::{ADMIN_NAME, Retire, retire_initial_password};
use crate::refusal::{ErrorShape, FieldErrors, Habits, Refusal};
use crate::request::Method;
use crate::store::{NewUser, StoreError, UserPatch};
use crate::user::{User, UserId, Version};

mod input;

use input::USERNAME;
pub use input::is_role;

/// How long a change waits for the services behind to acknowledge it.
const PROVISION_WAIT: Duration = Duration::from_secs(1);

/// Users in one answer where nothing else is asked for.
const PAGE: usize = 1_000;

/// What an address under `users/` names.
#[derive(Debug, PartialEq)]
enum Place {
    List,
    One(Option<UserId>),
}

impl Endpoints {
    /// Serves the users addresses.
    ///
    /// # Errors
    /// Why the request is not served.
    pub async fn users(&self, call: &Call<'_>, upload: &mut dyn Upload) -> Result<Answer, Refusal> {
        match (
            place(call.facts.path.decoded(), call.fixed_segments),
            &call.facts.method,
        ) {
            (Place::List, Method::Get | Method::Head) => self.list(call).await,
            (Place::List, Method::Post) => self.create(call, upload).await,
            (Place::One(id), Method::Get | Method::Head) => Ok(Answer::json(
                200,
                &shape(&self.existing(id).await?, call.habits()),
            )),
            (Place::One(id), Method::Put | Method::Patch) => {
                self.change(call, upload, self.existing(id).await?).await
            }
            (Place::One(id), Method::Delete) => self.remove(call, self.existing(id).await?).await,
            (_, Method::Options) => Ok(describe::answer(
                "Users",
                "The users of this gateway.",
                None,
            )),
            (_, method) => Err(no_such_method(method)),
        }
    }

    async fn existing(&self, id: Option<UserId>) -> Result<User, Refusal> {
        let id = id.ok_or(Refusal::NotFound)?;
        self.state
            .store()
            .user(id)
            .await
            .map_err(store_refusal)?
            .ok_or(Refusal::NotFound)
    }

    async fn list(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let query = call.facts.query.as_deref().unwrap_or_default();
        let asked = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(n, _)| n == name)
                .and_then(|(_, v)| v.parse::<u64>().ok())
        };
        let limit = asked("limit")
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(PAGE)
            .clamp(1, PAGE);
        let page = self
            .state
            .store()
            .list_users(asked("after").map(UserId), limit)
            .await
            .map_err(store_refusal)?;
        let users: Vec<Value> = page
            .users
            .iter()
            .map(|user| shape(user, call.habits()))
            .collect();
        Ok(match call.habits().errors {
            ErrorShape::Drf => Answer::json(200, &users),
            ErrorShape::Problem => Answer::json(200, &json!({ "users": users, "next": page.next })),
        })
    }

    async fn create(&self, call: &Call<'_>, upload: &mut dyn Upload) -> Result<Answer, Refusal> {
        let input = self.read_input(call, upload, true).await?;
        let username = input.username.unwrap_or_default();
        let hash = match input.password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let new = NewUser {
            username,
            email: input.email.unwrap_or_default(),
            roles: input.roles.unwrap_or_default(),
            active: input.active.unwrap_or(true),
            password_hash: hash,
        };
        let user = self
            .state
            .store()
            .create_user(new, call.now)
            .await
            .map_err(store_refusal)?;
        self.make_known(call, user.version).await?;
        Ok(Answer::json(201, &shape(&user, call.habits())))
    }

    async fn change(
        &self,
        call: &Call<'_>,
        upload: &mut dyn Upload,
        user: User,
    ) -> Result<Answer, Refusal> {
        let input = self
            .read_input(call, upload, call.facts.method == Method::Put)
            .await?;
        let hash = match input.password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let first_password_is_over = hash.is_some() && user.username == ADMIN_NAME;
        let patch = UserPatch {
            username: input.username,
            email: input.email,
            roles: input.roles,
            active: input.active,
            password_hash: hash,
            keep_sessions: false,
        };
        let user = self
            .state
            .store()
            .update_user(user.id, None, patch)
            .await
            .map_err(store_refusal)?;
        if first_password_is_over {
            self.retire_first_password().await;
        }
        self.make_known(call, user.version).await?;
        Ok(Answer::json(200, &shape(&user, call.habits())))
    }

    async fn retire_first_password(&self) {
        let data_dir = self.data_dir.clone();
        let retired =
            tokio::task::spawn_blocking(move || retire_initial_password(&data_dir, Retire::Now))
                .await;
        if let Ok(Err(error)) = retired {
            tracing::error!(%error, "the file with the first password, which is no longer right, is still there");
        }
    }

    async fn remove(&self, call: &Call<'_>, user: User) -> Result<Answer, Refusal> {
        let store = self.state.store();
        store.remove_user(user.id).await.map_err(store_refusal)?;
        let version = store.head().await.map_err(store_refusal)?;
        self.make_known(call, version).await?;
        Ok(Answer::empty(204))
    }

    /// The next request of anybody meets the change, and so does the service behind, if it is up.
    async fn make_known(&self, call: &Call<'_>, version: Version) -> Result<(), Refusal> {
        self.state.catch_up().await.map_err(store_refusal)?;
        call.equipment.provisioning.changed();
        if !call
            .equipment
            .provisioning
            .wait_for(version, PROVISION_WAIT)
            .await
        {
            tracing::warn!(
                version = version.0,
                "a service behind has not yet acknowledged a change of users"
            );
        }
        Ok(())
    }

    async fn hash(&self, password: SecretString) -> Result<SecretString, Refusal> {
        self.passwords.hash(password).await.map_err(|e| match e {
            password::NewHashError::Busy(_) => Refusal::Overloaded("password hashing".to_owned()),
            password::NewHashError::Hash(why) => Refusal::Internal(why.to_string()),
        })
    }
}

/// What lies behind the address that the endpoint is mounted at: nothing, or what should be a number.
fn place(path: &str, fixed_segments: usize) -> Place {
    let segments = path
        .split('/')
        .map(|s| s.split(';').next().unwrap_or_default());
    let mut behind = segments.filter(|s| !s.is_empty()).skip(fixed_segments);
    match (behind.next(), behind.next()) {
        (None, _) => Place::List,
        (Some(text), None) => {
            let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
            Place::One(text.parse().ok().filter(|_| digits).map(UserId))
        }
        (Some(_), Some(_)) => Place::One(None),
    }
}

fn shape(user: &User, habits: &Habits) -> Value {
    match habits.errors {
        ErrorShape::Drf => json!({
            "id": user.id, "username": user.username, "email": user.email, "is_active": user.active,
            "roles": user.roles,
        }),
        ErrorShape::Problem => json!({
            "id": user.id, "username": user.username, "email": user.email, "active": user.active,
            "roles": user.roles, "created_at": user.created_at,
        }),
    }
}

fn store_refusal(error: StoreError) -> Refusal {
    match error {
        StoreError::NotFound => Refusal::NotFound,
        StoreError::Conflict => {
            let mut errors = FieldErrors::default();
            errors.add(USERNAME.name, "A user with that username already exists.");
            Refusal::Fields(errors)
        }
        StoreError::LastAdmin => Refusal::Fields(FieldErrors::whole(
            "The last active administrator can be neither removed, disabled nor demoted.",
        )),
        other => Refusal::Internal(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_works_wherever_it_is_mounted() {
        for (path, fixed, want) in [
            ("/users", 1, Place::List),
            ("/api-auth/users/", 2, Place::List),
            ("/accounts", 1, Place::List),
            ("/accounts/7/", 1, Place::One(Some(UserId(7)))),
            ("/users/users", 1, Place::One(None)),
            ("/users/07", 1, Place::One(None)),
            ("/users/-1", 1, Place::One(None)),
            ("/users/18446744073709551616", 1, Place::One(None)),
            ("/users/7/8", 1, Place::One(None)),
        ] {
            assert_eq!(place(path, fixed), want, "{path}");
        }
    }
}
