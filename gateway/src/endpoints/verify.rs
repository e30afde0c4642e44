//! A token in, the same token out where it is valid.

use serde_json::json;

use super::body::Upload;
use super::fields::{TextField, text};
use super::{Call, Endpoints, body, describe, no_such_method};
use crate::answer::Answer;
use crate::auth::token::{self, TokenError, Verified};
use crate::refusal::{ErrorShape, FieldErrors, Refusal};
use crate::request::Method;

const TOKEN: TextField = TextField {
    name: "token",
    trim: true,
    blank: false,
    max: usize::MAX,
    nul: false,
};

impl Endpoints {
    /// Serves the verify address.
    ///
    /// # Errors
    /// Why the token is not valid.
    pub async fn verify(
        &self,
        call: &Call<'_>,
        upload: &mut dyn Upload,
    ) -> Result<Answer, Refusal> {
        if let Some(description) = describe_token(
            call,
            "Verify",
            "Takes a token, gives it back if it is valid.",
        ) {
            return description;
        }
        let (token, _) = self.read_token(call, upload).await?;
        Ok(Answer::json(200, &json!({ "token": token })).header("Cache-Control", "no-store"))
    }

    /// Reads and verifies the `token` of a body.
    pub(super) async fn read_token(
        &self,
        call: &Call<'_>,
        upload: &mut dyn Upload,
    ) -> Result<(String, Verified), Refusal> {
        let fields = body::read(call.facts, upload, call.max_body(), call.habits()).await?;
        let mut errors = FieldErrors::default();
        let Some(token) = text(&fields, TOKEN, true, &mut errors) else {
            return Err(Refusal::Fields(errors));
        };
        let snapshot = call.snapshot;
        match token::verify(&token, &snapshot.own_trust(), call.now) {
            Ok(verified) => Ok((token, verified)),
            Err(why) if call.habits().errors == ErrorShape::Drf => Err(invalid(why)),
            Err(why) => Err(Refusal::Token(why)),
        }
    }
}

/// Recorded: the token addresses answer 400 with the text of the failed check.
fn invalid(why: TokenError) -> Refusal {
    let text = match why {
        TokenError::UnknownUser => "User doesn't exist.",
        other => other.drf_text(),
    };
    Refusal::Fields(FieldErrors::whole(text))
}

/// What the token addresses do with anything but POST.
pub(super) fn describe_token(
    call: &Call<'_>,
    name: &str,
    description: &str,
) -> Option<Result<Answer, Refusal>> {
    match call.facts.method {
        Method::Post => None,
        Method::Options if call.habits().errors == ErrorShape::Drf => {
            let fields = json!({ "POST": { "token": describe::text_field("Token") } });
            Some(Ok(describe::answer(name, description, Some(fields))))
        }
        _ => Some(Err(no_such_method(&call.facts.method))),
    }
}
