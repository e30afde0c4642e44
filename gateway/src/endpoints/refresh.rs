//! A valid token in, a younger one of the same login out, until the login is too old.

use serde_json::Value;

use super::body::Upload;
use super::login::random_id;
use super::verify::describe_token;
use super::{Call, Endpoints};
use crate::answer::Answer;
use crate::auth::token::{Session, TokenError};
use crate::refusal::{FieldErrors, Refusal};

impl Endpoints {
    /// Serves the refresh address.
    ///
    /// # Errors
    /// Why there is no younger token.
    pub async fn refresh(
        &self,
        call: &Call<'_>,
        upload: &mut dyn Upload,
    ) -> Result<Answer, Refusal> {
        if let Some(description) =
            describe_token(call, "Refresh", "Takes a valid token, gives a younger one.")
        {
            return description;
        }
        let (_, verified) = self.read_token(call, upload).await?;
        let orig_iat = check_age(
            verified.orig_iat(),
            call.now,
            call.snapshot.token_rules.refresh_limit,
        )?;
        let user = verified.local().ok_or(Refusal::Token(TokenError::Issuer))?;
        let sid = match verified.sid() {
            Some(sid) => sid.to_owned(),
            None => random_id()?,
        };
        self.token_answer(
            call,
            user,
            &Session {
                jti: random_id()?,
                sid,
            },
            &orig_iat,
        )
    }
}

/// `orig_iat` is the time of the login, carried from token to token in its very form.
fn check_age(orig_iat: Option<&Value>, now: u64, limit: u64) -> Result<Value, Refusal> {
    let whole = |text: &str| Refusal::Fields(FieldErrors::whole(text));
    let value = orig_iat.ok_or_else(|| whole("orig_iat field is required."))?;
    let seconds = value
        .as_f64()
        .ok_or_else(|| whole("orig_iat field is required."))?;
    if seconds == 0.0 {
        return Err(whole("orig_iat field is required."));
    }
    if seconds + limit as f64 <= now as f64 {
        return Err(whole("Refresh has expired."));
    }
    Ok(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_login_can_be_refreshed_until_its_limit() {
        assert!(check_age(None, 100, 10).is_err());
        assert!(check_age(Some(&json!(0)), 100, 10).is_err());
        assert!(check_age(Some(&json!("95")), 100, 10).is_err());
        assert!(check_age(Some(&json!(90)), 100, 10).is_err());
        for kept in [json!(91), json!(95.5), json!(1_000)] {
            assert_eq!(check_age(Some(&kept), 100, 10).expect("young"), kept);
        }
    }
}
