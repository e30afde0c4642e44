//! `POST /api-auth/`: name and password in, token out.
//!
//! Invariant: unknown name, wrong password and inactive user are one answer that takes one hash to give.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::body::Upload;
use super::fields::{TextField, text};
use super::{Call, Endpoints, body, describe, no_such_method};
use crate::answer::Answer;
use crate::auth::token::{self, Session};
use crate::refusal::{ErrorShape, FieldErrors, LoginAnswer, Refusal};
use crate::request::Method;
use crate::store::UserPatch;
use crate::user::User;

const USERNAME: TextField = TextField {
    name: "username",
    trim: true,
    blank: false,
    max: 1_000,
    nul: false,
};
const PASSWORD: TextField = TextField {
    name: "password",
    trim: false,
    blank: false,
    max: usize::MAX,
    nul: false,
};

impl Endpoints {
    /// Serves the login address.
    ///
    /// # Errors
    /// Why nobody is logged in.
    pub async fn login(&self, call: &Call<'_>, upload: &mut dyn Upload) -> Result<Answer, Refusal> {
        match call.facts.method {
            Method::Post => {}
            Method::Options if call.habits().errors == ErrorShape::Drf => {
                return Ok(describe_login());
            }
            _ => return Err(no_such_method(&call.facts.method)),
        }
        if call.equipment.server.require_https && !call.https {
            return Err(Refusal::HttpsRequired);
        }
        let (username, password) = self.read_login(call, upload).await?;
        let result = self.check_login(call, &username, password).await;
        let label = match &result {
            Ok(_) => "ok",
            Err(Refusal::Throttled(_)) => "throttled",
            Err(Refusal::Overloaded(_)) => "overloaded",
            Err(_) => "failed",
        };
        self.metrics.login(label);
        let user = result?;
        let session = Session {
            jti: random_id()?,
            sid: random_id()?,
        };
        self.token_answer(call, &user, &session, &json!(call.now))
    }

    async fn read_login(
        &self,
        call: &Call<'_>,
        upload: &mut dyn Upload,
    ) -> Result<(String, SecretString), Refusal> {
        let fields = body::read(call.facts, upload, call.max_body(), call.habits()).await?;
        let mut errors = FieldErrors::default();
        let username = text(&fields, USERNAME, true, &mut errors);
        let password = text(&fields, PASSWORD, true, &mut errors);
        if password
            .as_ref()
            .is_some_and(|p| p.len() > call.equipment.auth.password.max_bytes)
        {
            errors.add(PASSWORD.name, "This password is too long.");
        }
        match (username, password) {
            (Some(username), Some(password)) if errors.is_empty() => {
                Ok((username, password.into()))
            }
            _ => Err(Refusal::Fields(errors)),
        }
    }

    async fn check_login(
        &self,
        call: &Call<'_>,
        username: &str,
        password: SecretString,
    ) -> Result<User, Refusal> {
        self.throttle
            .check(username, call.client, call.now)
            .map_err(Refusal::Throttled)?;
        let record = self
            .state
            .store()
            .user_by_name(username)
            .await
            .map_err(|e| Refusal::Internal(e.to_string()))?;
        let hash = record.as_ref().and_then(|r| r.password_hash.clone());
        let verdict = self
            .passwords
            .verify(password, hash)
            .await
            .map_err(|_| Refusal::Overloaded("logins".to_owned()))?;
        let user = match record {
            Some(record) if verdict.ok && record.user.active => record.user,
            Some(record) => {
                return Err(self.failed(
                    call,
                    username,
                    if record.user.active {
                        "password"
                    } else {
                        "inactive"
                    },
                ));
            }
            None => return Err(self.failed(call, username, "unknown user")),
        };
        self.throttle.succeeded(username, call.client);
        if let Some(rehash) = verdict.rehash {
            self.store_rehash(&user, rehash).await;
        }
        Ok(user)
    }

    fn failed(&self, call: &Call<'_>, username: &str, why: &'static str) -> Refusal {
        self.throttle.failed(username, call.client, call.now);
        Refusal::Login(why)
    }

    /// Raised hashing parameters reach a user at its next login. Somebody who changes the user at the
    /// same moment wins, and a failure costs nothing: the next login tries again.
    async fn store_rehash(&self, user: &User, hash: SecretString) {
        let patch = UserPatch {
            password_hash: Some(hash),
            keep_sessions: true,
            ..UserPatch::default()
        };
        if let Err(error) = self
            .state
            .store()
            .update_user(user.id, Some(user.version), patch)
            .await
        {
            tracing::debug!(user = user.id.0, %error, "the raised password hash was not stored");
        }
    }

    /// Mints a token for `user` and answers it in the shape of the profile.
    pub(super) fn token_answer(
        &self,
        call: &Call<'_>,
        user: &User,
        session: &Session,
        orig_iat: &Value,
    ) -> Result<Answer, Refusal> {
        let rules = &call.snapshot.token_rules;
        let key = call
            .snapshot
            .keys
            .signing()
            .ok_or_else(|| Refusal::Internal("no signing key".to_owned()))?;
        let token = token::mint(user, key, rules, session, orig_iat, call.now)
            .map_err(|e| Refusal::Internal(format!("signing: {e}")))?;
        let body = match call.habits().login_answer {
            LoginAnswer::Token => json!({ "token": token }),
            LoginAnswer::OAuth => {
                json!({ "token": token, "token_type": "Bearer", "expires_in": rules.ttl })
            }
        };
        Ok(Answer::json(200, &body).header("Cache-Control", "no-store"))
    }
}

fn describe_login() -> Answer {
    let fields = json!({
        "username": describe::text_field("Username"),
        "password": describe::text_field("Password"),
    });
    describe::answer(
        "Log in",
        "Takes a name and a password, gives a token.",
        Some(json!({ "POST": fields })),
    )
}

/// 128 bits from the system's generator, base64url.
///
/// # Errors
/// 500 where the system gives none.
pub fn random_id() -> Result<String, Refusal> {
    use base64::Engine;
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| Refusal::Internal(format!("random numbers: {e}")))?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}
